"""`opsonin chains merge|split|undo`: a person's word on what chains hold, said to the running engine and kept by it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from console.engine_socket import ask
from console.output import write_record
from console.places import config_option, json_option, kafka_option, open_store, settings_of
from contract.records import Chain
from runtime import words
from runtime.clock import now_us
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
@kafka_option
@json_option
def merge(
    chain: str, other: str, note: str, config: Path | None, on_kafka: bool, as_json: bool
) -> None:
    """Make two chains one: `opsonin chains merge 1f2e 9c4d --note 'same phishing mail'`."""
    place = _Place(settings_of(config), on_kafka)
    body = {"chain": place.chain(chain).id, "other": place.chain(other).id}
    place.say("merge", {**body, "note": note}, as_json=as_json)


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
    place = _Place(settings_of(config), on_kafka)
    whole = place.chain(chain)
    body = {"chain": whole.id, "alerts": [_alert(whole, one) for one in alerts], "note": note}
    place.say("split", body, as_json=as_json)


@click.command("undo")
@click.argument("correction")
@config_option
@kafka_option
@json_option
def undo(correction: str, config: Path | None, on_kafka: bool, as_json: bool) -> None:
    """Take back a merge or a split: `opsonin chains undo 5e6f…`; `chains show` names what holds."""
    _Place(settings_of(config), on_kafka).say("undo", {"other": correction}, as_json=as_json)


class _Place:
    """Where the engine is: in one process with a store and a socket, or workers behind topics."""

    def __init__(self, settings: Settings, on_kafka: bool) -> None:
        self._settings = settings
        self._desk: Any = None
        if on_kafka:
            from runtime.kafka.desk import Desk  # noqa: PLC0415 - loaded only where Kafka is

            self._desk = Desk(settings.kafka)

    def chain(self, id: str) -> Chain:
        """Return the one chain whose id begins so."""
        if self._desk is None:
            return _chain(open_store(self._settings), id)
        found = [one for one in self._desk.chains() if one.id.startswith(id)]
        if len(found) != 1:
            raise click.UsageError(f"no chain (or several) on the topic begins with {id!r}")
        chain: Chain = found[0]
        return chain

    def say(self, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
        """Say a person's word, and what became of it."""
        body = {**body, "by": getpass.getuser()}
        if self._desk is None:
            socket = self._settings.engine.data_dir / SOCKET_NAME
            _tell(ask(socket, "POST", f"/chains/{verb}", body), verb, as_json=as_json)
            return
        word = words.correction(verb, body, now_us())
        changed = [one.model_dump(mode="json") for one in self._desk.correct(word)]
        _tell({"correction": word.id, "chains": changed}, verb, as_json=as_json)


def _tell(answer: dict[str, Any], verb: str, *, as_json: bool) -> None:
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
