"""Which of many literal texts occur in one text: one pass with Hyperscan, or plain search where it is absent.

Both give the same answer; `PlainScanner` is the reference that tests compare with. A scanner is used by
one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

if find_spec("hyperscan") is not None:
    import hyperscan

    HAS_HYPERSCAN = True
else:  # pragma: no cover  # a platform without the wheel
    HAS_HYPERSCAN = False


FEW = 6
"""Up to here one search each is as fast as a pass of Hyperscan, and needs no compilation."""


class Scanner(Protocol):
    """Finds literals."""

    def scan(self, data: bytes) -> list[int]:
        """Return the numbers of the literals that occur in `data`, each once, in any order."""


class PlainScanner:
    """One search a literal. O(literals x data)."""

    def __init__(self, literals: Sequence[bytes], *, ascii_caseless: bool = False) -> None:
        self._caseless = ascii_caseless
        self._literals = [
            (number, literal.lower() if ascii_caseless else literal)
            for number, literal in enumerate(literals)
        ]

    def scan(self, data: bytes) -> list[int]:
        """See `Scanner`."""
        if self._caseless:
            data = data.lower()
        return [number for number, literal in self._literals if literal in data]


class HyperScanner:
    """All literals in one pass. O(data), hardly more with more literals."""

    def __init__(self, literals: Sequence[bytes], *, ascii_caseless: bool = False) -> None:
        flags = hyperscan.HS_FLAG_SINGLEMATCH
        if ascii_caseless:
            flags |= hyperscan.HS_FLAG_CASELESS
        self._database = _database([_escape(literal) for literal in literals], flags)
        self._found: list[int] = []
        self._scan: Callable[[bytes, Any], Any] = self._database.scan
        found = self._found

        def take(number: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            found.append(number)

        self._take = take

    def scan(self, data: bytes) -> list[int]:
        """See `Scanner`. The list is used again by the next call."""
        found = self._found
        if found:
            found.clear()
        self._scan(data, self._take)
        return found


class LayeredScanner:
    """A scanner that is there already, and one of further literals: those are numbered on from the first one's."""

    def __init__(self, first: Scanner, count: int, more: Scanner) -> None:
        self._first = first.scan
        self._count = count
        self._more = more.scan

    def scan(self, data: bytes) -> list[int]:
        """See `Scanner`."""
        count = self._count
        return [*self._first(data), *[count + number for number in self._more(data)]]


_ESCAPES = tuple(b"\\x%02x" % byte for byte in range(256))


def _escape(literal: bytes) -> bytes:
    return b"".join([_ESCAPES[byte] for byte in literal])


def _database(expressions: list[bytes], flags: int) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=expressions,
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[flags] * len(expressions),
    )
    return database


def scanner(
    literals: Sequence[bytes], *, ascii_caseless: bool = False, plain: bool = False, few: int = FEW
) -> Scanner:
    """Return the fastest scanner for literals, none of which is empty.

    Args:
        literals: what to look for.
        ascii_caseless: ASCII letters stand for both cases.
        plain: the reference path.
        few: up to so many are searched one by one.
    """
    if plain or not HAS_HYPERSCAN or len(literals) <= few:
        return PlainScanner(literals, ascii_caseless=ascii_caseless)
    try:
        return HyperScanner(literals, ascii_caseless=ascii_caseless)
    except hyperscan.HyperscanError:  # too large for it; the answer is the same
        return PlainScanner(literals, ascii_caseless=ascii_caseless)
