"""Records to bytes and headers, and back. One record a Kafka record, so that others can read our topics.

The value is JSON: an event's is its flat ECS document, unchanged. Headers say what it is: `kind` is name and version
(`event/1`), `time` the event time in microseconds, `source` (of events and matches) the configured source. Kafka's own
time stamp is the time of writing: retention counts by it, and old logs may be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from pydantic import BaseModel, ValidationError

from contract.errors import ParseError
from contract.event import Event, Match, Observation
from contract.ids import derive_id
from contract.records import Alert, Chain, Command, Correction, DeadLetter, Decision, Outcome
from contract.timestamps import from_datetime, to_datetime
from ingest.streams.kafka_batches import Headers

VERSION: Final = 1
PACE: Final = "pace "
"""Before a member's name: `Mark.of` of a mark that says how far all recorded sources of an ingest are; ended: none is left."""

Wired: TypeAlias = tuple[bytes, Headers]
Read: TypeAlias = Sequence[tuple[str, bytes | None]]
"""Headers as others may have written them."""


@dataclass(slots=True, frozen=True)
class Mark:
    """How far event time is in one upstream partition, told to all downstream partitions.

    Attributes:
        of: which upstream partition, e.g. `detect/3`, or source.
        time_us: the latest event time that was taken there; what was sent before the mark is not later.
        low_us: its watermark: nothing earlier follows from there, but what is late. Sources have none.
        ended: nothing follows at all.
    """

    of: str
    time_us: int
    low_us: int = 0
    ended: bool = False


@dataclass(slots=True, frozen=True)
class Canary:
    """Travels the whole path beside the records; its age tells how long they take.

    Attributes:
        sent_us: wall clock of its start.
    """

    sent_us: int


Few: TypeAlias = Alert | Chain | Decision | Outcome | Command | Correction | DeadLetter
Item: TypeAlias = Event | Match | Observation | Mark | Canary | Few

_FEW: Final[dict[str, type[BaseModel]]] = {
    "alert": Alert,
    "chain": Chain,
    "decision": Decision,
    "outcome": Outcome,
    "command": Command,
    "correction": Correction,
    "dead_letter": DeadLetter,
}
_BULK: Final = ("event", "match", "observation", "mark", "canary")
KINDS: Final = (*_BULK, *_FEW)


class _Match(msgspec.Struct, forbid_unknown_fields=True):
    rule: str
    event: msgspec.Raw


class _Observation(msgspec.Struct, forbid_unknown_fields=True):
    event: str
    time_us: int
    fields: dict[str, Any]


class _Mark(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    of: str
    time_us: int
    low_us: int = 0
    ended: bool = False


class _Canary(msgspec.Struct, forbid_unknown_fields=True):
    sent_us: int


_encode = msgspec.json.Encoder().encode
_decode_match = msgspec.json.Decoder(_Match).decode
_decode_observation = msgspec.json.Decoder(_Observation).decode
_decode_mark = msgspec.json.Decoder(_Mark).decode
_decode_canary = msgspec.json.Decoder(_Canary).decode
_KIND: Final = {kind: f"{kind}/{VERSION}".encode() for kind in KINDS}
_NAME: Final = {data: kind for kind, data in _KIND.items()}
_HEADER: Final = {kind: ("kind", data) for kind, data in _KIND.items()}
_FAR_US: Final = 1 << 62
"""No time that any clock states."""
_EVENT_HEADERS: Final = ("kind", "time", "source")
_SOURCES: Final = 4_096
"""Names of sources whose two forms are remembered."""


def encode(item: Item) -> Wired:
    """Return value and headers of a record. O(its size); an event's JSON is not encoded again."""
    match item:
        case Event():
            time = "time", b"%d" % item.time_us
            return item.json, [_HEADER["event"], time, _source(item.source)]
        case Match():
            event = item.event
            value = b'{"rule":%b,"event":%b}' % (_encode(item.rule), event.json)
            return value, _headers("match", event.time_us, event.source)
        case Observation():
            value = _encode({"event": item.event, "time_us": item.time_us, "fields": item.fields})
            return value, _headers("observation", item.time_us)
        case Mark():
            value = _encode(_Mark(item.of, item.time_us, item.low_us, item.ended))
            return value, _headers("mark", item.time_us)
        case Canary():
            return _encode(_Canary(item.sent_us)), _headers("canary", item.sent_us)
        case _:
            return item.model_dump_json().encode(), _headers(item.kind, time_of(item))


def decode(value: bytes | None, headers: Read) -> Item:
    """Return the record that `encode` made.

    Raises:
        ParseError: no kind, another version, or not such a record; the text is a dead letter's reason.
    """
    said = {name: data for name, data in headers if data is not None}
    kind = _NAME.get(said.get("kind", b""))
    if kind is None:
        raise ParseError(_unknown(said.get("kind")))
    if value is None:
        raise ParseError(f"{kind} without a value")
    try:
        read = _READ.get(kind)
        return read(value, said) if read else _record(kind, value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ParseError(f"not a version {VERSION} {kind}: {place} {first['msg']}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ParseError) as error:
        raise ParseError(f"not a version {VERSION} {kind}: {error}") from error
    except KeyError as error:
        raise ParseError(f"{kind} without the header {error}") from error


def stated_event(headers: Read) -> tuple[int, str] | None:
    """Return time and source of what headers say is an event; None: they do not, or `decode` is to say what is wrong.

    The document decides; whoever goes on without decoding it must know that it says the same.
    """
    if len(headers) < len(_EVENT_HEADERS) or headers[0] != _HEADER["event"]:
        return None
    (_, (time_name, time), (source_name, source)) = headers[: len(_EVENT_HEADERS)]
    if (time_name, source_name) != _EVENT_HEADERS[1:]:
        return None
    if time is None or source is None:
        return None
    try:
        time_us = int(time)
        return (time_us, _name(source)) if abs(time_us) < _FAR_US else None
    except ValueError:  # no number, or no text
        return None


def _event_of(value: bytes, said: Mapping[str, bytes]) -> Event:
    return Event.decode(value, _name(said["source"]))


def _match_of(value: bytes, said: Mapping[str, bytes]) -> Match:
    found = _decode_match(value)
    return Match(found.rule, Event.decode(bytes(found.event), _name(said["source"])))


def _observation_of(value: bytes, _: Mapping[str, bytes]) -> Observation:
    seen = _decode_observation(value)
    return Observation(seen.event, seen.time_us, seen.fields)


def _mark_of(value: bytes, _: Mapping[str, bytes]) -> Mark:
    mark = _decode_mark(value)
    return Mark(mark.of, mark.time_us, mark.low_us, mark.ended)


_READ: Final[dict[str, Callable[[bytes, Mapping[str, bytes]], Item]]] = {
    "event": _event_of,
    "match": _match_of,
    "observation": _observation_of,
    "mark": _mark_of,
    "canary": lambda value, _: Canary(_decode_canary(value).sent_us),
}


def _record(kind: str, value: bytes) -> Item:
    found: Any = _FEW[kind].model_validate_json(value)
    return found  # type: ignore[no-any-return]


def dead(
    stage: str,
    place: str,
    value: bytes | None,
    reason: str,
    *,
    now_us: int,
    kept_bytes: int,
) -> DeadLetter:
    """Return the dead letter of a record on a topic that cannot be used.

    Args:
        stage: which stage met it.
        place: topic, partition and offset, e.g. `opsonin.matches/3@118`; makes the id, so a repeat collapses.
        value: as it came.
        reason: as a `ParseError` says.
        now_us: when it came.
        kept_bytes: most that is kept of it.
    """
    raw = value or b""
    return DeadLetter(
        id=derive_id("dead_letter", stage, place),
        time=to_datetime(now_us),
        stage=stage,
        source=place,
        adapter="",
        reason=reason,
        raw=raw[:kept_bytes],
        size_bytes=len(raw),
        truncated=len(raw) > kept_bytes,
    )


def time_of(item: Few) -> int:
    """Return the event time of a record, microseconds: the latest that it speaks of."""
    match item:
        case Alert() | Chain():
            return from_datetime(item.last)
        case Decision():
            return from_datetime(item.made)
        case _:
            return from_datetime(item.time)


def _headers(kind: str, time_us: int, source: str | None = None) -> Headers:
    headers = [_HEADER[kind], ("time", b"%d" % time_us)]
    if source is not None:
        headers.append(_source(source))
    return headers


@lru_cache(_SOURCES)
def _source(name: str) -> tuple[str, bytes]:
    return "source", name.encode()


@lru_cache(_SOURCES)
def _name(source: bytes) -> str:
    return source.decode()


def _unknown(said: bytes | None) -> str:
    if said is None:
        return "no header `kind`: not a record of this engine"
    kind, _, version = said[:80].decode("utf-8", "replace").partition("/")
    if kind in KINDS:
        return f"{kind} of version {version}; this release reads version {VERSION}"
    return f"kind {kind!r}; expected one of {', '.join(KINDS)}"
