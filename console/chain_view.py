"""A chain as a person reads it, and as other programs do: text, DOT, Mermaid, SVG, Markdown, Attack Flow, Navigator.

Pure: records in, text out. `render` is what the commands call; `FORMATS` are the forms they offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from console.chain_flow import attack_flow
from console.chain_graph import dot, mermaid, plain, svg
from console.chain_layer import navigator
from contract.records import Alert, Chain, Link
from contract.timestamps import microseconds
from correlate.chain.attack import name_of
from correlate.chain.story import span
from correlate.chain.why import LeftOut, exceptions, expected, without

Alerts = Mapping[str, Alert]

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
        told = _TOLD[form](chain, alerts, list(left))
        return "".join(f"{plain(line)}\n" for line in told.splitlines())
    return _DRAWN[form](chain, alerts)


def text(chain: Chain, alerts: Alerts, left: list[LeftOut]) -> str:
    """Return the whole story as plain text: summary, time line, tree, what each link carries, order, next, left out."""
    lines = [
        f"chain {chain.id}  revision {chain.revision}  score {chain.score:g}",
        (
            f"{_moment(chain.first)} to {_moment(chain.last)}, "
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
        lines.append(f"trusted again: {_trusted(chain)}")
    lines += ["", "Stages", *_stages(chain, alerts)]
    lines += ["", "Time line"]
    lines += [f"{_INDENT}{line}" for _, line in time_line(chain, alerts)]
    lines += ["", "Tree", *_tree(chain, alerts)]
    lines += ["", "Links, and what falls apart without each", *_links(chain, alerts)]
    lines += ["", "Expected next", f"{_INDENT}{', '.join(expected(chain)) or 'nothing usual'}"]
    if left:
        lines += ["", "Left out"]
        lines += [
            f"{_INDENT}{_label(one.alert.id, {one.alert.id: one.alert})}: {one.reason}"
            for one in left
        ]
    return "\n".join([*lines, ""])


def markdown(chain: Chain, alerts: Alerts, left: list[LeftOut]) -> str:
    """Return a report: summary, picture (Mermaid), stages, time line, links with evidence, what next, left out."""
    lines = [
        f"# Attack chain {chain.id}",
        "",
        (
            f"Score {chain.score:g}, revision {chain.revision}, "
            f"{_moment(chain.first)} to {_moment(chain.last)} (UTC), {len(chain.alerts)} alerts."
        ),
        *([f"Patterns: {', '.join(chain.patterns)}."] if chain.patterns else []),
        *([f"Corrections: {', '.join(chain.corrections)}."] if chain.corrections else []),
        *([f"Trusted again: {_trusted(chain)}."] if chain.trusted else []),
        "",
        "```mermaid",
        mermaid(chain, alerts).rstrip(),
        "```",
        "",
        "## Stages",
        "",
        "| Tactic | Technique | Time | Alert |",
        "|---|---|---|---|",
        *(
            f"| {one.tactic} | {one.technique} {_cell(name_of(one.technique) if one.technique else '')} "
            f"| {_moment(one.time)} | {_cell(rule_name(one.alert, alerts))} |"
            for one in chain.stages
        ),
        *(
            f"\nOut of order: {late.tactic} at {_moment(late.time)} before {early.tactic}."
            for late, early in exceptions(chain)
        ),
        "",
        "## Links",
        "",
        "| From | To | Edge | Weight | Evidence | Without it |",
        "|---|---|---|---|---|---|",
        *(
            f"| {_clock(one.from_, alerts)}{_cell(rule_name(one.from_, alerts))} | {_clock(one.to, alerts)}{_cell(rule_name(one.to, alerts))} | {one.edge} "
            f"| {one.weight:.2f} | {_cell(one.evidence)} | {_cell(loss(chain, one))} |"
            for one in steps(chain)
        ),
        "",
        "## Time line",
        "",
        *(f"- {_cell(line)}" for _, line in time_line(chain, alerts)),
        "",
        "## Entities",
        "",
        *(f"- {one.type} `{one.value}` ({one.role})" for one in chain.entities),
        "",
        f"Expected next: {', '.join(expected(chain)) or 'nothing usual'}.",
    ]
    if left:
        lines += ["", "## Left out", ""]
        lines += [f"- {_cell(one.alert.rule.name)}: {_cell(one.reason)}" for one in left]
    return "\n".join([*lines, ""])


# ------------------------------------------------------------------ parts of the text


def _stages(chain: Chain, alerts: Alerts) -> list[str]:
    lines = [
        f"{_INDENT}{one.tactic:<22}{one.technique:<11}{name_of(one.technique) if one.technique else '':<40.40}"
        f" {_moment(one.time)}  {rule_name(one.alert, alerts)}"
        for one in chain.stages
    ]
    lines += [
        f"{_INDENT}out of order: {late.tactic} ({_moment(late.time)}) came before {early.tactic} ({_moment(early.time)})"
        for late, early in exceptions(chain)
    ]
    return lines or [f"{_INDENT}none: no alert names a technique"]


def time_line(chain: Chain, alerts: Alerts) -> list[tuple[str, str]]:
    """Return each alert but repetitions, which are counted in the first's: its id and a line on it, in order of time."""
    repeated = {one.to for one in chain.links if one.edge == "repeat"}
    counts: dict[str, int] = {}
    for one in chain.links:
        if one.edge == "repeat":
            counts[one.from_] = counts.get(one.from_, 0) + 1
    lines = []
    for alert in chain.alerts:
        if alert in repeated:
            continue
        more = f" (and {counts[alert]} more)" if alert in counts else ""
        lines.append((alert, f"{_label(alert, alerts)}{more}"))
    return lines


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
                f"{lead}{_clock(alert, alerts)}{rule_name(alert, alerts)}{_where(alert, alerts)}"
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


def _clock(alert: str, alerts: Alerts) -> str:
    known = alerts.get(alert)
    return f"{known.time:%H:%M:%S} " if known is not None else ""


def _trusted(chain: Chain) -> str:
    return ", ".join(f"{one.type} {one.value}" for one in chain.trusted)


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
            f"{_INDENT}{_clock(link.from_, alerts)}{rule_name(link.from_, alerts)}"
            f" -> {_clock(link.to, alerts)}{rule_name(link.to, alerts)}"
            f"  [{link.edge} {link.weight:.2f}]"
        )
        lines.append(f"{_INDENT * 2}{link.evidence}")
        lines.append(f"{_INDENT * 2}without it: {loss(chain, link)}")
    return lines or [f"{_INDENT}none: one alert, grave enough by itself"]


def loss(chain: Chain, link: Link) -> str:
    """Return in words what a chain is without one link."""
    parts = without(chain, link)
    if len(parts) == 1:
        return "the chain holds by other links"
    return "falls into " + " and ".join(
        f"{len(part)} alert{'s' if len(part) > 1 else ''}" for part in parts
    )


def steps(chain: Chain) -> list[Link]:
    """Return the links between steps, without those between repetitions of one."""
    return [one for one in chain.links if one.edge != "repeat"]


def _label(alert: str, alerts: Alerts) -> str:
    known = alerts.get(alert)
    if known is None:
        return alert
    lasted = microseconds(known.last - known.time)
    times = f" x{known.event_count} in {span(lasted)}" if known.event_count > 1 else ""
    return f"{_moment(known.time)}  {known.rule.level:<13} {known.rule.name}{times}{_where(alert, alerts)}"


def rule_name(alert: str, alerts: Alerts) -> str:
    """Return the name of an alert's rule, or its id where it is not at hand."""
    known = alerts.get(alert)
    return known.rule.name if known is not None else alert


def _where(alert: str, alerts: Alerts) -> str:
    known = alerts.get(alert)
    if known is None:
        return ""
    ends = {
        role: next(
            (one.value for one in known.entities if one.role == role and one.type in types), ""
        )
        for role, types in (
            ("source", ("ip",)),
            ("target", ("ip", "host")),
            ("subject", ("host", "ip")),
        )
    }
    peers = " -> ".join(value for value in (ends["source"], ends["target"]) if value)
    said = ", ".join(value for value in (ends["subject"], peers) if value)
    return f"  ({said})" if said else ""


def _moment(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _cell(value: str) -> str:
    """Escape what would break a Markdown table or start markup."""
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "]"):
        value = value.replace(mark, f"\\{mark}")
    return " ".join(value.split())


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
