"""Raw records to events: calls the adapter, completes and checks what it says, and never raises.

Every record ends as events or as a dead letter; nothing is dropped silently. What an adapter leaves
open is filled here in one way for all: id, version, arrival for a missing time, types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Final, TypeAlias

import orjson

from contract.errors import ParseError
from contract.event import ECS_VERSION, Event, Fields
from contract.ids import derive_id, event_id
from contract.meter import MemoryMeter
from contract.ports import Adapter, Context, Meter
from contract.records import DeadLetter
from contract.timestamps import iso, microseconds, to_datetime
from ingest.conform import Conformer
from ingest.enrich import Enrichment, EnrichSettings
from ingest.formats.time import canonical_us, is_canonical, second_us
from ingest.native import NATIVE
from ingest.normalize_settings import NormalizeSettings
from ingest.templates import Templates

Enricher: TypeAlias = Callable[[Fields], None]
"""Adds to the fields of one event in place; must not fail."""

LONGEST_PREFIX: Final = 64
"""Of what adapters put before a product's own names."""


# What an adapter may raise beside ParseError on input that its author did not foresee.
_FAULTS: Final = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError,
    ArithmeticError,
)  # fmt: skip
_OF_ADAPTERS: Final = "/ingest/adapters/"


class Normalizer:
    """Turns the raw records of one source into events and dead letters.

    Args:
        adapter: reads one record.
        source: name of the configured source; its watermark is kept by this name.
        settings: bounds.
        meter: counts `field_misfits`, values that are not of their ECS type.
        enrichers: called in order on each event's fields before they are checked.
        known: what is known of the site, where several normalizers share it; else it is read as the settings say.
        learns: may use the native module, where it is there, for lines of shapes that repeat.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """

    def __init__(
        self,
        adapter: Adapter,
        source: str,
        *,
        settings: NormalizeSettings | None = None,
        meter: Meter | None = None,
        enrichers: Sequence[Enricher] = (),
        known: Enrichment | None = None,
        learns: bool = True,
    ) -> None:
        self._adapter = adapter
        self._source = source
        self._settings = settings or NormalizeSettings()
        self._meter = meter or MemoryMeter()
        known = known or Enrichment(self._settings.enrich, self._meter)
        self._enrichers = (*enrichers, *(() if known.is_idle else (known,)))
        self._max_future_us = microseconds(self._settings.max_future)
        age = self._settings.max_age
        self._max_age_us = None if age is None else microseconds(age)
        self._earliest_us = canonical_us(f"{self._settings.earliest_year:04d}-01-01T00:00:00Z")
        self._keep_original = self._settings.keep_original
        self._stamp_ingested = self._settings.stamp_ingested
        self._is_typed = adapter.typed and not enrichers
        # A name longer than the bound needs a record as long, or one before it that the adapter remembers.
        self._short_bytes = -1 if adapter.flush else self._settings.max_name_length - LONGEST_PREFIX
        self._conform = Conformer(self._settings, self._meter, source)
        self._templates = self._learning(known) if learns and not enrichers else None

    def take(self, raw: bytes, context: Context) -> list[Event | DeadLetter]:
        """Read one record; never raises on account of its content. O(length).

        `context.state` is changed by adapters that remember. An unfinished record gives an empty
        list; it comes with a later record, or with `flush`.
        """
        if len(raw) > self._settings.max_record_bytes:
            bound = self._settings.max_record_bytes
            return [self._dead(f"record of {len(raw)} bytes; the bound is {bound}", raw, context)]
        if self._templates is not None:
            event = self._templates.event(raw, context)
            if event is not None and self._is_timely(event.time_us, context.received_us):
                return [event]
        return self._take(raw, context)

    def _learning(self, known: Enrichment) -> Templates | None:
        """Return where lines are learnt, if they can be."""
        adapter = self._adapter
        if NATIVE is None or adapter.holes is None:
            return None
        quiet = MemoryMeter()
        # Lines are made up to learn by, older than what is read; a template's answer is looked at for its age.
        bare = self._settings.model_copy(update={"enrich": EnrichSettings(), "max_age": None})
        own = Normalizer(adapter, self._source, settings=bare, meter=quiet, learns=False)
        site = None if known.is_idle else known
        return Templates(
            NATIVE, adapter, own.take, quiet, self._meter, self._source, self._take, site
        )

    def _is_timely(self, time_us: int, received_us: int) -> bool:
        return self._earliest_us <= time_us <= received_us + self._max_future_us and (
            self._max_age_us is None or time_us >= received_us - self._max_age_us
        )

    def _take(self, raw: bytes, context: Context) -> list[Event | DeadLetter]:
        try:
            found = self._adapter.parse(raw, context)
            if len(found) == 1:
                return [self._complete(found[0], raw, 0, context)]
        except ParseError as error:
            return [self._dead(str(error), raw, context)]
        except _FAULTS as error:
            return [self._dead(_reason(error), raw, context)]
        return self._complete_all(found, raw, context)

    def flush(self, context: Context) -> list[Event | DeadLetter]:
        """Return what the adapter still holds of a stream that has ended."""
        if self._adapter.flush is None:
            return []
        try:
            found = self._adapter.flush(context)
        except (ParseError, *_FAULTS) as error:
            why = str(error) if isinstance(error, ParseError) else _reason(error)
            return [self._dead(f"at the end of the stream: {why}", b"", context)]
        made: list[Event | DeadLetter] = []
        for fields in found:
            # There is no one raw record behind these; the fields themselves are the cause.
            made.extend(
                self._complete_all([fields], repr(sorted(fields.items())).encode(), context)
            )
        return made

    def _complete_all(
        self, found: Iterable[Fields], raw: bytes, context: Context
    ) -> list[Event | DeadLetter]:
        made: list[Event | DeadLetter] = []
        for part, fields in enumerate(found):
            try:
                made.append(self._complete(fields, raw, part, context))
            except ParseError as error:
                made.append(self._dead(str(error), raw, context, part))
            except _FAULTS as error:
                made.append(self._dead(_reason(error), raw, context, part))
        return made

    def _complete(self, fields: Fields, raw: bytes, part: int, context: Context) -> Event:
        for enrich in self._enrichers:
            enrich(fields)
        time_us = self._time(fields, context.received_us)
        id_ = fields.get("event.id")
        if not id_ or type(id_) is not str:
            id_ = fields["event.id"] = event_id(self._adapter.name, raw, part)
        fields["ecs.version"] = ECS_VERSION
        if self._keep_original:
            fields.setdefault("event.original", raw.decode("utf-8", "backslashreplace"))
        if self._stamp_ingested:
            arrived = fields["event.ingested"] = iso(context.received_us)
            fields.setdefault("event.created", arrived)
        settings = self._settings
        is_typed = self._is_typed and len(fields) < settings.max_fields
        if is_typed and len(raw) > self._short_bytes:
            is_typed = max(map(len, fields)) <= settings.max_name_length
        if not is_typed:
            self._conform(fields)
        try:
            json = orjson.dumps(
                fields
            )  # more than twice as fast; what it refuses, msgspec may take
        except TypeError:
            return Event.of(fields, id=id_, time_us=time_us, source=self._source)
        return Event(id_, time_us, self._source, fields, json)

    def _time(self, fields: Fields, received_us: int) -> int:
        """Return the event's time and make its text canonical.

        Raises:
            ParseError: not a time, or outside the bounds.
        """
        text = fields.get("@timestamp")
        if not text:
            fields["@timestamp"] = iso(received_us)
            fields.setdefault("event.created", fields["@timestamp"])
            return received_us
        try:
            if is_canonical(text):
                time_us = second_us(text[:19]) + int(text[20:26])
            else:
                time_us = canonical_us(text)
                fields["@timestamp"] = iso(time_us)
        except TypeError:
            raise ParseError("@timestamp: expected a text with date and time") from None
        except (ValueError, OverflowError) as error:
            raise ParseError(f"@timestamp: {error}") from None
        if time_us > received_us + self._max_future_us:
            raise ParseError(
                f"@timestamp {text} is later than arrival {iso(received_us)} and max_future"
            )
        if time_us < self._earliest_us:
            raise ParseError(
                f"@timestamp {text} is before {self._settings.earliest_year}: a clock not set"
            )
        if self._max_age_us is not None and time_us < received_us - self._max_age_us:
            raise ParseError(
                f"@timestamp {text} is older than max_age at arrival {iso(received_us)}"
            )
        return time_us

    def _dead(self, reason: str, raw: bytes, context: Context, part: int = 0) -> DeadLetter:
        kept = self._settings.dead_letter_bytes
        return DeadLetter(
            id=derive_id("dead_letter", self._source, self._adapter.name, str(part), raw),
            time=to_datetime(context.received_us),
            stage="ingest",
            source=self._source,
            adapter=self._adapter.name,
            reason=reason,
            raw=raw[:kept],
            size_bytes=len(raw),
            truncated=len(raw) > kept,
        )


def _reason(error: Exception) -> str:
    """Say what went wrong and, where it was in an adapter, in which line of its file: its author's to mend."""
    frames = ((frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__))
    places = [f" ({Path(file).name}:{line})" for file, line in frames if _OF_ADAPTERS in file]
    return f"{type(error).__name__}: {error}{places[-1] if places else ''}"
