"""`opsonin dead-letters`: what could not be read, why, and once more after a fix."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.engine_socket import ask
from console.output import write
from console.places import config_option, json_option, open_store, settings_of
from console.tables import moment, show
from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import DeadLetter
from runtime.intake import Intake
from runtime.settings import Settings
from runtime.stored import dead_letters as stored
from runtime.web import SOCKET_NAME

_SHOWN_BYTES = 100


@click.group()
def dead_letters() -> None:
    """Input that could not be used, whole, with the reason.

    Example: opsonin dead-letters list
    """


@dead_letters.command("list")
@config_option
@json_option
@click.option("--limit", default=100, show_default=True)
def list_(config: Path | None, as_json: bool, limit: int) -> None:
    """List dead letters, oldest first: `opsonin dead-letters list --json`."""
    columns = (
        ("id", lambda one: one.id[:8]),
        ("time", lambda one: moment(one.time)),
        ("source", lambda one: one.source),
        ("adapter", lambda one: one.adapter),
        ("reason", lambda one: one.reason),
        ("raw", lambda one: repr(one.raw[:_SHOWN_BYTES])[2:-1]),
    )
    store = open_store(settings_of(config))
    show(stored(store, limit=limit), columns, as_json=as_json, empty="no dead letters")


@dead_letters.command("show")
@click.argument("id")
@config_option
def show_(id: str, config: Path | None) -> None:
    """Write one dead letter's raw bytes to standard output: `opsonin dead-letters show 1f2e`."""
    for one in stored(open_store(settings_of(config))):
        if one.id.startswith(id):
            click.echo(f"{one.adapter}: {one.reason}", err=True)
            sys.stdout.buffer.write(one.raw)
            return
    raise click.UsageError(f"no dead letter begins with {id!r}")


@dead_letters.command("replay")
@config_option
@click.option("--dry-run", is_flag=True, help="only print what each would become; no engine needed")
def replay(config: Path | None, dry_run: bool) -> int:
    """Give all dead letters to the running engine again, after a fix; those it can read are dead no more.

    Exit 1 when some still cannot be read. Example: opsonin dead-letters replay --dry-run
    """
    settings = settings_of(config)
    if dry_run:
        results = _dry_run(settings)
    else:
        results = ask(settings.engine.data_dir / SOCKET_NAME, "POST", "/dead-letters/replay")
    sys.stdout.flush()
    click.echo(f"{results['read']} read, {results['dead']} still dead", err=True)
    return 1 if results["dead"] else 0


def _dry_run(settings: Settings) -> dict[str, int]:
    configs = {one.name: one for one in settings.sources}
    results = {"read": 0, "dead": 0}
    for letter in stored(open_store(settings)):
        config = configs.get(letter.source)
        if config is None or letter.truncated:
            results["dead"] += 1
            continue
        intake = Intake(config, settings.normalize, MemoryMeter())
        items = intake.again(letter)
        for one in items:
            write(one.json if isinstance(one, Event) else one.model_dump_json().encode())
        results["dead" if any(isinstance(one, DeadLetter) for one in items) else "read"] += 1
    return results
