"""The graph of one site: what alerts and observations make of its runs, and when those are over; `ties` joins them.

Every operation keeps one promise: what the graph holds is a function of the set of alerts and observations it
took, not of their order, as long as no bound is passed. What passes a bound is counted in `lost`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contract.event import Fields, Observation
from contract.records import Alert, Entity
from contract.timestamps import from_datetime, microseconds
from correlate.chain.aliases import said_by
from correlate.chain.entities import entities_of
from correlate.chain.holding import Holding
from correlate.chain.knots import Change
from correlate.chain.regain import Regain, concerned, result_of
from correlate.chain.retractions import Retractions
from correlate.chain.runs import Knot, Member, Run, rule_of
from correlate.chain.settings import LinkSettings
from correlate.chain.signature import facts_of, member_of, sign
from correlate.chain.stages import ATTESTATION_RESULT
from correlate.chain.surroundings import Surroundings
from correlate.chain.ties import Ties
from correlate.chain.trust import Trust
from correlate.chain.weighing import Weighing


class Graph:
    """Runs and knots of one site.

    Attributes:
        held: its runs.
        around: what is known of the things they name.
        weighing: how unusual they are.
        ties: which edges hold between them; of these:
        postings: through what they can be joined.
        resting: members of crowds that nobody asks for.
        words: what persons said of them.
        weave: which of them edges hold together.
        trust, regain: what attestation said.
        gone: alerts that were taken back.
        lost: what passed a bound, by the bound's name, since last asked.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self._max_run_alerts = settings.max_run_alerts
        self._lateness_us = microseconds(settings.lateness)
        self.held = Holding(settings)
        self.around = Surroundings(settings)
        self.weighing = Weighing(settings)
        self.ties = ties = Ties(self.held, self.around, self.weighing, settings)
        self.postings, self.resting = ties.postings, ties.resting
        self.words, self.weave = ties.words, ties.weave
        self.trust = Trust()
        self.regain = Regain(self.trust, microseconds(settings.regain))
        self.gone = Retractions()
        self.lost: Counter[str] = Counter()

    # -------------------------------------------------------------- input

    def take(self, alert: Alert, change: Change) -> Run | None:
        """Take an alert, a revision or a retraction; return the run it is in when it is only a repetition."""
        if (rest := self.resting.rests.of_alert(alert.id)) is not None:
            self.ties.wake([rest], change)  # something newer is said of it
        known = self.held.by_alert.get(alert.id)
        stale = self.gone.revision(alert.id)
        if known is not None:
            stale = known.members[alert.id].revision
        if alert.retracted or alert.revision <= stale:
            self._hear(alert, change)
            if alert.revision > stale:
                self._take_back(alert, known, change)
            return None
        member = member_of(alert)
        self.weighing.baseline.start(member.time_us)
        signature, signing, floating = sign(alert)
        member.floating = floating
        if known is not None and known.signature != signature:
            self._lose(known, alert.id, change)
            known = None
        if (rest := self.resting.rests.of_signature(signature)) is not None:
            self.ties.wake([rest], change)
        run = known or self.held.find(signature, member)
        if run is not None:
            return self._repeat(run, member, alert.fields, change)
        if not self.words.of((alert.id,)) and self.resting.takes(alert, signature, signing, member):
            self.lost["crowd"] += 1
            return None
        self._open(alert, signature, signing, member, change)
        return None

    def _take_back(self, alert: Alert, known: Run | None, change: Change) -> None:
        member = member_of(alert)
        self.weighing.baseline.start(member.time_us)
        self.gone.add(alert.id, alert.revision, member.last_us)
        if known is not None:
            self._lose(known, alert.id, change)

    def observe(self, seen: Observation, change: Change) -> None:
        """Take what an event tells beside any alert."""
        self.weighing.baseline.start(seen.time_us)
        fresh = self.around.learn(seen)
        self.ties.wake(map(self.resting.rests.of_key, fresh), change)
        runs = {
            run
            for key in fresh
            for one in self.around.whose.spellings(key)
            for run in self.postings.at(one)
        }
        self.ties.reach_again(runs | self._renamed(seen.fields, seen.time_us, change), change)
        if ATTESTATION_RESULT in seen.fields:
            self._appraise(entities_of(seen.fields), seen.time_us, seen.fields, change)

    def _appraise(
        self, entities: Iterable[Entity], time_us: int, fields: Fields, change: Change
    ) -> None:
        result = result_of(fields)
        if result and (keys := self.regain.learn(entities, time_us, result)):
            change.touched.update(run.knot for run in concerned(self.held.runs.values(), keys))

    # -------------------------------------------------------------- runs

    def _open(
        self, alert: Alert, signature: str, signing: tuple[Entity, ...], member: Member, change: Change
    ) -> None:  # fmt: skip
        """Make a run of an alert that repeats nothing."""
        said = alert.rule
        run = Run(
            self.held.number(), signature, rule_of(said.id, said.name, said.level), alert.tactics,
            alert.techniques, signing, facts_of(alert),
        )  # fmt: skip
        run.put(member, self._max_run_alerts)
        self._listen(run.says, alert.fields, member.time_us, change)  # before anybody can find it
        self.held.hold(run)
        self.weighing.learn(run)
        self.ties.enter(run, change)
        self._appraise(run.signing, run.first_us, alert.fields, change)

    def _renamed(self, fields: Fields, time_us: int, change: Change) -> set[Run]:
        """Learn what names stand for; return the runs that this may concern."""
        return self._concerned(self.around.rename(fields, time_us), change)

    def _hear(self, alert: Alert, change: Change) -> None:
        """Learn what an alert that makes no run says of names: what it took for a threat was there all the same."""
        named = [(one.role, one.type, one.value) for one in sign(alert)[1]]
        self._listen(said_by(named), alert.fields, from_datetime(alert.time), change)

    def _listen(
        self, says: tuple[tuple[str, str], ...], fields: Fields, time_us: int, change: Change
    ) -> None:
        """Learn what an alert says of names."""
        if says or "host.ip" in fields:
            things = self.around.note(says, time_us)
            if "host.ip" in fields:
                things += self.around.rename(fields, time_us)
            self.ties.reach_again(self._concerned(things, change), change)

    def _concerned(self, things: Iterable[str], change: Change) -> set[Run]:
        """Return the runs that hang on what these things stand for."""
        for thing in things if self.resting.rests else ():
            self.ties.wake([self.resting.rests.of_key(thing), *self.resting.against(thing)], change)
        return {run for thing in things for run in self.postings.at(thing)} | self.around.asking(
            things
        )

    def hold(self, run: Run) -> None:
        """Put back a run that was held: indexed, in no knot yet."""
        self.held.hold(run)
        self.weighing.hold(run)
        fresh = self.around.reach(run)  # also where it was stored: whom it depends on is not
        run.reach = run.reach or fresh
        self.postings.add(run)

    def _repeat(self, run: Run, member: Member, fields: Fields, change: Change) -> Run:
        if run.says_more(member.time_us):
            self._listen(run.says, fields, member.time_us, change)
        first_us, last_us, head = run.first_us, run.last_us, run.head
        reaches = bool(member.floating)
        pushed = run.put(member, self._max_run_alerts)
        if pushed is not None:
            self.lost["run_alerts"] += 1
            self.held.by_alert.pop(pushed.id, None)
        if member.id in run.members:
            self.held.by_alert[member.id] = run
        self.held.changed[run.number] = run
        if run.first_us != first_us or run.last_us != last_us:
            run.grown = True
            if run.first_us != first_us:
                self.held.move(run)
            for other in self.held.beside(run):
                self._bridge(run, other, change)
        if run.first_us < first_us:
            # At once: others that are weighed before this run is again count on when it began.
            around = [one for one in self.weighing.again(run) if one is not run]
            change.touched |= {one.knot for one in around}
            self.weave.retie(around, change)
        if run.head != head or (reaches and self.around.reach(run) != run.reach):
            self.ties.again(run, change)
        return run

    def _bridge(self, run: Run, other: Run, change: Change) -> None:
        """Make one run of two of a signature that growing brought within the gap."""
        members = other.ordered()
        self.remove(other, change)
        for member in members:
            run.put(member, self._max_run_alerts)
            if member.id in run.members:
                self.held.by_alert[member.id] = run
        run.folded += other.folded
        self.ties.again(run, change)

    def _lose(self, run: Run, alert: str, change: Change) -> None:
        """Take one alert out of its run; the run may split where it held two parts together."""
        self.held.by_alert.pop(alert, None)
        del run.members[alert]
        rest = run.ordered()
        if not rest:
            self.remove(run, change)
            return
        parts = self.held.parts(rest)
        run.members = {one.id: one for one in parts[0]}
        run.measure()
        self.ties.again(run, change)
        for members in parts[1:]:
            twin = Run(
                self.held.number(), run.signature, run.rule, run.tactics, run.techniques,
                run.signing, run.facts,
            )  # fmt: skip
            twin.members = {one.id: one for one in members}
            twin.measure()
            self.held.hold(twin)
            self.weighing.learn(twin)
            self.ties.enter(twin, change)

    def remove(self, run: Run, change: Change) -> None:
        """Take a run out as if its alerts had never come."""
        self.held.let_go(run)
        self.around.leave(run)
        self.ties.leave(run, change)

    # -------------------------------------------------------------- time

    def wake_at(self) -> int | None:
        """Return when the next run ripens or may expire."""
        times = (self.weighing.wake_at(), self.held.wake_at(), self.resting.wake_at())
        return min([one for one in times if one is not None], default=None)

    def ripen(self, now_us: int, change: Change) -> None:
        """Weigh again the runs whose lateness is over, and look again for their coincidences."""
        self.resting.pass_time(now_us)
        ripe, runs = self.weighing.ripen(now_us, self.held.runs)
        for run in ripe:
            self.held.changed[run.number] = run
        if runs:
            change.touched |= {run.knot for run in runs}
            self.weave.retie(runs, change)

    def expired(self, now_us: int) -> list[Knot]:
        """Take out the knots that nothing can join any more; return them."""
        return [self._close(run.knot) for run in self.held.ended(now_us)]

    def crowded_out(self) -> list[Knot]:
        """Take out what the bound on runs does not hold; return the knots."""
        ended: list[Knot] = []
        for run in self.held.surplus():
            self.lost["runs"] += len(run.knot.runs)
            ended.append(self._close(run.knot))
        return ended

    def _close(self, knot: Knot) -> Knot:
        """Take a knot out with all its runs; nothing is tied again."""
        self.weave.forget(knot)
        for run in knot.runs:
            self.postings.remove(run, is_over=True)
            self.weighing.close(run)
            self.held.let_go(run)
            self.around.leave(run)
        # Else the circles of runs and knot would stay in memory until a full collection.
        knot.runs, knot.told_of = set(), None
        return knot

    def forget(self, now_us: int, old_us: int) -> None:
        """Let go of what nothing can ask for any more. O(runs + known).

        Args:
            now_us: event time.
            old_us: a lifetime before it: what is older and held by nothing is over.
        """
        oldest_us = min((run.first_us for run in self.held.runs.values()), default=now_us)
        oldest_us = min(oldest_us, self.resting.oldest_us or now_us)
        self.trust.forget(self.around.forget_before(now_us, oldest_us))
        self.postings.forget(now_us - self._lateness_us)
        self.words.forget(old_us, self.held.by_alert)
        self.gone.forget(old_us)
