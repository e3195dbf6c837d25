"""`opsonin console`: the web pages by themselves, of an engine that runs elsewhere, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from aiohttp import web

from console.desks import MOST_NEAR, NEAR, StoreDesk
from console.pages import Pages, Shelf
from console.places import config_option, settings_of
from console.web import add_pages
from contract.errors import OpsoninError
from runtime import log
from runtime.elastic.client import connect
from runtime.elastic.shelf import IndexShelf
from runtime.metrics import PrometheusMeter
from runtime.settings import Settings
from runtime.web import Faces, told_app


@click.command(epilog="Example: opsonin console --in elastic --config /etc/opsonin/opsonin.toml")
@config_option
@click.option("--in", "place", type=click.Choice(["store", "elastic"]), default="elastic", show_default=True, help="where to look")  # fmt: skip
def console(config: Path | None, place: str) -> None:
    """Serve the pages of chains, alerts and policy at [web]; `opsonin run` serves its own."""
    settings = settings_of(config)
    log.configure(settings.log.level, settings.log.format)
    try:
        with _shelf(settings, place) as shelf:
            asyncio.run(_serve(Pages(shelf, settings.link), settings))
    except OSError as error:
        raise OpsoninError(f"cannot start: {error}") from error


@contextmanager
def _shelf(settings: Settings, place: str) -> Iterator[Shelf]:
    if place == "store":
        yield StoreDesk(settings)
        return
    client = connect(settings.elastic)
    try:
        yield IndexShelf(client, settings.elastic.namespace, NEAR, MOST_NEAR)
    finally:
        client.close()


async def _serve(pages: Pages, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    meter = PrometheusMeter()
    app: web.Application = told_app(meter, lambda: (True, {"ready": True}))
    add_pages(app, pages)
    faces = Faces()
    try:
        await faces.listen_tcp(app, settings.web, meter)
        await stop.wait()
    finally:
        await faces.close()
