"""Speak to the running engine through its control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from contract.errors import OpsoninError

_OK = 200


def ask(socket: Path, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return the engine's JSON answer.

    Raises:
        OpsoninError: no engine listens there, or it refuses; says why.
    """
    return asyncio.run(_ask(socket, method, path, body))


async def _ask(socket: Path, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.request(method, f"http://engine{path}", json=body) as answer,
        ):
            content = await answer.json()
    except (aiohttp.ClientConnectionError, FileNotFoundError) as error:
        raise OpsoninError(f"no engine listens at {socket}; start `opsonin run` first") from error
    if answer.status != _OK:
        raise OpsoninError(content["error"])
    return content
