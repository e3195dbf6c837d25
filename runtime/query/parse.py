r"""Parses the subset of the Kibana Query Language that both backends answer alike.

    source.ip: 10.0.0.0/8 and not user.name: (root or "web admin") and event.severity >= 5
    process.command_line: *curl* or dns.question.name: *       a term without a field: 203.0.113.7

`and` binds closer than `or`, `not` closest; keywords in any case. A value is a run of words, a text in quotes, or a group in brackets; `*`
outside quotes stands for any text; `\` takes a special character as it is. Not taken, and said so: `{}` (nested fields) and
wildcards in field names. Source: Kibana's grammar, packages/kbn-es-query/grammar, version 9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from contract.errors import QueryError
from runtime.query.terms import (
    Both,
    Compare,
    Comparison,
    Either,
    Everything,
    Exists,
    Is,
    Like,
    No,
    Query,
)

MOST_TERMS: Final = 1_024
"""Terms of one query; Elasticsearch's own default."""
MOST_DEPTH: Final = 64
"""Brackets within brackets."""

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<comparison><=|>=|<|>)
    |(?P<mark>[():{}])
    |(?P<word>(?:[^\s\\"():{}<>]|\\.)+)
    |(?P<other>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_KEYWORDS: Final = frozenset({"and", "or", "not"})


@dataclass(slots=True, frozen=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_mark(self, mark: str) -> bool:
        return self.kind == "mark" and self.text == mark

    def is_keyword(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word


def parse(text: str) -> Query:
    """Return the tree of a query; an empty text asks for everything.

    Raises:
        QueryError: not of the language, or of its part that is not taken; names the column.
    """
    tokens = _tokens(text)
    if not tokens:
        return Everything()
    parser = _Parser(tokens, len(text))
    query = parser.either()
    if parser.here is not None:
        raise parser.fault("expected and, or, or the end")
    return query


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        assert match is not None  # noqa: S101 - the last alternative takes any character
        kind = str(match.lastgroup)
        start = match.start(kind)
        if kind == "other":
            what = "this quote is not closed" if match[kind] == '"' else "cannot be read here"
            raise QueryError(what, column=start + 1)
        tokens.append(_Token(kind, match[kind], start))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._length = length
        self._index = 0
        self._terms = 0
        self._depth = 0

    @property
    def here(self) -> _Token | None:
        return self._tokens[self._index] if self._index < len(self._tokens) else None

    def fault(self, message: str) -> QueryError:
        here = self.here
        came = f", came {here.text!r}" if here else ", came the end"
        return QueryError(message + came, column=(here.at if here else self._length) + 1)

    def either(self, field: str | None = None) -> Query:
        parts = [self._both(field)]
        while self._take_keyword("or"):
            parts.append(self._both(field))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, field: str | None) -> Query:
        parts = [self._no(field)]
        while self._take_keyword("and"):
            parts.append(self._no(field))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _no(self, field: str | None) -> Query:
        depth = 0
        while self._take_keyword("not"):
            depth += 1
        part = self._part(field)
        return No(part) if depth % 2 else part

    def _part(self, field: str | None) -> Query:
        if self._take_mark("("):
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise self.fault(f"more than {MOST_DEPTH} brackets within each other")
            inside = self.either(field)
            if not self._take_mark(")"):
                raise self.fault("expected a closing bracket")
            self._depth -= 1
            return inside
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise self.fault(f"more than {MOST_TERMS} terms")
        return self._term() if field is None else self._value(field)

    def _term(self) -> Query:
        here = self.here
        follower = self._tokens[self._index + 1] if self._index + 1 < len(self._tokens) else None
        named = here is not None and here.kind in {"word", "quoted"}
        if here is None or not named or follower is None:
            return self._value("")
        if follower.is_mark(":"):
            field = self._field_name()
            self._index += 1
            if (after := self.here) is not None and after.is_mark("{"):
                raise self.fault("nested fields are not taken; name the field in full")
            return self._grouped(field)
        if follower.kind == "comparison":
            field = self._field_name()
            self._index += 1
            bound, is_pattern = self._text()
            if is_pattern:
                raise QueryError("a bound has no wildcards", column=follower.at + 1)
            return Compare(field, cast("Comparison", follower.text), "".join(bound))
        return self._value("")

    def _grouped(self, field: str) -> Query:
        """A value, or a group of values of one field."""
        here = self.here
        if here is not None and here.is_mark("("):
            return self._part(field)
        return self._value(field)

    def _value(self, field: str) -> Query:
        here = self.here
        if here is not None and here.kind == "quoted":
            self._index += 1
            return Is(field, _unescaped(here.text[1:-1]), is_phrase=True)
        pieces, is_pattern = self._text()
        if not is_pattern:
            return Is(field, pieces[0])
        if not any(pieces):
            return Exists(field) if field else Everything()
        return Like(field, tuple(pieces))

    def _text(self) -> tuple[list[str], bool]:
        """Take a run of words, or a quoted text; return it cut at its wildcards, and whether there were any."""
        here = self.here
        if here is not None and here.kind == "quoted":
            self._index += 1
            return [_unescaped(here.text[1:-1])], False
        words = []
        while (here := self.here) is not None and here.kind == "word":
            if here.text.lower() in _KEYWORDS or self._names_a_field():
                break
            words.append(here.text)
            self._index += 1
        if not words:
            raise self.fault("expected a value")
        pieces = [_unescaped(piece) for piece in _cut(" ".join(words))]
        return pieces, len(pieces) > 1

    def _names_a_field(self) -> bool:
        following = self._tokens[self._index + 1 : self._index + 2]
        return any(one.is_mark(":") or one.kind == "comparison" for one in following)

    def _field_name(self) -> str:
        here = self.here
        assert here is not None  # noqa: S101 - the caller looked
        text = here.text[1:-1] if here.kind == "quoted" else here.text
        if here.kind == "word" and len(_cut(text)) > 1:
            raise QueryError("no wildcards in names of fields", column=here.at + 1)
        self._index += 1
        return _unescaped(text)

    def _take_keyword(self, word: str) -> bool:
        here = self.here
        if here is None or not here.is_keyword(word):
            return False
        self._index += 1
        return True

    def _take_mark(self, mark: str) -> bool:
        here = self.here
        if here is None or not here.is_mark(mark):
            return False
        self._index += 1
        return True


def _cut(text: str) -> list[str]:
    """Cut at wildcards that are not escaped."""
    pieces = [""]
    at = 0
    while at < len(text):
        if text[at] == "\\":
            pieces[-1] += text[at : at + 2]
            at += 2
        elif text[at] == "*":
            while at < len(text) and text[at] == "*":
                at += 1
            pieces.append("")
        else:
            pieces[-1] += text[at]
            at += 1
    return pieces


def _unescaped(text: str) -> str:
    return re.sub(
        r"\\(u[0-9A-Fa-f]{4}|.)",
        lambda match: (
            chr(int(match[1][1:], 16)) if len(match[1]) > 1 else _ESCAPES.get(match[1], match[1])
        ),
        text,
        flags=re.DOTALL,
    )
