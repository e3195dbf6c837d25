"""Finds the values of a field in a flat document whose values may be lists and objects, as an index sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract.event import Fields as Document


def values(document: Document, name: str, *, whole: bool) -> Iterator[Any]:
    """Yield the values of a field that stands within objects, or (`whole`) of all fields below it."""
    if whole:
        below = f"{name}."
        for key, value in document.items():
            if key == name or key.startswith(below):
                yield from scalars(value)
        return
    parent, _, rest = name.rpartition(".")
    while parent:
        if parent in document:
            yield from _within(document[parent], rest)
        parent, _, leaf = parent.rpartition(".")
        rest = f"{leaf}.{rest}"
    if "." in name and name.endswith(".text"):
        yield from scalars(document.get(name.removesuffix(".text")))


def _within(value: Any, path: str) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _within(one, path)
    elif isinstance(value, dict):
        yield from _values_of(value, path)


def _values_of(value: dict[str, Any], path: str) -> Iterator[Any]:
    if path in value:
        yield from scalars(value[path])
    yield from values(value, path, whole=False)


def scalars(value: Any) -> Iterator[Any]:
    """Yield what a value holds: itself, or what lists and objects within it hold; nulls are not there."""
    if isinstance(value, list):
        for one in value:
            yield from scalars(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from scalars(one)
    elif value is not None:
        yield value
