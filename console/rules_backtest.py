"""`opsonin rules backtest`: rules over recorded events; which would be heard how often, from where."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from console.output import write_record
from console.places import config_option, open_store, settings_of
from console.plain import cell
from contract.errors import ParseError

if TYPE_CHECKING:
    from correlate.sigma.tally import RuleTally


@click.command(
    "backtest",
    epilog="Example: opsonin rules backtest --rules rules events.jsonl.gz\n\n"
    "Events are JSON lines of any shape that `opsonin match` reads, or with --stored those of the engine's own store.",
)
@click.option(
    "--rules",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path),
    help="default: the shipped rules",
)
@click.option("--pipeline", "pipelines", multiple=True, help="by name (shipped) or file")
@click.option("--stored", is_flag=True, help="over the events that the engine has stored")
@config_option
@click.option("--json", "as_json", is_flag=True, help="one object a rule")
@click.option("--top", default=20, show_default=True, help="rules that are shown")
@click.option("--max-hits", type=int, help="exit code 1 when one rule has more")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
def command(
    roots: tuple[Path, ...],
    pipelines: tuple[str, ...],
    stored: bool,
    config: Path | None,
    as_json: bool,
    top: int,
    max_hits: int | None,
    files: tuple[Path, ...],
) -> None:
    """Run rules over recorded or stored events: hits by day and host, top values, the noisiest rules first."""
    from correlate.sigma.engine import Engine  # noqa: PLC0415  # start of --help stays quick
    from correlate.sigma.lines import decode  # noqa: PLC0415
    from correlate.sigma.tally import Tally  # noqa: PLC0415
    from correlate.sigma.view import flat  # noqa: PLC0415
    from runtime.rule_cache import default_cache_folder, load_rules, pipelines_of  # noqa: PLC0415
    from runtime.rule_files import shipped  # noqa: PLC0415

    if stored and files:
        raise click.UsageError("--stored takes no FILE")
    loaded = load_rules(
        roots or (shipped(),),
        pipelines=pipelines_of(pipelines),
        cache_folder=default_cache_folder(),
    ).rules
    for error in loaded.errors:
        click.echo(f"refused: {error}", err=True)
    engine = Engine(loaded.detections.values(), nested=True)
    tally = Tally()
    began = time.perf_counter()
    record, bad = -1, 0
    for place, line in _stored(config) if stored else _recorded(files):
        record += 1
        if not line.strip():
            continue
        try:
            event = flat(decode(line))
        except ParseError as error:
            bad += 1
            click.echo(f"{place}, record {record}: {error}", err=True)
            continue
        tally.add(record, event, engine.match(event, line))
    ranked = tally.noisiest()
    _show(ranked[:top], as_json=as_json, events=tally.events)
    click.echo(
        f"{tally.events} events, {tally.hits} hits of {len(tally.rules)} of {len(loaded.detections)} rules, "
        f"{bad} lines that are no events, {time.perf_counter() - began:.1f} s",
        err=True,
    )
    if max_hits is not None and ranked and ranked[0].hits > max_hits:
        sys.exit(1)


def _recorded(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of files, or of standard input, and where they are from."""
    from runtime.input_files import open_input, read_records  # noqa: PLC0415

    for path in files or (None,):
        with open_input(path) as file:
            for line in read_records(file):
                yield str(path or "standard input"), line


def _stored(config: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield the events of the store that the settings name."""
    from runtime.stored import events  # noqa: PLC0415

    for json in events(open_store(settings_of(config))):
        yield "the store", json


def _show(ranked: list[RuleTally], *, as_json: bool, events: int) -> None:
    if as_json:
        for one in ranked:
            write_record(
                {
                    "rule": one.rule.id, "title": one.rule.title, "level": one.rule.level, "hits": one.hits,
                    "share": one.hits / max(events, 1), "days": dict(sorted(one.days.items())),
                    "hosts": dict(one.hosts.most_common(20)), "values": one.top_values(),
                    "first_record": one.first,
                }
            )  # fmt: skip
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("hits", "days", "hosts", "level", "rule", "most from"):
            table.add_column(name, justify="right" if name in ("hits", "days", "hosts") else "left")
        for one in ranked:
            host, count = one.hosts.most_common(1)[0]
            table.add_row(
                *map(cell, (one.hits, len(one.days), len(one.hosts), one.rule.level, one.rule.title, f"{host} ({count})"))
            )  # fmt: skip
        Console(width=None if sys.stdout.isatty() else 10_000).print(table)
