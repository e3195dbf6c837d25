"""Bounded reading of binary structures: nothing past the end, no negative length, one error."""

from __future__ import annotations

from typing import Literal

from contract.errors import ParseError


class BinaryReader:
    """A cursor over bytes of one byte order.

    Args:
        data: what is read.
        order: of integers.
        what: for messages.
    """

    __slots__ = ("at", "data", "order", "what")

    def __init__(self, data: bytes, order: Literal["little", "big"], what: str) -> None:
        self.data = data
        self.order: Literal["little", "big"] = order
        self.what = what
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            ParseError: fewer are left.
        """
        end = self.at + size
        if end > len(self.data):
            raise ParseError(
                f"{self.what}: expected {size} bytes at {self.at}, {len(self.data) - self.at} are left"
            )
        part = self.data[self.at : end]
        self.at = end
        return part

    def number(self, size: int) -> int:
        """Return the next unsigned integer of `size` bytes.

        Raises:
            ParseError: fewer are left.
        """
        return int.from_bytes(self.take(size), self.order)

    def sized(self, size: int) -> bytes:
        """Return bytes that stand behind their length, itself of `size` bytes.

        Raises:
            ParseError: fewer are left.
        """
        return self.take(self.number(size))

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at
