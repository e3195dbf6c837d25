"""What is known around runs: what lies up from things, who addresses were; and which runs something new concerns."""

from __future__ import annotations

from collections.abc import Iterable

from contract.event import Fields, Observation
from contract.timestamps import microseconds
from correlate.chain.edges import DAY_US, HOUR_US
from correlate.chain.hubs import Hubs
from correlate.chain.reach import reach_of
from correlate.chain.relations import Relations
from correlate.chain.runs import Reach, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.whose import Whose


class Surroundings:
    """Relations and bindings of one site.

    Attributes:
        hubs: what makes no join.
        relations: what lies up from things.
        whose: what addresses and other names stand for.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self.hubs = Hubs(settings.hubs)
        self.relations = Relations(settings.max_relations)
        self.whose = Whose(self.hubs, settings.host_networks)
        self._by_name: dict[str, dict[Run, None]] = {}
        self._lifetime_us = microseconds(settings.lifetime)
        self._lateness_us = microseconds(settings.lateness)

    def learn(self, seen: Observation) -> list[str]:
        """Take what an event tells of causes; return the keys from which something new can be reached."""
        return self.relations.learn(seen)

    def rename(self, fields: Fields, time_us: int) -> list[str]:
        """Learn what names stand for; return the things (`type|value`) of which something is new."""
        return list(self.whose.learn(fields, time_us))

    def note(self, said: Iterable[tuple[str, str]], time_us: int) -> list[str]:
        """Take what an alert says of names; return the things of which something is new."""
        return list(self.whose.note(said, time_us))

    def asking(self, things: Iterable[str]) -> set[Run]:
        """Return the runs that hang on what things stand for of which something was told before; others reach these themselves."""
        return {run for thing in things for run in self._by_name.get(thing, ())}

    def reach(self, run: Run) -> tuple[Reach, ...]:
        """Return through what a run can be joined, and keep in mind whose addresses that depends on."""
        asked: set[str] = set()
        found = reach_of(run, self.relations, self.whose, self._lifetime_us, asked)
        if asked != run.asked:
            self.leave(run)
            run.asked = frozenset(asked)
            for thing in run.asked:
                self._by_name.setdefault(thing, {})[run] = None
        return found

    def key_of(self, ip: str, side: str, time_us: int) -> str:
        """Return the key that an address stands for at a time."""
        return (
            self.whose.at(time_us, set()).address(ip, side).key
            if self.whose.knows(ip, side)
            else f"ip|{ip}"
        )

    def leads(self, key: str) -> bool:
        """Tell whether anything is known to lie up from a thing."""
        return self.relations.leads(key)

    def leave(self, run: Run) -> None:
        """Keep a run in mind no more."""
        for thing in run.asked:
            named = self._by_name.get(thing)
            if named is not None:
                named.pop(run, None)
                if not named:
                    del self._by_name[thing]
        run.asked = frozenset()

    def forget_before(self, now_us: int, oldest_us: int) -> int:
        """Let go of what no run can ask for any more, one that is late or still open included; return the time.

        Args:
            now_us: event time.
            oldest_us: beginning of the oldest run that is open.
        """
        before_us = (
            min(oldest_us, now_us - self._lateness_us) - max(self._lifetime_us, DAY_US) - HOUR_US
        )
        self.relations.forget(before_us)
        self.whose.forget(before_us)
        return before_us
