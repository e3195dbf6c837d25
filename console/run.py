"""`opsonin run`: the engine in one process, until Ctrl-C; the next start goes on where this one ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from console.desks import StoreDesk
from console.pages import Pages
from console.places import config_option, open_store, settings_of
from console.play import Line, read_lines, send
from console.view import View
from console.web import add_pages
from contract.errors import OpsoninError, SettingsError
from runtime import clock, log
from runtime.compose import Composition, compose, engine_cache
from runtime.embedded import Embedded
from runtime.metrics import PrometheusMeter
from runtime.reload import Reloader
from runtime.settings import Settings
from runtime.store import Store
from runtime.surroundings import detect
from runtime.web import SOCKET_NAME, Faces, control_app, told_app

if TYPE_CHECKING:
    from runtime.elastic.follow import Follower

_STOP_LIMIT_S = 20
_DRAIN_S = 5
"""How long the end waits for Elasticsearch to take what is committed; the rest is sent after the next start."""


@click.command(epilog="Example: opsonin run --config /etc/opsonin/opsonin.toml")
@config_option
@click.option(
    "--play",
    "recordings",
    multiple=True,
    help="also send these recorded logs (FOLDER or ADAPTER=PATH) to the sources, re-dated",
)
@click.option(
    "--speed", default=4.0, show_default=True, help="of --play, times as fast as recorded"
)
@click.option("--quiet", is_flag=True, help="no view on standard output, only the log")
def run(config: Path | None, recordings: tuple[str, ...], speed: float, quiet: bool) -> None:
    """Run sources, detection, chains and policy in this process until Ctrl-C."""
    settings = settings_of(config).guarded(detect())
    console = Console()
    view = None if quiet else View(console, lambda: _notes(settings, config))
    screen = view is not None and console.is_terminal
    log.configure(
        "error" if screen and settings.log.level != "debug" else settings.log.level,
        settings.log.format,
    )
    composition = compose(settings, cache_folder=engine_cache(settings))
    if composition.errors and settings.engine.stop_on_broken_rules:
        for error in composition.errors:
            click.echo(f"opsonin: {error}", err=True)
        raise SettingsError(
            f"{len(composition.errors)} broken rules, named above; mend them, or set engine.stop_on_broken_rules = false"
        )
    lines = read_lines(recordings) if recordings else []
    meter = PrometheusMeter()
    store = open_store(settings, read_only=False)
    host = Embedded(
        settings, composition.pipeline, store, meter, clock.now_us, view.watch if view else None
    )
    index = _index(settings, store, meter)
    try:
        asyncio.run(_run(host, composition, meter, settings, view, lines, speed))
    except OSError as error:
        raise OpsoninError(f"cannot start: {error}") from error
    finally:
        if index:
            index.stop(_DRAIN_S)
        store.close()


def _index(settings: Settings, store: Store, meter: PrometheusMeter) -> Follower | None:
    """Start what copies the store to Elasticsearch, where the settings name one."""
    if not settings.elastic.urls:
        return None
    from runtime.elastic.follow import Follower  # noqa: PLC0415 - the client loads slowly and few need it

    bound = settings.normalize.dead_letter_bytes
    index = Follower(settings.elastic, store.path, bound, meter, clock.now_us)
    index.start()
    return index


async def _run(
    host: Embedded,
    composition: Composition,
    meter: PrometheusMeter,
    settings: Settings,
    view: View | None,
    lines: list[Line],
    speed: float,
) -> None:
    loop = asyncio.get_running_loop()
    engine = asyncio.create_task(host.run(), name="engine")
    stop_requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_requested.set)
    reloader = Reloader(
        settings, composition, lambda made: host.replace(made.pipeline), meter, clock.now_us
    )
    loop.add_signal_handler(signal.SIGHUP, reloader.request)
    faces = Faces()
    side: list[asyncio.Task[object]] = []
    try:
        await faces.listen_unix(
            control_app(host, meter, clock.now_us, reloader.status),
            settings.engine.data_dir / SOCKET_NAME,
        )
        shown = told_app(meter, lambda: (host.ready.is_set(), {"ready": host.ready.is_set()}))
        add_pages(shown, Pages(StoreDesk(settings), settings.link))
        await faces.listen_tcp(shown, settings.web, meter)
        ready = asyncio.create_task(host.ready.wait(), name="ready")
        await asyncio.wait({engine, ready}, return_when=asyncio.FIRST_COMPLETED)
        side.append(ready)
        if view:
            side.append(asyncio.create_task(view.run(), name="view"))
        if lines:
            side.append(asyncio.create_task(_play(settings, lines, speed, view), name="play"))
        elif view:
            view.say_notes()
        waiting = asyncio.create_task(stop_requested.wait(), name="signal")
        reloads = asyncio.create_task(reloader.run(), name="reload")
        side.append(reloads)
        await asyncio.wait({engine, waiting, reloads}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not engine.done():
            await host.stop()
        try:
            await asyncio.wait_for(engine, _STOP_LIMIT_S)
        except TimeoutError:  # an OSError, which would pass for one of the start
            raise OpsoninError(
                f"the engine did not end within {_STOP_LIMIT_S:.0f} seconds; what it had not committed is read again when it starts"
            ) from None
        if reloads.done():
            await reloads  # only a bug ends it; it must not pass for a stop that was asked for
    finally:
        for task in side:
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)
        await faces.close()
        if not engine.done():
            engine.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await engine


async def _play(settings: Settings, lines: list[Line], speed: float, view: View | None) -> None:
    await send(settings, lines, speed)
    if view:
        view.say_notes()


def _notes(settings: Settings, config: Path | None) -> list[str]:
    """Return how to point one's own sensors and firewall at this engine."""
    option = f" --config {config}" if config else ""
    listening = [f"  {one.adapter.name:18} {_address(one)}" for one in settings.sources]
    return [
        f"mode {settings.policy.mode}; store {settings.engine.data_dir}. Point your own sensors at:",
        *listening,
        f"Look at http{'s' if settings.web.tls else ''}://{settings.web.host}:{settings.web.port}/",
        f"Your firewall: a [[point]] of type nftables and policy.mode in the settings; then opsonin policy list{option}. Ctrl-C ends.",
    ]


def _address(config: object) -> str:
    settings = getattr(config, "settings")  # noqa: B009
    parts = [
        str(getattr(settings, name))
        for name in ("host", "port", "path", "paths")
        if getattr(settings, name, None) is not None
    ]
    return f"{getattr(config, 'type').name} {':'.join(parts)}"  # noqa: B009
