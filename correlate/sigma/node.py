"""The compiled form of a detection: a tree of boolean nodes over leaves, readable as JSON.

One rule's condition after log source, modifiers and processing pipelines is one such tree. It is
what the engine indexes, what the naive evaluator of the tests walks and what the cache stores
(arrays: `["and", [...]]`, `["leaf", op, field, value, cased]`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

Op: TypeAlias = Literal[
    "equal",
    "prefix",
    "suffix",
    "infix",
    "glob",
    "dashes",
    "number",
    "re",
    "cidr",
    "compare",
    "part",
    "fieldref",
    "null",
    "exists",
]

ONE = 1
"""In the parts of a glob: exactly one character (`?`)."""
MANY = 2
"""In the parts of a glob: any number of characters (`*`)."""


if TYPE_CHECKING:
    Value: TypeAlias = Any  # the type follows from `op`
else:
    Value = str | int | float | bool | tuple[str | int | float, ...] | None


class Leaf(msgspec.Struct, array_like=True, frozen=True, tag="leaf", gc=False):
    """One comparison of one field, or (field None: keyword) of every value of the event.

    Attributes:
        op: what is asked; the type of `value` follows from it.
        field: name as the rule, after the pipelines, has it.
        value: equal, prefix, suffix, infix: text · glob, dashes: texts, ONE and MANY · number: int
            or float · re: pattern, flags of "ims" · cidr: network · compare: operator, number ·
            part: unit, operator, number · fieldref: other field, one of equal, prefix, suffix,
            infix · null: None · exists: bool.
        cased: letters count as they are written; otherwise both sides are case-folded, and
            `value` is folded already.
    """

    op: Op
    field: str | None
    value: Value
    cased: bool = False


class And(msgspec.Struct, array_like=True, frozen=True, tag="and", gc=False):
    """True when all parts are; true when there are none."""

    parts: tuple[Node, ...]


class Or(msgspec.Struct, array_like=True, frozen=True, tag="or", gc=False):
    """True when one part is; false when there are none."""

    parts: tuple[Node, ...]


class Not(msgspec.Struct, array_like=True, frozen=True, tag="not", gc=False):
    """True when its part is not."""

    part: Node


Node: TypeAlias = And | Or | Not | Leaf

TRUE = And(())
FALSE = Or(())


def conjunction(parts: list[Node]) -> Node:
    """Return the AND of parts, flattened and with constants removed."""
    kept: list[Node] = []
    for part in parts:
        if isinstance(part, And):
            kept.extend(part.parts)
        elif part == FALSE:
            return FALSE
        else:
            kept.append(part)
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def disjunction(parts: list[Node]) -> Node:
    """Return the OR of parts, flattened and with constants removed."""
    kept: list[Node] = []
    for part in parts:
        if isinstance(part, Or):
            kept.extend(part.parts)
        elif part == TRUE:
            return TRUE
        else:
            kept.append(part)
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def negation(part: Node) -> Node:
    """Return the NOT of a part; a double negation cancels."""
    if isinstance(part, Not):
        return part.part
    if part == TRUE:
        return FALSE
    if part == FALSE:
        return TRUE
    return Not(part)


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield every leaf, left to right, repetitions included."""
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Leaf):
            yield top
        elif isinstance(top, Not):
            stack.append(top.part)
        else:
            stack.extend(reversed(top.parts))
