"""Groups that surely satisfy nothing yet: no more than their entries, and one number that says how near they are.

An outlook is a condition that must hold before a rule can: all parts of some alternative were seen, the values that are above
zero reach the sum, one value reaches the mean or rank. It is told of every entry in a step or two, without a look at the
entries before, and may be too hopeful, never too sure: what has left the time frame may still count. Only a group whose
rule may hold becomes a window, which decides exactly.
"""

from __future__ import annotations

from typing import Any, Protocol

from correlate.window.condition import Number, Presence
from correlate.window.entry import Entries, Entry


class Young(list[Entry]):
    """Entries of a group, in order.

    Attributes:
        reach: how near they are; what it means is its outlook's.
    """

    __slots__ = ("reach",)

    def __init__(self, entries: Entries, reach: Any) -> None:
        super().__init__(entries)
        self.reach = reach


class Outlook(Protocol):
    """Tells of entries whether a rule may hold."""

    def of(self, entries: Entries) -> Any:
        """Return how near entries are."""

    def suffices(self, reach: Any) -> bool:
        """Tell whether a rule may hold where entries are so near."""

    def may(self, young: Young, entry: Entry) -> bool:
        """Tell whether the rule may hold with an entry more, which comes next; O(1) unless it may."""


class Unknown:
    """Nothing is known: it may hold."""

    __slots__ = ()

    def of(self, entries: Entries) -> None:
        return None

    def suffices(self, reach: None) -> bool:
        return True

    def may(self, young: Young, entry: Entry) -> bool:
        return True


class Parts:
    """Which parts were seen, a bit each: all of some alternative must have been."""

    __slots__ = ("wanted",)

    def __init__(self, presence: Presence) -> None:
        self.wanted = [sum(1 << part for part in wanted) for wanted, _ in presence.clauses]

    def of(self, entries: Entries) -> int:
        seen = 0
        for entry in entries:
            seen |= 1 << entry[1]
        return seen

    def suffices(self, reach: int) -> bool:
        return any(reach & wanted == wanted for wanted in self.wanted)

    def may(self, young: Young, entry: Entry) -> bool:
        bit = 1 << entry[1]
        reach: int = young.reach
        if reach & bit:
            return False  # it did not suffice before, and nothing new is there
        if self.suffices(reach | bit):
            reach = self.of(young)
        young.reach = reach = reach | bit
        return self.suffices(reach)


class Total:
    """The sum of the values above zero: no time frame has more."""

    __slots__ = ("least",)

    def __init__(self, least: Number) -> None:
        self.least = least

    def of(self, entries: Entries) -> Number:
        return sum(max(0, entry[3]) for entry in entries)  # type: ignore[type-var,misc]  # of sums all are numbers

    def suffices(self, reach: Number) -> bool:
        return reach >= self.least

    def may(self, young: Young, entry: Entry) -> bool:
        value: Any = entry[3]
        if value > 0:
            young.reach += value
        if young.reach < self.least:
            return False
        young.reach = self.of([*young, entry])
        return self.suffices(young.reach)


class Highest:
    """The highest value: no mean and no rank is above it."""

    __slots__ = ("least",)

    def __init__(self, least: Number) -> None:
        self.least = least

    def of(self, entries: Entries) -> Number:
        return max(entry[3] for entry in entries)  # type: ignore[type-var,return-value]  # of means and ranks all are numbers

    def suffices(self, reach: Number) -> bool:
        return reach >= self.least

    def may(self, young: Young, entry: Entry) -> bool:
        value: Any = entry[3]
        if value < self.least and young.reach < self.least:
            return False
        young.reach = self.of([*young, entry])
        return self.suffices(young.reach)
