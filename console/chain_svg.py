"""A chain as a picture (SVG 1.1): a column for each tactic from left to right, a row for each step in order of time.

A row holds one step and a gap between columns none. So an arrow leaves along its step's row, turns in a gap and arrives along the
other's row: it crosses arrows but never a step.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from console.chain_graph import COLOURS, MAX_LABEL, Alerts, Node, edges_of, nodes_of
from console.plain import plain
from contract.records import Chain, Link
from correlate.chain.stages import RANK

_WIDE, _HIGH, _GAP_X, _GAP_Y, _EDGE, _HEAD = 240, 44, 140, 18, 20, 26
_LANES, _LANE = 6, 7
"""Places to turn in one gap, and how many pixels they lie apart."""
_MAX_LINE: Final = 38
"""Characters for which a box has room; the whole stands in its title."""
_MAX_EVIDENCE: Final = 400
_UNKNOWN: Final = "no tactic known"
_TACTICS: Final = {rank: tactic for tactic, rank in RANK.items()}


class _Box(NamedTuple):
    """Where a step stands, in pixels, and in which column."""

    x: int
    y: int
    column: int


def svg(chain: Chain, alerts: Alerts) -> str:
    """Return the chain as a stand-alone SVG, without script, style sheet or outside reference, so that a page may show it as it is."""
    nodes = nodes_of(chain, alerts)
    ranks = sorted({one.rank for one in nodes}, key=lambda rank: (rank < 0, rank))
    boxes = {
        one.id: _Box(_left(ranks.index(one.rank)), _EDGE + _HEAD + row * (_HIGH + _GAP_Y), ranks.index(one.rank))
        for row, one in enumerate(nodes)
    }  # fmt: skip
    wide = _left(len(ranks)) + _EDGE
    high = 2 * _EDGE + _HEAD + len(nodes) * (_HIGH + _GAP_Y)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}"'
                f' viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">'
            ),
            f"<title>Attack chain {_xml(chain.id)}</title>",
            (
                '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
                ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>'
            ),
            *(
                f'<text x="{_left(place)}" y="{_EDGE + 8}" font-weight="bold">{_xml(_TACTICS.get(rank, _UNKNOWN))}</text>'
                for place, rank in enumerate(ranks)
            ),
            *_arrows(edges_of(chain), boxes),
            *(line for one in nodes for line in _step(one, boxes[one.id])),
            "</svg>",
            "",
        ]
    )


def _left(column: int) -> int:
    return _EDGE + column * (_WIDE + _GAP_X)


def _step(node: Node, box: _Box) -> list[str]:
    detail = "  ".join(
        part for part in (node.when, node.stage.partition(" ")[2], node.where) if part
    )
    return [
        (
            f"<g><title>{_xml(f'{node.title}: {node.detail} ({node.level})', _MAX_EVIDENCE)}</title>"
            f'<rect x="{box.x}" y="{box.y}" width="{_WIDE}" height="{_HIGH}" rx="6" stroke="#666"'
            f' fill="{COLOURS[node.level]}"/>'
        ),
        f'<text x="{box.x + 8}" y="{box.y + 18}">{_xml(node.title, _MAX_LINE)}</text>',
        f'<text x="{box.x + 8}" y="{box.y + 34}" fill="#444">{_xml(detail, _MAX_LINE)}</text></g>',
    ]


def _arrows(edges: list[tuple[str, str, Link]], boxes: dict[str, _Box]) -> list[str]:
    """Return the arrows; those from one step turn together, those that arrive at one do so one below the other."""
    arriving = Counter(there for _, there, _ in edges)
    arrived: Counter[str] = Counter()
    turns: dict[tuple[int, bool], dict[str, int]] = {}
    lines: list[str] = []
    for here, there, link in edges:
        arrived[there] += 1
        share = arrived[there] / (arriving[there] + 1)
        start, end = boxes[here], boxes[there]
        comes_left = start.column < end.column
        lanes = turns.setdefault((end.column, comes_left), {})
        lane = lanes.setdefault(here, len(lanes)) % _LANES
        lines.extend(_arrow(start, end, end.y + round(_HIGH * share), lane, link))
    return lines


def _arrow(start: _Box, end: _Box, y: int, lane: int, link: Link) -> list[str]:
    """Return one arrow: from the right side on when its end is not to the left, and into the side where it came from."""
    comes_left = start.column < end.column
    from_x = start.x if start.column > end.column else start.x + _WIDE
    to_x = end.x if comes_left else end.x + _WIDE
    away = -1 if comes_left else 1
    turn = to_x + away * (_GAP_X - 14 - lane * _LANE)
    words = f"{_xml(link.edge)} {link.weight:.2f}"
    return [
        (
            f'<g><title>{_xml(link.evidence, _MAX_EVIDENCE)}</title><path d="M{from_x} {start.y + _HIGH // 2} H{turn} V{y} H{to_x}"'
            f' fill="none" stroke="#555" marker-end="url(#end)" data-edge={quoteattr(plain(link.edge))}/>'
        ),
        (
            f'<text x="{to_x + away * 10}" y="{y - 3}" fill="#555" font-size="9"'
            f' text-anchor="{"end" if comes_left else "start"}">{words}</text></g>'
        ),
    ]


def _xml(value: str, bound: int = MAX_LABEL) -> str:
    value = plain(value)
    return escape(value if len(value) <= bound else value[: bound - 1] + "…")
