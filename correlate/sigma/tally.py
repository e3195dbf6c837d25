"""Counts of a backtest: hits by rule, day and host, and the values that came most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from correlate.sigma.node import leaves
from correlate.sigma.rules import Detection
from correlate.sigma.text import text_of, time_parts

MAX_VALUES = 10_000
"""Different values counted of one field of one rule; further ones count as `OTHER`."""
MAX_HOSTS = 10_000
OTHER = "(others)"
MAX_TEXT = 200

_TIMES = ("@timestamp", "TimeCreated_SystemTime", "UtcTime", "EventTime", "TimeGenerated")
_HOSTS = ("host.name", "winlog.computer_name", "Computer", "Hostname", "host.hostname")


@dataclass(slots=True)
class RuleTally:
    """What one rule matched."""

    rule: Detection
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
        self.rules: dict[str, RuleTally] = {}
        self._fields: dict[str, tuple[str, ...]] = {}

    def add(self, record: int, event: Mapping[str, Any], rules: list[Detection]) -> None:
        """Count one event, flat, and the rules that hold for it."""
        self.events += 1
        for rule in rules:
            self.hits += 1
            tally = self.rules.get(rule.id)
            if tally is None:
                tally = self.rules[rule.id] = RuleTally(rule, first=record)
                self._fields[rule.id] = _fields(rule)
            tally.hits += 1
            tally.days[_day(event)] += 1
            _count(tally.hosts, _first(event, _HOSTS) or "(no host)", MAX_HOSTS)
            for name in self._fields[rule.id]:
                text = text_of(event.get(name))
                if text is not None:
                    _count(tally.values.setdefault(name, Counter()), text[:MAX_TEXT], MAX_VALUES)

    def noisiest(self) -> list[RuleTally]:
        """Return the rules by hits, most first."""
        return sorted(self.rules.values(), key=lambda one: (-one.hits, one.rule.id))


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
