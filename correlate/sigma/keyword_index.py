"""Keywords looked for in an event's encoded JSON, all at once.

A keyword may stand in any value of an event; to decode the event in order to look would cost more than all other fields
together. So what is looked for are pieces that JSON can only write one way; whoever finds one has the rule evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from correlate.sigma.index import Numbers
from correlate.sigma.needle import BY_PLACE, needle_of
from correlate.sigma.node import Leaf
from correlate.sigma.scan import scanner
from correlate.sigma.text import fold

_PLAIN_JSON: Final = frozenset(map(chr, range(0x20, 0x7F))) - frozenset('"\\/')
_NUMERIC: Final = frozenset("0123456789.e+-")
FOLDS_TO_ASCII: Final = tuple(
    character
    for character in map(chr, (*range(0x80, 0x250), *range(0x1E00, 0x2200), *range(0xFB00, 0xFB07)))
    if any(part.isascii() for part in fold(character))
)
"""Characters that fold to something with an ASCII letter in it: long s, sharp s, Kelvin, ligatures."""


class KeywordIndex:
    r"""The keyword leaves of a class of events, looked for in the encoded JSON at once.

    A hit is checked exactly by the rule itself. JSON may write a character in several ways: pieces of
    keywords that can only be written one way are looked for; a `\u` escape, or a character that folds
    to ASCII, anywhere in the event makes every keyword rule a candidate.
    """

    def __init__(self, wanted: Mapping[Leaf, Iterable[int]], *, plain: bool = False) -> None:
        pieces: dict[bytes, set[int]] = {}
        always: set[int] = set()
        for leaf, rules in wanted.items():
            piece = piece_of(leaf)
            if piece:
                pieces.setdefault(piece, set()).update(rules)
            else:
                always.update(rules)
        self.always: Numbers = tuple(always)
        self.pieces = tuple(pieces)
        self._every = tuple({*always, *(rule for rules in pieces.values() for rule in rules)})
        self._rules = [tuple(rules) for rules in pieces.values()]
        self._scan: Callable[[bytes], list[int]] | None = None
        if pieces:
            self._scan = scanner([b"\\u", *pieces], ascii_caseless=True, plain=plain).scan
            self._guard = scanner([one.encode() for one in FOLDS_TO_ASCII], plain=plain).scan

    def of(self, json: bytes) -> Numbers:
        """Return the rules to evaluate for an event's JSON."""
        if self._scan is None:
            return self.always
        if not json.isascii() and self._guard(json):
            return self._every
        hits = self._scan(json)
        if not hits:
            return self.always
        found = set(self.always)
        for number in hits:
            if number:
                found.update(self._rules[number - 1])
            elif _has_escape(json):
                return self._every
        return tuple(found)

    def every(self) -> Numbers:
        """Return all rules of the index, for an event without JSON."""
        return self._every


def _has_escape(json: bytes) -> bool:
    r"""Tell whether a `\u` in JSON is an escape: the backslashes before it are odd in number."""
    at = json.find(b"\\u")
    while at >= 0:
        start = at
        while start and json[start - 1] == 0x5C:  # noqa: PLR2004  # backslash
            start -= 1
        if (at - start) % 2 == 0:
            return True
        at = json.find(b"\\u", at + 2)
    return False


def piece_of(leaf: Leaf) -> bytes:
    """Return the longest part of a keyword that JSON writes one way only; empty: there is none."""
    best = ""
    for text in (leaf.value,) if leaf.op in BY_PLACE | {"equal"} else _texts(leaf):
        if not set(text) - _NUMERIC:
            continue  # 1e3 is written otherwise in JSON than in its canonical text
        run = ""
        for character in fold(text):
            run = run + character if character in _PLAIN_JSON else ""
            best = max(best, run, key=len)
    return best.encode() if best and set(best) - _NUMERIC else b""


def _texts(leaf: Leaf) -> list[str]:
    if leaf.op == "glob":
        return [part for part in leaf.value if isinstance(part, str)]
    if leaf.op in ("dashes", "re"):
        needle = needle_of(leaf)
        return [needle] if needle else []
    return []
