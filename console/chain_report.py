"""A chain as a report in Markdown (CommonMark 0.31 with tables and a Mermaid picture), with values as attackers write them."""

from __future__ import annotations

import re

from console.chain_graph import Alerts, mermaid
from console.chain_lines import (
    clock_of,
    evidence,
    folded,
    held,
    loss,
    moment,
    rule_name,
    steps,
    time_line,
    trusted_again,
    what_next,
)
from console.plain import plain
from contract.records import Chain
from correlate.chain.attack import name_of
from correlate.chain.why import LeftOut, exceptions


def markdown(chain: Chain, alerts: Alerts, left: list[LeftOut]) -> str:
    """Return a report: summary, picture (Mermaid), stages, time line, links with evidence, what next, left out."""
    lines = [
        f"# Attack chain {chain.id}",
        "",
        (
            f"Score {chain.score:g}, revision {chain.revision}, "
            f"{moment(chain.first)} to {moment(chain.last)} (UTC), {len(chain.alerts)} alerts."
        ),
        *([f"Patterns: {', '.join(chain.patterns)}."] if chain.patterns else []),
        *([f"Corrections: {', '.join(chain.corrections)}."] if chain.corrections else []),
        *([f"Trusted again: {trusted_again(chain)}."] if chain.trusted else []),
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
            f"| {_cell(one.tactic)} | {_cell(one.technique)} {_cell(name_of(one.technique) if one.technique else '')} "
            f"| {moment(one.time)} | {_cell(rule_name(one.alert, alerts))} |"
            for one in chain.stages
        ),
        *(
            f"\nOut of order: {late.tactic} at {moment(late.time)} before {early.tactic}."
            for late, early in exceptions(chain)
        ),
        "",
        "## Links",
        "",
        "| From | To | Edge | Weight | Evidence | Without it |",
        "|---|---|---|---|---|---|",
        *(
            f"| {clock_of(one.from_, chain, alerts)}{_cell(rule_name(one.from_, alerts))} | {clock_of(one.to, chain, alerts)}{_cell(rule_name(one.to, alerts))} | {one.edge} "
            f"| {one.weight:.2f} | {_cell(evidence(one, chain))} | {_cell(loss(chain, one))} |"
            for one in steps(chain)
        ),
        "",
        "## Time line",
        "",
        *(f"- {_cell(line)}" for _, line in time_line(chain, alerts)),
        "",
        "## Entities",
        "",
        *(f"- {one.type} {_code(one.value)} ({one.role})" for one in chain.entities),
        "",
        f"Expected next: {what_next(chain)}.",
    ]
    if left:
        lines += ["", "## Left out", ""]
        lines += [
            f"- {_cell(one.alert.rule.name)}{more}: {_cell(one.reason)}{held(one)}"
            for one, more in folded(left)
        ]
    return "\n".join([*lines, ""])


def _cell(value: str) -> str:
    """Escape what would break a Markdown table or start markup."""
    value = plain(value)
    for mark in ("\\", "|", "`", "*", "_", "<", "[", "]"):
        value = value.replace(mark, f"\\{mark}")
    return " ".join(value.split())


def _code(value: str) -> str:
    """Return a code span, fenced by more backticks than the value holds in a row (CommonMark 0.31, section 6.1)."""
    longest = max((len(run) for run in re.findall("`+", value)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in value else ""
    return f"{fence}{pad}{plain(value)}{pad}{fence}"
