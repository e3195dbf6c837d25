"""How many different values, when there are too many to keep: HyperLogLog over a sliding span.

Source: Flajolet et al., "HyperLogLog" (AofA 2007); 2**12 registers, standard error 1.04/sqrt(4096) = 1.6 %.
The span is cut into panes with a sketch each, because a value cannot be taken out of a sketch; the oldest pane is
counted whole until it has left the span.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log

_BITS = 12
_REGISTERS = 1 << _BITS
_RANKS = 64 - _BITS + 2
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)

ERROR = round(1.04 / _REGISTERS**0.5, 4)
"""Standard error of an estimate, as a share."""

PANES = 16


class SlidingSketch:
    """Distinct values of the last span, estimated. Adding a value twice changes nothing."""

    __slots__ = ("_histogram", "_merged", "panes", "width")

    def __init__(self, span_us: int) -> None:
        self.width = max(1, span_us // PANES)
        self.panes: dict[int, bytearray] = {}
        self._merged = bytearray(_REGISTERS)
        self._histogram = [_REGISTERS, *([0] * (_RANKS - 1))]

    def add(self, time: int, value: object) -> None:
        """Take a value of a time; O(1)."""
        digest = blake2b(str(value).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        register = number & (_REGISTERS - 1)
        rank = 64 - _BITS - (number >> _BITS).bit_length() + 1
        pane = self.panes.get(time // self.width)
        if pane is None:
            pane = self.panes[time // self.width] = bytearray(_REGISTERS)
        pane[register] = max(pane[register], rank)
        self._raise(register, rank)

    def _raise(self, register: int, rank: int) -> None:
        known = self._merged[register]
        if rank > known:
            self._merged[register] = rank
            self._histogram[known] -= 1
            self._histogram[rank] += 1

    def expire(self, since: int) -> bool:
        """Let go of panes that ended before a time; tell whether any did. O(registers x panes) then."""
        gone = [pane for pane in self.panes if (pane + 1) * self.width <= since]
        for pane in gone:
            del self.panes[pane]
        if gone:
            self._merge()
        return bool(gone)

    def _merge(self) -> None:
        self._merged = bytearray(_REGISTERS)
        if self.panes:
            self._merged = bytearray(map(max, zip(*self.panes.values(), strict=True)))
        self._histogram = [0] * _RANKS
        for rank in self._merged:
            self._histogram[rank] += 1

    def count(self) -> int:
        """Return the estimate; O(ranks)."""
        inverse = sum(n * 2.0**-rank for rank, n in enumerate(self._histogram) if n)
        estimate = _ALPHA * _REGISTERS * _REGISTERS / inverse
        empty = self._histogram[0]
        if estimate <= 2.5 * _REGISTERS and empty:  # linear counting, as in the paper
            estimate = _REGISTERS * log(_REGISTERS / empty)
        return round(estimate)

    def save(self) -> dict[int, bytes]:
        """Return the panes."""
        return {pane: bytes(data) for pane, data in self.panes.items()}

    def load(self, panes: dict[int, bytes]) -> None:
        """Take saved panes.

        Raises:
            ValueError: not what `save` gave.
        """
        self.panes = {pane: bytearray(data) for pane, data in panes.items()}
        if any(len(data) != _REGISTERS for data in self.panes.values()):
            raise ValueError("a sketch has another number of registers")
        self._merge()
