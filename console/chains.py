"""`opsonin chains`: what was linked into one story, and why; from the store, or from what `replay` printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
from pydantic import ValidationError

from console.chain_view import FORMATS, render
from console.chain_words import merge, split, undo
from console.places import config_option, json_option, open_store, settings_of
from console.tables import moment, show
from contract.errors import SettingsError
from contract.records import Alert, Chain
from contract.timestamps import from_datetime
from correlate.chain.why import left_out
from runtime.input_files import open_input, read_records
from runtime.settings import Settings
from runtime.stored import alerts_between, by_ids, find, records

_NEAR = timedelta(hours=1)
"""Around a chain: where alerts are looked for that were left out of it."""
_MOST_NEAR = 2_000


@dataclass(slots=True)
class _Found:
    """A chain, its alerts by id, and other alerts of its time."""

    chain: Chain
    alerts: dict[str, Alert]
    others: list[Alert]


def _records_option(command: Callable[..., Any]) -> Callable[..., Any]:
    text = "what `opsonin replay` printed (- for standard input), instead of the store"
    option = click.option(
        "--records", "lines", type=click.Path(path_type=Path, allow_dash=True), help=text
    )
    return option(command)


@click.group()
def chains() -> None:
    """Attack chains: list them, show one with its evidence, export it; merge and split them.

    Example: opsonin chains show 1f2e
    """


@chains.command("list")
@config_option
@_records_option
@json_option
@click.option("--limit", default=50, show_default=True, help="worst first, at most so many")
def list_(config: Path | None, lines: Path | None, as_json: bool, limit: int) -> None:
    """List chains, worst first: `opsonin chains list --limit 5`."""
    if lines:
        found: Iterable[Chain] = _read(lines)[0].values()
    else:
        found = (
            one
            for one in records(open_store(settings_of(config)), "chain")
            if isinstance(one, Chain)
        )
    ranked = sorted((one for one in found if one.alerts), key=lambda one: (-one.score, one.id))
    columns = (
        ("id", lambda one: one.id[:8]),
        ("score", lambda one: f"{one.score:.1f}"),
        ("alerts", lambda one: len(one.alerts)),
        ("first", lambda one: moment(one.first)),
        ("last", lambda one: moment(one.last)),
        ("entities", lambda one: " ".join(_main_entities(one))),
        (
            "tactics",
            lambda one: " > ".join(
                dict.fromkeys(stage.tactic for stage in one.stages if stage.tactic)
            ),
        ),
    )
    show(ranked[:limit], columns, as_json=as_json, empty="no chains")


@chains.command("show")
@click.argument("chain")
@config_option
@_records_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def show_(chain: str, config: Path | None, lines: Path | None, form: str) -> None:
    """Show one chain: time line, tree, evidence, what was left out: `opsonin chains show 1f2e`."""
    settings = settings_of(config)
    click.echo(_told(_find(settings, lines, chain), settings, form), nl=False)


@chains.command("export")
@click.argument("chain")
@config_option
@_records_option
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="attack-flow", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="file (default: standard output)")
def export(
    chain: str, config: Path | None, lines: Path | None, form: str, out: Path | None
) -> None:
    """Write one chain for other programs: `opsonin chains export 1f2e --format attack-flow --out flow.json`."""
    settings = settings_of(config)
    told = _told(_find(settings, lines, chain), settings, form)
    if out is None:
        click.echo(told, nl=False)
    else:
        out.write_text(told, encoding="utf-8")


for _word in (merge, split, undo):
    chains.add_command(_word)


def _told(found: _Found, settings: Settings, form: str) -> str:
    left = left_out(found.chain, found.alerts, found.others, settings.link)
    return render(found.chain, found.alerts, form, left)


def _main_entities(chain: Chain) -> list[str]:
    wanted = [one.value for one in chain.entities if one.type in ("ip", "host", "user")]
    return list(dict.fromkeys(wanted))[:4]


def _find(settings: Settings, lines: Path | None, id: str) -> _Found:
    if lines:
        known, alerts = _read(lines)
        found = [one for one in known.values() if one.id.startswith(id)]
        chain = found[0] if len(found) == 1 else None
    else:
        store = open_store(settings)
        record = find(store, "chain", id)
        chain = record if isinstance(record, Chain) else None
        alerts = {}
        if chain:
            mine = by_ids(store, "alert", chain.alerts)
            first, last = from_datetime(chain.first - _NEAR), from_datetime(chain.last + _NEAR)
            near = alerts_between(store, first, last, _MOST_NEAR)
            alerts = {one.id: one for one in (*mine, *near) if isinstance(one, Alert)}
    if chain is None:
        raise click.UsageError(
            f"no chain (or several) begins with {id!r}; see `opsonin chains list`"
        )
    inside = set(chain.alerts)
    mine_by_id = {one: alerts[one] for one in chain.alerts if one in alerts}
    return _Found(chain, mine_by_id, [one for one in alerts.values() if one.id not in inside])


def _read(path: Path) -> tuple[dict[str, Chain], dict[str, Alert]]:
    """Return the last revisions of chains and alerts in replay's output."""
    chains: dict[str, Chain] = {}
    alerts: dict[str, Alert] = {}
    with open_input(None if str(path) == "-" else path) as file:
        for number, line in enumerate(read_records(file), 1):
            try:
                kind = msgspec.json.decode(line, type=dict[str, Any]).get("kind") if line else None
                if kind == "chain":
                    chain = Chain.model_validate_json(line)
                    chains[chain.id] = chain
                elif kind == "alert":
                    alert = Alert.model_validate_json(line)
                    alerts[alert.id] = alert
            except (msgspec.DecodeError, ValidationError) as error:
                raise SettingsError(
                    f"not a record of replay: {error}", file=str(path), line=number
                ) from error
    return chains, alerts
