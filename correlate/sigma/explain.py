"""Why a rule holds for an event or does not: its condition as a tree, each leaf with the event's value.

The tree is the compiled one, after modifiers and pipelines, over the field names of the event; so it shows what
the engine really asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from correlate.sigma.catalogue import renamed
from correlate.sigma.evaluate import leaf_test
from correlate.sigma.node import MANY, ONE, And, Leaf, Node, Not
from correlate.sigma.route import Router
from correlate.sigma.rules import Detection
from correlate.sigma.text import fold, text_of

MAX_VALUE = 300
"""Characters of a value that are shown."""
MIN_NEAR = 4


@dataclass(slots=True, frozen=True)
class Explained:
    """One node of the tree.

    Attributes:
        kind: `and`, `or`, `not`, or `leaf`.
        holds: true or false for the event.
        asks: of a leaf: field, operation and value in words.
        value: of a leaf: what the event has; None: the field is absent or the leaf is a keyword.
        near: of a leaf that does not hold: how far it came, in words.
        parts: below this node.
    """

    kind: Literal["and", "or", "not", "leaf"]
    holds: bool
    asks: str = ""
    value: Any = None
    near: str = ""
    parts: tuple[Explained, ...] = ()


@dataclass(slots=True, frozen=True)
class Explanation:
    """What `explain` found.

    Attributes:
        holds: true when the rule holds for the event, log source included.
        routed: true when the event is of the rule's log source.
        sources: what the event's log sources are, in words.
        tree: the condition.
        score: share of leaves, 0 to 1, that need not change for the rule to hold.
    """

    holds: bool
    routed: bool
    sources: tuple[str, ...]
    tree: Explained
    score: float


def explain(rule: Detection, event: Mapping[str, Any], router: Router | None = None) -> Explanation:
    """Evaluate every leaf of a rule on a flat event."""
    route = (router or Router()).route(event)
    ways = route.names_for(rule.logsource)
    nodes = [renamed(rule.condition, names) for names in ways] or [rule.condition]
    trees = [_tree(node, event) for node in nodes]
    tree = max(trees, key=lambda one: (one.holds, _score(one)[0]))
    sources = tuple(
        dict.fromkeys("/".join(part for part in source if part) for source, _ in route.sources)
    )
    return Explanation(bool(ways) and tree.holds, bool(ways), sources, tree, _score(tree)[0])


def _tree(node: Node, event: Mapping[str, Any]) -> Explained:
    if isinstance(node, Leaf):
        return _leaf(node, event)
    if isinstance(node, Not):
        part = _tree(node.part, event)
        return Explained("not", not part.holds, parts=(part,))
    parts = tuple(_tree(part, event) for part in node.parts)
    if isinstance(node, And):
        return Explained("and", all(part.holds for part in parts), parts=parts)
    return Explained("or", any(part.holds for part in parts), parts=parts)


def _leaf(leaf: Leaf, event: Mapping[str, Any]) -> Explained:
    holds = leaf_test(leaf)(event)
    value = None if leaf.field is None else event.get(leaf.field)
    near = "" if holds else _near(leaf, value)
    if leaf.field is not None and leaf.field not in event:
        near = near or "the event has no such field"
    shown = (
        value if not isinstance(value, str) or len(value) <= MAX_VALUE else value[:MAX_VALUE] + "…"
    )
    return Explained("leaf", holds, asks(leaf), shown, near)


def asks(leaf: Leaf) -> str:
    """Return what a leaf asks, in words."""
    name = leaf.field if leaf.field is not None else "any value"
    cased = " (case-sensitive)" if leaf.cased and leaf.op != "re" else ""
    value = leaf.value
    words = {
        "equal": f"is {value!r}",
        "prefix": f"starts with {value!r}",
        "suffix": f"ends with {value!r}",
        "infix": f"contains {value!r}" if value else "has a value",
        "number": f"is {value}",
        "cidr": f"is in {value}",
        "null": "has no value",
        "exists": "is there" if value else "is not there",
    }
    if leaf.op in words:
        return f"{name} {words[leaf.op]}{cased}"
    if leaf.op in ("glob", "dashes"):
        text = "".join({ONE: "?", MANY: "*"}.get(part, part) for part in value)
        dashes = ", any dash" if leaf.op == "dashes" else ""
        return f"{name} is like {text!r}{dashes}{cased}"
    if leaf.op == "re":
        flags = f" with {value[1]}" if value[1] else ""
        return f"{name} matches /{value[0]}/{flags}"
    if leaf.op == "compare":
        return f"{name} {value[0]} {value[1]}"
    if leaf.op == "part":
        return f"{value[0]} of {name} {value[1]} {value[2]}"
    return f"{name} {value[1]} to field {value[0]}"


def _near(leaf: Leaf, value: Any) -> str:
    """Return how much of a text leaf is there: the longest piece of its literal in the value."""
    if leaf.op not in ("equal", "prefix", "suffix", "infix"):
        return ""
    text = text_of(value)
    if not text or not leaf.value:
        return ""
    folded, wanted = fold(text), fold(leaf.value)
    if wanted in folded:
        return (
            f"{wanted!r} is there, elsewhere"
            if leaf.op != "equal"
            else "it is there, with more around"
        )
    low, high = 0, len(wanted)
    while low < high:  # the longest start of the literal that the value has
        middle = (low + high + 1) // 2
        if wanted[:middle] in folded:
            low = middle
        else:
            high = middle - 1
    return f"only {wanted[:low]!r} is there" if low >= MIN_NEAR else ""


def _score(tree: Explained) -> tuple[float, int]:
    """Return (share of what is needed that holds, leaves it was counted on)."""
    if tree.holds:
        return 1.0, 1
    if tree.kind == "and":
        scores = [_score(part)[0] for part in tree.parts]
        return (sum(scores) / len(scores), len(scores)) if scores else (1.0, 0)
    if tree.kind == "or" and tree.parts:
        return max(_score(part) for part in tree.parts)
    return 0.0, 1


def lines(tree: Explained, depth: int = 0, *, limit: int = 12) -> list[str]:
    """Return the tree as text, an indented line a node; of long lists what holds, and the first others."""
    mark = "✓" if tree.holds else "✗"
    head = "  " * depth + mark + " "
    if tree.kind == "leaf":
        value = "" if tree.value is None else f" — has {tree.value!r}"
        near = f" ({tree.near})" if tree.near else ""
        return [f"{head}{tree.asks}{value}{near}"]
    made = [head + {"and": "all of", "or": "one of", "not": "not"}[tree.kind]]
    shown = sorted(tree.parts, key=lambda part: not part.holds) if tree.kind == "or" else tree.parts
    for part in shown[:limit]:
        made += lines(part, depth + 1, limit=limit)
    if len(shown) > limit:
        made.append("  " * (depth + 1) + f"… and {len(shown) - limit} more")
    return made
