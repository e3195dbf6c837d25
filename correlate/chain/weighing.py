"""How unusual each run is: learnt as it comes, and settled when nothing that is late can change it.

The baseline counts a run when it comes and weighs it by what was known before. What comes late, within `lateness`, may
move the run's own beginning or what was known before it, so that a run is weighed again when its lateness is over: it is ripe
then. What hangs on the weight, a coincidence, is looked for again for all that it may concern.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from contract.timestamps import microseconds
from correlate.chain.baseline import Baseline
from correlate.chain.coincidence import Coincidences
from correlate.chain.edges import Tie
from correlate.chain.habits import SLOT_US, Rarity, slot_of
from correlate.chain.runs import Run
from correlate.chain.settings import LinkSettings


class Weighing:
    """The weights of one site's runs.

    Attributes:
        baseline: what is usual.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self.baseline = Baseline()
        self._coincidences = Coincidences(settings)
        self._lateness_us = microseconds(settings.lateness)
        self._ripe: list[tuple[int, int]] = []

    def learn(self, run: Run) -> None:
        """Count and weigh a new run; it ripens when its lateness is over."""
        run.rarity = self.baseline.learn(run.place, run.rule.id, run.first_us)
        run.noted_us = run.first_us
        run.rarity = self._weighed(run, run.rarity)
        # Its whole slot counts towards the strength of its episode, where that is asked.
        from_us = slot_of(run.first_us) + SLOT_US if run.is_blind else run.first_us
        run.ripe_us = from_us + self._lateness_us
        self.hold(run)

    def hold(self, run: Run) -> None:
        """Put back a run that was held."""
        if run.ripe_us is not None:
            heappush(self._ripe, (run.ripe_us, run.number))
        if self._coincidences.concerns(run):
            self._coincidences.add(run)

    def again(self, run: Run) -> list[Run]:
        """Weigh a run anew; return the runs for which that may change a coincidence."""
        baseline, rule = self.baseline, run.rule.id
        now = baseline.again(run.place, rule, run.first_us)
        if run.first_us == run.noted_us and now is not None:
            now = self._weighed(run, now)
            if now == run.rarity:
                return []
        around = self._coincidences.around(run)
        baseline.unlearn(run.place, rule, run.noted_us, run.rarity)
        rarity = baseline.learn(run.place, rule, run.first_us)
        rarity = self._weighed(run, rarity, rarity)
        if self._coincidences.concerns(run):
            self._coincidences.remove(run)
        run.rarity, run.noted_us = rarity, run.first_us
        if self._coincidences.concerns(run):
            self._coincidences.add(run)
        return [*around, *self._coincidences.around(run)]

    def _weighed(self, run: Run, rarity: Rarity, noted: Rarity | None = None) -> Rarity:
        """Return a rarity with the strength of the run's episode, where coincidence is evidence for the run at all."""
        if not run.is_blind or rarity.is_common:
            return rarity
        return self.baseline.weighed(run.place, run.first_us, rarity, noted or run.rarity)

    def ripen(self, now_us: int, runs: Mapping[int, Run]) -> tuple[list[Run], list[Run]]:
        """Weigh the runs again that are ripe; return these, and those whose coincidences must be looked for again."""
        ripe: list[Run] = []
        concerned: list[Run] = []
        while self._ripe and self._ripe[0][0] <= now_us:
            ripe_us, number = heappop(self._ripe)
            run = runs.get(number)
            if run is None or run.ripe_us != ripe_us:
                continue
            # As runs ripen and not as the clock passes, so that it shows neither in which steps time passed nor a restart.
            self.baseline.absorb(ripe_us)
            run.ripe_us = None
            ripe.append(run)
            concerned.extend(self.again(run))
            if run.is_blind:
                run.grown = False
                concerned.append(run)
        return ripe, concerned

    def take_back(self, run: Run) -> list[Run]:
        """Take a run out as if it had never come; return those that had joined it by coincidence."""
        self.baseline.unlearn(run.place, run.rule.id, run.noted_us, run.rarity)
        return self.close(run)

    def close(self, run: Run) -> list[Run]:
        """Take a run out of the timelines; what was learnt of it stays."""
        return self._coincidences.remove(run) if self._coincidences.concerns(run) else []

    def ties(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        """Return the coincidences of a run."""
        return self._coincidences.ties(run)

    def wake_at(self) -> int | None:
        """Return when the next run ripens."""
        return self._ripe[0][0] if self._ripe else None
