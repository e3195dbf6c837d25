"""Two HTTP faces of a running engine: what only shows (metrics, health, pages) on TCP, commands on a unix socket.

The socket lies in the data folder with mode 0600: who may open it may command.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web
from pydantic import ValidationError

from contract.event import Notice
from contract.ports import Meter
from contract.records import Chain, Decision
from runtime import words
from runtime.embedded import Embedded
from runtime.metrics import CONTENT_TYPE, PrometheusMeter
from runtime.web_access import HEALTH, WebSettings, context_of, gate

log = structlog.get_logger()

SOCKET_NAME = "control.sock"
_VERBS = ("approve", "reject", "revert")
_MAX_BODY_BYTES = 65_536


def told_app(
    meter: PrometheusMeter, health: Callable[[], tuple[bool, dict[str, Any]]]
) -> web.Application:
    """Return the application for `/metrics` and `/healthz`.

    Args:
        meter: its counts.
        health: says whether all is well, and the answer's body.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=meter.text(), headers={"Content-Type": CONTENT_TYPE})

    async def healthy(_: web.Request) -> web.Response:
        is_well, body = health()
        return web.json_response(body, status=200 if is_well else 503)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get(HEALTH, healthy)
    return app


def control_app(
    host: Embedded,
    meter: PrometheusMeter,
    clock: Callable[[], int],
    rules: Callable[[], dict[str, Any]] = dict,
) -> web.Application:
    """Return the application for commands: policy, dead letters, status.

    Args:
        host: that runs.
        meter: its counts.
        clock: wall clock, microseconds.
        rules: says which rules are in force.
    """

    async def command(request: web.Request) -> web.Response:
        verb, decision = request.match_info["verb"], request.match_info["decision"]
        if verb not in _VERBS:
            return web.json_response(
                {"error": f"expected one of {', '.join(_VERBS)}, came {verb!r}"}, status=404
            )
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, str])
        except msgspec.DecodeError as error:
            return web.json_response({"error": f"body: {error}"}, status=400)
        changed: list[Decision] = await host.command(words.command(verb, decision, body, clock()))
        if not changed:
            reason = f"no decision {decision} can be {_past(verb)} now; see `opsonin policy list`"
            return web.json_response({"error": reason}, status=409)
        return web.json_response([one.model_dump(mode="json") for one in changed])

    async def correct(request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            word = words.correction(request.match_info["verb"], body, clock())
        except (msgspec.DecodeError, ValidationError) as error:
            return web.json_response({"error": f"not a correction: {error}"}, status=400)
        told = await host.correct(word)
        refused = [one.text for one in told if isinstance(one, Notice)]
        changed = [one.model_dump(mode="json") for one in told if isinstance(one, Chain)]
        if refused and not changed:
            return web.json_response({"error": refused[0]}, status=409)
        return web.json_response({"correction": word.id, "chains": changed})

    async def status(_: web.Request) -> web.Response:
        ready = host.ready.is_set()
        return web.json_response(
            {"ready": ready, "pid": os.getpid(), "rules": rules(), "metrics": meter.values()}
        )

    async def revive(_: web.Request) -> web.Response:
        read, dead = await host.revive()
        return web.json_response({"read": read, "dead": dead})

    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post("/dead-letters/replay", revive)
    app.router.add_post("/policy/{decision}/{verb}", command)
    app.router.add_post("/chains/{verb}", correct)
    app.router.add_get("/status", status)
    return app


def _past(verb: str) -> str:
    return {"approve": "approved", "reject": "rejected", "revert": "reverted"}[verb]


class Faces:
    """Applications, listening."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []

    async def listen_tcp(self, app: web.Application, settings: WebSettings, meter: Meter) -> int:
        """Listen on TCP, for those whom the settings let in; return the port.

        Raises:
            OSError: the address is in use.
            SettingsError: a file of the settings cannot be read, or holds something else.
        """
        app.middlewares.append(gate(settings, meter))
        context = context_of(settings)
        runner = await self._runner(app)
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
        await site.start()
        server: Any = site._server  # noqa: SLF001 - the port taken for 0 is not public in aiohttp 3.14
        port = int(server.sockets[0].getsockname()[1])
        log.info("web.listening", host=settings.host, port=port, tls=context is not None)
        return port

    async def listen_unix(self, app: web.Application, path: Path) -> None:
        """Listen on a socket file that only this user may open; one left by a killed engine is replaced."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - at start, one system call
        before = os.umask(0o177)
        try:
            await web.UnixSite(await self._runner(app), str(path)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening."""
        for runner in self._runners:
            await runner.cleanup()

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2)
        await runner.setup()
        self._runners.append(runner)
        return runner
