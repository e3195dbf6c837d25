"""Edges by coincidence: what is rare on a host, close in time to what is rare there or elsewhere.

Some sensors name a host and no peer. Their alerts share nothing but time, and time alone joins nothing; yet a host that
shows in a minute what it shows once a month is no accident. The odds decide, under learnt rates (`baseline`):

- two runs of one host join when so unusual a thing falls so near by chance less than once in `1 / chance`
  times, and chance makes such pairs on one host less than `chance_per_day` times a day;
- on one host what goes on is near as long as it does: a scan of hours is not over when the next thing begins;
- two episodes of one host join over a pause, too, where each shows several things new to the whole site: so strong an
  episode is weighed by how often all hosts showed one, since a few days of one host cannot tell what comes there once
  a month;
- across hosts the budget is the whole site's, `chance_across_per_day` over all pairs of hosts, because a false join
  mixes two stories; and it is only for the run that *opens* an episode of its host: what follows in an episode
  is no independent event. It joins the most unusual of the episodes that fit, one of them: a coincidence never
  bridges two;
- what stands alone on its host joins a strong episode of another, as seldom as the site shows one, where chance puts so
  unusual a thing of any host so near less than once in `1 / chance` times;
- a moment at which a third of all hosts is unusual is a crowd: its cause is the site's, and it joins none of them;
- a run that its own host's earlier doing explains looks for no other's: it would bridge two stories;
- what is only thought to belong to a story, by a coincidence across hosts, is no bridge to it: the next is held
  against that story itself;
- two alerts of one host name that state different addresses are of two machines;
- everyday kinds never count.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from contract.timestamps import microseconds
from correlate.chain.edges import COINCIDENCE, DAY_US, MINUTE_US, STRONG, Tie
from correlate.chain.habits import EPISODE_US, Rarity
from correlate.chain.runs import Run
from correlate.chain.settings import LinkSettings

GRAIN_US: Final = MINUTE_US
"""Sensors report late and in steps: two times closer than this are the same moment."""
CROWD_SHARE: Final = 1 / 3
CROWD_HOSTS: Final = 3
"""A moment is a crowd when at least so many hosts, and such a share of all, begin something unusual."""
FAR: Final = 8
"""So many times the span back a run is held against others of its host: what follows a long scan or a pause. How far two may
be apart is for the odds to say."""
MAX_NEAR: Final = 128
"""Runs that one is compared with on one host, nearest first."""
MAX_SITE: Final = 1024
"""Runs of the site looked back at for an episode's opening; more at once are a crowd anyway."""


_Apart: TypeAlias = Callable[[Run, Run], tuple[int, float]]


class _Row(NamedTuple):
    """A place in a timeline."""

    time_us: int
    number: int
    run: Run


class Coincidences:
    """Timelines of the runs that name a host only, of kinds that are not everyday."""

    def __init__(self, settings: LinkSettings) -> None:
        self._chance = settings.chance
        self._per_day = settings.chance_per_day
        self._across = settings.chance_across_per_day
        self._span_us = microseconds(settings.coincidence)
        self._far_us = FAR * self._span_us
        self._site: list[_Row] = []
        self._hosts: dict[str, list[_Row]] = {}

    @staticmethod
    def concerns(run: Run) -> bool:
        """Tell whether coincidence is evidence for a run at all."""
        return run.is_blind and not run.rarity.is_common

    def add(self, run: Run) -> None:
        """Take in a run. O(log runs), plus the shift of late ones."""
        row = _Row(run.noted_us, run.number, run)
        insort(self._site, row, key=_place)
        insort(self._hosts.setdefault(run.place, []), row, key=_place)

    def remove(self, run: Run) -> list[Run]:
        """Forget a run; return those that had joined it as their partner."""
        place = (run.noted_us, run.number)
        host = self._hosts.get(run.place)
        for rows in (self._site, host):
            at = bisect_left(rows, place, key=_place) if rows else 0
            if rows and at < len(rows) and rows[at].run is run:
                del rows[at]
        if host is not None and not host:
            del self._hosts[run.place]
        return [row.run for row in self._after(run) if row.run.partner is run]

    def around(self, run: Run) -> list[Run]:
        """Return the runs whose coincidences depend on a run: those within the span."""
        if not run.is_blind:
            return []
        first_us, last_us = run.noted_us - self._span_us, run.noted_us + self._span_us
        rows = self._between(self._site, first_us, last_us)
        found = [row.run for row in rows[:MAX_SITE] if row.run is not run]
        own = self._hosts.get(run.place, [])
        for one, two in (
            (run.noted_us - self._far_us, first_us - 1),
            (last_us + 1, run.noted_us + self._far_us),
        ):
            found += [row.run for row in self._between(own, one, two)[:MAX_NEAR]]
        return found

    def ties(self, run: Run) -> dict[Run, tuple[Tie, ...]]:
        """Return the coincidences of a run that odds allow; its partner is chosen anew."""
        if not self.concerns(run):
            return {}
        found: dict[Run, tuple[Tie, ...]] = {}
        for other in self._near(run):
            tie = self._tie(run, other)
            if tie is not None:
                found[other] = (tie,)
        run.partner = None if self._has_own(run, found) else self._partner(run)
        for other in (
            *((run.partner,) if run.partner else ()),
            *(row.run for row in self._after(run) if row.run.partner is run),
        ):
            tie = self._tie(run, other)
            if tie is not None:
                found[other] = (tie,)
        return found

    # -------------------------------------------------------------- who is near

    def _near(self, run: Run) -> Iterator[Run]:
        rows = self._hosts.get(run.place, [])
        at = bisect_left(rows, (run.noted_us, run.number), key=_place)
        for row in rows[max(0, at - MAX_NEAR) : at + MAX_NEAR]:
            if row.run is run or row.run.is_elsewhere(run):
                continue
            if abs(row.time_us - run.noted_us) <= self._far_us:
                yield row.run

    def _between(self, rows: list[_Row], first_us: int, last_us: int) -> list[_Row]:
        return rows[bisect_left(rows, first_us, key=_time) : bisect_right(rows, last_us, key=_time)]

    def _after(self, run: Run) -> list[_Row]:
        return self._between(self._site, run.noted_us, run.noted_us + self._span_us)

    def _opens(self, run: Run) -> bool:
        """Tell whether a run begins an episode of its host."""
        own = self._hosts.get(run.place, [])
        earlier = self._between(own, run.noted_us - EPISODE_US, run.noted_us - GRAIN_US)
        return all(row.run.is_elsewhere(run) for row in earlier)

    def _has_own(self, run: Run, near: Iterable[Run]) -> bool:
        """Tell whether what its host did before explains a run, from beginning to beginning: how long it goes on is not known yet."""
        return any(
            other.noted_us < run.noted_us - GRAIN_US
            and self._odds(run, other, _since_begin) is not None
            for other in near
        )

    def _is_crowd(self, run: Run) -> bool:
        rows = self._between(self._site, run.noted_us - GRAIN_US, run.noted_us + GRAIN_US)
        hosts = {row.run.place for row in rows[:MAX_SITE]}
        return len(hosts) >= max(CROWD_HOSTS, run.rarity.hosts * CROWD_SHARE)

    def _partner(self, run: Run) -> Run | None:
        if not self._opens(run) or self._is_crowd(run):
            return None
        earlier = self._between(self._site, run.noted_us - self._span_us, run.noted_us)
        best: tuple[float, float, str] | None = None
        partner = None
        strengths: dict[str, float] = {}
        for row in reversed(earlier[-MAX_SITE:]):
            other = row.run
            if other.place == run.place or other.rule.id == run.rule.id:
                continue
            if (other.noted_us, other.head) > (run.noted_us, run.head):
                continue  # of two at one time the later by id looks back
            if other.partner is not None:
                continue  # what is only thought to belong to another story is no bridge to it
            odds = self._odds(run, other, _since_begin)
            if odds is None:
                continue
            if other.place not in strengths:
                strengths[other.place] = self._strength(other.place, run.noted_us)
            rank = (-strengths[other.place], odds, other.head)
            if best is None or rank < best:
                best, partner = rank, other
        return partner

    def _strength(self, host: str, time_us: int) -> float:
        """Return how unusual the last hour of a host was: each kind once."""
        kinds: dict[str, float] = {}
        for row in self._between(self._hosts.get(host, []), time_us - self._span_us, time_us):
            kinds[row.run.rule.id] = row.run.rarity.factor
        return round(sum(sorted(kinds.values())), 6)

    # -------------------------------------------------------------- odds

    def _odds(self, one: Run, two: Run, apart: _Apart) -> float | None:
        """Return the share of chance's budget that such a pair takes, 0 to 1; None when it takes more."""
        gap_us, days = apart(*sorted((one, two)))
        first, second = one.rarity, two.rarity
        hosts = max(first.hosts, second.hosts)
        if one.place == two.place:
            budget = self._per_day
        else:
            budget = self._across / max(1.0, hosts * (hosts - 1) / 2)
        share = None
        if gap_us <= self._span_us:
            share = self._share(first.host_per_day, second.host_per_day, days, budget)
        if share is None and one.place != two.place and gap_us <= self._span_us:
            return self._beside(first, second, days)
        if share is not None or one.place != two.place or gap_us <= EPISODE_US:
            return share
        if first.site_per_day is None or second.site_per_day is None:
            return None
        return self._share(first.site_per_day, second.site_per_day, days, budget * hosts**2)

    def _beside(self, first: Rarity, second: Rarity, days: float) -> float | None:
        """Return the share for a thing that stands alone on its host, beside a strong episode of another."""
        strong, lone = (first, second) if second.site_per_day is None else (second, first)
        if strong.site_per_day is None or lone.site_per_day is not None:
            return None
        anywhere = max(first.hosts, second.hosts) * lone.host_per_day * days
        share = strong.site_per_day * anywhere / self._across
        return None if anywhere >= self._chance or share >= 1 else share

    def _share(self, one: float, two: float, days: float, budget: float) -> float | None:
        share = one * two * days / budget
        return None if max(one, two) * days >= self._chance or share >= 1 else share

    def _tie(self, run: Run, other: Run) -> Tie | None:
        share = self._odds(run, other, _since_end if run.place == other.place else _since_begin)
        if share is None:
            return None
        early, late = sorted((run, other))
        hosts = " and ".join(dict.fromkeys((early.place, late.place)))
        days = late.rarity.days
        if early.place == late.place:
            budget, where = self._per_day, "on a host"
        else:
            budget, where = self._across, "across all hosts"
        words = (
            f"seen {early.rarity.seen} and {late.rarity.seen} times in {days:.1f} days before; "
            f"chance makes such a pair {share * budget:.2g} times a day {where}"
        )
        # From the least that joins, where the budget is just kept, to 0.9, where chance has no part.
        weight = STRONG + 0.2 * (1 - share)
        return Tie(COINCIDENCE, round(weight, 3), f"host|{hosts}", words)


def _since_begin(early: Run, late: Run) -> tuple[int, float]:
    """Return how far from one run another begins, and in how many days chance could have put it as near, or the other."""
    gap_us = late.first_us - early.first_us
    return gap_us, 2 * max(GRAIN_US, gap_us) / DAY_US


def _since_end(early: Run, late: Run) -> tuple[int, float]:
    """Return the same from where the earlier ends.

    A scan of hours is there until it ends: what begins while it goes on is not far from it. But then chance has had all the
    time since it began.
    """
    if late.first_us <= early.last_us:
        return 0, max(2 * GRAIN_US, late.first_us - early.first_us) / DAY_US
    gap_us = late.first_us - early.last_us
    lasted_us = early.last_us - early.first_us
    return gap_us, (lasted_us + 2 * max(GRAIN_US, gap_us)) / DAY_US


def _time(row: _Row) -> int:
    return row.time_us


def _place(row: _Row) -> tuple[int, int]:
    return row.time_us, row.number
