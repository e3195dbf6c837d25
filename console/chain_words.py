"""`opsonin chains merge|split|undo`: a person's word on what chains hold, said to the running engine and kept by it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from console.engine_socket import ask
from console.output import write_record
from console.places import config_option, json_option, open_store, settings_of
from contract.records import Chain
from runtime.settings import Settings
from runtime.store import Store
from runtime.stored import find
from runtime.web import SOCKET_NAME

_note_option = click.option("--note", default="", help="why, kept with the chain")


@click.command("merge")
@click.argument("chain")
@click.argument("other")
@_note_option
@config_option
@json_option
def merge(chain: str, other: str, note: str, config: Path | None, as_json: bool) -> None:
    """Make two chains one: `opsonin chains merge 1f2e 9c4d --note 'same phishing mail'`."""
    settings = settings_of(config)
    store = open_store(settings)
    body = {"chain": _chain(store, chain).id, "other": _chain(store, other).id}
    _say(settings, "merge", {**body, "note": note}, as_json=as_json)


@click.command("split")
@click.argument("chain")
@click.argument("alerts", nargs=-1, required=True, metavar="ALERT…")
@_note_option
@config_option
@json_option
def split(
    chain: str, alerts: tuple[str, ...], note: str, config: Path | None, as_json: bool
) -> None:
    """Take alerts out of a chain, as a chain of their own: `opsonin chains split 1f2e 77a0 8b31`.

    Repetitions of one step go together. What comes later joins the side that it is tied to most strongly.
    """
    settings = settings_of(config)
    whole = _chain(open_store(settings), chain)
    body = {"chain": whole.id, "alerts": [_alert(whole, one) for one in alerts], "note": note}
    _say(settings, "split", body, as_json=as_json)


@click.command("undo")
@click.argument("correction")
@config_option
@json_option
def undo(correction: str, config: Path | None, as_json: bool) -> None:
    """Take back a merge or a split: `opsonin chains undo 5e6f…`; `chains show` names what holds."""
    _say(settings_of(config), "undo", {"other": correction}, as_json=as_json)


def _say(settings: Settings, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
    socket = settings.engine.data_dir / SOCKET_NAME
    answer = ask(socket, "POST", f"/chains/{verb}", {**body, "by": getpass.getuser()})
    if as_json:
        write_record(answer)
        return
    if verb != "undo":
        id = answer["correction"]
        click.echo(f"correction {id}; to take it back: opsonin chains undo {id}")
    for one in answer["chains"]:
        into = one["merged_into"]
        what = f"is part of {into}" if into else f"holds {len(one['alerts'])} alerts"
        click.echo(f"chain {one['id']} {what}")


def _chain(store: Store, id: str) -> Chain:
    found = find(store, "chain", id)
    if not isinstance(found, Chain):
        raise click.UsageError(
            f"no chain (or several) begins with {id!r}; see `opsonin chains list`"
        )
    return found


def _alert(chain: Chain, id: str) -> str:
    found = [one for one in chain.alerts if one.startswith(id)]
    if len(found) != 1:
        many = "several alerts" if found else "no alert"
        raise click.UsageError(f"{many} of the chain begin with {id!r}; see `opsonin chains show`")
    return found[0]
