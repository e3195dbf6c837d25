"""Correlations over recorded events, as `opsonin rules backtest` shows them: the alerts that stand at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any, Final

from contract.errors import RuleError
from contract.event import Event, Match, Notice
from contract.ids import event_id
from contract.records import Alert
from contract.timestamps import microseconds
from correlate.aggregate import SILENT, aggregate, check
from correlate.sigma.rules import Detection, RuleSet
from correlate.window.library import readable
from correlate.window.settings import WindowSettings
from ingest.formats.time import any_us, epoch_us
from runtime.stage_runner import NEVER, StageRunner

TIMES: Final = (
    "@timestamp", "TimeCreated_SystemTime", "UtcTime", "EventTime", "TimeGenerated", "timestamp",
)  # fmt: skip
"""Fields that tell an event's time, the first that can be read."""
_COLLECT_EVERY: Final = 4096
_LAST_STEPS: Final = 100_000
"""Deadlines after the end that are met one by one; those beyond it together."""


class Correlated:
    """The correlations of a rule set over events in about their order of time. Engine defaults; `alerts` ends it.

    An event later than the lateness behind the newest takes no part, as in the engine; memory follows the alerts.

    Attributes:
        errors: what is wrong with correlations; these are left out.
        counted: events that took no part, by rule and the name of their counter.
        untimed: events that detections of correlations matched and whose time cannot be told; they take no part.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.errors: tuple[RuleError, ...] = check(rules)
        self.counted: Counter[tuple[str, str]] = Counter()
        self.untimed = 0
        self._rules = rules.correlations
        _, resolved = readable(rules, [])
        self._taken = {one for references in resolved.values() for one in references}
        self._lateness_us = microseconds(WindowSettings().lateness)
        self._stage = StageRunner(aggregate(rules))
        self._alerts: dict[str, Alert] = {}
        self._newest_us = 0
        self._matches = 0
        self._begun_late: set[str] | None = None

    def add(self, event: Mapping[str, Any], line: bytes, rules: Iterable[Detection]) -> None:
        """Take one event, flat, and the detections that hold for it."""
        taken = [rule.id for rule in rules if rule.id in self._taken]
        if not taken:
            return
        time_us = _time_us(event)
        if time_us is None:
            self.untimed += 1
            return
        id = event.get("event.id")
        made = Event(
            id if type(id) is str and id else event_id("backtest", line),
            time_us, "backtest", dict(event), line,
        )  # fmt: skip
        for rule in taken:
            self._take(self._stage.take(Match(rule, made)))
        if time_us > self._newest_us:
            self._newest_us = time_us
            self._take(self._stage.advance(max(0, time_us - self._lateness_us)))
        self._matches += 1
        if not self._matches % _COLLECT_EVERY:
            self._stage.changes()  # forgets groups that are empty

    def alerts(self) -> list[Alert]:
        """Let what is open come to its end; return the correlations' alerts that stand, in order of time.

        What only more time would bring about (an absence) is left out, as at the end of a replay.
        """
        stage, now_us = self._stage, self._newest_us
        self._take(stage.advance(now_us))
        self._begun_late = set()
        for _ in range(_LAST_STEPS):
            if (wake_us := stage.next_wake()) == NEVER:
                break
            now_us = max(wake_us, now_us + 1)
            self._take(stage.advance(now_us))
        self._take(stage.advance(NEVER - 1))
        standing = (one for one in self._alerts.values() if not one.retracted)
        return sorted(standing, key=lambda one: (one.time, one.id))

    def _take(self, told: Iterable[Alert | Notice]) -> None:
        for one in told:
            if isinstance(one, Notice):
                self.counted[one.label, one.name] += one.amount
                continue
            if one.rule.id not in self._rules or self._is_begun_late(one):
                continue
            if SILENT not in one.fields:
                known = self._alerts.get(one.id)
                if known is None or known.revision < one.revision:
                    self._alerts[one.id] = one
            self._take(self._stage.take(one))

    def _is_begun_late(self, alert: Alert) -> bool:
        if self._begun_late is None:
            return False
        if alert.revision == 1:
            self._begun_late.add(alert.id)
        return alert.id in self._begun_late


def _time_us(event: Mapping[str, Any]) -> int | None:
    for name in TIMES:
        stamp = event.get(name)
        try:
            if isinstance(stamp, (int, float)) and not isinstance(stamp, bool):
                return epoch_us(stamp)
            if type(stamp) is str and stamp:
                return any_us(stamp, UTC, 0)
        except ValueError:
            continue
    return None
