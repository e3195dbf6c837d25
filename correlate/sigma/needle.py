"""Texts that must stand in a value for a comparison to hold: what the indexes look for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from correlate.sigma.node import Leaf
from correlate.sigma.pattern import required_literals
from correlate.sigma.text import fold

BY_PLACE: Final = frozenset({"prefix", "suffix", "infix"})
"""Comparisons of which the text stands in the value at a place, or anywhere."""


def encoded(needles: Iterable[str]) -> list[bytes]:
    """Return folded texts as the scanner sees them."""
    return [needle.encode("utf-8", "surrogatepass") for needle in needles]


def needle_of(leaf: Leaf) -> str:
    """Return a folded text that a value must hold for the leaf to be true; empty: none known."""
    return max(needles_of(leaf), key=len, default="")


def needles_of(leaf: Leaf) -> tuple[str, ...]:
    """Return folded texts that a value must all hold for the leaf to be true."""
    if leaf.op in BY_PLACE:
        return (fold(leaf.value),)
    if leaf.op == "glob":
        return tuple(fold(part) for part in leaf.value if isinstance(part, str))
    if leaf.op == "dashes":
        texts = [part for part in leaf.value if isinstance(part, str)]
        return tuple(fold(run) for text in texts for run in text.split("-"))
    if leaf.op == "re":
        return required_literals(*leaf.value)
    return ()
