"""What a query is made of, after parsing: a tree of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Comparison: TypeAlias = Literal["<", "<=", ">", ">="]


@dataclass(slots=True, frozen=True)
class Everything:
    """Every record."""


@dataclass(slots=True, frozen=True)
class Both:
    """All of these hold."""

    parts: tuple[Query, ...]


@dataclass(slots=True, frozen=True)
class Either:
    """At least one of these holds."""

    parts: tuple[Query, ...]


@dataclass(slots=True, frozen=True)
class No:
    """This does not hold."""

    part: Query


@dataclass(slots=True, frozen=True)
class Exists:
    """The field has a value that is indexed."""

    field: str


@dataclass(slots=True, frozen=True)
class Is:
    """One of the field's values is this.

    Attributes:
        field: dotted name; empty: any of the default fields.
        value: text, escapes undone.
        is_phrase: it stood in quotes: in text, its words must follow each other.
    """

    field: str
    value: str
    is_phrase: bool = False


@dataclass(slots=True, frozen=True)
class Like:
    """One of the field's values fits the pattern.

    Attributes:
        field: dotted name; empty: any of the default fields.
        pieces: literal texts between the wildcards; each wildcard stands for any text, also none.
    """

    field: str
    pieces: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Compare:
    """One of the field's values lies on this side of the bound."""

    field: str
    comparison: Comparison
    bound: str


Query: TypeAlias = Everything | Both | Either | No | Exists | Is | Like | Compare
