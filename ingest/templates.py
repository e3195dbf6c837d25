"""The learnt lines of one source: events straight from bytes where a template serves, and nothing where none does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final, TypeAlias

import orjson

from contract.event import Event
from contract.meter import MemoryMeter
from contract.ports import Adapter, Context, Meter
from contract.records import DeadLetter
from ingest.enrich import Enrichment
from ingest.learn import AUDIT_EVERY, Learner, table_of
from ingest.native import Engine, Native

_SIDES: Final = {b"S": "source", b"D": "destination"}
Read: TypeAlias = Callable[[bytes, Context], Sequence[Event | DeadLetter]]
"""The adapter's own path, complete and checked."""


class Templates:
    """Serves the lines of one adapter under one setting.

    Templates hold for one zone at a time: when a source's zone is another one, learning begins anew.

    Args:
        native: the module.
        adapter: with a table of holes.
        read: its own path, counting into `quiet`.
        quiet: what `read` counts into; lines on which it counts something are not learnt.
        meter: counts `lines_learnt`, `lines_refused` and `template_faults`.
        source: name of the configured source.
        whole: the path that `read` is a part of, with what the site knows.
        site: what the site knows; None: nothing.

    Raises:
        PluginError: the table of holes is wrong.
    """

    def __init__(
        self,
        native: Native,
        adapter: Adapter,
        read: Read,
        quiet: MemoryMeter,
        meter: Meter,
        source: str,
        whole: Read,
        site: Enrichment | None,
    ) -> None:
        table_of(adapter)  # what is wrong with it is told before a line comes
        self._native = native
        self._take = native.take
        self._adapter = adapter
        self._read = read
        self._quiet = quiet
        self._meter = meter
        self._source = source
        self._whole = whole
        self._site = site
        self._zone: tzinfo | None = None
        self._engine: Engine = None
        self._until_audit = AUDIT_EVERY

    def event(self, raw: bytes, context: Context) -> Event | None:
        """Return the event of a line that a template serves; None: the adapter's own path is to be taken.

        A fault in the native module is counted in `template_faults`, and costs the line only its short way.
        """
        try:
            return self._event(raw, context)
        except RuntimeError:
            self._meter.add("template_faults", source=self._source)
            self._zone = None  # another engine for the next line
            return None

    def _event(self, raw: bytes, context: Context) -> Event | None:
        if context.state:
            return None  # what the adapter remembers may change what it makes of the line
        if context.zone is not self._zone:
            self._begin(context.zone)
        made = self._take(self._engine, raw, context.received_us)
        if self._site is not None:
            made = self._at_site(made, raw, context)
        if made is None:
            if self._native.wants(self._engine):
                self._learn(raw, context)
            return None
        self._until_audit -= 1
        if not self._until_audit:
            self._until_audit = AUDIT_EVERY
            if not self._is_right(made, raw, context):
                return None
        id_, time_us, json = made
        return Event.encoded(json, id=id_, time_us=time_us, source=self._source)

    def _at_site(
        self, made: tuple[str, int, bytes] | None, raw: bytes, context: Context
    ) -> tuple[str, int, bytes] | None:
        """Return the event of a line again, where something of the site had to be told or has changed."""
        assert self._site is not None  # noqa: S101 - the caller asked
        if self._site.is_renewed():
            self._native.inform(self._engine, b"", 0, b"")
            made = self._take(self._engine, raw, context.received_us)
        if made is not None or not (missing := self._native.missing(self._engine)):
            return made
        for name in missing.split(b"\0")[:-1]:
            kind, text = name[:1], name[1:].decode()
            is_own, added = False, self._site.of_host(text) if kind == b"H" else {}
            if kind in _SIDES:
                is_own, added = self._site.of_address(text, _SIDES[kind])
            json = b"," + orjson.dumps(added)[1:-1] if added else b""
            self._native.inform(self._engine, name, is_own, json)
        return self._take(self._engine, raw, context.received_us)

    def _begin(self, zone: tzinfo) -> None:
        self._zone = zone
        name = self._adapter.name.encode()
        self._engine = self._native.make(table_of(self._adapter, zone), name)

    def _learn(self, raw: bytes, context: Context) -> None:
        learner = Learner(self._native, self._engine, self._adapter, self._ask, self._site)
        if learner.learn(raw, context):
            self._meter.add("lines_learnt", source=self._source)
        else:
            self._meter.add("lines_refused", source=self._source)

    def _is_right(self, made: tuple[str, int, bytes], raw: bytes, context: Context) -> bool:
        """Compare with the adapter's own answer; a template that differs is given up, and counted."""
        found = [
            (one.id, one.time_us, one.json) if isinstance(one, Event) else None
            for one in self._whole(raw, replace(context, state={}))
        ]
        if found == [made]:
            return True
        learner = Learner(self._native, self._engine, self._adapter, self._ask)
        learner.refuse(raw, for_ever=True)
        self._meter.add("template_faults", source=self._source)
        return False

    def _ask(self, raw: bytes, context: Context) -> Event | None:
        counted = self._quiet.values.total()
        context = replace(context, state={})
        found = self._read(raw, context)
        if len(found) != 1 or context.state or self._quiet.values.total() != counted:
            return None
        event, learns = found[0], self._adapter.learns
        if not isinstance(event, Event) or (learns and not learns(raw, event.fields)):
            return None
        return event
