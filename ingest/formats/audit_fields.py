"""The fields of an audit record's body, read by learned shapes.

Sources as in `ingest.formats.audit`. The kernel writes the fields of one type of record in one order for ever, so after some
lines one pattern names them all (see `ingest.formats.shapes`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import compress
from typing import Final

from ingest.formats.audit import decode_hex
from ingest.formats.shapes import Grammar, Keys, Shapes
from ingest.tables.audit import ENCODED

MAX_ITEMS: Final = 4_096
"""Fields read of one record; an EXECVE record has one for each argument."""

# A name begins where a word does and is taken whole: a long word without "=" costs its length once.
_FIELD = re.compile(
    r"""(?<![\w\-\[\]])([\w\-\[\]]++)=("[^"]*+"|'[^']*+'|\{[^}]{0,512}+\}|[^\s\x1d]*+)"""
)
_HEX = re.compile(r"(?:[0-9A-F]{2})+$")
_ENDINGS: Final = frozenset((",", ")"))
_OPENINGS: Final = frozenset(("{", "("))
_QUOTES: Final = frozenset(('"', "'"))


_MARK: Final = "="
"""Before a name whose value may stand in hexadecimal; no name holds it."""


@dataclass(slots=True, frozen=True)
class _Plan:
    """What one sequence of names needs.

    Attributes:
        names: in order.
        encoded: for each, whether its value may be encoded.
        decoded: those that may.
        is_repeated: a name stands twice.
    """

    names: Keys
    encoded: tuple[bool, ...]
    decoded: Keys
    is_repeated: bool


def _plan(marked: Keys) -> _Plan:
    names = tuple(name.removeprefix(_MARK) for name in marked)
    encoded = tuple(name[:1] == _MARK for name in marked)
    return _Plan(names, encoded, tuple(compress(names, encoded)), len(set(names)) < len(names))


def _pairs(text: str, start: int) -> tuple[list[str], list[str]]:
    """Return names, marked where a value may be encoded, and values."""
    names, values = [], []
    for name, value in _FIELD.findall(text, start)[:MAX_ITEMS]:
        is_encoded = name in ENCODED and value[:1] not in _QUOTES
        names.append(_MARK + name if is_encoded else name)
        values.append(value if is_encoded else _bare(value))
    return names, values


_PLAIN: Final = r"""\(\w*+\)|[!#-&*+\--<>-z|}~]*+"""
"""Of a learned shape: a value that stands as it is, or `(null)`; ASCII, since of that a set is a table. All others take the plain reading."""


def _source(text: str, start: int) -> str | None:
    source, at = [], start
    for pair in _FIELD.finditer(text, start):
        between = text[at : pair.start()]
        if between and not between.isspace():
            return None  # words between fields vary
        group = '"([^"]*+)"' if pair[2][:1] == '"' else f"({_PLAIN})"
        source.append(re.escape(f"{between}{pair[1]}=") + group)
        at = pair.end()
    found = "".join(source) + r"\s*+\Z"
    return found if source and re.compile(found).match(text, start) else None


_SHAPES: Final[Shapes[_Plan]] = Shapes(Grammar(_pairs, _source), _plan)


def fields_of(body: str) -> dict[str, str]:
    """Return the fields of a record's body, quotes undone; of a name that stands twice the first holds.

    The message of a user-space program (`msg='…'`) is read into the same level. What `log_format =
    ENRICHED` adds after a group separator has names in capitals and is kept so.
    """
    if body.startswith("proctitle=") and body[10:11] != '"' and " " in body.rstrip():
        # ausearch -i prints the title decoded, to the end of the line.
        return {"proctitle": body[10:].strip()}
    at, quote = _message(body)
    if at < 0:
        return _read(body)
    end = body.rfind(quote, at)
    pairs = _read(body[: at - 5])
    inner = body[at : end if end > at else len(body)]
    if quote == '"' and '\\"' in inner:
        inner = inner.replace('\\"', '"')
    _add(pairs, inner)
    if end > at:
        _add(pairs, body[end + 1 :])
    return pairs


def _message(body: str) -> tuple[int, str]:
    """Return where the text of `msg='` begins, and the quote that ends it; -1 for none."""
    for opening in ("msg='", 'msg="'):
        at = body.find(opening)
        if at >= 0 and (at == 0 or body[at - 1] == " "):
            return at + 5, opening[4]
    return -1, ""


def _add(pairs: dict[str, str], text: str) -> None:
    if "=" in text:
        for name, value in _read(text).items():
            if name not in pairs:
                pairs[name] = value


def _read(text: str) -> dict[str, str]:
    plan, values = _SHAPES.read(text)
    if plan.is_repeated:
        pairs: dict[str, str] = {}
        for name, value, is_encoded in zip(plan.names, values, plan.encoded, strict=True):
            if name not in pairs:
                pairs[name] = _decoded(value) if is_encoded else value
        return pairs
    pairs = dict(zip(plan.names, values, strict=True))
    for name in plan.decoded:
        pairs[name] = _decoded(pairs[name])
    return pairs


def _decoded(value: str) -> str:
    return decode_hex(value) if _HEX.match(value) else _bare(value)


def _bare(value: str) -> str:
    """Return a value without its quotes, or without what older user-space messages close a list with: `(hostname=?, res=success)`."""
    first, last = value[:1], value[-1:]
    if (first == '"' or first == "'") and last == first and len(value) > 1:  # noqa: PLR1714 - twice as fast as a look into a tuple
        return value[1:-1]
    return value.rstrip(",)") if last in _ENDINGS and first not in _OPENINGS else value
