"""The live terminal view of a running engine: what came in, what was found, why it belongs together, what is proposed.

On a terminal a screen that refreshes (rich); elsewhere one plain line a finding, so that a pipe or a journal reads well.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from console.plain import cell, plain
from contract.event import Event, Match
from contract.records import Alert, Chain, DeadLetter, Decision, Link, Outcome
from runtime.flow import Seen

_REFRESH_S = 0.25
_KEPT = 500
_SHOWN_ALERTS = 8
_SHOWN_LINKS = 8
_SHOWN_DECISIONS = 6
_COLOURS = {
    "informational": "dim",
    "low": "green",
    "medium": "yellow",
    "high": "red",
    "critical": "bold red",
}


class View:
    """Collects what the engine says (`watch`) and shows it (`run`)."""

    def __init__(self, console: Console, notes: Callable[[], list[str]]) -> None:
        self._console = console
        self._notes = notes
        self._counts: Counter[str] = Counter()
        self._by_source: Counter[str] = Counter()
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._chains: OrderedDict[str, Chain] = OrderedDict()
        self._decisions: OrderedDict[str, Decision] = OrderedDict()
        self._answers: dict[str, list[str]] = {}
        self._said: set[tuple[str, str]] = set()

    def watch(self, item: Seen) -> None:
        """Take one record; cheap."""
        match item:
            case Event():
                self._counts["events"] += 1
                self._by_source[item.source] += 1
            case Match():
                self._counts["matches"] += 1
            case DeadLetter():
                self._counts["dead letters"] += 1
            case Alert():
                self._keep(self._alerts, item)
            case Chain():
                self._keep(self._chains, item)
            case Decision():
                self._keep(self._decisions, item)
            case Outcome():
                answers = self._answers.setdefault(item.decision, [])
                answers[:] = [*answers[-3:], f"{item.point}: {item.result}"]
            case _:
                pass
        if not self._console.is_terminal:
            self._say(item)

    async def run(self) -> None:
        """Show until cancelled."""
        if not self._console.is_terminal:
            await asyncio.Event().wait()
        with Live(console=self._console, auto_refresh=False, screen=False) as live:
            try:
                while True:
                    live.update(self.render(), refresh=True)
                    await asyncio.sleep(_REFRESH_S)
            finally:
                live.update(self.render(), refresh=True)

    def say_notes(self) -> None:
        """Print the notes as plain lines where there is no screen to hold them."""
        if not self._console.is_terminal:
            for note in self._notes():
                self._line(note)

    # -------------------------------------------------------------- screen

    def render(self) -> Group:
        """Return the whole screen."""
        counts = {
            **self._counts,
            "alerts": sum(1 for one in self._alerts.values() if not one.retracted),
            "chains": sum(1 for one in self._chains.values() if one.alerts),
            "decisions": len(self._decisions),
        }
        head = Text("   ".join(f"{count} {name}" for name, count in counts.items()), style="bold")
        sources = Text(
            "   ".join(f"{name} {count}" for name, count in sorted(self._by_source.items())),
            style="dim",
        )
        parts: list[Panel | Text] = [
            Panel(Group(head, sources), title="Opsonin", title_align="left"),
            Panel(self._alert_table(), title="alerts", title_align="left"),
            Panel(self._chain_tree(), title="worst chain, and why", title_align="left"),
            Panel(self._decision_table(), title="policy", title_align="left"),
            Text("\n".join(self._notes()), style="dim"),
        ]
        return Group(*parts)

    def _alert_table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for alert in list(self._alerts.values())[-_SHOWN_ALERTS:]:
            table.add_row(
                f"{alert.time:%H:%M:%S}",
                Text("retracted", style="dim")
                if alert.retracted
                else Text(alert.rule.level, style=_COLOURS[alert.rule.level]),
                cell(alert.rule.name),
                f"x{alert.event_count}",
                cell(_entities(alert), "cyan"),
            )
        return table

    def _chain_tree(self) -> Tree | Text:
        worst = self._worst()
        if worst is None:
            return Text("none yet", style="dim")
        tactics = " → ".join(dict.fromkeys(stage.tactic for stage in worst.stages)) or "no tactic"
        tree = Tree(
            cell(
                f"{worst.id[:8]}  score {worst.score:.1f}  {len(worst.alerts)} alerts  {tactics}",
                "bold",
            )
        )
        for link in worst.links[:_SHOWN_LINKS]:
            tree.add(cell(self._link_text(link)))
        if len(worst.links) > _SHOWN_LINKS:
            tree.add(
                Text(
                    f"{len(worst.links) - _SHOWN_LINKS} more: opsonin chains show {worst.id[:8]}",
                    style="dim",
                )
            )
        return tree

    def _decision_table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for one in list(self._decisions.values())[-_SHOWN_DECISIONS:]:
            answers = ", ".join(dict.fromkeys(self._answers.get(one.id, [])))
            table.add_row(
                one.id[:8],
                Text(one.state, style="green" if one.state == "approved" else "yellow"),
                cell(f"{one.action} {one.target.value}"),
                f"until {one.expires:%m-%d %H:%M}Z",
                cell(answers, "cyan"),
                cell(one.reason, "dim"),
            )
        return table

    def _worst(self) -> Chain | None:
        return max(
            (one for one in self._chains.values() if one.alerts),
            key=lambda one: one.score,
            default=None,
        )

    def _link_text(self, link: Link) -> str:
        return f"{self._name(link.from_)} → {self._name(link.to)}  [{link.edge} {link.weight:.2f}] {link.evidence}"

    def _name(self, alert: str) -> str:
        known = self._alerts.get(alert)
        return known.rule.name if known else alert[:8]

    # -------------------------------------------------------------- lines

    def _say(self, item: Seen) -> None:
        match item:
            case Alert(retracted=True):
                self._line(f"alert    retracted: {item.rule.name}  {_entities(item)}")
            case Alert(revision=1):
                self._line(f"alert    {item.rule.level:8} {item.rule.name}  {_entities(item)}")
            case Chain() if item.alerts and self._is_new("chain", f"{item.id}{len(item.alerts)}"):
                self._line(
                    f"chain    {item.id[:8]} score {item.score:.1f}, {len(item.alerts)} alerts"
                )
                for link in item.links:
                    if self._is_new("link", f"{link.from_}{link.to}{link.edge}"):
                        self._line(f"  link   {self._link_text(link)}")
            case Decision() if self._is_new("decision", f"{item.id}{item.state}"):
                self._line(
                    f"policy   {item.id[:8]} {item.state}: {item.action} {item.target.value}"
                    f" until {item.expires:%Y-%m-%d %H:%M}Z  {item.reason}"
                )
            case Outcome():
                self._line(
                    f"point    {item.point}: {item.result} {item.decision[:8]} {item.detail}"
                )
            case _:
                pass

    def _line(self, text: str) -> None:
        self._console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def _is_new(self, kind: str, what: str) -> bool:
        if (kind, what) in self._said:
            return False
        if len(self._said) > _KEPT * 20:
            self._said.clear()
        self._said.add((kind, what))
        return True

    @staticmethod
    def _keep(kept: OrderedDict[str, Any], item: Alert | Chain | Decision) -> None:
        kept[item.id] = item
        if len(kept) > _KEPT:
            kept.popitem(last=False)


def _entities(alert: Alert) -> str:
    wanted = [one for one in alert.entities if one.type in ("ip", "host", "user")]
    return " ".join(dict.fromkeys(one.value for one in wanted[:4]))
