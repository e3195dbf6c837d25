"""`opsonin chains`: what was linked into one story, and why; from the store, or from what `replay` printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from console.chain_view import FORMATS, render
from console.chain_words import merge, split, undo
from console.desks import Chains, desk_of
from console.places import config_option, json_option, kafka_option, settings_of
from console.replayed import Replayed
from console.tables import moment, show
from contract.records import Alert, Chain
from correlate.chain.why import left_out
from runtime.settings import Settings


@dataclass(slots=True)
class _Found:
    """A chain, its alerts by id, other alerts of its time, and where to ask which chains hold them."""

    chain: Chain
    alerts: dict[str, Alert]
    others: list[Alert]
    place: Chains


def _place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    text = "what `opsonin replay` printed (- for standard input), instead of the engine's"
    lines = click.option(
        "--records", "lines", type=click.Path(path_type=Path, allow_dash=True), help=text
    )
    return config_option(kafka_option(lines(command)))


@click.group()
def chains() -> None:
    """Attack chains: list them, show one with its evidence, export it; merge and split them.

    Example: opsonin chains show 1f2e
    """


@chains.command("list")
@_place_options
@json_option
@click.option("--limit", default=50, show_default=True, help="worst first, at most so many")
def list_(
    config: Path | None, on_kafka: bool, lines: Path | None, as_json: bool, limit: int
) -> None:
    """List chains, worst first: `opsonin chains list --limit 5`."""
    found, _ = _place(settings_of(config), on_kafka, lines).worst(limit)
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
    show(found, columns, as_json=as_json, empty="no chains")


@chains.command("show")
@click.argument("chain")
@_place_options
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def show_(chain: str, config: Path | None, on_kafka: bool, lines: Path | None, form: str) -> None:
    """Show one chain: time line, tree, evidence, what was left out: `opsonin chains show 1f2e`."""
    settings = settings_of(config)
    found = _find(_place(settings, on_kafka, lines), chain)
    click.echo(_told(found, settings, form), nl=False)


@chains.command("export")
@click.argument("chain")
@_place_options
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="attack-flow", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="file (default: standard output)")
def export(
    chain: str, config: Path | None, on_kafka: bool, lines: Path | None, form: str, out: Path | None
) -> None:
    """Write one chain for other programs: `opsonin chains export 1f2e --format attack-flow --out flow.json`."""
    settings = settings_of(config)
    told = _told(_find(_place(settings, on_kafka, lines), chain), settings, form)
    if out is None:
        click.echo(told, nl=False)
    else:
        out.write_text(told, encoding="utf-8")


for _word in (merge, split, undo):
    chains.add_command(_word)


def _told(found: _Found, settings: Settings, form: str) -> str:
    left = left_out(found.chain, found.alerts, found.others, settings.link, found.place.holders)
    return render(found.chain, found.alerts, form, left)


def _main_entities(chain: Chain) -> list[str]:
    wanted = [one.value for one in chain.entities if one.type in ("ip", "host", "user")]
    return list(dict.fromkeys(wanted))[:4]


def _place(settings: Settings, on_kafka: bool, lines: Path | None) -> Chains:
    if lines and on_kafka:
        raise click.UsageError("--records and --kafka cannot stand together")
    return Replayed(lines) if lines else desk_of(settings, on_kafka=on_kafka)


def _find(place: Chains, id: str) -> _Found:
    chain = place.chain(id)
    if chain is None:
        raise click.UsageError(
            f"no chain (or several) begins with {id!r}; see `opsonin chains list`"
        )
    alerts = {one.id: one for one in place.alerts(chain)}
    inside = set(chain.alerts)
    mine = {one: alerts[one] for one in chain.alerts if one in alerts}
    return _Found(chain, mine, [one for one in alerts.values() if one.id not in inside], place)
