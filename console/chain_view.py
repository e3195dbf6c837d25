"""A chain as a person reads it, and as other programs do: text, DOT, Mermaid, SVG, Markdown, Attack Flow, Navigator.

Pure: records in, text out. `render` is what the commands call; `FORMATS` are the forms they offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from console.chain_flow import attack_flow
from console.chain_graph import Alerts, dot, mermaid
from console.chain_layer import navigator
from console.chain_lines import (
    clock_of,
    evidence,
    folded,
    held,
    label,
    loss,
    moment,
    rule_name,
    steps,
    time_line,
    trusted_again,
    what_next,
    where,
)
from console.chain_report import markdown
from console.chain_svg import svg
from console.plain import plain
from contract.records import Chain, Link
from correlate.chain.attack import name_of
from correlate.chain.why import LeftOut, exceptions

_INDENT = "  "


def render(chain: Chain, alerts: Alerts, form: str, left: Iterable[LeftOut] = ()) -> str:
    """Return a chain in one of `FORMATS`; the text ends with a line feed.

    Args:
        chain: the last revision.
        alerts: its alerts by id; one that is absent is shown by its id alone.
        form: a key of `FORMATS`.
        left: what was left out, from `correlate.chain.why.left_out`; text and Markdown tell it.

    Raises:
        KeyError: no such form.
    """
    if form in _TOLD:
        return f"{_TOLD[form](chain, alerts, list(left)).rstrip()}\n"
    return _DRAWN[form](chain, alerts)


def text(chain: Chain, alerts: Alerts, left: list[LeftOut]) -> str:
    """Return the whole story as plain text: summary, time line, tree, what each link carries, order, next, left out."""
    lines = [
        f"chain {chain.id}  revision {chain.revision}  score {chain.score:g}",
        (
            f"{moment(chain.first)} to {moment(chain.last)}, "
            f"{len(chain.alerts)} alerts, {len(steps(chain))} links"
        ),
    ]
    if chain.merged_into:
        return "\n".join([*lines, f"taken in by chain {chain.merged_into}", ""])
    if chain.patterns:
        lines.append(f"patterns: {', '.join(chain.patterns)}")
    if chain.corrections:
        lines.append(f"corrections in force: {', '.join(chain.corrections)}")
    if chain.trusted:
        lines.append(f"trusted again: {trusted_again(chain)}")
    lines += ["", "Stages", *_stages(chain, alerts)]
    lines += ["", "Time line"]
    lines += [f"{_INDENT}{line}" for _, line in time_line(chain, alerts)]
    lines += ["", "Tree", *_tree(chain, alerts)]
    lines += ["", "Links, and what falls apart without each", *_links(chain, alerts)]
    lines += ["", "Expected next", f"{_INDENT}{what_next(chain)}"]
    if left:
        lines += ["", "Left out"]
        lines += [
            f"{_INDENT}{label(one.alert.id, {one.alert.id: one.alert})}{more}: {plain(one.reason)}{held(one)}"
            for one, more in folded(left)
        ]
    return "\n".join([*lines, ""])


# ------------------------------------------------------------------ parts of the text


def _stages(chain: Chain, alerts: Alerts) -> list[str]:
    lines = [
        f"{_INDENT}{plain(one.tactic):<22}{plain(one.technique):<11}{name_of(one.technique) if one.technique else '':<40.40}"
        f" {moment(one.time)}  {rule_name(one.alert, alerts)}"
        for one in chain.stages
    ]
    lines += [
        f"{_INDENT}out of order: {late.tactic} ({moment(late.time)}) came before {early.tactic} ({moment(early.time)})"
        for late, early in exceptions(chain)
    ]
    return lines or [f"{_INDENT}none: no alert names a technique"]


def _tree(chain: Chain, alerts: Alerts) -> list[str]:
    """Return each alert under the one through which it is joined, from the earliest on.

    Links are followed both ways, so that the tree is one: an alert may hang under a later one. Of two medium links that
    join together each is named.
    """
    owner = _owners(chain)
    beside: dict[str, list[tuple[str, Link]]] = {}
    for link in steps(chain):
        here, there = owner[link.from_], owner[link.to]
        beside.setdefault(here, []).append((there, link))
        beside.setdefault(there, []).append((here, link))
    place = {alert: number for number, alert in enumerate(chain.alerts)}
    lines: list[str] = []
    hung: set[str] = set()
    for top in dict.fromkeys(owner.values()):
        waiting = [(top, 0, "")]
        while waiting:
            alert, depth, edge = waiting.pop()
            if alert in hung:
                continue
            hung.add(alert)
            lead = f"{_INDENT * (depth + 1)}{'└ ' if depth else ''}{edge}"
            lines.append(
                f"{lead}{clock_of(alert, chain, alerts)}{rule_name(alert, alerts)}{where(alert, alerts)}"
            )
            near: dict[str, list[str]] = {}
            for other, link in beside.get(alert, ()):
                if other not in hung:
                    near.setdefault(other, []).append(link.edge)
            waiting.extend(
                (other, depth + 1, f"[{' + '.join(dict.fromkeys(near[other]))}] ")
                for other in sorted(near, key=lambda one: place.get(one, 0), reverse=True)
            )
    return lines


def _owners(chain: Chain) -> dict[str, str]:
    """Return each alert's run: the first alert of its repetitions."""
    owner = {alert: alert for alert in chain.alerts}
    for link in chain.links:
        if link.edge == "repeat":
            owner[link.to] = link.from_
    return owner


def _links(chain: Chain, alerts: Alerts) -> list[str]:
    lines = []
    for link in steps(chain):
        lines.append(
            f"{_INDENT}{clock_of(link.from_, chain, alerts)}{rule_name(link.from_, alerts)}"
            f" -> {clock_of(link.to, chain, alerts)}{rule_name(link.to, alerts)}"
            f"  [{link.edge} {link.weight:.2f}]"
        )
        lines.append(f"{_INDENT * 2}{evidence(link, chain)}")
        lines.append(f"{_INDENT * 2}without it: {loss(chain, link)}")
    return lines or [f"{_INDENT}none: one alert, grave enough by itself"]


_TOLD: dict[str, Callable[[Chain, Alerts, list[LeftOut]], str]] = {
    "text": text,
    "markdown": markdown,
}
_DRAWN: dict[str, Callable[[Chain, Alerts], str]] = {
    "dot": dot,
    "mermaid": mermaid,
    "svg": svg,
    "attack-flow": attack_flow,
    "navigator": navigator,
}
FORMATS: tuple[str, ...] = (*_TOLD, *_DRAWN)
"""Forms of `render`: text, markdown, dot, mermaid, svg, attack-flow (STIX 2.1 bundle), navigator (layer)."""
