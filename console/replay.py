"""`opsonin replay`: recorded logs through the same engine as live ones, on their own clock."""

from __future__ import annotations

import os
import sys
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from console.output import kind_of, line_of, write
from console.time_options import Arrival, Zone
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter
from contract.records import Alert, Chain
from runtime import clock, log
from runtime.compose import compose
from runtime.flow import Seen
from runtime.replay import Recording
from runtime.replay import replay as run_replay
from runtime.rule_cache import default_cache_folder
from runtime.settings import Reading, load

_KINDS = ("event", "match", "alert", "chain", "decision", "outcome", "dead_letter")


@click.command(
    epilog="Example: opsonin replay --final suricata.eve=eve.json linux.auth=auth.log.gz"
)
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option(
    "--config", type=click.Path(path_type=Path), help="settings; sources in them are not opened"
)
@click.option(
    "--rules",
    "rules",
    multiple=True,
    type=click.Path(path_type=Path),
    help="folder of rules, instead of the settings'",
)
@click.option(
    "--adapter", default="generic.ecs", show_default=True, help="for files without ADAPTER="
)
@click.option(
    "--zone", type=Zone(), default="UTC", show_default=True, help="of time stamps that name none"
)
@click.option(
    "--received",
    type=Arrival(),
    help="ISO time at which the logs count as received (default: the file's own time)",
)
@click.option(
    "--emit",
    default="alert,chain,decision,dead_letter",
    show_default=True,
    help=f"kinds, of {', '.join(_KINDS)}",
)
@click.option(
    "--final",
    is_flag=True,
    help="alerts, chains and decisions: only their last revision, at the end",
)
def replay(
    files: tuple[str, ...],
    config: Path | None,
    rules: tuple[Path, ...],
    adapter: str,
    zone: ZoneInfo,
    received: int | None,
    emit: str,
    final: bool,
) -> None:
    """Run recorded logs through the engine; print each record as it is emitted, one JSON object a line.

    FILE is a path or ADAPTER=PATH, plain or gzip; none is standard input. Several are merged by event time.
    """
    kinds = {one.strip() for one in emit.split(",") if one.strip()}
    if unknown := kinds - set(_KINDS):
        raise click.BadParameter(
            f"expected kinds of {', '.join(_KINDS)}, came {', '.join(sorted(unknown))}",
            param_hint="--emit",
        )
    settings = load(config, os.environ)
    log.configure(settings.log.level, settings.log.format)
    roots = tuple(one.absolute() for one in rules)
    pipeline = compose(settings, roots, cache_folder=default_cache_folder()).pipeline
    recordings = [
        _recording(one, adapter, zone, received, number)
        for number, one in enumerate(files or ("-",))
    ]
    last: dict[tuple[str, str], Seen] = {}

    def watch(item: Seen) -> None:
        kind = kind_of(item)
        if kind not in kinds:
            return
        if final and kind in ("alert", "chain", "decision"):
            last[kind, item.id] = item  # type: ignore[union-attr]
        else:
            write(line_of(item))

    meter = MemoryMeter()
    run_replay(settings, pipeline, recordings, meter, watch)
    for item in last.values():
        if (isinstance(item, Alert) and item.retracted) or (
            isinstance(item, Chain) and not item.alerts
        ):
            continue
        write(line_of(item))
    sys.stdout.flush()
    totals = {
        name: int(meter.total(name))
        for name in ("records_total", "events_total", "dead_letters_total")
    }
    click.echo(
        ", ".join(
            f"{value} {name.removesuffix('_total').replace('_', ' ')}"
            for name, value in totals.items()
        ),
        err=True,
    )


def _recording(
    argument: str, adapter: str, zone: tzinfo, received: int | None, number: int
) -> Recording:
    name, _, path_text = argument.partition("=")
    if not path_text or "/" in name:
        name, path_text = adapter, argument
    path = None if path_text == "-" else Path(path_text)
    config = Reading(
        name=f"{name}.{number}",
        adapter=load_named("ingest.adapters", name, "ADAPTER", Adapter),
        zone=zone,
        options={},
    )
    if received is not None:
        received_us = received
    elif path is not None and path.exists():
        received_us = path.stat().st_mtime_ns // 1_000
    else:
        received_us = clock.now_us()
    return Recording(config, path, received_us)
