"""Members of a crowd at rest: one rule's alerts against one target from ever new sources, kept as a row each.

A crowd joins nothing by its target, so a member can only be joined by its own source. Until something asks for that source, or
for anything else that it names, it needs no run, no knot and no chain: it rests here and wakes as the run that it would have
been. What may change what it is wakes it: a revision, a retraction, a repetition, a binding, a relation, a smaller crowd.

Members that began in one minute are as unusual as each other, so they are weighed, stored and forgotten together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Final

from contract.records import Alert, Entity
from contract.timestamps import microseconds
from correlate.chain.baseline import Baseline
from correlate.chain.habits import SLOT_US, slot_of
from correlate.chain.postings import Place, Postings
from correlate.chain.rests import Group, Kind, Rest, Rests
from correlate.chain.runs import Member, Reach, Run, rule_of
from correlate.chain.settings import LinkSettings
from correlate.chain.signature import facts_of
from correlate.chain.stages import ATTESTATION_RESULT
from correlate.chain.surroundings import Surroundings

_ADDRESSED: Final = frozenset({"host.ip", ATTESTATION_RESULT})
"""Fields by which an alert says more than whom it is about."""

PLAIN: Final = frozenset({"ip", "mac", "flow", "domain", "url"})
"""Types that an alert may name and rest: they join by what they are, not by what else the alert says."""


class Resting:
    """All members at rest.

    Args:
        postings: where they count towards crowds.
        baseline: where they count towards habits.
        around: what is known of the things that they name.
        settings: bounds and spans.

    Attributes:
        rests: the members.
        lost: how many the bound put out.
    """

    def __init__(
        self, postings: Postings, baseline: Baseline, around: Surroundings, settings: LinkSettings
    ) -> None:
        self._postings = postings
        self._baseline = baseline
        self._around = around
        self._crowd = settings.crowd
        self._bound = settings.max_resting
        self._lateness_us = microseconds(settings.lateness)
        self._over_us = microseconds(settings.lifetime) + self._lateness_us
        self._ends: list[tuple[int, int]] = []
        self.rests = Rests()
        self.lost = 0

    # -------------------------------------------------------------- to rest

    def takes(
        self, alert: Alert, signature: str, signing: tuple[Entity, ...], member: Member
    ) -> bool:
        """Lay a new alert to rest if it is a member of a crowd of whose things nobody else has any; tell whether."""
        if not _ADDRESSED.isdisjoint(alert.fields) or member.last_us - member.time_us > SLOT_US:
            return False
        crowd = self._crowd_of(alert.rule.id, signing, member.time_us)
        if crowd is None:
            return False
        target, place = crowd
        keys = self._keys(target, (*signing, *member.floating), member.time_us)
        if not keys:
            return False
        rule = alert.rule
        minute_us = slot_of(member.time_us)
        kind = Kind(
            place,
            target,
            (rule.id, rule.name, rule.level),
            alert.tactics,
            alert.techniques,
            minute_us,
        )
        group = self.rests.filling(kind)
        if group is None:
            rarity = self._baseline.learn(target, rule.id, member.time_us)
            group = self.rests.begin(kind, rarity)
            self._await(group)
        else:
            self._baseline.count(target, rule.id, minute_us, group.rarity)
        self.rests.put(Rest(signature, signing, facts_of(alert), member, keys, group))
        self._postings.open(place).tally(self._postings.slot_at(member.time_us), 1)
        while len(self.rests) > self._bound and (oldest := self.rests.oldest()) is not None:
            self.lost += self._end(oldest)
        return True

    def _crowd_of(
        self, rule: str, signing: tuple[Entity, ...], time_us: int
    ) -> tuple[str, Place] | None:
        """Return the address against which these things go, and the crowd that does; None where they are in none."""
        target = ""
        for one in signing:
            if one.role == "target" and one.type == "ip":
                if target:
                    return None
                target = one.value
        if not target:
            return None
        key = self._around.key_of(target, "v", time_us)
        column = self._postings.column(key, "v", rule)
        slot = self._postings.slot_at(time_us)
        if column is None or column.size(slot) <= self._crowd:
            return None
        if self._crowd in (column.size(slot - 1), column.size(slot + 1)):
            return None  # it makes a crowd of those beside it, too: they must be told
        return target, (key, "v", rule)

    def _keys(self, target: str, named: tuple[Entity, ...], time_us: int) -> tuple[str, ...]:
        """Return by what one can be asked for; nothing where somebody asks already."""
        keys: list[str] = []
        for one in named:
            kind, value = one.type, one.value
            if (
                kind not in PLAIN
                or one.role == "subject"
                or (value == target and one.role != "target")
            ):
                return ()
            if kind == "ip" and one.role == "target":
                continue
            key = f"{kind}|{value}"
            keys.append(key)
            if kind == "ip" and (bound := self._around.key_of(value, "a", time_us)) != key:
                keys.append(bound)
        if any(
            self.rests.of_key(one) is not None
            or self._postings.at_any(one)
            or self._around.leads(one)
            for one in keys
        ):
            return ()
        return tuple(keys)

    def _await(self, group: Group) -> None:
        # Ripe first, over later: both are told by the one heap.
        wait_us = self._over_us if group.is_ripe else self._lateness_us
        heappush(self._ends, (group.kind.minute_us + SLOT_US + wait_us, group.number))

    # -------------------------------------------------------------- who wakes

    def against(self, thing: str) -> Iterator[Rest]:
        """Yield the members whose target a thing is, and is not known by the name of their crowd. O(groups + theirs)."""
        for group in self.rests:
            ip = group.kind.target
            if thing in (f"ip|{ip}", group.kind.place[0]):
                for rest in group.rests.values():
                    if self._around.key_of(ip, "v", rest.member.time_us) != group.kind.place[0]:
                        yield rest

    def uneasy(self, rule: str, reaches: Iterable[Reach]) -> list[Rest]:
        """Return the members that are in no crowd any more, now that a run of theirs is gone from these things."""
        found: list[Rest] = []
        for reach in reaches if self.rests else ():
            place = (reach.key, reach.side, rule)
            column = self._postings.column(*place)
            for group in self.rests.at(place):
                if column is not None:
                    found.extend(
                        rest
                        for rest in group.rests.values()
                        if column.size(self._postings.slot_at(rest.member.time_us)) <= self._crowd
                    )
        return found

    def wake(self, rest: Rest, number: int) -> Run:
        """Return the run that a member has been all the while; it counts towards nothing here any more."""
        group, member = rest.group, rest.member
        kind = group.kind
        run = Run(
            number, rest.signature, rule_of(*kind.rule), kind.tactics, kind.techniques, rest.signing,
            rest.facts,
        )  # fmt: skip
        run.put(member, 1)
        run.rarity, run.noted_us = group.rarity, member.time_us
        run.ripe_us = None if group.is_ripe else member.time_us + self._lateness_us
        self._postings.open(kind.place).tally(self._postings.slot_at(member.time_us), -1)
        self.rests.take_out(rest)
        return run

    # -------------------------------------------------------------- time

    def wake_at(self) -> int | None:
        """Return when the next group is ripe or over."""
        return self._ends[0][0] if self._ends else None

    @property
    def oldest_us(self) -> int | None:
        """When the oldest member began, to the minute; None where none rests."""
        oldest = self.rests.oldest()
        return None if oldest is None else oldest.kind.minute_us

    def pass_time(self, now_us: int) -> None:
        """Weigh for good what is ripe, and forget what is over."""
        while self._ends and self._ends[0][0] <= now_us:
            _, number = heappop(self._ends)
            group = self.rests.group(number)
            if group is None:
                continue
            if group.is_ripe:
                self._end(group)
            else:
                self._ripen(group)

    def _ripen(self, group: Group) -> None:
        target, minute_us = group.kind.target, group.kind.minute_us
        rule, *_ = group.kind.rule
        group.is_ripe = True
        self.rests.changed.add(group.number)
        self._await(group)
        rarity = self._baseline.again(target, rule, minute_us)
        if rarity is None or rarity == group.rarity:
            return
        for _ in group.rests:
            self._baseline.unlearn(target, rule, minute_us, group.rarity)
        for _ in group.rests:
            rarity = self._baseline.learn(target, rule, minute_us)
        group.rarity = rarity

    def _end(self, group: Group) -> int:
        """Let go of a group whose time is over; its members go on to count towards crowds. Return how many they were."""
        members = list(group.rests.values())
        for rest in members:
            self.rests.take_out(rest)
            self._postings.end(group.kind.place, self._postings.slot_at(rest.member.time_us))
        return len(members)

    # -------------------------------------------------------------- state

    def restore(self, group: Group) -> None:
        """Put back a group with its members."""
        self.rests.hold(group)
        self._await(group)
        column = self._postings.open(group.kind.place)
        for rest in group.rests.values():
            column.tally(self._postings.slot_at(rest.member.time_us), 1)
