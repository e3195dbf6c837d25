"""What the values of a line may have become in an adapter's answer: copies, times, sums, spans, a Community ID.

`ingest.learn` looks for these texts in the answer; where one stands, the native module will put what the operation
makes of another line's values. Codes of operations and kinds of holes are those of `native/src/plan.rs` and `scan.rs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from itertools import combinations, permutations
from typing import Any, Final, TypeAlias
from xml.sax.saxutils import unescape

import orjson

from contract.event import Event
from contract.ids import event_id
from contract.ports import Context
from contract.timestamps import from_iso, iso
from ingest.formats.address import canonical_ip
from ingest.formats.community_id import community_id, parts_of
from ingest.stand_ins import ESCAPED, MARKUP, Hole

NONE: Final = 0xFFFF
"""In place of a hole's number."""
ELSEWHERE: Final = timezone(timedelta(hours=-9, minutes=-45))
"""No product states this offset, so a time that is read with it is read in the source's zone."""
_ELSEWHERE_US: Final = -585 * 60 * 1_000_000
_LOCAL: Final = -(2**63)
_ISO: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_QUARTER_US: Final = 900_000_000
_MAX_OFFSET_US: Final = 15 * 3_600_000_000
_SECOND_US: Final = 1_000_000
_NAMED: Final = {"&quot;": '"', "&apos;": "'"}
_FACTORS: Final = (1_000_000_000, 1_000_000, 1000)
_MAX_SUMMED: Final = 24
_ICMP_TYPES: Final = 256
_ICMP_CODES: Final = 16

Op: TypeAlias = tuple[bytes, int, int, int, int, int, bytes]
"""Code, four holes, a number, a text."""


@dataclass(slots=True)
class Example:
    """A line and what the adapter answered."""

    raw: bytes
    holes: list[Hole]
    context: Context
    event: Event


def operation(code: bytes, *holes: int, x: int = 0, literal: bytes = b"") -> Op:
    """Return an operation; holes that are not stated are none."""
    a, b, c, d = (*holes, *(NONE,) * (4 - len(holes)))
    return code, a, b, c, d, x, literal


def explained(example: Example, name: str) -> dict[bytes, Op]:
    """Return by text what the values of an example may have become; the first explanation of a text holds."""
    known: dict[bytes, Op] = {
        event_id(name, example.raw).encode(): operation(b"I"),
        iso(example.context.received_us).encode(): operation(b"r"),
    }
    for sources in (_copies, _times, _flow, _sums):
        for text, op in sources(example):
            known.setdefault(text, op)
    return known


def _copies(example: Example) -> Iterator[tuple[bytes, Op]]:
    for number, hole in enumerate(example.holes):
        text = example.raw[hole.start : hole.end]
        if hole.kind == "6":
            canonical = canonical_ip(text.decode())
            if canonical is not None:
                yield canonical.encode(), operation(b"6", number)
        if hole.kind in "ZK" and text.lower() != text:
            yield text.lower(), operation(b"l", number)
        if hole.kind == "M":
            yield text.upper().replace(b":", b"-"), operation(b"M", number)
        if hole.kind == "X":
            yield b"%d" % hole.value, operation(b"x", number)
        if hole.kind == "h":
            yield text.partition(b".")[0], operation(b"h", number)
        if hole.kind in "VmL":
            yield from _written(hole, text, number)
        yield text, operation(b"R", number)


def _written(hole: Hole, text: bytes, number: int) -> Iterator[tuple[bytes, Op]]:
    """Explain a text that is written otherwise in the answer's JSON than in the line."""
    if hole.value & ESCAPED:
        yield orjson.dumps(orjson.loads(b'"' + text + b'"'))[1:-1], operation(b"U", number)
    if hole.value & MARKUP:
        yield orjson.dumps(unescape(text.decode(), _NAMED))[1:-1], operation(b"J", number)
    written = orjson.dumps(text.decode())[1:-1]
    if written != text:  # the line itself, where that is kept
        yield written, operation(b"Q", number)


def _times(example: Example) -> Iterator[tuple[bytes, Op]]:
    """Explain each ISO time of the answer by a time of the line and an offset of whole quarters of an hour."""
    numbers = {
        kind: [number for number, hole in enumerate(example.holes) if hole.kind == kind]
        for kind in "SYBEDC"
    }
    for text in dict.fromkeys(_ISO.findall(example.event.json)):
        at_us = from_iso(text.decode())
        for number in (*numbers["S"], *numbers["Y"], *numbers["E"]):
            yield from _offset(text, at_us, _instant(example.holes[number]), number)
        for number in numbers["B"]:
            yield from _offset(text, at_us, _in_year(example.holes[number].value, at_us), number)
        for date, clock in zip(numbers["D"], numbers["C"], strict=False):
            local_us = example.holes[date].value + example.holes[clock].value
            yield from _offset(text, at_us, local_us, date, clock)


def _offset(text: bytes, at_us: int, local_us: int, *holes: int) -> Iterator[tuple[bytes, Op]]:
    offset = local_us - at_us
    if abs(offset) <= _MAX_OFFSET_US and offset % _QUARTER_US == 0:
        yield text, operation(b"t", *holes, x=_LOCAL if offset == _ELSEWHERE_US else offset)


def _instant(hole: Hole) -> int:
    """Return the microseconds of a time that names its year."""
    if hole.kind in "SY":
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


def _sums(example: Example) -> Iterator[tuple[bytes, Op]]:
    holes = example.holes
    counts = [number for number, hole in enumerate(holes) if hole.kind == "N"][:_MAX_SUMMED]
    for number in counts:
        for factor in _FACTORS:
            yield b"%d" % (holes[number].value * factor), operation(b"*", number, x=factor)
    for one, other in combinations(counts, 2):
        yield b"%d" % (holes[one].value + holes[other].value), operation(b"+", one, other)
    for number, hole in enumerate(holes):
        if hole.kind == "H":
            yield b"%d" % (hole.value * _FACTORS[0]), operation(b"*", number, x=_FACTORS[0])
    times = [number for number, hole in enumerate(holes) if hole.kind in "SY"]
    for end, start in permutations(times, 2):
        spent = holes[end].value - holes[start].value
        if spent > 0:
            yield b"%d" % (spent * 1000), operation(b"-", end, start)


def _flow(example: Example) -> Iterator[tuple[bytes, Op]]:
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
    example: Example, ends: tuple[str, str], number: int, ports: tuple[int, int] | None
) -> Op:
    packed, either, pair = parts_of(*ends, number, ports)
    by_text: dict[str, int] = {}
    for at, hole in enumerate(example.holes):
        text = example.raw[hole.start : hole.end].decode()
        if hole.kind in "46":
            by_text.setdefault(canonical_ip(text) or text, at)
        elif hole.kind == "P":
            by_text.setdefault(text, at)
    addresses = [by_text.get(end, NONE) for end in ends]
    left, right = (by_text.get(str(port), NONE) for port in pair) if pair else (NONE, NONE)
    fixed = b"".join(
        bytes((len(part),)) + part if at == NONE else b"\0"
        for part, at in zip(packed, addresses, strict=True)
    )
    flags = bool(pair) | bool(either) << 1
    x = number | flags << 8 | (pair[0] << 16 | pair[1] << 32 if pair else 0)
    return operation(b"c", *addresses, left, right, x=x, literal=fixed)
