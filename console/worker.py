"""`opsonin worker`: one or several roles of the distributed engine in this process, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from console.places import config_option, settings_of
from contract.errors import OpsoninError, SettingsError
from runtime import clock, log
from runtime.compose import Composition, compose, engine_cache
from runtime.kafka.worker import WORKER_ROLES, Worker
from runtime.metrics import PrometheusMeter
from runtime.reload import Reloader
from runtime.settings import Settings
from runtime.surroundings import detect
from runtime.web import Faces, told_app


@click.command(epilog="Example: opsonin worker detect aggregate --config /etc/opsonin/opsonin.toml")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE…")
@config_option
def worker(roles: tuple[str, ...], config: Path | None) -> None:
    """Run roles of the engine on Kafka: ingest, detect, aggregate, link, decide, enforce, views, index, or all.

    Each worker needs a name of its own (kafka.member, OPSONIN_KAFKA__MEMBER, or the host's name). `opsonin topics apply`
    makes the topics first. `index` needs elastic.urls; without it, `all` leaves it out.
    """
    chosen = _chosen(roles)
    settings = settings_of(config).guarded(detect())
    if roles == ("all",) and not settings.elastic.urls:
        chosen = tuple(one for one in chosen if one != "index")
    log.configure(settings.log.level, settings.log.format)
    # The client tells of each failed attempt, with a traceback; what matters comes to us as an error.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    composition = compose(settings, cache_folder=engine_cache(settings))
    if composition.errors and settings.engine.stop_on_broken_rules:
        for error in composition.errors:
            click.echo(f"opsonin: {error}", err=True)
        raise SettingsError(
            f"{len(composition.errors)} broken rules, named above; mend them, or set engine.stop_on_broken_rules = false"
        )
    meter = PrometheusMeter()
    try:
        asyncio.run(_run(settings, composition, chosen, meter))
    except OSError as error:
        raise OpsoninError(f"cannot start: {error}") from error


async def _run(
    settings: Settings, composition: Composition, roles: tuple[str, ...], meter: PrometheusMeter
) -> None:
    running = Worker(settings, composition, roles, meter, clock.now_us)
    reloader = Reloader(settings, composition, running.renew, meter, clock.now_us)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.stop)
    loop.add_signal_handler(signal.SIGHUP, reloader.request)
    faces = Faces()
    watching = asyncio.create_task(reloader.run(), name="rules") if running.loops else None
    try:
        await faces.listen_tcp(_told_app(running, meter), settings.web, meter)
        await running.run()
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await faces.close()


def _told_app(running: Worker, meter: PrometheusMeter) -> web.Application:
    """Return the application for `/metrics`, `/healthz` (names the roles that are not healthy) and `/views`."""

    def health() -> tuple[bool, dict[str, Any]]:
        wrong = running.unhealthy()
        return not wrong, {"ready": not wrong, "unhealthy": wrong}

    async def views(_: web.Request) -> web.Response:
        if running.views is None:
            return web.json_response({"error": "this worker has not the role views"}, status=404)
        return web.json_response(running.views.row())

    app = told_app(meter, health)
    app.router.add_get("/views", views)
    return app


def _chosen(roles: tuple[str, ...]) -> tuple[str, ...]:
    if roles == ("all",):
        return WORKER_ROLES
    unknown = sorted(set(roles) - set(WORKER_ROLES))
    if unknown:
        raise click.BadParameter(
            f"expected roles of {', '.join(WORKER_ROLES)}, or all; came {', '.join(unknown)}"
        )
    return roles
