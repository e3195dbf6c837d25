"""Learning by example what an adapter makes of lines that differ only in addresses, ports, counts and times.

The native module cuts such values out of a line; what is left is its skeleton. Of a skeleton met several times
the adapter itself is asked: for the line, and for three more with other values in the holes. Where each value, or
what follows from it (a sum, a span, an ISO time, a Community ID), stands in the answers is the template
that the native module fills from then on. A template is kept only if it gives, byte for byte, the adapter's answer
to all of these lines; otherwise the skeleton is refused, and its lines stay with the adapter.

So no product's meaning is written twice, and a faster path cannot mean anything else. What this asks of an
adapter is in `Adapter.holes`. One line in `AUDIT_EVERY` is read both ways as long as the engine runs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Final, TypeAlias

from contract.errors import PluginError
from contract.event import Event
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.enrich import Enrichment
from ingest.explain import ELSEWHERE, NONE, Example, Op, explained, operation
from ingest.formats.address import canonical_ip
from ingest.native import Engine, Native
from ingest.stand_ins import stand_in, unpack
from ingest.zone_spans import spans_of

AUDIT_EVERY: Final = 4096
"""Lines between two that are read both ways."""

_KINDS: Final = {
    "port": "P", "count": "N", "epoch": "E", "date": "D", "clock": "C", "span": "H", "name": "W",
    "text": "T", "url": "U", "digits": "G", "long": "I", "type": "t", "other": "O",
    "fixed": "-", "value": "V", "message": "m", "account": "A", "path": "L", "rooted": "g", "key": "k", "number": "Q",
    "host": "h", "phrase": "p", "never": "n", "trailing": "R",
}  # fmt: skip
_OP: Final = struct.Struct("<cHHHHqI")
_HEAD: Final = struct.Struct("<Hq")
_DIGITS: Final = re.compile(rb"[0-9]+")
_TIME: Final = b'"@timestamp":"'
_SEEDS: Final = ((2, 1, 6), (4, 3, 8))
"""Of the lines that are asked about, tried in turn: chance may let two values look alike."""
_LATER_US: Final = 7_254_321_987
"""Between the arrivals of those lines, so that what hangs on the arrival is seen to."""

_Place: TypeAlias = tuple[int, int, Op]
"""Where in the JSON an operation stands for what: from, to, operation."""
Ask: TypeAlias = Callable[[bytes, Context], Event | None]
"""What the adapter's own path makes of a line; None where that is anything but one event."""


def table_of(adapter: Adapter, zone: tzinfo = UTC) -> bytes:
    """Return the adapter's holes, and the offsets of its source's zone, as the native module reads them.

    Raises:
        PluginError: a hole is of a kind that there is not.
    """
    for kind in adapter.holes or {}:
        if kind not in _KINDS:
            raise PluginError(
                f"{adapter.name}: ADAPTER.holes names the kind {kind!r}; there are {', '.join(_KINDS)}"
            )
    entries = [
        f"{_KINDS[kind]} {context}\0".encode()
        for kind, contexts in (adapter.holes or {}).items()
        for context in contexts
    ]
    entries += [f"z {start} {end} {ahead}\0".encode() for start, end, ahead in spans_of(zone)]
    return b"".join(entries)


class Learner:
    """Derives templates for one engine.

    Args:
        native: the module.
        engine: where templates go.
        adapter: whose lines they are.
        ask: its own path, without what the site knows.
        site: what the site knows, which the native module adds to what a template makes.
    """

    def __init__(
        self,
        native: Native,
        engine: Engine,
        adapter: Adapter,
        ask: Ask,
        site: Enrichment | None = None,
    ) -> None:
        self._native = native
        self._engine = engine
        self._name = adapter.name
        self._ask = ask
        self._site = site

    def learn(self, raw: bytes, context: Context) -> bool:
        """Derive the template of a line's skeleton, or refuse it; tell which. Costs as much as some twenty lines."""
        original = self._example(raw, context)
        if original is not None:
            for seeds in _SEEDS:
                examples = self._examples(original, seeds)
                plan = _derive(examples[0], self._name) if examples else None
                if plan is None:
                    continue
                self._native.learn(self._engine, raw, plan)
                if all(self._holds(example) for example in (original, *examples[1:])):
                    if self._knows_place(raw, examples[0], original):
                        return True
                    break
        self.refuse(raw)
        return False

    def refuse(self, raw: bytes, *, for_ever: bool = False) -> None:
        """Leave lines like this one to the adapter, for some ten thousand lines or for ever."""
        if self._native.scan(self._engine, raw) is not None:
            self._native.learn(self._engine, raw, b"!" if for_ever else b"")

    def _knows_place(self, raw: bytes, example: Example, original: Example) -> bool:
        """Learn the template again, with the place where what the site knows is added; tell whether there is one."""
        if self._site is None:
            return True
        place = _place_of_site(example, original, self._site)
        plan = None if place is None else _derive(example, self._name, place)
        if plan is None:
            return False
        self._native.learn(self._engine, raw, plan)
        return True

    def _example(self, raw: bytes, context: Context, skeleton: bytes = b"") -> Example | None:
        scanned = self._native.scan(self._engine, raw)
        if scanned is None or (skeleton and scanned[0] != skeleton):
            return None
        event = self._ask(raw, context)
        return None if event is None else Example(raw, unpack(scanned[1]), context, event)

    def _examples(self, original: Example, seeds: tuple[int, ...]) -> list[Example]:
        """Return more examples with the same skeleton, the first as if its source were elsewhere, or none."""
        skeleton = (self._native.scan(self._engine, original.raw) or (b"",))[0]
        found: list[Example] = []
        for number, seed in enumerate(seeds):
            old = original.context
            received_us = old.received_us + number * _LATER_US
            zone = old.zone if found else ELSEWHERE
            context = Context(received_us, zone, old.sender, {}, old.options)
            raw = stand_in(original.raw, original.holes, old.received_us, seed)
            example = self._example(raw, context, skeleton)
            if example is None:
                return []
            found.append(example)
        return found

    def _holds(self, example: Example) -> bool:
        event = example.event
        made = self._native.take(self._engine, example.raw, example.context.received_us)
        return made == (event.id, event.time_us, event.json)


def _derive(example: Example, name: str, more: _Place | None = None) -> bytes | None:
    """Return the template of an example whose values are told from one another, with one more operation in its place."""
    json = example.event.json
    ops: list[Op] = []
    time_at, at = NONE, 0
    places = _places(json, explained(example, name))
    for start, end, op in sorted(places + ([more] if more else []), key=lambda one: one[0]):
        if start > at:
            ops.append(operation(b"L", literal=json[at:start]))
        if op[0] in b"tr" and json[:start].endswith(_TIME):
            time_at = len(ops)
        ops.append(op)
        at = end
    ops.append(operation(b"L", literal=json[at:]))
    packed = [_OP.pack(*op[:6], len(op[6])) + op[6] for op in ops]
    return _HEAD.pack(time_at, example.event.time_us) + b"".join(packed)


def _places(json: bytes, known: dict[bytes, Op]) -> list[_Place]:
    """Return where explained texts stand, in order: of two that overlap the longer, and numbers only whole."""
    found = [
        (match.start(), match.end(), known[match[0]])
        for match in _DIGITS.finditer(json)
        if match[0] in known
    ]
    for text, op in known.items():
        if not text.isdigit():
            at = json.find(text)
            while at >= 0:
                found.append((at, at + len(text), op))
                at = json.find(text, at + 1)
    placed: list[_Place] = []
    for one in sorted(found, key=lambda one: (one[0], -one[1])):
        if not placed or one[0] >= placed[-1][1]:
            placed.append(one)
    return placed


def _place_of_site(example: Example, original: Example, site: Enrichment) -> _Place | None:
    """Return where what the site knows is added, or None where it might replace what the event says itself."""
    fields = example.event.fields
    names = list(fields)
    if fields[names[names.index("event.id") - 1]] == iso(example.context.received_us):
        return None  # the arrival stands in for a time behind what the site knows
    if any(site.may_add(name) for name in names):
        return None
    holes, fixed = [], b""
    for name, kinds in (("source.ip", "46"), ("destination.ip", "46"), ("host.name", "WhA")):
        text = fields.get(name)
        if text is not None and type(text) is not str:
            return None
        hole, said = _hole_of(example, text or "", kinds)
        if hole == NONE and text != original.event.fields.get(name):
            return None  # made of more than one value
        holes.append(hole)
        fixed += len(said).to_bytes(2, "little") + said
    directs = site.tells_direction and "network.direction" not in fields
    at = example.event.json.index(b',"event.id":')
    return at, at, operation(b"e", *holes, x=int(directs), literal=fixed)


def _hole_of(example: Example, text: str, kinds: str) -> tuple[int, bytes]:
    """Return the number of the hole that a field's text comes from whole, else the text itself."""
    for number, hole in enumerate(example.holes):
        if hole.kind in kinds:
            said = example.raw[hole.start : hole.end].decode()
            if text in {said, canonical_ip(said) if hole.kind == "6" else said}:
                return number, b""
    return NONE, text.encode()
