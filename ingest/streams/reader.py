"""What a connection asks of the reader that cuts its stream into records, and of one whose peer waits for answers."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Reader(Protocol):
    """Cuts one peer's stream into records.

    Attributes:
        cut: how many records were cut at the bound since it was last set to 0.
    """

    cut: int

    @property
    def held(self) -> int:
        """Bytes of unfinished records."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the records that they complete.

        Raises:
            ParseError: the peer does not keep to the protocol; the connection ends.
        """

    def end(self) -> list[bytes]:
        """Return what stands after the last complete record when the stream ends."""


@runtime_checkable
class Answers(Protocol):
    """Of a reader whose peer waits for answers.

    Attributes:
        alive: what tells a waiting peer that we are still at it; empty: nothing does.
        farewell: what is said before we hang up.
        is_over: the peer has said that it will send no more.
    """

    alive: bytes
    farewell: bytes
    is_over: bool

    def replies(self) -> bytes:
        """Return what is to be said at once, since last asked."""

    def receipt(self) -> bytes:
        """Return what is to be said once the records returned since last asked are durable."""
