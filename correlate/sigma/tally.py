"""Counts of a backtest: hits of detections and alerts of correlations by day and host, and the values that came most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from contract.records import Alert, Level
from correlate.sigma.node import leaves
from correlate.sigma.rules import Detection
from correlate.sigma.text import text_of, time_parts

MAX_VALUES = 10_000
"""Different values counted of one field of one rule; further ones count as `OTHER`."""
MAX_HOSTS = 10_000
OTHER = "(others)"
NO_HOST = "(no host)"
MAX_TEXT = 200

_TIMES = ("@timestamp", "TimeCreated_SystemTime", "UtcTime", "EventTime", "TimeGenerated")
_HOSTS = ("host.name", "winlog.computer_name", "Computer", "Hostname", "host.hostname")


@dataclass(slots=True)
class RuleTally:
    """What one rule matched.

    Attributes:
        hits: events that a detection matched, or alerts that a correlation gave.
        first: number of the first record that it matched; None for a correlation.
    """

    kind: Literal["detection", "correlation"]
    id: str
    title: str
    level: Level
    hits: int = 0
    days: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    first: int | None = None

    def top_values(self, count: int = 3) -> dict[str, list[tuple[str, int]]]:
        """Return the most frequent values of each field that the rule asks for."""
        return {name: values.most_common(count) for name, values in self.values.items()}


class Tally:
    """Counts of a whole backtest. Memory is bounded by rules, fields and MAX_VALUES."""

    def __init__(self) -> None:
        self.events = 0
        self.hits = 0
        self.alerts = 0
        self.rules: dict[str, RuleTally] = {}
        self._fields: dict[str, tuple[str, ...]] = {}

    def add(self, record: int, event: Mapping[str, Any], rules: list[Detection]) -> None:
        """Count one event, flat, and the rules that hold for it."""
        self.events += 1
        for rule in rules:
            self.hits += 1
            tally = self.rules.get(rule.id)
            if tally is None:
                tally = self.rules[rule.id] = RuleTally(
                    "detection", rule.id, rule.title, rule.level, first=record
                )
                self._fields[rule.id] = _fields(rule)
            tally.hits += 1
            tally.days[_day(event)] += 1
            _count(tally.hosts, _first(event, _HOSTS) or NO_HOST, MAX_HOSTS)
            for name in self._fields[rule.id]:
                text = text_of(event.get(name))
                if text is not None:
                    _count(tally.values.setdefault(name, Counter()), text[:MAX_TEXT], MAX_VALUES)

    def add_alert(self, alert: Alert) -> None:
        """Count one alert of a correlation, by each host that it names."""
        self.alerts += 1
        rule = alert.rule
        tally = self.rules.get(rule.id)
        if tally is None:
            tally = self.rules[rule.id] = RuleTally("correlation", rule.id, rule.name, rule.level)
        tally.hits += 1
        tally.days[f"{alert.time:%Y-%m-%d}"] += 1
        hosts = [entity.value for entity in alert.entities if entity.type == "host"]
        for host in hosts or [NO_HOST]:
            _count(tally.hosts, host, MAX_HOSTS)

    def noisiest(self) -> list[RuleTally]:
        """Return the rules by hits, most first."""
        return sorted(self.rules.values(), key=lambda one: (-one.hits, one.id))


def _fields(rule: Detection) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(leaf.field for leaf in leaves(rule.condition) if leaf.field is not None)
    )


def _count(counter: Counter[str], key: str, limit: int) -> None:
    counter[key if key in counter or len(counter) < limit else OTHER] += 1


def _first(event: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := text_of(event.get(name)))), None)


def _day(event: Mapping[str, Any]) -> str:
    for name in _TIMES:
        parts = time_parts(event.get(name))
        if parts is not None:
            return f"{parts['year']:04}-{parts['month']:02}-{parts['day']:02}"
    return "(no time)"
