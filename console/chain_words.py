"""`opsonin chains merge|split|undo`: a person's word on what chains hold, said to the running engine and kept by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.desks import ALL, Desk, desk_of, who
from console.output import write_record
from console.places import config_option, json_option, kafka_option, settings_of
from contract.records import Chain

_note_option = click.option("--note", default="", help="why, kept with the chain")


@click.command("merge")
@click.argument("chain")
@click.argument("other")
@_note_option
@config_option
@kafka_option
@json_option
def merge(
    chain: str, other: str, note: str, config: Path | None, on_kafka: bool, as_json: bool
) -> None:
    """Make two chains one: `opsonin chains merge 1f2e 9c4d --note 'same phishing mail'`."""
    desk = desk_of(settings_of(config), on_kafka=on_kafka)
    body = {"chain": _chain(desk, chain).id, "other": _chain(desk, other).id, "note": note}
    _say(desk, "merge", body, as_json=as_json)


@click.command("split")
@click.argument("chain")
@click.argument("alerts", nargs=-1, required=True, metavar="ALERT…")
@_note_option
@config_option
@kafka_option
@json_option
def split(
    chain: str,
    alerts: tuple[str, ...],
    note: str,
    config: Path | None,
    on_kafka: bool,
    as_json: bool,
) -> None:
    """Take alerts out of a chain, as a chain of their own: `opsonin chains split 1f2e 77a0 8b31`.

    Repetitions of one step go together. What comes later joins the side that it is tied to most strongly.
    """
    desk = desk_of(settings_of(config), on_kafka=on_kafka)
    whole = _chain(desk, chain)
    body = {"chain": whole.id, "alerts": [_alert(whole, one) for one in alerts], "note": note}
    _say(desk, "split", body, as_json=as_json)


@click.command("undo")
@click.argument("correction")
@config_option
@kafka_option
@json_option
def undo(correction: str, config: Path | None, on_kafka: bool, as_json: bool) -> None:
    """Take back a merge or a split: `opsonin chains undo 5e6f`; `chains show` names what holds.

    What the word itself had taken back holds again, unless a word said since contradicts it.
    """
    desk = desk_of(settings_of(config), on_kafka=on_kafka)
    _say(desk, "undo", {"other": _correction(desk, correction)}, as_json=as_json)


def _say(desk: Desk, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Say a person's word, and what became of it."""
    id, changed = desk.correct(verb, {**body, "by": who()})
    if as_json:
        chains = [one.model_dump(mode="json") for one in changed]
        write_record({"correction": id, "chains": chains})
        return
    if verb != "undo":
        click.echo(f"correction {id}; to take it back: opsonin chains undo {id}")
    for one in changed:
        what = (
            f"is part of {one.merged_into}"
            if one.merged_into
            else f"holds {len(one.alerts)} alerts"
        )
        click.echo(f"chain {one.id} {what}")


def _chain(desk: Desk, id: str) -> Chain:
    found = desk.chain(id)
    if found is None:
        raise click.UsageError(
            f"no chain (or several) begins with {id!r}; see `opsonin chains list`"
        )
    return found


def _alert(chain: Chain, id: str) -> str:
    found = [one for one in chain.alerts if one.startswith(id)]
    if len(found) != 1:
        many = "several alerts of the chain begin" if found else "no alert of the chain begins"
        raise click.UsageError(f"{many} with {id!r}; see `opsonin chains show`")
    return found[0]


def _correction(desk: Desk, id: str) -> str:
    """Return the only correction in force whose id begins so; an id of which no chain tells, as it is."""
    chains, _ = desk.worst(ALL)
    found = {one for chain in chains for one in chain.corrections if one.startswith(id)}
    if len(found) > 1:
        raise click.UsageError(f"several corrections begin with {id!r}; see `opsonin chains show`")
    return found.pop() if found else id
