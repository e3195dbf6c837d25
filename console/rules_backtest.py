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
    from correlate.sigma.rules import RuleSet
    from correlate.sigma.tally import RuleTally
    from runtime.backtest import Correlated

_REMEDIES = {
    "late": " Order the events by time, or use `opsonin replay`.",
    "ungrouped": " Events that are not ECS yet have other names: `opsonin replay` reads raw logs.",
}
MAX_FAULTS = 10
"""Lines without an event that are named one by one; all are counted."""


@click.command(
    "backtest",
    epilog="Example: opsonin rules backtest --rules rules events.jsonl.gz\n\n"
    "Events are JSON lines of any shape that `opsonin match` reads, or with --stored those of the engine's own store; for "
    "correlations in order of their time. Raw logs: `opsonin replay --rules rules`.",
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
    """Run rules over recorded or stored events: hits by day and host, top values, the noisiest rules first.

    The hits of a correlation are its alerts.
    """
    from correlate.sigma.engine import Engine  # noqa: PLC0415  # start of --help stays quick
    from correlate.sigma.lines import decode  # noqa: PLC0415
    from correlate.sigma.tally import Tally  # noqa: PLC0415
    from correlate.sigma.view import flat  # noqa: PLC0415
    from runtime.backtest import Correlated  # noqa: PLC0415
    from runtime.rule_cache import default_cache_folder, load_rules, pipelines_of  # noqa: PLC0415
    from runtime.rule_files import shipped  # noqa: PLC0415

    if stored and files:
        raise click.UsageError("--stored takes no FILE")
    loaded = load_rules(
        roots or (shipped(),),
        pipelines=pipelines_of(pipelines),
        cache_folder=default_cache_folder(),
    ).rules
    engine = Engine(loaded.detections.values(), nested=True)
    tally = Tally()
    correlated = Correlated(loaded)
    for error in (*loaded.errors, *correlated.errors):
        click.echo(f"refused: {error}", err=True)
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
            if bad <= MAX_FAULTS:
                click.echo(f"{place}, record {record}: {error}", err=True)
            continue
        held = engine.match(event, line)
        tally.add(record, event, held)
        correlated.add(event, line, held)
    for alert in correlated.alerts():
        tally.add_alert(alert)
    ranked = tally.noisiest()
    _show(ranked[:top], as_json=as_json, events=tally.events)
    click.echo(
        f"{tally.events} events, {tally.hits} hits of detections, {tally.alerts} alerts of correlations, "
        f"{len(tally.rules)} of {len(loaded.detections) + len(loaded.correlations)} rules were heard, "
        f"{bad} lines that are no events, {time.perf_counter() - began:.1f} s",
        err=True,
    )
    _left_out(correlated, loaded)
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


def _left_out(correlated: Correlated, rules: RuleSet) -> None:
    """Say what took no part in correlations."""
    from runtime.metric_help import HELP  # noqa: PLC0415

    if correlated.untimed:
        click.echo(
            f"{correlated.untimed} hits of events that tell no time took no part in correlations",
            err=True,
        )
    for (rule, name), count in sorted(correlated.counted.items()):
        document = rules.correlations.get(rule)
        title = rule if document is None else document.data.get("title", rule)
        remedy = next((words for part, words in _REMEDIES.items() if part in name), "")
        click.echo(f"{title}: {count} x {HELP[name].replace(', by rule', '')}{remedy}", err=True)


def _show(ranked: list[RuleTally], *, as_json: bool, events: int) -> None:
    if as_json:
        for one in ranked:
            write_record(
                {
                    "rule": one.id, "kind": one.kind, "title": one.title, "level": one.level, "hits": one.hits,
                    "share": one.hits / max(events, 1), "days": dict(sorted(one.days.items())),
                    "hosts": dict(one.hosts.most_common(20)), "values": one.top_values(),
                    "first_record": one.first,
                }
            )  # fmt: skip
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("hits", "days", "hosts", "level", "kind", "rule", "most from"):
            table.add_column(name, justify="right" if name in ("hits", "days", "hosts") else "left")
        for one in ranked:
            host, count = one.hosts.most_common(1)[0]
            table.add_row(
                *map(cell, (one.hits, len(one.days), len(one.hosts), one.level, one.kind, one.title, f"{host} ({count})"))
            )  # fmt: skip
        Console(width=None if sys.stdout.isatty() else 10_000).print(table)
