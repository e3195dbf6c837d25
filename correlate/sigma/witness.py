"""Witnesses: for each rule, the rarest set of positive leaves of which one must hold for the rule to hold.

For an AND the best part suffices; an OR needs all its parts. A rule without a witness (a bare `not`)
is tried on every event of its log source. The choice decides speed alone, never the result.
Rarity is guessed from the leaf and then learnt: see `Frequencies`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from correlate.sigma.node import (
    FALSE,
    TRUE,
    And,
    Leaf,
    Node,
    Not,
    conjunction,
    disjunction,
    leaves,
)
from correlate.sigma.pattern import required_literal
from correlate.sigma.sample import Sample

Estimate: TypeAlias = Callable[[Leaf], float]
Constants: TypeAlias = Callable[[Leaf], bool | None]

MAX_WITNESS = 50_000
"""Leaves in one witness set; a rule that needs more is tried on every event."""

_LENGTH = (1.0, 0.8, 0.5, 0.3, 0.15, 0.08, 0.05, 0.03, 0.02)
_FREQUENT = 0.3
_OF_OP = {"cidr": 0.2, "compare": 0.5, "part": 0.5, "number": 0.02, "null": 0.6}

# What stands in most logs of its kind; a literal found in one of these is no rare one.
_COMMON = (
    r"c:\windows\system32\svchost.exe",
    r"c:\windows\system32\lsass.exe",
    r"c:\windows\system32\services.exe",
    r"c:\windows\syswow64\windowspowershell\v1.0\powershell.exe",
    r"c:\windows\system32\windowspowershell\v1.0\powershell.exe -noprofile -command",
    r"c:\windows\system32\cmd.exe /c",
    r"c:\windows\explorer.exe",
    r"c:\windows\system32\wbem\wmiprvse.exe",
    r"c:\windows\system32\conhost.exe 0xffffffff -forcev1",
    r"c:\windows\system32\ntdll.dll|c:\windows\system32\kernelbase.dll",
    r"c:\program files\windows defender\msmpeng.exe",
    r"c:\programdata\microsoft\windows defender\platform",
    r"c:\program files (x86)\google\update\googleupdate.exe",
    r"c:\users\administrator\appdata\local\temp\a.tmp",
    r"c:\users\user\appdata\roaming\microsoft\windows",
    r"hklm\system\currentcontrolset\services\tcpip\parameters",
    r"hklm\software\microsoft\windows\currentversion\run",
    r"hku\s-1-5-21-1-2-3-500\software\microsoft",
    "microsoft-windows-sysmon/operational microsoft-windows-security-auditing",
    "nt authority\\system nt authority\\network service local system",
    "microsoft corporation microsoft® windows® operating system",
    "true false - none null 0x0 0x1000 0x1400 0x1410 0x3e7 medium high system",
    "s-1-5-18 s-1-5-19 s-1-5-20 info success failure tcp udp 127.0.0.1",
    "get / http/1.1 mozilla/5.0 (windows nt 10.0; win64; x64) /index.html",
)


_COMMON_TEXT = "\n".join(_COMMON)


@lru_cache(maxsize=65_536)
def guess(leaf: Leaf) -> float:
    """Return a guess of how often a leaf holds, 0 to 1, from its form alone."""
    text = required_literal(*leaf.value) if leaf.op == "re" else None
    if leaf.op in ("equal", "prefix", "suffix", "infix"):
        text = leaf.value
    elif leaf.op in ("glob", "dashes"):
        text = max((part for part in leaf.value if isinstance(part, str)), key=len, default="")
    if text is None:
        return _OF_OP.get(leaf.op, 0.6)
    rarity = _LENGTH[min(len(text), len(_LENGTH) - 1)] / (1 + max(0, len(text) - 8) / 4)
    if leaf.op == "equal":
        rarity = min(rarity, 0.01) if text else _FREQUENT
    if leaf.op == "prefix":
        rarity *= 1.5
    if text and text in _COMMON_TEXT:
        rarity = max(rarity, _FREQUENT if leaf.op != "suffix" else _FREQUENT / 3)
    return min(rarity * (0.05 if leaf.field is None else 1), 1.0)


class Frequencies:
    """What was counted on real events, over what is guessed."""

    def __init__(self) -> None:
        self._seen: dict[Leaf, float] = {}

    def estimate(self, leaf: Leaf) -> float:
        """Return how often the leaf holds, as far as known."""
        seen = self._seen.get(leaf)
        return guess(leaf) if seen is None else seen

    def learn(self, nodes: Iterable[Node], events: list[Mapping[str, Any]]) -> None:
        """Count the leaves of these nodes on a sample. O(leaves x events).

        What never held in n events is taken to hold once in 2n, less so the longer its guess is. What
        was counted before counts half: traffic changes, and comes in bursts.
        """
        if not events:
            return
        sample = Sample(events)
        fresh: dict[Leaf, float] = {}
        for node in nodes:
            for leaf in leaves(node):
                if _can_witness(leaf) and leaf not in fresh:
                    held = sample.share(leaf)
                    fresh[leaf] = held or min(guess(leaf), 0.5 / len(events))
        for leaf, held in fresh.items():
            before = self._seen.get(leaf)
            self._seen[leaf] = held if before is None else (held + before) / 2


def simplified(node: Node, constants: Constants) -> Node:
    """Return the node with leaves that are known replaced by what they are."""
    if isinstance(node, Leaf):
        known = constants(node)
        return node if known is None else TRUE if known else FALSE
    if isinstance(node, Not):
        part = simplified(node.part, constants)
        if part == TRUE:
            return FALSE
        return TRUE if part == FALSE else Not(part)
    parts = [simplified(part, constants) for part in node.parts]
    return conjunction(parts) if isinstance(node, And) else disjunction(parts)


def projected(node: Node, name: str, *, wanted: bool = True) -> Node:
    """Return what a node demands of one text field, whatever the other fields are.

    True wherever the node can be `wanted` for some values of the others.
    """
    if isinstance(node, Leaf):
        if node.field != name or not _positive(node):
            return TRUE
        return node if wanted else Not(node)
    if isinstance(node, Not):
        return projected(node.part, name, wanted=not wanted)
    parts = [projected(part, name, wanted=wanted) for part in node.parts]
    return conjunction(parts) if isinstance(node, And) == wanted else disjunction(parts)


def _positive(leaf: Leaf) -> bool:
    """Tell whether a leaf can only hold where its field has a value that it is tested on."""
    return leaf.op not in ("null", "exists", "fieldref")


def _can_witness(leaf: Leaf) -> bool:
    """Tell whether the index of the leaf's field can tell that the leaf may hold."""
    return _positive(leaf) or (leaf.op == "null" and leaf.field is not None)


def witness(node: Node, estimate: Estimate) -> tuple[float, list[Leaf]] | None:
    """Return (probability, leaves) of the rarest witness; None where there is none."""
    if isinstance(node, Leaf):
        return (estimate(node), [node]) if _can_witness(node) else None
    if isinstance(node, Not):
        return None
    if isinstance(node, And):
        found = [one for part in node.parts if (one := witness(part, estimate)) is not None]
        return min(found, key=lambda one: (one[0], len(one[1]))) if found else None
    total = 0.0
    all_leaves: list[Leaf] = []
    for part in node.parts:
        one = witness(part, estimate)
        if one is None:
            return None
        total += one[0]
        all_leaves += one[1]
    return (total, all_leaves) if len(all_leaves) <= MAX_WITNESS else None
