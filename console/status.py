"""`opsonin status`: is the engine up, and what is in its store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.engine_socket import ask
from console.output import write_record
from console.places import config_option, json_option, open_store, settings_of
from contract.errors import OpsoninError
from runtime.stored import counts
from runtime.web import SOCKET_NAME


@click.command(epilog="Example: opsonin status --json | jq .stored")
@config_option
@json_option
def status(config: Path | None, as_json: bool) -> int:
    """Say whether an engine runs, what it counted, and what its store holds; exit 1 when none runs."""
    settings = settings_of(config)
    running = _ask(settings.engine.data_dir / SOCKET_NAME)
    stored = counts(open_store(settings))
    if as_json:
        write_record({"running": running is not None, "stored": stored, "engine": running})
        return 0 if running else 1
    click.echo(f"engine: {'running, process ' + str(running['pid']) if running else 'not running'}")
    if running:
        _say_rules(running["rules"])
    for kind in sorted(stored):
        click.echo(f"{kind.replace('_', ' ') + 's':>14}: {stored[kind]}")
    for name, value in sorted((running or {"metrics": {}})["metrics"].items()):
        click.echo(f"  {name} {value:g}")
    return 0 if running else 1


def _say_rules(rules: Any) -> None:
    if not rules:
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in rules["counts"].items())
    click.echo(f"rules: {counts}; since {rules['loaded']}")
    if rules["failure"]:
        click.echo(f"rules could not be read again: {rules['failure']}")
    for error in rules["refused"]:
        kept = any(error.startswith(f"{file}:") for file in rules["kept"])
        click.echo(f"broken{', the last good version is in force' if kept else ''}: {error}")


def _ask(socket: Path) -> Any:
    try:
        return ask(socket, "GET", "/status")
    except OpsoninError:
        return None
