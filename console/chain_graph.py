"""A chain as a picture: DOT (Graphviz), Mermaid, SVG. One node a run of alerts, one arrow a link.

Values come from logs, so they come from attackers: each form escapes them in its own way, and control characters go.
Sources: the DOT language (graphviz.org), Mermaid 11 flowchart syntax, SVG 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from contract.records import Alert, Chain, Link
from correlate.chain.stages import RANK

Alerts = Mapping[str, Alert]

MAX_LABEL: Final = 60
"""Characters of a rule's name in a picture."""

_COLOURS: Final = {
    "informational": "#dfe6ee",
    "low": "#d5e8d4",
    "medium": "#fff2cc",
    "high": "#f8cecc",
    "critical": "#e6a1b8",
}


@dataclass(slots=True, frozen=True)
class Node:
    """One step of a chain, ready to draw."""

    id: str
    title: str
    detail: str
    level: str
    rank: int


def nodes_of(chain: Chain, alerts: Alerts) -> list[Node]:
    """Return the nodes in order of time; repetitions are counted in the first alert's."""
    repeated = {one.to: one.from_ for one in chain.links if one.edge == "repeat"}
    counts: dict[str, int] = {}
    for first in repeated.values():
        counts[first] = counts.get(first, 1) + 1
    ranks: dict[str, int] = {}
    tactics: dict[str, str] = {}
    for stage in chain.stages:
        ranks.setdefault(stage.alert, RANK.get(stage.tactic, 0))
        tactics.setdefault(stage.alert, f"{stage.tactic} {stage.technique}".strip())
    nodes = []
    for number, alert in enumerate(one for one in chain.alerts if one not in repeated):
        known = alerts.get(alert)
        title = known.rule.name if known else alert
        times = f" x{counts[alert]}" if alert in counts else ""
        where = (
            next((e.value for e in known.entities if e.role in ("subject", "target")), "")
            if known
            else ""
        )
        detail = ", ".join(part for part in (tactics.get(alert, ""), where) if part)
        level = known.rule.level if known else "medium"
        nodes.append(
            Node(f"n{number}", _short(title) + times, _short(detail), level, ranks.get(alert, -1))
        )
    return nodes


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
        f'  {one.id} [label="{_dot(one.title)}\\n{_dot(one.detail)}" fillcolor="{_COLOURS[one.level]}"];'
        for one in nodes_of(chain, alerts)
    ]
    lines += [
        f'  {here} -> {there} [label="{_dot(link.edge)} {link.weight:.2f}" tooltip="{_dot(link.evidence)}"];'
        for here, there, link in edges_of(chain)
    ]
    return "\n".join([*lines, "}", ""])


def mermaid(chain: Chain, alerts: Alerts) -> str:
    """Return the chain as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    nodes = nodes_of(chain, alerts)
    lines += [
        f'  {one.id}["{_mermaid(one.title)}<br/>{_mermaid(one.detail)}"]:::{one.level}'
        for one in nodes
    ]
    lines += [
        f'  {here} -->|"{_mermaid(link.edge)} {link.weight:.2f}"| {there}'
        for here, there, link in edges_of(chain)
    ]
    lines += [
        f"  classDef {level} fill:{colour},stroke:#666,color:#000"
        for level, colour in _COLOURS.items()
        if any(one.level == level for one in nodes)
    ]
    return "\n".join([*lines, ""])


_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE = 230, 44, 70, 22, 20


def svg(chain: Chain, alerts: Alerts) -> str:
    """Return the chain as a stand-alone SVG: tactics from left to right, time from top to bottom.

    Without script, style sheet or outside reference, so that a page may show it as it is.
    """
    nodes = nodes_of(chain, alerts)
    columns = {rank: place for place, rank in enumerate(sorted({one.rank for one in nodes}))}
    at = {
        one.id: (
            _EDGE + columns[one.rank] * (_WIDE + _GAP_X),
            _EDGE + row * (_HIGH + _GAP_Y),
        )
        for row, one in enumerate(nodes)
    }
    wide = 2 * _EDGE + len(columns) * (_WIDE + _GAP_X) - _GAP_X if nodes else 2 * _EDGE
    high = 2 * _EDGE + len(nodes) * (_HIGH + _GAP_Y)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}"'
            f' viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">'
        ),
        f"<title>Attack chain {_xml(chain.id)}</title>",
        (
            '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
            ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>'
        ),
    ]
    for here, there, link in edges_of(chain):
        lines.extend(_arrow(at[here], at[there], link))
    for one in nodes:
        x, y = at[one.id]
        lines.append(
            f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="6" stroke="#666"'
            f' fill="{_COLOURS[one.level]}"/>'
        )
        lines.append(f'<text x="{x + 8}" y="{y + 18}">{_xml(one.title, 36)}</text>')
        lines.append(f'<text x="{x + 8}" y="{y + 34}" fill="#444">{_xml(one.detail, 36)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _arrow(here: tuple[int, int], there: tuple[int, int], link: Link) -> list[str]:
    x1, y1 = here[0] + _WIDE // 2, here[1] + _HIGH
    x2, y2 = there[0] + _WIDE // 2, there[1]
    if y2 < y1:
        y1, y2 = here[1], there[1] + _HIGH
    middle = (y1 + y2) // 2
    return [
        (
            f'<g><title>{_xml(link.evidence, 400)}</title><path d="M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}"'
            f' fill="none" stroke="#555" marker-end="url(#end)" data-edge={quoteattr(plain(link.edge))}/>'
        ),
        (
            f'<text x="{(x1 + x2) // 2 + 4}" y="{middle}" fill="#555" font-size="9">'
            f"{_xml(link.edge)} {link.weight:.2f}</text></g>"
        ),
    ]


def plain(value: str) -> str:
    """Replace control characters, and surrogates that no encoding holds."""
    return "".join(c if c.isprintable() else " " for c in value)


def _short(value: str) -> str:
    value = plain(value)
    return value if len(value) <= MAX_LABEL else value[: MAX_LABEL - 1] + "…"


def _dot(value: str) -> str:
    return plain(value).replace("\\", "\\\\").replace('"', '\\"')


def _mermaid(value: str) -> str:
    """Encode what Mermaid reads as syntax, as its entity codes."""
    return "".join(c if c.isalnum() or c in " .,:/-" else f"#{ord(c)};" for c in plain(value))


def _xml(value: str, bound: int = MAX_LABEL) -> str:
    value = plain(value)
    return escape(value if len(value) <= bound else value[: bound - 1] + "…")
