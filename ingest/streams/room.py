"""Bytes that all posts of a source may hold together, from the first that is read until their records are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from ingest.streams.packing import TooLargeError


class FullError(Exception):
    """What others hold leaves no room."""


class Room:
    """Room for bodies.

    Args:
        bound_bytes: held by all; a body that is alone may be larger, since its own bound allows it.
    """

    def __init__(self, bound_bytes: int) -> None:
        self._bound = bound_bytes
        self.held = 0

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Give what one post calls for each part that it holds, and let go of all of it in the end.

        Raises:
            FullError: within; there is no room for this part.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self.held > mine and self.held + size > self._bound:
                raise FullError
            self.held += size
            mine += size

        try:
            yield take
        finally:
            self.held -= mine


async def read_body(
    request: web.Request, bound: int, limit_s: float, hold: Callable[[int], None]
) -> bytes:
    """Return a body as it is sent, within what it and all may hold.

    Raises:
        TooLargeError: it is longer than `bound`; of one that says so, nothing is read.
        FullError: there is no room.
        TimeoutError: it took longer than `limit_s`.
    """
    size, parts = 0, list[bytes]()
    if (request.content_length or 0) > bound:
        raise TooLargeError(f"{request.content_length} bytes")
    async with asyncio.timeout(limit_s):
        async for part in request.content.iter_any():
            size += len(part)
            if size > bound:
                raise TooLargeError(f"more than {bound} bytes")
            hold(len(part))
            parts.append(part)
    return b"".join(parts)
