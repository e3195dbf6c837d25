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


_MESSAGE: Final = "msg"
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


def _pairs(body: str, start: int) -> tuple[list[str], list[str]]:
    """Return names, marked where a value may be encoded, and values; where the message begins, `msg` without value."""
    names: list[str] = []
    values: list[str] = []
    for number, text in enumerate(_texts(body[start:])):
        if number == 1:
            names.append(_MESSAGE)
            values.append("")
        for name, value in _FIELD.findall(text)[:MAX_ITEMS]:
            is_encoded = name in ENCODED and value[:1] not in _QUOTES
            names.append(_MARK + name if is_encoded else name)
            values.append(value if is_encoded else _bare(value))
    return names, values


def _texts(body: str) -> list[str]:
    """Return the body, or what stands before the text of `msg='`, in it and behind it."""
    for opening in ("msg='", 'msg="'):
        at = body.find(opening)
        if at >= 0 and (at == 0 or body[at - 1] == " "):
            inner, quote, after = body[at + 5 :].rpartition(opening[4])
            if not quote:
                inner, after = after, ""
            if opening[4] == '"':
                inner = inner.replace('\\"', '"')
            return [body[:at], inner, after]
    return [body]


def _source(body: str, start: int) -> str | None:
    before, *behind = map(_pattern, _texts(body[start:]))
    if before is None or None in behind or (behind and f"{_MESSAGE}='" not in body):
        return None
    return before + (f"{_MESSAGE}='(){behind[0]}'{behind[1]}" if behind else "") + r"\Z"


_GROUPS: Final = tuple(
    (group, re.compile(group).fullmatch)
    for group in (r"(\(\w*+\)|[!#-&*+\--<>-z|}~]*+)", """"([^"']*+)\"""")
)
"""Of a learned shape: a value that stands as it is, or `(null)`, in ASCII, since of that a set is a table; and one in quotes."""


def _pattern(text: str) -> str | None:
    """Return the pattern of a text's fields, or None where a value is of another form or words between them vary."""
    source, at = [], 0
    for pair in _FIELD.finditer(text):
        name, value = pair.groups()
        group = next((one for one, is_form in _GROUPS if is_form(value)), None)
        between = text[at : pair.start()]
        if group is None or between.strip():
            return None
        source.append(re.escape(f"{between}{name}=") + group)
        at = pair.end()
    return None if text[at:].strip() else "".join([*source, re.escape(text[at:])])


_SHAPES: Final[Shapes[_Plan]] = Shapes(Grammar(_pairs, _source), _plan)


def fields_of(body: str) -> dict[str, str]:
    """Return the fields of a record's body, quotes undone; of a name that stands twice the first holds.

    The message of a user-space program (`msg='…'`) is read into the same level. What `log_format =
    ENRICHED` adds after a group separator has names in capitals and is kept so.
    """
    if body.startswith("proctitle=") and body[10:11] != '"' and " " in body.rstrip():
        # ausearch -i prints the title decoded, to the end of the line.
        return {"proctitle": body[10:].strip()}
    plan, values = _SHAPES.read(body)
    if plan.is_repeated:
        pairs: dict[str, str] = {}
        for name, value, is_encoded in zip(plan.names, values, plan.encoded, strict=True):
            if name not in pairs:
                pairs[name] = _decoded(value) if is_encoded else value
    else:
        pairs = dict(zip(plan.names, values, strict=True))
        for name in plan.decoded:
            pairs[name] = _decoded(pairs[name])
    pairs.pop(_MESSAGE, None)
    return pairs


def _decoded(value: str) -> str:
    return decode_hex(value) if _HEX.match(value) else _bare(value)


def _bare(value: str) -> str:
    """Return a value without its quotes, or without what older user-space messages close a list with: `(hostname=?, res=success)`."""
    first, last = value[:1], value[-1:]
    if (first == '"' or first == "'") and last == first and len(value) > 1:  # noqa: PLR1714 - twice as fast as a look into a tuple
        return value[1:-1]
    return value.rstrip(",)") if last in _ENDINGS and first not in _OPENINGS else value
