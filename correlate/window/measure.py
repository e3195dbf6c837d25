"""Measures of a span's values that take one in and give one back: count, distinct, sum, average, rank.

None is rescanned per event. Sums are exact (whole numbers or fractions), so that the order in which
values came never shows.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from fractions import Fraction
from typing import Any, Protocol

from typing_extensions import override

from correlate.window.condition import Number

_BLOCK = 512
"""Values in a block of the sorted list; moving them costs less than finding a place in a tree."""


class Measure(Protocol):
    """A number that describes many values, kept up as they come and go."""

    def add(self, value: Any) -> None:
        """Take a value in."""

    def remove(self, value: Any) -> None:
        """Give back a value that was taken in."""

    def ratio(self, newest: Any) -> tuple[Number, int]:
        """Return the measure as (over, under): comparing costs less than dividing.

        There is at least one value, and `newest` is one of them.
        """

    def clear(self) -> None:
        """Give all back."""


class Count:
    """How many."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, value: Any) -> None:
        self.count += 1

    def remove(self, value: Any) -> None:
        self.count -= 1

    def ratio(self, newest: Any) -> tuple[Number, int]:
        return self.count, 1

    def clear(self) -> None:
        self.count = 0


class Distinct:
    """How many different ones; O(1) whatever their number."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}

    def add(self, value: Any) -> None:
        self.counts[value] = self.counts.get(value, 0) + 1

    def remove(self, value: Any) -> None:
        left = self.counts[value] - 1
        if left:
            self.counts[value] = left
        else:
            del self.counts[value]

    def ratio(self, newest: Any) -> tuple[Number, int]:
        return len(self.counts), 1

    def clear(self) -> None:
        self.counts.clear()


class Share(Distinct):
    """The newest value's share of all, in percent: how rare it is."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @override
    def add(self, value: Any) -> None:
        super().add(value)
        self.total += 1

    @override
    def remove(self, value: Any) -> None:
        super().remove(value)
        self.total -= 1

    @override
    def ratio(self, newest: Any) -> tuple[Number, int]:
        return 100 * self.counts[newest], self.total

    @override
    def clear(self) -> None:
        super().clear()
        self.total = 0


class Sum:
    """Their sum."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total: Number = 0

    def add(self, value: Any) -> None:
        self.total += value

    def remove(self, value: Any) -> None:
        self.total -= value

    def ratio(self, newest: Any) -> tuple[Number, int]:
        return self.total, 1

    def clear(self) -> None:
        self.total = 0


class Average:
    """Their arithmetic mean."""

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.total: Number = 0
        self.count = 0

    def add(self, value: Any) -> None:
        self.total += value
        self.count += 1

    def remove(self, value: Any) -> None:
        self.total -= value
        self.count -= 1

    def ratio(self, newest: Any) -> tuple[Number, int]:
        return self.total, self.count

    def clear(self) -> None:
        self.total = 0
        self.count = 0


class Percentile:
    """The value at a rank, interpolated between its neighbours, so that 50 is the median; O(√n).

    A list of sorted blocks: an insertion moves at most one block.
    """

    __slots__ = ("above", "below", "blocks", "count")

    def __init__(self, percentile: Fraction) -> None:
        rank = percentile / 100
        self.above, self.below = rank.numerator, rank.denominator
        self.blocks: list[list[Number]] = []
        self.count = 0

    def _block(self, value: Number) -> int:
        low, high = 0, len(self.blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle][-1] < value:
                low = middle + 1
            else:
                high = middle
        return low

    def add(self, value: Any) -> None:
        self.count += 1
        if not self.blocks:
            self.blocks.append([value])
            return
        index = self._block(value)
        block = self.blocks[index]
        insort(block, value)
        if len(block) > 2 * _BLOCK:
            self.blocks.insert(index + 1, block[_BLOCK:])
            del block[_BLOCK:]

    def remove(self, value: Any) -> None:
        self.count -= 1
        index = self._block(value)
        block = self.blocks[index]
        del block[bisect_left(block, value)]
        if not block:
            del self.blocks[index]

    def _at(self, place: int) -> Number:
        for block in self.blocks:
            if place < len(block):
                return block[place]
            place -= len(block)
        raise IndexError(place)

    def ratio(self, newest: Any) -> tuple[Number, int]:
        place, part = divmod(self.above * (self.count - 1), self.below)
        low = self._at(place)
        if not part:
            return low, 1
        high = self._at(place + 1)
        return low * self.below + (high - low) * part, self.below

    def clear(self) -> None:
        self.blocks.clear()
        self.count = 0
