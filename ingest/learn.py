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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from itertools import combinations, permutations
from typing import Any, Final, TypeAlias

from contract.event import Event
from contract.ids import event_id
from contract.ports import Adapter, Context
from contract.timestamps import from_iso, iso
from ingest.enrich import Enrichment
from ingest.formats.address import canonical_ip
from ingest.formats.community_id import community_id, parts_of
from ingest.native import Engine, Native
from ingest.stand_ins import Hole, stand_in, unpack
from ingest.zone_spans import spans_of

AUDIT_EVERY: Final = 4096
"""Lines between two that are read both ways."""

_KINDS: Final = {
    "port": "P", "count": "N", "epoch": "E", "date": "D", "clock": "C", "span": "H", "name": "W",
    "text": "T", "url": "U", "digits": "G", "long": "I",
}  # fmt: skip
_NONE: Final = 0xFFFF
_OP: Final = struct.Struct("<cHHHHqI")
_HEAD: Final = struct.Struct("<Hq")
_ISO: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DIGITS: Final = re.compile(rb"[0-9]+")
_TIME: Final = b'"@timestamp":"'
_QUARTER_US: Final = 900_000_000
_MAX_OFFSET_US: Final = 15 * 3_600_000_000
_SECOND_US: Final = 1_000_000
_SEEDS: Final = ((2, 1, 6), (4, 3, 8))
"""Of the lines that are asked about, tried in turn: chance may let two values look alike."""
_ELSEWHERE: Final = timezone(timedelta(hours=-9, minutes=-45))
"""No product states this offset, so a time that is read with it is read in the source's zone."""
_ELSEWHERE_US: Final = -585 * 60 * 1_000_000
_LOCAL: Final = -(2**63)
_LATER_US: Final = 7_254_321_987
"""Between the arrivals of those lines, so that what hangs on the arrival is seen to."""
_FACTORS: Final = (1_000_000_000, 1_000_000, 1000)
_MAX_SUMMED: Final = 24
_ICMP_TYPES: Final = 256
_ICMP_CODES: Final = 16

Op: TypeAlias = tuple[bytes, int, int, int, int, int, bytes]
_Place: TypeAlias = tuple[int, int, Op]
"""Where in the JSON an operation stands for what: from, to, operation."""
Ask: TypeAlias = Callable[[bytes, Context], Event | None]
"""What the adapter's own path makes of a line; None where that is anything but one event."""


def table_of(adapter: Adapter, zone: tzinfo = UTC) -> bytes:
    """Return the adapter's holes, and the offsets of its source's zone, as the native module reads them."""
    entries = [
        f"{_KINDS[kind]} {context}\0".encode()
        for kind, contexts in (adapter.holes or {}).items()
        for context in contexts
    ]
    entries += [f"z {start} {end} {ahead}\0".encode() for start, end, ahead in spans_of(zone)]
    return b"".join(entries)


@dataclass(slots=True)
class _Example:
    """A line and what the adapter answered."""

    raw: bytes
    holes: list[Hole]
    context: Context
    event: Event


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
                    if self._knows_place(raw, examples[0]):
                        return True
                    break
        self.refuse(raw)
        return False

    def refuse(self, raw: bytes, *, for_ever: bool = False) -> None:
        """Leave lines like this one to the adapter, for some ten thousand lines or for ever."""
        if self._native.scan(self._engine, raw) is not None:
            self._native.learn(self._engine, raw, b"!" if for_ever else b"")

    def _knows_place(self, raw: bytes, example: _Example) -> bool:
        """Learn the template again, with the place where what the site knows is added; tell whether there is one."""
        if self._site is None:
            return True
        place = _place_of_site(example, self._site)
        plan = None if place is None else _derive(example, self._name, place)
        if plan is None:
            return False
        self._native.learn(self._engine, raw, plan)
        return True

    def _example(self, raw: bytes, context: Context, skeleton: bytes = b"") -> _Example | None:
        scanned = self._native.scan(self._engine, raw)
        if scanned is None or (skeleton and scanned[0] != skeleton):
            return None
        event = self._ask(raw, context)
        return None if event is None else _Example(raw, unpack(scanned[1]), context, event)

    def _examples(self, original: _Example, seeds: tuple[int, ...]) -> list[_Example]:
        """Return more examples with the same skeleton, the first as if its source were elsewhere, or none."""
        skeleton = (self._native.scan(self._engine, original.raw) or (b"",))[0]
        found: list[_Example] = []
        for number, seed in enumerate(seeds):
            old = original.context
            received_us = old.received_us + number * _LATER_US
            zone = old.zone if found else _ELSEWHERE
            context = Context(received_us, zone, old.sender, {}, old.options)
            raw = stand_in(original.raw, original.holes, old.received_us, seed)
            example = self._example(raw, context, skeleton)
            if example is None:
                return []
            found.append(example)
        return found

    def _holds(self, example: _Example) -> bool:
        event = example.event
        made = self._native.take(self._engine, example.raw, example.context.received_us)
        return made == (event.id, event.time_us, event.json)


def _derive(example: _Example, name: str, more: _Place | None = None) -> bytes | None:
    """Return the template of an example whose values are told from one another, with one more operation in its place."""
    json = example.event.json
    ops: list[Op] = []
    time_at, at = _NONE, 0
    places = _places(json, _explained(example, name))
    for start, end, op in sorted(places + ([more] if more else []), key=lambda one: one[0]):
        if start > at:
            ops.append(_op(b"L", literal=json[at:start]))
        if op[0] in b"tr" and json[:start].endswith(_TIME):
            time_at = len(ops)
        ops.append(op)
        at = end
    ops.append(_op(b"L", literal=json[at:]))
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


def _place_of_site(example: _Example, site: Enrichment) -> _Place | None:
    """Return where what the site knows is added, or None where it might replace what the event says itself."""
    fields = example.event.fields
    names = list(fields)
    if names[names.index("event.id") - 1] == "event.created":
        return None  # the arrival stands in for a time behind what the site knows
    if any(site.may_add(name) for name in names):
        return None
    holes, fixed = [], b""
    for name, kinds in (("source.ip", "46"), ("destination.ip", "46"), ("host.name", "W")):
        text = fields.get(name)
        if text is not None and type(text) is not str:
            return None
        hole, said = _hole_of(example, text or "", kinds)
        holes.append(hole)
        fixed += len(said).to_bytes(2, "little") + said
    directs = site.tells_direction and "network.direction" not in fields
    at = example.event.json.index(b',"event.id":')
    return at, at, _op(b"e", *holes, x=int(directs), literal=fixed)


def _hole_of(example: _Example, text: str, kinds: str) -> tuple[int, bytes]:
    """Return the number of the hole that a field's text comes from whole, else the text itself."""
    for number, hole in enumerate(example.holes):
        if hole.kind in kinds:
            said = example.raw[hole.start : hole.end].decode()
            if text in {said, canonical_ip(said) if hole.kind == "6" else said}:
                return number, b""
    return _NONE, text.encode()


def _op(code: bytes, *holes: int, x: int = 0, literal: bytes = b"") -> Op:
    a, b, c, d = (*holes, *(_NONE,) * (4 - len(holes)))
    return code, a, b, c, d, x, literal


def _explained(example: _Example, name: str) -> dict[bytes, Op]:
    """Return by text what the values of an example may have become; the first explanation of a text holds."""
    known: dict[bytes, Op] = {
        event_id(name, example.raw).encode(): _op(b"I"),
        iso(example.context.received_us).encode(): _op(b"r"),
    }
    for sources in (_copies, _times, _flow, _sums):
        for text, op in sources(example):
            known.setdefault(text, op)
    return known


def _copies(example: _Example) -> Iterator[tuple[bytes, Op]]:
    for number, hole in enumerate(example.holes):
        text = example.raw[hole.start : hole.end]
        if hole.kind == "6":
            canonical = canonical_ip(text.decode())
            if canonical is not None:
                yield canonical.encode(), _op(b"6", number)
        if hole.kind == "M":
            yield text.upper().replace(b":", b"-"), _op(b"M", number)
        yield text, _op(b"R", number)


def _times(example: _Example) -> Iterator[tuple[bytes, Op]]:
    """Explain each ISO time of the answer by a time of the line and an offset of whole quarters of an hour."""
    numbers = {
        kind: [number for number, hole in enumerate(example.holes) if hole.kind == kind]
        for kind in "SBEDC"
    }
    for text in dict.fromkeys(_ISO.findall(example.event.json)):
        at_us = from_iso(text.decode())
        for number in (*numbers["S"], *numbers["E"]):
            yield from _offset(text, at_us, _instant(example.holes[number]), number)
        for number in numbers["B"]:
            yield from _offset(text, at_us, _in_year(example.holes[number].value, at_us), number)
        for date, clock in zip(numbers["D"], numbers["C"], strict=False):
            local_us = example.holes[date].value + example.holes[clock].value
            yield from _offset(text, at_us, local_us, date, clock)


def _offset(text: bytes, at_us: int, local_us: int, *holes: int) -> Iterator[tuple[bytes, Op]]:
    offset = local_us - at_us
    if abs(offset) <= _MAX_OFFSET_US and offset % _QUARTER_US == 0:
        yield text, _op(b"t", *holes, x=_LOCAL if offset == _ELSEWHERE_US else offset)


def _instant(hole: Hole) -> int:
    """Return the microseconds of a time that names its year."""
    if hole.kind == "S":
        return hole.value
    digits = hole.end - hole.start
    for most, factor in ((11, 1_000_000), (14, 1000), (17, 1)):
        if digits <= most:
            return hole.value * factor
    return hole.value // 1000


def _in_year(packed: int, at_us: int) -> int:
    """Return the microseconds of a time without year, in the year that a time near it has."""
    day_us = 86_400 * _SECOND_US
    month_day, of_day = divmod(packed, day_us)
    month, day = divmod(month_day, 32)
    year = int(iso(at_us)[:4])
    readings = [
        from_iso(f"{one}-{month:02}-{day:02}T00:00:00Z") + of_day
        for one in (year - 1, year, year + 1)
    ]
    return min(readings, key=lambda reading: abs(reading - at_us))


def _sums(example: _Example) -> Iterator[tuple[bytes, Op]]:
    holes = example.holes
    counts = [number for number, hole in enumerate(holes) if hole.kind == "N"][:_MAX_SUMMED]
    for number in counts:
        for factor in _FACTORS:
            yield b"%d" % (holes[number].value * factor), _op(b"*", number, x=factor)
    for one, other in combinations(counts, 2):
        yield b"%d" % (holes[one].value + holes[other].value), _op(b"+", one, other)
    for number, hole in enumerate(holes):
        if hole.kind == "H":
            yield b"%d" % (hole.value * _FACTORS[0]), _op(b"*", number, x=_FACTORS[0])
    times = [number for number, hole in enumerate(holes) if hole.kind == "S"]
    for end, start in permutations(times, 2):
        spent = holes[end].value - holes[start].value
        if spent > 0:
            yield b"%d" % (spent * 1000), _op(b"-", end, start)


def _flow(example: _Example) -> Iterator[tuple[bytes, Op]]:
    """Explain a Community ID by the ends of the flow, some of which may be the same in all lines of the skeleton."""
    fields = example.event.fields
    flow, number = fields.get("network.community_id"), fields.get("network.iana_number")
    source, destination = fields.get("source.ip"), fields.get("destination.ip")
    if type(source) is not str or type(destination) is not str:
        return
    if type(flow) is not str or type(number) is not str or not number.isdecimal():
        return
    ports: Any = (fields.get("source.port"), fields.get("destination.port"))
    ports = ports if all(type(port) is int for port in ports) else None
    for choice in (ports, *_icmp(int(number))):
        if community_id(source, destination, int(number), choice) == flow:
            yield flow.encode(), _flow_op(example, (source, destination), int(number), choice)
            return


def _icmp(number: int) -> Iterator[tuple[int, int]]:
    if number in {1, 58}:
        yield from ((kind, code) for kind in range(_ICMP_TYPES) for code in range(_ICMP_CODES))


def _flow_op(
    example: _Example, ends: tuple[str, str], number: int, ports: tuple[int, int] | None
) -> Op:
    packed, either, pair = parts_of(*ends, number, ports)
    by_text: dict[str, int] = {}
    for at, hole in enumerate(example.holes):
        text = example.raw[hole.start : hole.end].decode()
        if hole.kind in "46":
            by_text.setdefault(canonical_ip(text) or text, at)
        elif hole.kind == "P":
            by_text.setdefault(text, at)
    addresses = [by_text.get(end, _NONE) for end in ends]
    left, right = (by_text.get(str(port), _NONE) for port in pair) if pair else (_NONE, _NONE)
    fixed = b"".join(
        bytes((len(part),)) + part if at == _NONE else b"\0"
        for part, at in zip(packed, addresses, strict=True)
    )
    flags = bool(pair) | bool(either) << 1
    x = number | flags << 8 | (pair[0] << 16 | pair[1] << 32 if pair else 0)
    return _op(b"c", *addresses, left, right, x=x, literal=fixed)
