"""Counts what an engine says, told to the meter once an epoch; logs what its stages notice, at a limited rate."""

from __future__ import annotations

from collections import Counter

import structlog

from contract.event import Match, Notice
from contract.ports import Meter
from contract.records import Alert, Chain, Decision, Outcome
from runtime.engine import Output

log = structlog.get_logger()

NOTICE_EVERY = 1_000
"""A notice with text is logged the first time and then at every this many of the same name and label."""


class Tally:
    """Gathers counts; used by every host.

    Args:
        meter: is told at `flush`.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._notices: Counter[tuple[str, str]] = Counter()

    def count(self, output: Output | Outcome) -> None:
        """Count one record by its kind."""
        match output:
            case Match():
                self._counts["matches_total", "rule", output.rule] += 1
            case Alert() | Chain():
                is_new = str(output.revision == 1).lower()
                self._counts[f"{output.kind}s_total", "new", is_new] += 1
            case Decision():
                self._counts["decisions_total", "state", output.state] += 1
            case Outcome():
                self._counts["outcomes_total", "result", output.result] += 1
            case Notice():
                self._note(output)

    def flush(self) -> None:
        """Tell the meter what was counted since the last time."""
        for (name, label, value), amount in self._counts.items():
            self._meter.add(name, amount, **{label: value})
        self._counts.clear()

    def _note(self, notice: Notice) -> None:
        self._counts[notice.name, "label", notice.label] += notice.amount
        if not notice.text:
            return
        seen = self._notices[notice.name, notice.label]
        self._notices[notice.name, notice.label] += notice.amount
        if seen == 0 or seen // NOTICE_EVERY != (seen + notice.amount) // NOTICE_EVERY:
            log.warning(
                "stage.noticed",
                notice=notice.name,
                label=notice.label,
                text=notice.text,
                count=seen + 1,
            )
