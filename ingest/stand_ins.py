"""Lines that differ from a given one only in its holes: other addresses, ports, counts, times of the same kinds.

`ingest.learn` asks an adapter about them to see where each value goes. Random by a stated seed, so that the
same line is always learnt in the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from contract.timestamps import to_datetime

_PACKED: Final = struct.Struct("<cIIq")
_DAY_US: Final = 86_400_000_000
_SECOND_US: Final = 1_000_000
_LETTERS: Final = "bcdfghjklmnpqrstvwz"
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - words
_LAST_SAFE_DAY: Final = 28
_MAX_EXTENSION: Final = 10
MARKUP: Final = 1
"""Of what texts state as a number: it stands in XML."""
_FOLDER: Final = 2
_SLASHES: Final = 4
_EQUALS: Final = 8
ESCAPED: Final = 16
"""It is written back otherwise than it came: characters by number."""
_UNQUOTED: Final = 32
"""It ends where the next `key=` begins."""
_RELATED: Final = frozenset("46PWTZA")
"""Kinds of which a skeleton says which values are equal."""


@dataclass(slots=True, frozen=True)
class Hole:
    """A value in a line that may vary.

    Attributes:
        kind: a letter, as `native/src/scan.rs` names them.
        start: first byte.
        end: the byte after the last.
        value: what the text states as a number; of times, microseconds.
    """

    kind: str
    start: int
    end: int
    value: int


def unpack(packed: bytes) -> list[Hole]:
    """Read the holes of a line as the native module packs them."""
    return [Hole(kind.decode(), *rest) for kind, *rest in _PACKED.iter_unpack(packed)]


def stand_in(raw: bytes, holes: list[Hole], received_us: int, seed: int) -> bytes:
    """Return a line with another value in each hole; equal names stay equal, greater ports greater, later times later.

    Args:
        raw: the line.
        holes: its holes.
        received_us: its arrival, before which all times stay.
        seed: another seed gives other values; odd ones longer and plainer ones.
    """
    maker = _Maker(Random(f"{seed}"), received_us, seed)  # noqa: S311 - values to look at, no secrets
    texts: dict[tuple[str, bytes, int], bytes] = {}
    times = sorted({hole.value for hole in holes if hole.kind in "SY"})
    made: list[bytes] = []
    for hole in holes:
        old = raw[hole.start : hole.end]
        # Of other kinds, equal values are chance, and must be told from one another.
        key = (hole.kind, old, 0 if hole.kind in _RELATED else len(made))
        if key not in texts:
            # Of equal times the later in the line is taken for the later; the two must be told from one another.
            rank = times.index(hole.value) * len(holes) * 2 if hole.kind in "SY" else 0
            rank += len(made)
            is_quoted = raw[hole.start - 1 : hole.start] == b'"'
            texts[key] = maker.text(hole, old.decode(), rank, is_quoted).encode()
        made.append(texts[key])
    _order_ports(holes, raw, made)
    parts, at = [], 0
    for hole, text in zip(holes, made, strict=True):
        parts += [raw[at : hole.start], text]
        at = hole.end
    return b"".join([*parts, raw[at:]])


def _order_ports(holes: list[Hole], raw: bytes, made: list[bytes]) -> None:
    """Exchange the first two different ports where their order became another one."""
    ports = [number for number, hole in enumerate(holes) if hole.kind == "P"]
    if len(ports) < 2:  # noqa: PLR2004 - a pair
        return
    first, second = holes[ports[0]], holes[ports[1]]
    one, other = made[ports[0]], made[ports[1]]
    if one != other and (first.value < second.value) != (int(one) < int(other)):
        for number in ports:
            made[number] = {one: other, other: one}.get(made[number], made[number])


class _Maker:
    """Makes values of each kind."""

    def __init__(self, random: Random, received_us: int, seed: int) -> None:
        self._random = random
        self._received_us = received_us
        self._is_odd = bool(seed % 2)
        # One of the lines is of another month, whose name may stand alone in the answer.
        first_day = 32 if self._is_odd else 1
        self._shift_us = random.randrange(
            first_day * _DAY_US, (first_day + 20) * _DAY_US, _SECOND_US
        )
        self._makers: dict[str, Callable[[Hole, str, int, bool], str]] = {
            "4": self._ip4, "6": self._ip6, "M": self._mac, "P": self._port, "N": self._count,
            "E": self._epoch, "S": self._stamp, "B": self._bsd, "D": self._date, "C": self._clock,
            "H": self._span, "X": self._hex, "F": self._decimal, "W": self._name, "T": self._text,
            "U": self._part, "G": self._digits, "I": self._long, "Y": self._named,
            "Z": self._digest, "V": self._value, "m": self._value, "L": self._path, "K": self._extension,
            "A": self._account, "h": self._host, "s": self._sid,
        }  # fmt: skip

    def text(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        """Return another value of the hole's kind."""
        return self._makers[hole.kind](hole, old, rank, is_quoted)

    def _number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(_LETTERS, k=count))

    def _ip4(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        first = "10" if self._is_odd else str(self._number(101, 199))
        return f"{first}.{self._number(100, 255)}.{self._number(100, 255)}.{self._number(1, 254)}"

    def _ip6(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        parts = [f"{self._number(0x1000, 0xFFFF):x}" for _ in range(7)]
        head = "2001" if hole.value else "0fd0"
        # The tail of a shortened one may be a port.
        is_port = old.rpartition(":")[2].isdecimal()
        tail = str(self._number(1024, 9999)) if is_port else f"{self._number(0xA000, 0xFFFF):x}"
        parts = [*parts[:3], tail] if "::" in old else [*parts[:6], tail]
        return (
            f"{head}:{parts[0]}::{':'.join(parts[1:4])}"
            if "::" in old
            else ":".join([head, *parts])
        )

    def _mac(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return ":".join(f"{self._number(0xA0, 0xFF):02x}" for _ in range(6))

    def _port(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return str(self._number(1024, 9999) if self._is_odd else self._number(10_000, 65_535))

    def _count(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return str(self._number(10**6, 10**7) if self._is_odd else self._number(10**7, 10**9))

    def _digits(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        if hole.value:  # beyond 64 bits with sign
            return str(self._number(2**63, 2**64))
        return str(self._number(10**19, 10**20 - 1) if self._is_odd else self._number(10**8, 10**9))

    def _long(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return str(self._number(10**18, 2**63 - 1) if self._is_odd else self._number(10**8, 10**9))

    def _epoch(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        unit = 10 ** max(0, len(old) - 10)
        shifted = int(old) - (self._shift_us // _SECOND_US + self._number(0, 9999)) * unit
        return str(shifted + self._number(0, unit - 1) if unit > 1 else shifted).zfill(len(old))

    def _stamp(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        text, decimals = self._moment(hole, rank, len(old) - 20)
        new = list(text[:19] + decimals)
        new[4], new[7], new[10] = old[4], old[7], old[10]
        return "".join(new)

    def _named(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        digits = old.partition(".")[2]
        text, decimals = self._moment(hole, rank, len(digits))
        year, month, day, clock = text[:4], _MONTHS[int(text[5:7]) - 1], text[8:10], text[11:19]
        clock += decimals
        if old[2] == "/" and old[3].isalpha():
            return f"{day}/{month}/{year}:{clock}"
        if old[2] == "/":
            month, short = text[5:7], year[2:]
            if old[8] != "-":
                return f"{month}/{day}/{year}-{clock}"
            is_first = old[:2] > "12"  # the year
            return (
                f"{short}/{month}/{day}-{clock}" if is_first else f"{month}/{day}/{short}-{clock}"
            )
        is_first = old[4] == " " and old[0].isdigit()  # the year
        is_padded = old[9 if is_first else 4] == " "
        day = f" {int(day) % 9 + 1}" if is_padded else f"{max(int(day), 10)}"
        if old[15] == " ":
            return f"{month} {day} {clock} {year}"
        return f"{year} {month} {day} {clock}" if is_first else f"{month} {day} {year} {clock}"

    def _moment(self, hole: Hole, rank: int, count: int) -> tuple[str, str]:
        """Return another time, and its decimals with their point; the order of a line's times is kept, since durations hang on it."""
        offset_us = rank * 4 * _SECOND_US + self._number(0, 2_999_999)
        text = to_datetime(hole.value - self._shift_us + offset_us).isoformat(" ", "microseconds")
        return text, f".{text[20:26]}{self._number(100, 999)}"[: count + 1] if count > 0 else ""

    def _bsd(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        at = to_datetime(self._received_us - self._number(2, 200) * _DAY_US)
        day = min(at.day, _LAST_SAFE_DAY)
        decimals = old.partition(".")[2]
        clock = self._time_of_day() + "." * bool(decimals)
        clock += str(self._number(10**9, 10**10 - 1))[-len(decimals) :] if decimals else ""
        if old[2] == "/":
            return f"{at.month:02}/{day:02}-{clock}"
        if old[4] == " ":
            return f"{_MONTHS[at.month - 1]}  {day % 9 + 1} {clock}"
        return f"{_MONTHS[at.month - 1]} {max(day, 10)} {clock}"

    def _time_of_day(self) -> str:
        return f"{self._number(0, 23):02}:{self._number(0, 59):02}:{self._number(0, 59):02}"

    def _date(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return to_datetime(hole.value - self._shift_us).date().isoformat()

    def _clock(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return self._time_of_day()

    def _span(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        hours = self._number(100, 999) if self._is_odd else self._number(0, 23)
        return f"{hours}:{self._number(0, 59):02}:{self._number(0, 59):02}"

    def _hex(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return f"0x{self._number(0x10000000, 0xFFFFFFFF):08x}"

    def _digest(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        digits = "".join(self._random.choices("0123456789abcdef", k=len(old) - 2)) + "1c"
        if "-" in old:
            digits = "-".join(
                digits[at : at + size]
                for at, size in ((0, 8), (8, 4), (12, 4), (16, 4), (len(digits) - 12, 12))
            )
        return digits.upper() if hole.value else digits

    def _decimal(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return f"{self._number(10**5, 10**7)}.{self._number(0, 999_999):06}"

    def _name(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        if self._is_odd:
            return f"{self._letters(5)}.{self._letters(4)}-{self._letters(3)}.{self._letters(3)}"
        return self._letters(11)

    def _text(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        if self._is_odd:
            blank = " " if is_quoted else "_"
            return f"{self._letters(4)}{blank}{self._letters(3)};x=({self._letters(4)}),@/:%41&+{self._letters(3)}"
        return self._letters(12)

    def _value(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        """Return a text with what JSON and XML write otherwise, so that it is seen how the answer writes it."""
        if hole.value & _UNQUOTED:
            return (
                f"{self._letters(6)} é/{self._letters(5)};{self._number(10, 99)}:{self._letters(4)}"
            )
        equals = "=" if hole.value & _EQUALS or (hole.kind == "V" and self._is_odd) else ":"
        middle = "\\&quot;&lt;&amp;" if hole.value & MARKUP else '\\\\\\"\\t\\n'
        if hole.value & ESCAPED:
            middle += "\\u00e9\\/\\u0027"
        tail = f" é/{self._letters(3)}." if self._is_odd else ""
        return f"{self._letters(6)}{middle}{self._letters(5)}{equals}{self._letters(3)}{tail}"

    def _path(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        """Return another folder, or the name of a file without its extension."""
        if not hole.value & _FOLDER:
            return f"{self._letters(5)} {self._letters(5)}" if self._is_odd else self._letters(9)
        single = "\\" if hole.value & MARKUP else "\\\\"
        parting = "/" if hole.value & _SLASHES else single
        return f"{self._letters(4)}{parting}{self._letters(4)} {self._letters(3)}.{self._letters(3)}{parting}{self._letters(4)}"

    def _extension(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return self._letters(5) + self._letters(4).upper()

    def _account(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return f"{self._letters(6)} {self._letters(5)}$" if self._is_odd else self._letters(10)

    def _host(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return f"{self._letters(8)}-1.{self._letters(5)}.{self._letters(3)}"

    def _sid(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        return "S-1-5-21-" + "-".join(str(self._number(10**8, 2**32 - 1)) for _ in range(4))

    def _part(self, hole: Hole, old: str, rank: int, is_quoted: bool) -> str:
        """Return another path, extension or query, as the old one is one."""
        if old[0] == "/":
            return f"/{self._letters(6)}/{self._letters(7)}"
        if old.isalnum() and len(old) <= _MAX_EXTENSION:
            return self._letters(6)
        return f"{self._letters(5)}={self._letters(6)}&{self._letters(5)}"
