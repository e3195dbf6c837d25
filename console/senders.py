"""Clients of the engine's own sources, for `opsonin play`: one record at a time, as a sensor would send it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from contract.errors import OpsoninError, SettingsError
from runtime.settings import SourceConfig

_OK = range(200, 300)


class Sender(Protocol):
    """A connection to one source."""

    async def send(self, raw: bytes) -> None:
        """Send one record whole."""

    async def close(self) -> None:
        """Let go; what was sent arrives."""


class _Datagrams:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
        )
        self._socket.connect((host, port))

    async def send(self, raw: bytes) -> None:
        self._socket.send(raw)

    async def close(self) -> None:
        self._socket.close()


class _Stream:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw + b"\n")
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class _Posts:
    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(headers=headers)

    async def send(self, raw: bytes) -> None:
        async with self._session.post(
            self._url, data=raw, headers={"Content-Type": "application/json"}
        ) as answer:
            if answer.status not in _OK:
                raise OpsoninError(
                    f"{self._url} answered {answer.status}: {(await answer.text())[:200]}"
                )

    async def close(self) -> None:
        await self._session.close()


async def open_sender(config: SourceConfig) -> Sender:
    """Connect to a source as its settings say; wildcard addresses are reached on loopback.

    Raises:
        SettingsError: records cannot be sent to a source of this type.
        OSError: nothing listens there.
    """
    settings: Any = config.settings
    match config.type.name:
        case "syslog_udp":
            return _Datagrams(_reachable(settings.host), settings.port)
        case "syslog_tcp":
            return _Stream(
                (await asyncio.open_connection(_reachable(settings.host), settings.port))[1]
            )
        case "unix_stream":
            return _Stream((await asyncio.open_unix_connection(str(settings.path)))[1])
        case "http":
            return _Posts(
                f"http://{_reachable(settings.host)}:{settings.port}{settings.path}",
                _token(settings),
            )
        case other:
            raise SettingsError(
                f"source {config.name!r} is of type {other}; records can be sent to sockets only"
            )


def _token(settings: Any) -> dict[str, str]:
    path: Path | None = getattr(settings, "token_file", None)
    return {"Authorization": f"Bearer {path.read_text().strip()}"} if path else {}


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
