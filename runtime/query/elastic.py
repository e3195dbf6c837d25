"""Translates a query to Elasticsearch's query language. Pure."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from contract.timestamps import iso
from runtime.query.match import default_leaves, predicate, time_edge
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
from runtime.query.values import time_span

Body: TypeAlias = dict[str, Any]

_OPERATORS: Final[dict[Comparison, str]] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def translate(query: Query, fields: Fields, now_us: int) -> Body:
    """Return the query's clause.

    Raises:
        QueryError: a value is not of its field's type.
    """
    predicate(query, fields, now_us)  # says what is wrong, in the same words for both backends
    return _clause(query, fields, now_us)


def runtime_mappings(fields: Fields) -> Body:
    """Return the fields that Elasticsearch must read from the documents, with their types."""
    return {name: {"type": bound.type} for name, bound in fields.known.items() if bound.at_runtime}


def _clause(query: Query, fields: Fields, now_us: int) -> Body:  # noqa: PLR0911 - one a form
    match query:
        case Everything():
            return {"match_all": {}}
        case Both():
            return {"bool": {"filter": [_clause(part, fields, now_us) for part in query.parts]}}
        case Either():
            return _any([_clause(part, fields, now_us) for part in query.parts])
        case No():
            return {"bool": {"must_not": [_clause(query.part, fields, now_us)]}}
        case Is(field="") | Like(field=""):
            leaves = default_leaves(query, fields, now_us)
            return _any([_clause(leaf, fields, now_us) for leaf in leaves])
        case Exists():
            return {"exists": {"field": query.field}}
        case Is():
            return _is(query, fields[query.field], now_us)
        case Like():
            return _like(query, fields[query.field])
        case Compare():
            return _compare(query, fields[query.field], now_us)


def _any(clauses: list[Body]) -> Body:
    if not clauses:
        return {"match_none": {}}
    return {"bool": {"should": clauses, "minimum_should_match": 1}}


def _is(query: Is, bound: Bound, now_us: int) -> Body:
    match bound.sort:
        case "text":
            return {"match_phrase" if query.is_phrase else "match": {query.field: query.value}}
        case "date":
            first, last = time_span(query.field, query.value, now_us)
            return {"range": {query.field: {"gte": iso(first * 1_000), "lte": iso(last * 1_000)}}}
        case _:
            return {"term": {query.field: query.value}}


def _like(query: Like, bound: Bound) -> Body:
    pieces = [piece.lower() for piece in query.pieces] if bound.sort == "text" else query.pieces
    escaped = [_escaped(piece) for piece in pieces]
    return {"wildcard": {query.field: {"value": "*".join(escaped)}}}


def _escaped(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _compare(query: Compare, bound: Bound, now_us: int) -> Body:
    edge: str = query.bound
    if bound.sort == "date":
        edge = iso(time_edge(query, bound, now_us) * 1_000)
    return {"range": {query.field: {_OPERATORS[query.comparison]: edge}}}
