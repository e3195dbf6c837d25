"""What is usual here: how often each rule fires on each host, learnt in event time.

Rarity is asked as of a time, from what was seen at least `LAG_US` before it, so the answer does not depend on the order
in which alerts of the allowed lateness arrive. What is counted is neither alerts nor runs but minutes in which a run of a kind
began: a flood counts once a minute, from however many sources it comes.

The estimate is Laplace's rule of succession: a thing seen n times in T days comes (n + 1) / T times a day. A new
engine (T near 0) therefore finds nothing rare, and a kind never seen in a month is rare indeed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from heapq import heappop, heappush
from math import floor, log2
from typing import Any, Final

from correlate.chain.edges import DAY_US, HOUR_US, MINUTE_US
from correlate.chain.habits import COMMON_LEVEL, SLOT_US, Habits, Noted, Rarity, Times, slot_of

LAG_US: Final = 20 * MINUTE_US
"""More than an episode's gap and the default lateness together: what is still going on teaches nothing yet."""
RECENT_US: Final = 2 * HOUR_US
"""How long times are kept one by one before they become a count."""
OLD_DAYS: Final = 28.0
"""When the memory is this long, counts and time are halved: habits change."""
_OLD_US: Final = round(OLD_DAYS * DAY_US)
_STEP_US: Final = 5 * MINUTE_US
MIN_DAYS: Final = 1e-6
MAX_HOSTS: Final = 20_000
MAX_RULES: Final = 2_000
"""Hosts known, and rules known of one host; kinds beyond are taken as never seen, and counted in `lost`."""


class Baseline:
    """Habits of all hosts, and of rules in general."""

    def __init__(self) -> None:
        self.since_us: int | None = None
        self.hosts: dict[str, Habits] = {}
        self.rules: dict[str, Times] = {}
        self.strengths: Counter[int] = Counter()
        """Closed episodes of all hosts by how strong they were."""
        self.changed: set[str] = set()
        self.lost = 0
        self._due: dict[str, int] = {}
        """By host, the time behind which something of it becomes part of a count; a fleet is not gone through for a few."""
        self._queue: list[tuple[int, str]] = []
        self._firsts: list[int] = []
        self._absorbed_us = 0

    def start(self, time_us: int) -> None:
        """Note the earliest time that anything was seen."""
        if self.since_us is None or time_us < self.since_us:
            self.since_us = time_us

    def learn(self, host: str, rule: str, time_us: int) -> Rarity:
        """Count a run and return how unusual it is. O(runs of its host in the last two hours)."""
        self.start(time_us)
        slot_us = slot_of(time_us)
        habits = self.hosts.get(host)
        if habits is None:
            habits = Habits(slot_us)
            if len(self.hosts) < MAX_HOSTS:
                self.hosts[host] = habits
                insort(self._firsts, slot_us)
            else:
                self.lost += 1
        elif slot_us < habits.first_us:
            self._move(habits, slot_us)
        if host in self.hosts:
            self._expect(host, slot_us)
        rarity = self.rarity(habits, rule, slot_us)
        times = habits.kinds.get(rule)
        if times is None:
            times = Times()
            if len(habits.kinds) < MAX_RULES:
                habits.kinds[rule] = times
            else:
                self.lost += 1
        if times.add(slot_us):
            general = self.rules.get(rule)
            if general is None:
                general = self.rules[rule] = Times()
            general.add(slot_us)
        if not rarity.is_common and not habits.note(slot_us, rarity):
            self.lost += 1
        self.changed.add(f"host/{host}")
        self.changed.add(f"rule/{rule}")
        return rarity

    def count(self, host: str, rule: str, slot_us: int, rarity: Rarity) -> None:
        """Count one more run of a kind that was learnt in a slot; it is as unusual as the first."""
        habits = self.hosts.get(host)
        times = habits.kinds.get(rule) if habits is not None else None
        if habits is None or times is None:
            return  # beyond a bound
        self._expect(host, slot_us)
        times.add(slot_us)
        if not rarity.is_common:
            habits.note(slot_us, rarity)

    def again(self, host: str, rule: str, time_us: int) -> Rarity | None:
        """Return how unusual a run that was counted at a time is by what is known now; None when it was not counted."""
        habits = self.hosts.get(host)
        # What counts is older than the lag, so that the run's own entry does not.
        return None if habits is None else self.rarity(habits, rule, slot_of(time_us))

    def unlearn(self, host: str, rule: str, time_us: int, rarity: Rarity) -> None:
        """Take back a run that was counted, as far as it is not yet part of a count."""
        habits, slot_us = self.hosts.get(host), slot_of(time_us)
        if habits is None:
            return
        if (times := habits.kinds.get(rule)) is not None and times.take_back(slot_us):
            _drop_empty(habits.kinds, rule)
            if (general := self.rules.get(rule)) is not None:
                general.take_back(slot_us)
                _drop_empty(self.rules, rule)
        if not rarity.is_common:
            habits.take_back(slot_us, rarity)
        if not habits.kinds:
            del self.hosts[host]
            self._due.pop(host, None)
            self._firsts.remove(habits.first_us)
        elif slot_us == habits.first_us and not any(one.count for one in habits.kinds.values()):
            self._move(habits, min(one.recent[0] for one in habits.kinds.values()))
        self.changed |= {f"host/{host}", f"rule/{rule}"}

    def _move(self, habits: Habits, first_us: int) -> None:
        self._firsts.remove(habits.first_us)
        insort(self._firsts, first_us)
        habits.first_us = first_us

    def rarity(self, habits: Habits, rule: str, slot_us: int) -> Rarity:
        """Return how unusual a rule is on a host in a slot: the same for all that begins in it."""
        until_us = slot_us - LAG_US
        time_us = slot_us + SLOT_US
        since_us = time_us if self.since_us is None else self.since_us
        days = max((time_us - since_us) / DAY_US, MIN_DAYS)
        times, general = habits.kinds.get(rule), self.rules.get(rule)
        seen = times.before(until_us) if times else 0
        hosts = max(1, bisect_left(self._firsts, slot_us))
        per_day = (seen + 1) / days
        episodes = habits.episodes(_level(per_day), until_us)
        everywhere = general.before(until_us) if general else 0
        # In general: what other hosts have daily is no wonder here, though it is new here.
        elsewhere = everywhere / (days * hosts)
        expected = max((seen + 1) / (days + 1), elsewhere)
        factor = (days / (1 + expected) + 0.5) / (days + 1)
        # A bit for each time that it is half as often as the everyday.
        novelty = 0 if everywhere else max(0, COMMON_LEVEL - _level(per_day))
        return Rarity(
            seen, per_day, (episodes + 1) / days, hosts, days, round(factor, 4), novelty
        )  # fmt: skip

    def weighed(
        self, host: str, time_us: int, rarity: Rarity, noted: Rarity | None = None
    ) -> Rarity:
        """Return a run's rarity with how often the site shows an episode as strong as the one that it is part of.

        By Laplace's rule over all hosts: a few days of one cannot tell what comes there once a month.

        Args:
            host: where the run is.
            time_us: when it began.
            rarity: of the run.
            noted: how unusual it was when it was counted; None where it was not.
        """
        habits = self.hosts.get(host)
        if habits is None:
            return rarity
        strength = habits.strength(
            slot_of(time_us), rarity.novelty - (noted.novelty if noted else 0)
        )
        if strength <= rarity.novelty:
            return rarity  # nothing else is new in it: its own rate says all
        known = sum(count for one, count in self.strengths.items() if one >= strength)
        return rarity._replace(site_per_day=(known + 1) / rarity.days)

    def absorb(self, now_us: int) -> None:
        """Make counts of times older than `RECENT_US`, by whole five minutes; halve a memory that is too long.

        Both happen at times that the clock's steps do not move, so that it does not show how often this is called.
        """
        until_us = (now_us - RECENT_US) // _STEP_US * _STEP_US
        if until_us <= self._absorbed_us:
            return
        while self.since_us is not None and until_us - self.since_us > _OLD_US:
            self._absorb(self.since_us + _OLD_US)
            self._halve()
            if not self.hosts and not self.rules:
                self.since_us += max(0, (until_us - self.since_us) // (_OLD_US // 2) - 1) * (
                    _OLD_US // 2
                )
        self._absorb(until_us)

    def _absorb(self, until_us: int) -> None:
        self._absorbed_us = until_us
        while self._queue and self._queue[0][0] < until_us:
            due_us, host = heappop(self._queue)
            if self._due.get(host) != due_us:
                continue
            del self._due[host]
            habits = self.hosts.get(host)
            if habits is None:
                continue
            closed = habits.absorb(until_us)
            if closed is not None:
                self.strengths.update(closed)
                self.changed.add(f"host/{host}")
            self._expect(host, habits.due_us())
        for rule, times in self.rules.items():
            if times.absorb(until_us):
                self.changed.add(f"rule/{rule}")

    def _expect(self, host: str, due_us: int | None) -> None:
        known_us = self._due.get(host)
        if due_us is not None and (known_us is None or due_us < known_us):
            self._due[host] = due_us
            heappush(self._queue, (due_us, host))

    def _halve(self) -> None:
        self.since_us = (self.since_us or 0) + _OLD_US // 2
        for host, habits in list(self.hosts.items()):
            self.changed.add(f"host/{host}")
            habits.levels, habits.strengths = (
                Counter({one: n // 2 for one, n in counts.items() if n > 1})
                for counts in (habits.levels, habits.strengths)
            )
            _thin(habits.kinds)
            if not (habits.kinds or habits.levels or habits.recent or habits.open):
                del self.hosts[host]
        self.changed |= {f"rule/{rule}" for rule in self.rules}
        _thin(self.rules)
        self._firsts = sorted(habits.first_us for habits in self.hosts.values())
        self._sum_up()

    def _sum_up(self) -> None:
        self.strengths = Counter()
        for habits in self.hosts.values():
            self.strengths.update(habits.strengths)

    # -------------------------------------------------------------- state

    def part(self, name: str) -> dict[str, Any] | None:
        """Return what a part of the state holds; None when it is gone."""
        kind, _, rest = name.partition("/")
        if kind == "rule":
            times = self.rules.get(rest)
            return None if times is None else {"times": _row(times)}
        habits = self.hosts.get(rest)
        if habits is None:
            return None
        return {
            "first": habits.first_us,
            "kinds": {rule: _row(times) for rule, times in habits.kinds.items()},
            "levels": sorted(habits.levels.items()),
            "strengths": sorted(habits.strengths.items()),
            "open": habits.open,
            "recent": habits.recent,
            "more": [[*row, more] for row, more in habits.more.items()],
        }

    def restore(self, name: str, part: dict[str, Any]) -> None:
        """Put back what `part` returned."""
        kind, _, rest = name.partition("/")
        if kind == "rule":
            self.rules[rest] = _times(part["times"])
            return
        habits = self.hosts[rest] = Habits(
            part["first"],
            {rule: _times(times) for rule, times in part["kinds"].items()},
            Counter({int(level): count for level, count in part["levels"]}),
            Counter({int(one): count for one, count in part.get("strengths") or ()}),
            None if part["open"] is None else (*part["open"], 0)[:3],
            [_noted(row) for row in part["recent"]],
            {_noted(row[:-1]): row[-1] for row in part.get("more") or ()},
        )
        self._expect(rest, habits.due_us())
        insort(self._firsts, part["first"])
        self.strengths.update(habits.strengths)

    def meta(self) -> list[int | None]:
        """Return the small numbers of the state."""
        return [self.since_us, self._absorbed_us]

    def restore_meta(self, row: list[Any]) -> None:
        """Put back what `meta` returned."""
        self.since_us, self._absorbed_us = row


def _row(times: Times) -> list[Any]:
    return [times.count, times.recent, list(times.more.items())]


def _times(row: list[Any]) -> Times:
    """Return what `_row` made of times; what an earlier version stored has no slots, and goes on as it is."""
    count, recent, *more = row
    return Times(count, recent, dict(more[0]) if more else {})


def _noted(row: list[int]) -> Noted:
    """Return what was noted; an earlier version did not keep what was new."""
    slot_us, level, novelty = (*row, 0)[:3]
    return slot_us, level, novelty


def _level(per_day: float) -> int:
    return floor(log2(per_day))


def _drop_empty(kinds: dict[str, Times], rule: str) -> None:
    times = kinds[rule]
    if not times.recent and not times.count:
        del kinds[rule]


def _thin(kinds: dict[str, Times]) -> None:
    for rule, times in list(kinds.items()):
        times.count //= 2
        if not times.count and not times.recent:
            del kinds[rule]
