"""Groups whose rule is decided only when a time frame has passed: absence, and what fewer events satisfy too.

*Absence*, "A and then no B within the timespan": an A that completes what must come fires at A + timespan by the
watermark, unless a B of another event lies in `[A, A + timespan]`. A B at A's own time answers it: logs by the
second cannot say more.

*Frame*: a first event opens `[t, t + timespan]`; what that frame holds is measured when it has passed; the
next event after it opens the next.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar, TypeAlias

from typing_extensions import override

from contract.records import Alert
from correlate.window.alerting import NONE_TOLD, NOTHING, Outputs
from correlate.window.entry import LAST_PART, Entry, Firing, Place, behind
from correlate.window.episode import Episode
from correlate.window.facts import Facts
from correlate.window.plan import Plan, measure_of
from correlate.window.settings import WindowSettings
from correlate.window.window import Window


class Deadline(Window):
    """Logic of one group whose firings wait for the watermark; `decided` is how far it has come."""

    __slots__ = ()
    waits: ClassVar[bool] = True

    def candidates(self, after: int) -> Iterator[tuple[Firing, int]]:
        """Yield (firing, deadline) from a place in the entries on, watermark or not."""
        raise NotImplementedError

    @override
    def firings(self, after: Place | None) -> Iterator[Firing]:
        if self.decided is None:
            return
        at = 0 if after is None else bisect_left(self.entries, behind(after))
        for firing, deadline in self.candidates(at):
            if deadline > self.decided:
                return
            yield firing

    @override
    def touched_from(self, place: Place) -> Place:
        return place[0] - self.plan.span_us, -1, ""

    @override
    def advance(self, at: int, since: int | None) -> Outputs:
        entry = self.entries[at]
        self.wake_by(entry[0] + self.plan.span_us)
        return self.reconcile(entry[:3], added=(entry[:3],))

    @override
    def decide(self) -> Outputs:
        undecided = self.undecided
        outputs = super().decide()
        if undecided is not None:
            self.wake_by(min(undecided.places)[0] + self.plan.span_us)
        return outputs

    @override
    def reconcile(
        self,
        place: Place,
        *,
        added: Collection[Place] = (),
        told: Mapping[str, Alert] = NONE_TOLD,
    ) -> Outputs:
        if self.decided is None or place[0] > self.decided:
            return NOTHING  # what it touches was told to nobody yet
        return super().reconcile(place, added=added, told=told)

    @override
    def last_firing(self, after: Place, before: Place) -> Firing | None:
        found = None
        for firing in self.firings(after):
            if firing[0] >= before:
                break
            found = firing
        return found

    @override
    def on_time(self, now_us: int) -> Outputs:
        outputs = [*self.decide()]
        previous = self.decided
        if previous is None or now_us > previous:
            start = self._first_undecided(previous)
            self.decided = now_us
            for firing, deadline in self.candidates(start):
                if deadline > now_us:
                    break
                if previous is None or deadline > previous:
                    outputs += self.tell_if_due(self.fire(*firing))
        self.head_dirty = True
        return outputs + super().on_time(now_us)

    def _first_undecided(self, decided: int | None) -> int:
        if decided is None:
            return 0
        return bisect_right(self.entries, (decided - self.plan.span_us, LAST_PART))

    @override
    def plan_wake(self) -> None:
        super().plan_wake()
        for _, deadline in self.candidates(self._first_undecided(self.decided)):
            if self.decided is None or deadline > self.decided:
                self.wake_by(deadline)
                return


class Absence(Deadline):
    """A and then no B."""

    __slots__ = ("_answers",)

    def __init__(self, plan: Plan, text: str, settings: WindowSettings, facts: Facts) -> None:
        super().__init__(plan, text, settings, facts)
        self._answers: list[_Answer] | None = None

    @override
    def put(self, entry: Entry) -> Outputs:
        if entry[1] in self.plan.absence:
            self._answers = None
        return super().put(entry)

    @override
    def remove(self, place: Place) -> Outputs:
        self._answers = None
        return super().remove(place)

    @override
    def drop(self, count: int) -> None:
        self._answers = None
        super().drop(count)

    def _all_answers(self) -> list[_Answer]:
        """Return (time, id) of what must not follow, in order of time; looked for once until one comes or goes."""
        if self._answers is None:
            absence = self.plan.absence
            self._answers = [(entry[0], entry[2]) for entry in self.entries if entry[1] in absence]
        return self._answers

    @override
    def candidates(self, after: int) -> Iterator[tuple[Firing, int]]:
        span, unwanted = self.plan.span_us, self.plan.unwanted
        answers = self._all_answers()
        for index in range(after, len(self.fires)):
            since = self.fires[index]
            entry = self.entries[index]
            if since is None or entry[1] in unwanted:
                continue
            if not _answered(answers, entry, entry[0] + span):
                yield (entry[:3], since, entry[0]), entry[0] + span


_Answer: TypeAlias = tuple[int, str]


def _answered(answers: list[_Answer], entry: Entry, until: int) -> bool:
    # B at A's own time may stand before it in the order of entries.
    for index in range(bisect_left(answers, (entry[0],)), len(answers)):
        time, id = answers[index]
        if time > until:
            return False
        if id != entry[2]:
            return True
    return False


class Frame(Deadline):
    """Counted when the frame that a first event opened has passed."""

    __slots__ = ()

    @override
    def touched_from(self, place: Place) -> Place:
        # An earlier first event moves every frame after it.
        return place[0] - self.plan.span_us, -1, ""

    @override
    def until(self, place: Place) -> int:
        return place[0] + self.plan.span_us

    @override
    def end_of(self, episode: Episode) -> Place:
        return episode.end_us, LAST_PART, ""

    @override
    def candidates(self, after: int) -> Iterator[tuple[Firing, int]]:
        correlation = self.plan.correlation
        if correlation is None or correlation.threshold is None:
            return
        test = correlation.threshold.test()
        start = self.entries[after][:3] if after < len(self.entries) else None
        for low, high in self.frames():
            place = self.entries[low][:3]
            if start is None or place < start:
                continue
            measure = measure_of(correlation)()
            for index in range(low, high):
                measure.add(self.entries[index][3])
            if test(*measure.ratio(self.entries[high - 1][3])):
                until = self.until(place)
                yield (place, place[0], until), until

    def frames(self) -> Iterator[tuple[int, int]]:
        """Yield the index ranges of the frames, in order."""
        entries = self.entries
        low = 0 if self.floor is None else bisect_right(entries, (self.floor, LAST_PART))
        while low < len(entries):
            high = bisect_right(entries, (entries[low][0] + self.plan.span_us, LAST_PART))
            yield low, high
            low = high

    @override
    def drop(self, count: int) -> None:
        for low, _ in self.frames():
            if low >= count:
                break
            self.floor = self.entries[low][0] + self.plan.span_us
            self.head_dirty = True
        super().drop(count)


def window_class(plan: Plan) -> type[Window]:
    """Return the logic for a rule's groups."""
    return {"sliding": Window, "absence": Absence, "frame": Frame}[plan.mode]
