r"""Key=value lines read by learned shapes: the key sequence that a device repeats becomes one pattern.

A firewall writes the same few sequences of keys millions of times. Finding the pairs anew costs
several times what one anchored pattern costs that already names every key, so after a sequence was
seen `LEARN_AFTER` times its pattern is compiled and tried first. A shape gives exactly what the plain
reading gives, since a pattern has as many `=` as keys and is tried only on lines with as many.

Bounded against hostile input: at most `MAX_SHAPES` patterns are ever compiled, each of at most
`MAX_KEYS` keys, and a line is tried against at most `MAX_TRIES` of them; all else takes the plain
reading. Every pattern is linear, since each group is followed by a character it excludes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

PlanT = TypeVar("PlanT")
Keys: TypeAlias = tuple[str, ...]
Values: TypeAlias = Sequence[str]
Parts: TypeAlias = tuple[Keys, Values]
Matcher: TypeAlias = Callable[[str, int], "re.Match[str] | None"]

MAX_SHAPES = 256
MAX_KEYS = 192
MAX_TRIES = 6
MAX_PLANS = 4096
"""Key sequences whose plan is remembered; when full, all are forgotten at once."""
LEARN_AFTER = 4


@dataclass(slots=True, frozen=True)
class Grammar:
    """How pairs stand in a line.

    Attributes:
        pairs: the keys and values of a text from a place on.
        source: a pattern of texts with the same keys, a group for each value; None: not to be learnt.
        parts: a reading that is right where it finds keys that `pairs` found in another text, and cheaper.
        mark: what stands once in each pair and, in lines that a shape serves, nowhere else.
    """

    pairs: Callable[[str, int], tuple[list[str], list[str]]]
    source: Callable[[str, int], str | None] | None = None
    parts: Callable[[str, int], Parts | None] | None = None
    mark: str = "="


class Shapes(Generic[PlanT]):
    """Reads the lines of one grammar.

    Args:
        grammar: how pairs stand in a line.
        plan: makes, once for a sequence of keys, whatever the caller needs to place the values.
    """

    def __init__(self, grammar: Grammar, plan: Callable[[Keys], PlanT]) -> None:
        self._grammar = grammar
        self._mark = grammar.mark
        self._plan = plan
        self._plans: dict[Keys, PlanT] = {}
        self._seen: dict[Keys, int] = {}
        self._shapes: dict[int, list[tuple[Matcher, PlanT]]] = {}
        self._count = 0

    def read(self, text: str, start: int = 0) -> tuple[PlanT, Values]:
        """Return the plan of the line's keys, and the values in the order of the keys.

        Text that is no pair is passed over. O(length).
        """
        if self._grammar.parts is not None:
            parts = self._grammar.parts(text, start)
            known = None if parts is None else self._plans.get(parts[0])
            if parts is not None and known is not None:
                return known, parts[1]
            return self._read_plainly(text, start)
        shapes = self._shapes.get(text.count(self._mark, start))
        if shapes is not None:
            for match, plan in shapes:
                found = match(text, start)
                if found is not None:
                    return plan, found.groups()
        return self._read_plainly(text, start)

    def _read_plainly(self, text: str, start: int) -> tuple[PlanT, Values]:
        found, values = self._grammar.pairs(text, start)
        keys = tuple(found)
        plan = self._plans.get(keys)
        if plan is None:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
                self._seen.clear()
            plan = self._plans[keys] = self._plan(keys)
            self._seen[keys] = 0
        elif self._count < MAX_SHAPES and len(keys) <= MAX_KEYS:
            self._seen[keys] = seen = self._seen[keys] + 1
            if seen % LEARN_AFTER == 0:
                self._learn(text, start, plan, len(keys))
        return plan, values

    def _learn(self, text: str, start: int, plan: PlanT, keys: int) -> None:
        kind = text.count(self._mark, start)
        if self._grammar.source is None or kind != keys:
            return
        shapes = self._shapes.setdefault(kind, [])
        if len(shapes) >= MAX_TRIES:
            return
        source = self._grammar.source(text, start)
        if source is not None:
            shapes.append((re.compile(source, re.DOTALL).match, plan))
            self._count += 1


# ------------------------------------------------------------------ key=value key="value with blanks"

# A `\"` closes a value where another pair or the end follows (a folder's last character), else it is a quote within.
_PAIR = re.compile(
    r"(?<![\w.\-/])([A-Za-z0-9_][\w.\-/]*):?="
    r'("(?:[^"\\]|\\(?!")|\\"(?!\s*$|[\s,;]+[\w.\-/]+:?=))*(?:\\?"|$)|[^\s"]\S*|)'
)
_BLANK = re.compile(r"[\s,;]*").fullmatch


def _quoted_pairs(text: str, start: int) -> tuple[list[str], list[str]]:
    keys, values = [], []
    for key, value in _PAIR.findall(text, start):
        keys.append(key)
        values.append(_unquoted(value) if value[:1] == '"' else value)
    return keys, values


def _unquoted(value: str) -> str:
    closed = len(value) > 1 and value[-1] == '"'
    return (value[1:-1] if closed else value[1:]).replace('\\"', '"')


def _quoted_source(text: str, start: int) -> str | None:
    source, at = [], start
    for pair in _PAIR.finditer(text, start):
        between = text[at : pair.start()]
        # Words between pairs vary; such a line would need a shape of its own each time.
        if at != start and not _BLANK(between):
            return None
        assign = text[pair.end(1) : pair.start(2)]
        quoted = pair[2][:1] == '"'
        if quoted and not pair[2].endswith('"', 1):
            return None
        source.append(re.escape(between + pair[1] + assign))
        source.append('"([^"]*+)"' if quoted else r'([^\s"]*+)')
        at = pair.end()
    return "".join(source) + r"[\s,;]*+\Z" if _BLANK(text, at) else None


QUOTED: Final = Grammar(_quoted_pairs, _quoted_source)
"""Quotes around a value are cut; an unclosed quote holds the rest of the text."""

# ------------------------------------------------------------------ key=value with blanks key2=value

_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z0-9_][\w.\-\[\]]*)=")


def _trailing_pairs(text: str, start: int) -> tuple[list[str], list[str]]:
    body = text[start:]  # so that the first key stands at the beginning
    keys, values, begin = [], [], -1
    for found in _KEY.finditer(body):
        if begin >= 0:
            values.append(body[begin : found.start()].strip())
        keys.append(found[1])
        begin = found.end()
    if begin >= 0:
        values.append(body[begin:].strip())
    return keys, values


def _trailing_parts(text: str, start: int) -> Parts | None:
    """Cut at each `=`: before it stands a value and, behind the last blank, a key."""
    body = text[start:]
    is_escaped = "\\=" in body
    if is_escaped:
        if "\0" in body:
            return None
        body = body.replace("\\=", "\0")
    *parts, last = body.split("=")
    if not parts:
        return None
    before, _, keys = zip(*[part.rpartition(" ") for part in parts], strict=True)
    values = (*before[1:], last)
    if is_escaped:
        return keys, [value.replace("\0", "\\=") for value in values]
    return keys, values


TRAILING: Final = Grammar(_trailing_pairs, parts=_trailing_parts)
r"""Blanks may stand in a value, which ends where the next `key=` begins (CEF). Escapes (`\=`) stay as they are.

Of keys that are known blanks around a value may be kept; cut them where they matter.
"""

# ------------------------------------------------------------------ key:"value"; key2:"value";

_COLON_PAIR = re.compile(r'(?<![\w.\-])([A-Za-z_][\w.\-]*)::?"((?:[^"\\]|\\.)*)"', re.DOTALL)


def _colon_pairs(text: str, start: int) -> tuple[list[str], list[str]]:
    found = _COLON_PAIR.findall(text, start)
    return [key for key, _ in found], [value for _, value in found]


def _colon_source(text: str, start: int) -> str | None:
    source, at = [], start
    for pair in _COLON_PAIR.finditer(text, start):
        source.append(re.escape(text[at : pair.start(2)]) + r'([^"\\]*+(?:\\.[^"\\]*+)*+)')
        at = pair.end(2)
    return "".join(source) + r'"[\s;\]]*+\Z' if source else None


COLON: Final = Grammar(_colon_pairs, _colon_source, mark=':"')
"""Check Point's own syslog. Escapes (`\\"`, `\\]`) stay as they are."""
