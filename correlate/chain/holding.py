"""Which runs a graph holds: found by number, by alert and by signature, until they expire or a bound puts them out."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Final

from contract.timestamps import microseconds
from correlate.chain.runs import LEVEL_OF, Member, Run
from correlate.chain.settings import LinkSettings

_SPARE: Final = 1_000
"""Ends of runs that are gone, which are not worth looking through all for."""


class Holding:
    """The runs of one site.

    Attributes:
        runs: by number.
        by_alert: the run that holds an alert.
        changed: by number since the snapshot took them; None: it is gone.
        next_number: of the next run.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self.runs: dict[int, Run] = {}
        self.by_alert: dict[str, Run] = {}
        self.changed: dict[int, Run | None] = {}
        self.next_number = 1
        self._by_signature: dict[str, list[Run]] = {}  # by time, further apart than the gap
        self._expiry: list[tuple[int, int]] = []
        self._loose: tuple[dict[Run, None], ...] = tuple({} for _ in LEVEL_OF)
        self._bound = settings.max_runs
        self._gap_us = microseconds(settings.run_gap)
        self._over_us = microseconds(settings.lifetime) + microseconds(settings.lateness)

    def number(self) -> int:
        """Return the number of a new run."""
        self.next_number += 1
        return self.next_number - 1

    def hold(self, run: Run) -> None:
        """Take a run in."""
        self.runs[run.number] = run
        for one in run.members:
            self.by_alert[one] = run
        insort(self._by_signature.setdefault(run.signature, []), run, key=_began)
        self.changed[run.number] = run
        heappush(self._expiry, (run.last_us + self._over_us, run.number))
        if len(self._expiry) > 2 * (len(self.runs) + _SPARE):
            # Those that a bound put out would wait here for their time.
            self._expiry = [row for row in self._expiry if row[1] in self.runs]
            heapify(self._expiry)

    def let_go(self, run: Run) -> None:
        """Take a run out, with its alerts."""
        del self.runs[run.number]
        self.changed[run.number] = None
        for one in run.members:
            if self.by_alert.get(one) is run:
                del self.by_alert[one]
        same = self._by_signature[run.signature]
        same.remove(run)
        if not same:
            del self._by_signature[run.signature]
        self._loose[run.level].pop(run, None)

    def find(self, signature: str, member: Member) -> Run | None:
        """Return the run that an alert of this signature repeats. O(runs of it that began later)."""
        for run in reversed(self._by_signature.get(signature, ())):
            if run.first_us - self._gap_us <= member.last_us:
                return run if member.time_us <= run.last_us + self._gap_us else None
        return None

    def beside(self, run: Run) -> list[Run]:
        """Return the other runs of its signature that a run's growing brought within the gap.

        They are apart from each other by more than the gap, so those that it met stand right before and after it.
        """
        same = self._by_signature[run.signature]
        first_us, last_us = run.first_us - self._gap_us, run.last_us + self._gap_us
        at = len(same) - 1 if same[-1] is run else same.index(run)
        low, high = at, at + 1
        while low and same[low - 1].last_us >= first_us:
            low -= 1
        while high < len(same) and same[high].first_us <= last_us:
            high += 1
        return [*same[low:at], *same[at + 1 : high]]

    def move(self, run: Run) -> None:
        """Put a run where it belongs now that its beginning is another."""
        same = self._by_signature[run.signature]
        same.remove(run)
        insort(same, run, key=_began)

    def parts(self, members: list[Member]) -> list[list[Member]]:
        """Part the members of a run, by time, where the gap does not hold them together any more."""
        parts: list[list[Member]] = []
        last_us = 0
        for member in members:
            if parts and member.time_us <= last_us + self._gap_us:
                parts[-1].append(member)
            else:
                parts.append([member])
            last_us = max(last_us, member.last_us)
        return parts

    # -------------------------------------------------------------- ends

    def wake_at(self) -> int | None:
        """Return when the next run may expire."""
        return self._expiry[0][0] if self._expiry else None

    def ended(self, now_us: int) -> Iterator[Run]:
        """Yield a run of each knot that nothing can join any more; the caller takes the knot out."""
        while self._expiry and self._expiry[0][0] <= now_us:
            _, number = heappop(self._expiry)
            run = self.runs.get(number)
            if run is None:
                continue
            end_us = run.knot.last_us + self._over_us
            if end_us > now_us:
                heappush(self._expiry, (end_us, number))
            else:
                yield run

    def loosen(self, run: Run) -> None:
        """Note that a run joins nothing and is not published: the first to go when there are too many."""
        self._loose[run.level][run] = None

    def surplus(self) -> Iterator[Run]:
        """Yield runs whose knots go while there are too many: loose ones of the lowest level, then of the oldest."""
        while len(self.runs) > self._bound:
            yield self._pick()

    def _pick(self) -> Run:
        for loose in self._loose:
            while loose:
                run = next(iter(loose))
                del loose[run]
                if len(run.knot.runs) == 1 and not run.knot.names:
                    return run
        while True:
            _, number = heappop(self._expiry)
            if number in self.runs:
                return self.runs[number]


def _began(run: Run) -> int:
    return run.first_us
