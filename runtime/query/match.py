"""Answers a query for one flat document in memory: what the embedded store is searched with. Pure.

It means what Elasticsearch means by the same query: any value of a list may hold, keywords by case and up to `ignore_above`, text by
words, values of another type than the field's are not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

from contract.errors import QueryError
from contract.event import Fields as Document
from runtime.elastic.fields import DEFAULT, known
from runtime.query.lookup import scalars, values
from runtime.query.resolve import Bound, Fields
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
from runtime.query.values import (
    address_number,
    address_span,
    milliseconds_of,
    number,
    number_of,
    single,
    text_of,
    time_span,
    words,
)

Predicate: TypeAlias = Callable[[Document], bool]
Test: TypeAlias = Callable[[Any], bool]

_OPERATORS: Final[dict[Comparison, Callable[[Any, Any], bool]]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def predicate(query: Query, fields: Fields, now_us: int) -> Predicate:
    """Return the function that tells whether a document is asked for.

    Args:
        query: parsed.
        fields: its fields, resolved.
        now_us: what `now` means.

    Raises:
        QueryError: a value is not of its field's type.
    """
    match query:
        case Everything():
            return lambda _: True
        case Both():
            parts = [predicate(part, fields, now_us) for part in query.parts]
            return lambda document: all(part(document) for part in parts)
        case Either():
            parts = [predicate(part, fields, now_us) for part in query.parts]
            return lambda document: any(part(document) for part in parts)
        case No():
            inner = predicate(query.part, fields, now_us)
            return lambda document: not inner(document)
        case _ if not query.field:
            return _anywhere(query, fields, now_us)
        case _:
            return _over(fields[query.field], _test(query, fields[query.field], now_us))


def default_leaves(query: Is | Like, fields: Fields, now_us: int) -> Iterator[Is | Like]:
    """Yield a term without a field as terms of those default fields whose type can hold it."""
    for name in DEFAULT:
        leaf = (
            Is(name, query.value, query.is_phrase)
            if isinstance(query, Is)
            else Like(name, query.pieces)
        )
        try:
            _test(leaf, fields[name], now_us)
        except QueryError:
            continue
        yield leaf


def _anywhere(query: Query, fields: Fields, now_us: int) -> Predicate:
    assert isinstance(query, Is | Like)  # noqa: S101 - the parser names the field of all others
    parts = [predicate(leaf, fields, now_us) for leaf in default_leaves(query, fields, now_us)]
    return lambda document: any(part(document) for part in parts)


def _over(bound: Bound, test: Test) -> Predicate:
    name = bound.name
    is_root = bound.type == "flattened" and name in known()

    def holds(document: Document) -> bool:
        value = document.get(name)
        if value is None or is_root:
            return any(test(one) for one in values(document, name, whole=is_root))
        if type(value) is list:
            return any(test(one) for one in scalars(value))
        return test(value)

    return holds


def _test(query: Query, bound: Bound, now_us: int) -> Test:
    match bound.sort:
        case "keyword":
            return _keyword(query, bound)
        case "text":
            return _text(query)
        case "address":
            return _address(query, bound)
        case "number":
            return _number(query, bound)
        case "date":
            return _date(query, bound, now_us)
        case "boolean":
            return _boolean(query, bound)


def pattern(pieces: tuple[str, ...]) -> re.Pattern[str]:
    """Return literal texts with anything between them as a pattern that takes linear time: each piece at its first place."""
    first, *middle, last = pieces
    inner = "".join(f"(?>.*?{re.escape(piece)})" for piece in middle if piece)
    return re.compile(f"{re.escape(first)}{inner}.*{re.escape(last)}\\Z", re.DOTALL)


def _keyword(query: Query, bound: Bound) -> Test:
    most = bound.ignore_above

    def is_held(text: str) -> bool:
        return not most or len(text) <= most

    match query:
        case Is():
            wanted = query.value
            return lambda value: text_of(value) == wanted and is_held(wanted)
        case Like():
            fits = pattern(query.pieces)
            return lambda value: is_held(text_of(value)) and fits.match(text_of(value)) is not None
        case Compare():
            compare, edge = _OPERATORS[query.comparison], query.bound.encode()
            return lambda value: is_held(text_of(value)) and compare(text_of(value).encode(), edge)
        case _:
            return lambda value: is_held(text_of(value))


def _text(query: Query) -> Test:
    match query:
        case Is(is_phrase=True):
            phrase = words(query.value)
            return lambda value: bool(phrase) and _has_phrase(words(text_of(value)), phrase)
        case Is():
            wanted = frozenset(words(query.value))
            return lambda value: not wanted.isdisjoint(words(text_of(value)))
        case Like():
            fits = pattern(tuple(piece.lower() for piece in query.pieces))
            return lambda value: any(fits.match(word) for word in words(text_of(value)))
        case Exists():
            return lambda value: True
        case _:
            raise QueryError("text has no order; a range wants a keyword, number, time or address")


def _has_phrase(text: list[str], phrase: list[str]) -> bool:
    size = len(phrase)
    return any(text[at : at + size] == phrase for at in range(len(text) - size + 1))


def _address(query: Query, bound: Bound) -> Test:
    match query:
        case Is():
            first, last = address_span(bound.name, query.value)
            return lambda value: (at := address_number(value)) is not None and first <= at <= last
        case Compare():
            span = address_span(bound.name, query.bound)
            if span[0] != span[1]:
                raise QueryError(f"{bound.name}: a bound is one address, came {query.bound!r}")
            compare = _OPERATORS[query.comparison]
            return lambda value: (at := address_number(value)) is not None and compare(at, span[0])
        case Like():
            raise QueryError(
                f"{bound.name} holds addresses; instead of a wildcard, name a network as 10.1.0.0/16"
            )
        case _:
            return lambda value: address_number(value) is not None


def _number(query: Query, bound: Bound) -> Test:
    read = _reader(bound)
    match query:
        case Is():
            wanted = _exact(bound, number(bound.name, query.value))
            return lambda value: read(value) == wanted
        case Compare():
            compare, edge = _OPERATORS[query.comparison], number(bound.name, query.bound)
            edge = single(edge) if bound.type == "float" else edge
            return lambda value: (found := read(value)) is not None and compare(found, edge)
        case Like():
            raise QueryError(f"{bound.name} holds numbers; a range takes the place of a wildcard")
        case _:
            return lambda value: read(value) is not None


def _exact(bound: Bound, wanted: float) -> float:
    return single(wanted) if bound.type == "float" else wanted


def _reader(bound: Bound) -> Callable[[Any], int | float | None]:
    """Return what makes a stored value what the index holds of it."""
    if bound.type == "float":
        return lambda value: None if (found := number_of(value)) is None else single(found)
    if bound.type in {"long", "integer"}:
        bits = 63 if bound.type == "long" else 31

        def whole(value: Any) -> int | None:
            found = number_of(value)
            # Elasticsearch cuts decimals off, and refuses what does not fit.
            return None if found is None or abs(found) >= 1 << bits else int(found)

        return whole
    return number_of


def _date(query: Query, bound: Bound, now_us: int) -> Test:
    match query:
        case Is():
            first, last = time_span(bound.name, query.value, now_us)
            return lambda value: (at := milliseconds_of(value)) is not None and first <= at <= last
        case Compare():
            compare = _OPERATORS[query.comparison]
            edge = time_edge(query, bound, now_us)
            return lambda value: (at := milliseconds_of(value)) is not None and compare(at, edge)
        case Like():
            raise QueryError(f"{bound.name} holds times; a range takes the place of a wildcard")
        case _:
            return lambda value: milliseconds_of(value) is not None


def time_edge(query: Compare, bound: Bound, now_us: int) -> int:
    """Return the millisecond that a bound means: after a day is after its last, from a day on is from its first."""
    first, last = time_span(bound.name, query.bound, now_us)
    return last if query.comparison in {">", "<="} else first


def _boolean(query: Query, bound: Bound) -> Test:
    match query:
        case Is():
            if query.value not in {"true", "false"}:
                raise QueryError(f"{bound.name}: expected true or false, came {query.value!r}")
            wanted = query.value
            return lambda value: text_of(value) == wanted
        case Exists():
            return lambda value: text_of(value) in {"true", "false"}
        case _:
            raise QueryError(f"{bound.name} is true or false; nothing else can be asked of it")
