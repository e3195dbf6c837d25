"""The graph of one site: runs, what joins them, and what is known of the things they share.

Every operation keeps one promise: what the graph holds is a function of the set of alerts and observations it
took, not of their order, as long as no bound is passed. What passes a bound is counted in `lost`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush

from contract.event import Fields, Observation
from contract.records import Alert, Entity
from contract.timestamps import microseconds
from correlate.chain.baseline import Baseline
from correlate.chain.coincidence import Coincidences
from correlate.chain.edges import DAY_US, HOUR_US, Tie, strongest
from correlate.chain.entities import entities_of
from correlate.chain.hubs import Hubs
from correlate.chain.identity import Identity
from correlate.chain.knots import Change, Weave
from correlate.chain.postings import Postings
from correlate.chain.reach import reach_of
from correlate.chain.regain import Regain, concerned
from correlate.chain.relations import Relations
from correlate.chain.runs import LEVEL_OF, Knot, Member, Reach, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.signature import facts_of, member_of, sign
from correlate.chain.stages import ATTESTATION_RESULT
from correlate.chain.trust import Trust
from correlate.chain.words import Word, Words


class Graph:
    """Runs and knots of one site.

    Attributes:
        runs: by number.
        by_alert: the run that holds an alert.
        changed_runs, changed_knots: since the snapshot took them.
        gone: retracted alerts: revision and time of the retraction, so that an older revision stays out.
        lost: what passed a bound, by the bound's name, since last asked.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self.settings = settings
        self._hubs = Hubs(settings.hubs)
        self.postings = Postings(settings.crowd, self._hubs, microseconds(settings.lifetime))
        self.relations = Relations(settings.max_relations)
        self.identity = Identity()
        self.baseline = Baseline()
        self.coincidences = Coincidences(settings)
        self.words = Words()
        self.weave = Weave(self._ties, settings.max_chain_runs, self._sides)
        self.trust = Trust()
        self.regain = Regain(self.trust, microseconds(settings.regain))
        self.runs: dict[int, Run] = {}
        self.by_alert: dict[str, Run] = {}
        self.gone: dict[str, tuple[int, int]] = {}
        self.lost: Counter[str] = Counter()
        self.changed_runs: dict[int, Run | None] = {}
        self.changed_gone: set[str] = set()
        self.next_run = 1
        self._gap_us = microseconds(settings.run_gap)
        self._lifetime_us = microseconds(settings.lifetime)
        self._by_ip: dict[str, dict[Run, None]] = {}
        self._by_signature: dict[str, list[Run]] = {}
        self._lateness_us = microseconds(settings.lateness)
        self._over_us = self._lifetime_us + self._lateness_us
        self._ripe: list[tuple[int, int]] = []
        self._expiry: list[tuple[int, int]] = []
        self._loose: tuple[dict[Run, None], ...] = tuple({} for _ in LEVEL_OF)

    # -------------------------------------------------------------- input

    def take(self, alert: Alert, change: Change) -> Run | None:
        """Take an alert, a revision or a retraction; return the run it is in when it is only a repetition."""
        known = self.by_alert.get(alert.id)
        stale = self.gone.get(alert.id, (0, 0))[0]
        if known is not None:
            stale = known.members[alert.id].revision
        if alert.revision <= stale:
            return None
        member = member_of(alert)
        self.baseline.start(member.time_us)
        if alert.retracted:
            self.gone[alert.id] = (alert.revision, member.last_us)
            self.changed_gone.add(alert.id)
            if known is not None:
                self._lose(known, alert.id, change)
            return None
        signature, signing, floating = sign(alert)
        member.floating = floating
        if known is not None and known.signature != signature:
            self._lose(known, alert.id, change)
            known = None
        run = known or self._find(signature, member)
        if run is None:
            run = self._open(alert, signature, signing, member)
            run.rarity = self.baseline.learn(run.place, run.rule.id, run.first_us)
            self._note(run)
            self._appraise(run.signing, run.first_us, alert.fields, change)
            if "host.ip" in alert.fields:
                runs: set[Run] = set()
                self._rename(alert.fields, member.time_us, runs)
                self._reach_again(runs - {run}, change)
            change.touched.add(self.weave.knot(run))
            self._index(run, change)
            return None
        return self._repeat(run, member, change)

    def observe(self, seen: Observation, change: Change) -> None:
        """Take what an event tells beside any alert."""
        self.baseline.start(seen.time_us)
        runs = {run for key in self.relations.learn(seen) for run in self.postings.at(key)}
        self._rename(seen.fields, seen.time_us, runs)
        self._reach_again(runs, change)
        if ATTESTATION_RESULT in seen.fields:
            self._appraise(entities_of(seen.fields), seen.time_us, seen.fields, change)

    def _rename(self, fields: Fields, time_us: int, runs: set[Run]) -> None:
        """Learn who addresses are; add the runs that this may concern."""
        for ip in self.identity.learn(fields, time_us):
            runs.update(self._by_ip.get(ip, ()))

    def _reach_again(self, runs: set[Run], change: Change) -> None:
        """Join anew the runs that something new can be reached from."""
        for run in sorted(runs):
            if run.number in self.runs and self._reach(run) != run.reach:
                change.touched.add(run.knot)
                self._reindex(run, change)

    # -------------------------------------------------------------- runs

    def _find(self, signature: str, member: Member) -> Run | None:
        for run in reversed(self._by_signature.get(signature, ())):
            if (
                member.time_us <= run.last_us + self._gap_us
                and member.last_us >= run.first_us - self._gap_us
            ):
                return run
        return None

    def _open(self, alert: Alert, signature: str, signing: tuple, member: Member) -> Run:  # type: ignore[type-arg]
        run = Run(
            self.next_run,
            signature,
            alert.rule,
            alert.tactics,
            alert.techniques,
            signing,
            facts_of(alert),
        )
        self.next_run += 1
        run.put(member, self.settings.max_run_alerts)
        self._hold(run)
        return run

    def hold(self, run: Run) -> None:
        """Put back a run that was held: indexed, in no knot yet."""
        self._hold(run)
        if run.ripe_us is not None:
            heappush(self._ripe, (run.ripe_us, run.number))
        if self.coincidences.concerns(run):
            self.coincidences.add(run)
        fresh = self._reach(run)  # also where it was stored: whom it depends on is not
        run.reach = run.reach or fresh
        self.postings.add(run)

    def _hold(self, run: Run) -> None:
        self.runs[run.number] = run
        for one in run.members:
            self.by_alert[one] = run
        self._by_signature.setdefault(run.signature, []).append(run)
        self.changed_runs[run.number] = run
        heappush(self._expiry, (run.last_us + self._over_us, run.number))

    def _repeat(self, run: Run, member: Member, change: Change) -> Run:
        first_us, last_us, head = run.first_us, run.last_us, run.head
        reaches = bool(member.floating)
        pushed = run.put(member, self.settings.max_run_alerts)
        if pushed is not None:
            self.lost["run_alerts"] += 1
            self.by_alert.pop(pushed.id, None)
        if member.id in run.members:
            self.by_alert[member.id] = run
        self.changed_runs[run.number] = run
        if run.first_us != first_us or run.last_us != last_us:
            run.grown = True
            self._bridge(run, change)
        if run.first_us < first_us:
            # At once: others that are weighed before this run is again count on when it began.
            around = [one for one in self._weigh_again(run) if one is not run]
            change.touched |= {one.knot for one in around}
            self.weave.retie(around, change)
        if run.head != head or (reaches and self._reach(run) != run.reach):
            change.touched.add(run.knot)
            self._reindex(run, change)
        return run

    def _bridge(self, run: Run, change: Change) -> None:
        """Make one run of those of a signature that growing brought within the gap."""
        same = self._by_signature[run.signature]
        if len(same) == 1:
            return
        for other in [one for one in same if one is not run]:
            if (
                other.first_us <= run.last_us + self._gap_us
                and other.last_us >= run.first_us - self._gap_us
            ):
                members = other.ordered()
                self.remove(other, change)
                for member in members:
                    run.put(member, self.settings.max_run_alerts)
                    if member.id in run.members:
                        self.by_alert[member.id] = run
                run.folded += other.folded
                change.touched.add(run.knot)
                self._reindex(run, change)

    def _lose(self, run: Run, alert: str, change: Change) -> None:
        """Take one alert out of its run; the run may split where it held two parts together."""
        self.by_alert.pop(alert, None)
        del run.members[alert]
        rest = run.ordered()
        if not rest:
            self.remove(run, change)
            return
        self.changed_runs[run.number] = run
        change.touched.add(run.knot)
        parts = self._parts(rest)
        run.members = {one.id: one for one in parts[0]}
        run.measure()
        self._reindex(run, change)
        for members in parts[1:]:
            twin = Run(
                self.next_run,
                run.signature,
                run.rule,
                run.tactics,
                run.techniques,
                run.signing,
                run.facts,
            )
            self.next_run += 1
            twin.members = {one.id: one for one in members}
            twin.measure()
            twin.rarity = run.rarity
            self._hold(twin)
            self._note(twin)
            change.touched.add(self.weave.knot(twin))
            self._index(twin, change)

    def _parts(self, members: list[Member]) -> list[list[Member]]:
        parts: list[list[Member]] = []
        last_us = 0
        for member in members:
            if parts and member.time_us <= last_us + self._gap_us:
                parts[-1].append(member)
            else:
                parts.append([member])
            last_us = max(last_us, member.last_us)
        return parts

    def remove(self, run: Run, change: Change) -> None:
        """Take a run out, with its alerts."""
        self._unhold(run)
        disturbed = self.postings.remove(run)
        self.baseline.unlearn(run.place, run.rule.id, run.noted_us, run.rarity)
        if self.coincidences.concerns(run):
            disturbed += self.coincidences.remove(run)
        self.weave.drop(run, change)
        self.weave.retie((one for one in disturbed if one is not run), change)

    def _unhold(self, run: Run) -> None:
        del self.runs[run.number]
        self.changed_runs[run.number] = None
        for one in run.members:
            if self.by_alert.get(one) is run:
                del self.by_alert[one]
        same = self._by_signature[run.signature]
        same.remove(run)
        if not same:
            del self._by_signature[run.signature]
        self._unask(run)
        self._loose[run.level].pop(run, None)

    def _note(self, run: Run) -> None:
        """Enter a new run into the timelines; it is weighed again when all that is late has come."""
        run.noted_us = run.first_us
        run.ripe_us = run.first_us + self._lateness_us
        heappush(self._ripe, (run.ripe_us, run.number))
        if self.coincidences.concerns(run):
            self.coincidences.add(run)

    def _weigh_again(self, run: Run) -> list[Run]:
        """Learn a run anew: what came late may have moved its beginning, or what was known before it.

        Return the runs for which that may change a coincidence.
        """
        if (
            run.first_us == run.noted_us
            and self.baseline.again(run.place, run.rule.id, run.first_us) == run.rarity
        ):
            return []
        around = self.coincidences.around(run)
        self.baseline.unlearn(run.place, run.rule.id, run.noted_us, run.rarity)
        rarity = self.baseline.learn(run.place, run.rule.id, run.first_us)
        if self.coincidences.concerns(run):
            self.coincidences.remove(run)
        run.rarity, run.noted_us = rarity, run.first_us
        if self.coincidences.concerns(run):
            self.coincidences.add(run)
        return [*around, *self.coincidences.around(run)]

    # -------------------------------------------------------------- edges

    def _ties(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        found = self.postings.ties(run)
        for other, ties in self.coincidences.ties(run).items():
            found[other] = tuple(sorted((*found.get(other, ()), *ties), key=strongest))
        for alert, tie in self.words.joined(run.members):
            told = self.by_alert.get(alert)
            if told is not None and told is not run:
                found[told] = tuple(sorted((*found.get(told, ()), tie), key=strongest))
        return found

    def _sides(self, run: Run) -> dict[str, int]:
        return self.words.sides(run.members)

    def say(self, word: Word, change: Change) -> None:
        """Let a person's word hold; earlier ones that it contradicts hold no more."""
        runs: set[Run] = set()
        for id in self.words.overruled(word):
            runs |= self._about(self.words.remove(id))
        self.words.add(word)
        self.weave.retie(runs | self._about(word), change)

    def unsay(self, id: str, change: Change) -> None:
        """Let a word hold no more."""
        self.weave.retie(self._about(self.words.remove(id)), change)

    def forget_words(self, before_us: int) -> None:
        """Drop the words of whose alerts none is held and all are older."""
        for word in list(self.words.by_id.values()):
            if word.last_us < before_us and not self._about(word):
                self.words.remove(word.id)

    def forget_retractions(self, before_us: int) -> None:
        """Drop what is known of alerts that were retracted earlier."""
        for alert in [one for one, (_, at_us) in self.gone.items() if at_us < before_us]:
            del self.gone[alert]
            self.changed_gone.add(alert)

    def _about(self, word: Word) -> set[Run]:
        return {self.by_alert[one] for one in word.alerts if one in self.by_alert}

    def ripen(self, now_us: int, change: Change) -> None:
        """Weigh again the runs whose lateness is over, and look again for their coincidences."""
        runs: list[Run] = []
        while self._ripe and self._ripe[0][0] <= now_us:
            ripe_us, number = heappop(self._ripe)
            run = self.runs.get(number)
            if run is None or run.ripe_us != ripe_us:
                continue
            run.ripe_us = None
            self.changed_runs[number] = run
            runs.extend(self._weigh_again(run))
            if run.is_blind:
                run.grown = False
                runs.append(run)
        if runs:
            change.touched |= {run.knot for run in runs}
            self.weave.retie(runs, change)

    def _index(self, run: Run, change: Change) -> None:
        run.reach = self._reach(run)
        disturbed = self.postings.add(run)
        if disturbed:
            self.weave.retie(disturbed, change)
        else:
            self.weave.tie(run, change)
        run.grown = False

    def _reindex(self, run: Run, change: Change) -> None:
        disturbed = self.postings.remove(run)
        run.reach = self._reach(run)
        disturbed += self.postings.add(run)
        self.weave.retie([run, *disturbed], change)
        run.grown = False
        self.changed_runs[run.number] = run

    def settle(self, knot: Knot, change: Change) -> None:
        """Look again for the edges of runs that grew."""
        grown = [run for run in knot.runs if run.grown]
        if grown:
            self.weave.retie(grown, change)
        for run in grown:
            run.grown = False
            self.changed_runs[run.number] = run

    def forget(self, now_us: int) -> None:
        """Let go of what no run can ask for any more, one that is late or still open included. O(runs + known)."""
        oldest_us = min((run.first_us for run in self.runs.values()), default=now_us)
        before_us = (
            min(oldest_us, now_us - self._lateness_us) - max(self._lifetime_us, DAY_US) - HOUR_US
        )
        self.trust.forget(before_us)
        self.relations.forget(before_us)
        self.identity.forget(before_us)

    def _reach(self, run: Run) -> tuple[Reach, ...]:
        asked: set[str] = set()
        found = reach_of(run, self.relations, self.identity, self._hubs, self._lifetime_us, asked)
        if asked != run.asked:
            self._unask(run)
            run.asked = frozenset(asked)
            for ip in run.asked:
                self._by_ip.setdefault(ip, {})[run] = None
        return found

    def _unask(self, run: Run) -> None:
        for ip in run.asked:
            named = self._by_ip.get(ip)
            if named is not None:
                named.pop(run, None)
                if not named:
                    del self._by_ip[ip]
        run.asked = frozenset()

    def _appraise(
        self, entities: Iterable[Entity], time_us: int, fields: Fields, change: Change
    ) -> None:
        result = fields.get(ATTESTATION_RESULT)
        if result is not None and (keys := self.regain.learn(entities, time_us, result)):
            change.touched.update(run.knot for run in concerned(self.runs.values(), keys))

    # -------------------------------------------------------------- bounds

    def loosen(self, run: Run) -> None:
        """Note that a run joins nothing and is not published: the first to go when the graph is full."""
        self._loose[run.level][run] = None

    def wake_at(self) -> int | None:
        """Return when the next run ripens or may expire."""
        return min((heap[0][0] for heap in (self._ripe, self._expiry) if heap), default=None)

    def expired(self, now_us: int) -> list[Knot]:
        """Return the knots that nothing can join any more, each once, and take them out."""
        ended: list[Knot] = []
        while self._expiry and self._expiry[0][0] <= now_us:
            _, number = heappop(self._expiry)
            run = self.runs.get(number)
            if run is None:
                continue
            end_us = run.knot.last_us + self._over_us
            if end_us > now_us:
                heappush(self._expiry, (end_us, number))
            else:
                ended.append(run.knot)
                self.close(run.knot)
        return ended

    def crowded_out(self) -> list[Knot]:
        """Take out what the bound on runs does not hold: loose runs of the lowest level first, then the oldest knot."""
        ended: list[Knot] = []
        while len(self.runs) > self.settings.max_runs:
            run = self._pick()
            self.lost["runs"] += len(run.knot.runs)
            ended.append(run.knot)
            self.close(run.knot)
        return ended

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

    def close(self, knot: Knot) -> None:
        """Take a knot out with all its runs; nothing is tied again."""
        self.weave.forget(knot)
        for run in knot.runs:
            self.postings.remove(run)
            if self.coincidences.concerns(run):
                self.coincidences.remove(run)
            self._unhold(run)
