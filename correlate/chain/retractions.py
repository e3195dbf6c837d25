"""Alerts that were taken back: what comes later of an older revision stays out."""

from __future__ import annotations

from typing import Final

MAX_RETRACTED: Final = 50_000
"""Alerts taken back that are remembered; beyond, the oldest go, by a sixteenth at once, and are counted in `lost`."""


class Retractions:
    """The retracted alerts of one site.

    Args:
        bound: how many are remembered.

    Attributes:
        changed: ids since the snapshot took them.
        lost: how many the bound put out.
    """

    def __init__(self, bound: int = MAX_RETRACTED) -> None:
        self._bound = bound
        self._rows: dict[str, tuple[int, int]] = {}  # by alert: revision and time of the retraction
        self.changed: set[str] = set()
        self.lost = 0

    def revision(self, alert: str) -> int:
        """Return the revision that took an alert back, 0 where none did."""
        return self._rows.get(alert, (0, 0))[0]

    def add(self, alert: str, revision: int, time_us: int) -> None:
        """Note that a revision took an alert back. O(1), amortized over a sixteenth of the bound."""
        self._rows[alert] = (revision, time_us)
        self.changed.add(alert)
        if len(self._rows) > self._bound:
            by_age = sorted(self._rows, key=lambda one: (self._rows[one][1], one))
            over = by_age[: max(1, self._bound // 16)]
            self.lost += len(over)
            self._drop(over)

    def forget(self, before_us: int) -> None:
        """Let go of what is older. O(held)."""
        self._drop([one for one, (_, at_us) in self._rows.items() if at_us < before_us])

    def _drop(self, alerts: list[str]) -> None:
        for one in alerts:
            del self._rows[one]
        self.changed.update(alerts)

    # -------------------------------------------------------------- state

    def part(self, alert: str) -> tuple[int, int] | None:
        """Return what is known of an alert as a row of the state; None where nothing is."""
        return self._rows.get(alert)

    def restore(self, alert: str, row: list[int]) -> None:
        """Put back what `part` returned."""
        revision, time_us = row
        self._rows[alert] = (revision, time_us)
