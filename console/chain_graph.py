"""A chain as a graph: DOT (Graphviz) and Mermaid. One node a run of alerts, one arrow a link; `chain_svg` draws it.

Values come from logs, so they come from attackers: each form escapes them in its own way, and control characters go.
Sources: the DOT language (graphviz.org), Mermaid 11 flowchart syntax and its bounds (`maxTextSize`, `maxEdges`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.plain import plain
from contract.records import Alert, Chain, ChainStage, Link
from correlate.chain.stages import RANK, steps

Alerts = Mapping[str, Alert]

MAX_LABEL: Final = 60
"""Characters of a rule's name in a picture."""

MAX_MERMAID: Final = 45_000
MAX_MERMAID_EDGES: Final = 480
"""Characters and arrows of a Mermaid text: a page that shows it refuses more than 50,000 and 500."""

COLOURS: Final = {
    "informational": "#dfe6ee",
    "low": "#d5e8d4",
    "medium": "#fff2cc",
    "high": "#f8cecc",
    "critical": "#e6a1b8",
}


@dataclass(slots=True, frozen=True)
class Node:
    """One step of a chain, ready to draw.

    Attributes:
        title: its rule, and how often it fired.
        when: time of its first alert; empty where that is not at hand.
        stage: tactic and technique.
        where: the host or address that it is about.
        rank: of its tactic; -1 where none is known.
    """

    id: str
    title: str
    when: str
    stage: str
    where: str
    level: str
    rank: int

    @property
    def detail(self) -> str:
        """When, what stage and where, in one line."""
        said = ", ".join(part for part in (self.stage, self.where) if part)
        return " ".join(part for part in (self.when, said) if part)


def nodes_of(chain: Chain, alerts: Alerts) -> list[Node]:
    """Return the nodes in order of time; repetitions are counted in the first alert's."""
    repeated = {one.to: one.from_ for one in chain.links if one.edge == "repeat"}
    counts: dict[str, int] = {}
    for first in repeated.values():
        counts[first] = counts.get(first, 1) + 1
    staged = {one.alert: one for one in reversed(chain.stages)}
    nodes = []
    for number, alert in enumerate(one for one in chain.alerts if one not in repeated):
        known = alerts.get(alert)
        times = f" x{counts[alert]}" if alert in counts else ""
        tactic, technique = _stage(staged.get(alert), known)
        nodes.append(
            Node(
                f"n{number}",
                short(known.rule.name if known else alert) + times,
                clock(known.time, chain) if known else "",
                short(f"{tactic} {technique}".strip()),
                short(_where(known)),
                known.rule.level if known else "medium",
                RANK.get(tactic, -1),
            )
        )
    return nodes


def _stage(stage: ChainStage | None, alert: Alert | None) -> tuple[str, str]:
    """Return tactic and technique: of the stage that an alert opens, else, where an earlier one showed it, its own."""
    if stage is not None:
        return stage.tactic, stage.technique
    return next(iter(steps(alert.tactics, alert.techniques)), ("", "")) if alert else ("", "")


def _where(alert: Alert | None) -> str:
    named = alert.entities if alert else ()
    return next((one.value for one in named if one.role in ("subject", "target")), "")


def clock(time: datetime, chain: Chain) -> str:
    """Return the time of day, with the day before it where a chain lasts for several."""
    one_day = chain.first.date() == chain.last.date()
    return f"{time:%H:%M:%S}" if one_day else f"{time:%m-%d %H:%M:%S}"


def edges_of(chain: Chain) -> list[tuple[str, str, Link]]:
    """Return (node id, node id, link) of each link between nodes."""
    repeated = {one.to: one.from_ for one in chain.links if one.edge == "repeat"}
    heads = [one for one in chain.alerts if one not in repeated]
    number = {alert: f"n{place}" for place, alert in enumerate(heads)}
    found = []
    for link in chain.links:
        ends = [number.get(repeated.get(one, one)) for one in (link.from_, link.to)]
        if link.edge != "repeat" and ends[0] is not None and ends[1] is not None:
            found.append((ends[0], ends[1], link))
    return found


def dot(chain: Chain, alerts: Alerts) -> str:
    """Return the chain in the DOT language."""
    lines = [
        f'digraph "{_dot(chain.id)}" {{',
        "  rankdir=LR;",
        '  node [shape=box style="filled,rounded" fontname="sans-serif" fontsize=10];',
        '  edge [fontname="sans-serif" fontsize=9];',
    ]
    lines += [
        f'  {one.id} [label="{_dot(one.title)}\\n{_dot(one.detail)}" fillcolor="{COLOURS[one.level]}"];'
        for one in nodes_of(chain, alerts)
    ]
    lines += [
        f'  {here} -> {there} [label="{_dot(link.edge)} {link.weight:.2f}" tooltip="{_dot(link.evidence)}"];'
        for here, there, link in edges_of(chain)
    ]
    return "\n".join([*lines, "}", ""])


def mermaid(chain: Chain, alerts: Alerts) -> str:
    """Return the chain as a Mermaid flowchart; of a long one the beginning, up to what a page will draw."""
    nodes = nodes_of(chain, alerts)
    arrows: dict[str, list[str]] = {}
    for here, there, link in edges_of(chain):
        later = max(here, there, key=_number)
        arrow = f'  {here} -->|"{_mermaid(link.edge)} {link.weight:.2f}"| {there}'
        arrows.setdefault(later, []).append(arrow)
    lines = ["flowchart LR"]
    size = edges = 0
    for one in nodes:
        label = f"{_mermaid(one.title)}<br/>{_mermaid(one.detail)}"
        rows = [f'  {one.id}["{label}"]:::{one.level}', *arrows.get(one.id, ())]
        size += sum(len(row) + 1 for row in rows)
        edges += len(rows) - 1
        if size > MAX_MERMAID or edges > MAX_MERMAID_EDGES:
            lines.append(f'  more["and {len(nodes) - _number(one.id)} later steps"]')
            break
        lines += rows
    lines += [
        f"  classDef {level} fill:{colour},stroke:#666,color:#000"
        for level, colour in COLOURS.items()
        if any(one.level == level for one in nodes)
    ]
    return "\n".join([*lines, ""])


def _number(node: str) -> int:
    return int(node[1:])


def short(value: str) -> str:
    """Return a name without control characters, cut to what a picture has room for."""
    value = plain(value)
    return value if len(value) <= MAX_LABEL else value[: MAX_LABEL - 1] + "…"


def _dot(value: str) -> str:
    return plain(value).replace("\\", "\\\\").replace('"', '\\"')


def _mermaid(value: str) -> str:
    """Encode what Mermaid reads as syntax, as its entity codes."""
    return "".join(c if c.isalnum() or c in " .,:/-" else f"#{ord(c)};" for c in plain(value))
