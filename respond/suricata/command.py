"""Suricata's unix command socket: one JSON object a line, each answered by one.

Source: "Interacting via Unix Socket", Suricata 7.0 user guide, protocol 0.2; measured with 7.0.10.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from contract.errors import PointError

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest answer read; `command-list` takes 1 kB."""


class Answer(NamedTuple):
    """What Suricata says: whether it did, and its message, whose shape depends on the command."""

    is_ok: bool
    message: Any


class CommandSocket:
    """A connection that is made at first use, and anew after a failure. Calls must not overlap.

    Args:
        path: of the socket.
        patience_s: for connecting and for each answer; Suricata answers between two of its own turns.
    """

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, command: str, **arguments: str | int) -> Answer:
        """Send a command and return the answer; a connection that a restart of Suricata broke is made anew once.

        Raises:
            PointError: Suricata cannot be reached, does not answer, or answers nonsense.
        """
        message: dict[str, Any] = {"command": command}
        if arguments:
            message["arguments"] = arguments
        was_open = self._writer is not None
        try:
            return await self._exchange(message)
        except PointError:
            if not was_open:
                raise
        return await self._exchange(message)

    async def close(self) -> None:
        """Hang up."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                return  # the other side was faster

    async def _exchange(self, message: dict[str, Any]) -> Answer:
        try:
            async with asyncio.timeout(self._patience_s):
                if self._writer is None:
                    await self._connect()
                return await self._ask(message)
        except TimeoutError as error:
            await self.close()
            raise PointError(
                f"Suricata did not answer at {self._path} within {self._patience_s:g} s"
            ) from error
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            await self.close()
            raise PointError(f"Suricata at {self._path}: {_words(error)}") from error

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(
            self._path, limit=MAX_LINE_BYTES
        )
        answer = await self._ask({"version": "0.2"})
        if not answer.is_ok:
            raise ValueError(f"protocol 0.2 is not spoken: {answer.message}")

    async def _ask(self, message: dict[str, Any]) -> Answer:
        if self._writer is None or self._reader is None:
            raise EOFError
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()
        line = await self._reader.readuntil(b"\n")
        answer = json.loads(line)
        if not isinstance(answer, dict) or answer.get("return") not in ("OK", "NOK"):
            raise ValueError(f"expected an answer with return OK or NOK, came {line[:80]!r}")
        return Answer(answer["return"] == "OK", answer.get("message"))


def _words(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"{error.strerror}; is it running, with unix-command enabled and this filename?"
    if isinstance(error, PermissionError):
        return f"{error.strerror}; the engine's user must be able to write to the socket"
    if isinstance(error, EOFError):
        return "it hung up"
    return str(error)
