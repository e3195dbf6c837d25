"""Binds a query's fields to their types, so that both backends mean the same by it and a wrong value is said before any search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal, TypeAlias

from contract.errors import QueryError
from runtime.elastic.fields import DEFAULT, Field, find, known
from runtime.query.terms import Both, Compare, Either, Exists, Is, Like, No, Query
from runtime.query.values import number_of

Sort: TypeAlias = Literal["keyword", "text", "address", "number", "date", "boolean"]

_SORTS: Final[dict[str, Sort]] = {
    "keyword": "keyword",
    "wildcard": "keyword",
    "constant_keyword": "keyword",
    "flattened": "keyword",
    "match_only_text": "text",
    "text": "text",
    "ip": "address",
    "date": "date",
    "boolean": "boolean",
    **dict.fromkeys(("long", "integer", "float", "double", "scaled_float"), "number"),
}


@dataclass(slots=True, frozen=True)
class Bound:
    """How one field of a query is searched.

    Attributes:
        at_runtime: the index does not hold it so; Elasticsearch reads it from the documents, which is slower.
    """

    name: str
    sort: Sort
    type: str
    ignore_above: int = 0
    at_runtime: bool = False


@dataclass(slots=True)
class Fields:
    """All fields of one query, by name."""

    known: dict[str, Bound] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Bound:
        return self.known[name]


def resolve(query: Query) -> Fields:
    """Return how each field of a query is searched.

    Raises:
        QueryError: a name is a group of fields, or a field that is only kept.
    """
    uses: dict[str, list[Query]] = {}
    for leaf in leaves(query):
        names = [leaf.field] if leaf.field else DEFAULT
        for name in names:
            uses.setdefault(name, []).append(leaf)
    return Fields({name: _bind(name, of_name) for name, of_name in uses.items()})


def leaves(query: Query) -> Iterator[Is | Like | Compare | Exists]:
    """Yield the terms of a query."""
    match query:
        case Both() | Either():
            for part in query.parts:
                yield from leaves(part)
        case No():
            yield from leaves(query.part)
        case Is() | Like() | Compare() | Exists():
            yield query


def _bind(name: str, uses: list[Query]) -> Bound:
    found = find(name)
    if found is None:
        if name in _groups():
            raise QueryError(f"{name} is a group of fields; name one of them, as {_first_in(name)}")
        return _unknown(name, uses)
    if not found.indexed:
        raise QueryError(f"{name} is kept and not indexed; nothing can be asked of it")
    sort = _SORTS.get(found.type)
    if sort is None:
        raise QueryError(f"{name} is of type {found.type}; nothing can be asked of it")
    if found.type == "flattened" and any(isinstance(one, Like | Compare) for one in uses):
        return _of_flattened(name, found)
    return Bound(name, sort, found.type, found.ignore_above)


def _of_flattened(name: str, found: Field) -> Bound:
    """A key of a flattened object answers whole values only; the rest is read from the documents."""
    if name in known():
        raise QueryError(f"{name} holds many fields; name one of them for a wildcard or a range")
    return Bound(name, "keyword", "keyword", at_runtime=True)


def _unknown(name: str, uses: list[Query]) -> Bound:
    """A field that no template knows: a number where it is compared with numbers, else a keyword."""
    bounds = [one.bound for one in uses if isinstance(one, Compare)]
    if not bounds or any(number_of(bound) is None for bound in bounds):
        return Bound(name, "keyword", "keyword", at_runtime=True)
    if any(isinstance(one, Like) for one in uses):
        raise QueryError(f"{name} cannot be a number and a text with wildcards in one query")
    return Bound(name, "number", "double", at_runtime=True)


@cache
def _groups() -> frozenset[str]:
    return frozenset(
        name.rsplit(".", depth)[0] for name in known() for depth in range(1, name.count(".") + 1)
    ) - set(known())


def _first_in(group: str) -> str:
    return next(name for name in sorted(known()) if name.startswith(f"{group}."))
