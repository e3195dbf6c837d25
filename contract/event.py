"""The event: one flat ECS document, and the little that the engine needs beside it.

Source: Elastic Common Schema 9.4; flat dotted names as the ecs-logging libraries write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from contract.errors import ParseError
from contract.timestamps import from_iso

ECS_VERSION = "9.4.0"

Fields: TypeAlias = dict[str, Any]
"""Flat ECS: dotted name to a JSON scalar or a list of scalars (rarely objects, kept as they came)."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Event:
    """What one sensor said once.

    Treated as immutable: stages share it. `json` is encoded once, where the event is made, and
    travels beside the fields because the wire, the store and keyword rules need the bytes.

    Attributes:
        id: `event.id`; the input's own or `contract.ids.event_id`.
        time_us: `@timestamp`, microseconds since the epoch.
        source: name of the configured source it came from; its watermark is kept by this name.
        fields: flat ECS, `@timestamp`, `event.id` and `ecs.version` included.
        json: `fields` as UTF-8 JSON.
    """

    id: str
    time_us: int
    source: str
    fields: Fields
    json: bytes

    @classmethod
    def of(cls, fields: Fields, *, id: str, time_us: int, source: str) -> Event:
        """Make an event of complete fields, encoding them.

        Raises:
            ParseError: a value has no JSON form (NaN has: null).
        """
        try:
            return cls(id, time_us, source, fields, _encode(fields))
        except (TypeError, ValueError, RecursionError) as error:
            raise ParseError(f"fields cannot be encoded as JSON: {error}") from error

    @classmethod
    def encoded(cls, json: bytes, *, id: str, time_us: int, source: str) -> Event:
        """Make an event of its JSON alone; `fields` are decoded when first asked for.

        The caller answers for `json` being what `of` would have made of the fields.
        """
        event = cls.__new__(cls)
        event.id, event.time_us, event.source, event.json = id, time_us, source, json
        return event

    if not TYPE_CHECKING:  # a type checker would let every misspelt attribute pass

        def __getattr__(self, name: str) -> Any:
            # Python comes here only for what is not set, so that events with fields pay nothing.
            if name != "fields":
                raise AttributeError(name)
            self.fields = _decode(self.json)
            return self.fields

    @classmethod
    def decode(cls, json: bytes, source: str) -> Event:
        """Read back what `json` of another event holds.

        Raises:
            ParseError: not a JSON object, or `event.id` or `@timestamp` is absent or malformed.
        """
        try:
            fields = _decode(json)
            return cls(fields["event.id"], from_iso(fields["@timestamp"]), source, fields, json)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ParseError(f"not a JSON object: {error}") from error
        except KeyError as error:
            raise ParseError(f"field {error} is absent") from error
        except (TypeError, ValueError) as error:
            raise ParseError(f"@timestamp: {error}") from error


SENSOR_RULE = "sensor"
"""`Match.rule` of an event that is itself a sensor's alert (`event.kind: alert`)."""


@dataclass(slots=True, frozen=True)
class Match:
    """One rule held for one event; `rule` is its id, or `SENSOR_RULE`."""

    rule: str
    event: Event


@dataclass(slots=True, frozen=True)
class Observation:
    """What one event tells about who is who and who did what, without a judgement.

    Joins need it: the process between two alerts, the flow seen by another sensor, the logon.

    Attributes:
        event: id of the event.
        time_us: its time.
        fields: only those that joins read (`correlate.chain.entities.JOIN_FIELDS`).
    """

    event: str
    time_us: int
    fields: Fields


@dataclass(slots=True, frozen=True)
class Notice:
    """What a pure stage wants counted, and said once: a bound was passed, something was folded or left out.

    Attributes:
        name: of the counter, a Prometheus name without prefix.
        amount: to add.
        label: one value that tells which (a rule id, a setting); low cardinality.
        text: for a person, logged as a warning at a limited rate; empty: only counted.
    """

    name: str
    amount: int = 1
    label: str = ""
    text: str = ""
