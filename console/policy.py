"""`opsonin policy`: what is desired at the enforcement points, and a person's word on it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from console.engine_socket import ask
from console.output import write_record
from console.places import config_option, json_option, kafka_option, open_store, settings_of
from console.tables import moment, show
from contract.records import Decision
from runtime import words
from runtime.clock import now_us
from runtime.settings import Settings
from runtime.store import Store
from runtime.stored import decision_history, find, records
from runtime.web import SOCKET_NAME

_COLUMNS = (
    ("id", lambda one: one.id[:8]),
    ("rev", lambda one: one.revision),
    ("state", lambda one: one.state),
    ("action", lambda one: f"{one.action} {one.target.value}"),
    ("points", lambda one: ", ".join(one.points)),
    ("expires", lambda one: moment(one.expires)),
    ("chain", lambda one: one.chain[:8]),
    ("reason", lambda one: one.reason),
)


@click.group()
def policy() -> None:
    """Decisions: list and show them; approve, reject or revert one.

    Example: opsonin policy list
    """


@policy.command("list")
@config_option
@kafka_option
@json_option
@click.option("--state", help="only this state, e.g. proposed")
def list_(config: Path | None, on_kafka: bool, as_json: bool, state: str | None) -> None:
    """List decisions, newest first: `opsonin policy list --state proposed`."""
    settings = settings_of(config)
    found: Iterable[object] = (
        _desk(settings).decisions() if on_kafka else records(open_store(settings), "decision")
    )
    rows = [one for one in found if isinstance(one, Decision) and state in (None, one.state)]
    show(rows, _COLUMNS, as_json=as_json, empty="no decisions")


@policy.command("show")
@click.argument("decision")
@config_option
@json_option
def show_(decision: str, config: Path | None, as_json: bool) -> None:
    """Show one decision with all its revisions: `opsonin policy show 1f2e`."""
    store = open_store(settings_of(config))
    history = decision_history(store, _known(store, decision))
    show(history, _COLUMNS, as_json=as_json, empty="")
    for outcome in records(store, "outcome"):
        if getattr(outcome, "decision", None) == history[-1].id:
            write_record(outcome.model_dump(mode="json")) if as_json else click.echo(
                f"  {moment(outcome.time)}  {outcome.point}: {outcome.result} {outcome.detail}"  # type: ignore[union-attr]
            )


def _command(verb: str, text: str) -> click.Command:
    @click.argument("decision")
    @click.option("--note", default="", help="why, kept with the decision")
    @config_option
    @kafka_option
    def run(decision: str, note: str, config: Path | None, on_kafka: bool) -> None:
        settings = settings_of(config)
        if on_kafka:
            for told in _say(settings, verb, decision, note):
                write_record(told.model_dump(mode="json"))
            return
        id = _known(open_store(settings), decision)
        socket = settings.engine.data_dir / SOCKET_NAME
        body = {"by": getpass.getuser(), "note": note}
        for one in ask(socket, "POST", f"/policy/{id}/{verb}", body):
            write_record(one)

    return click.command(verb, help=f"{text}: `opsonin policy {verb} 1f2e --note 'seen'`.")(run)


policy.add_command(_command("approve", "Let a proposed decision be enforced"))
policy.add_command(_command("reject", "Refuse a proposed decision"))
policy.add_command(_command("revert", "Undo an enforced decision at all its points"))


def _desk(settings: Settings) -> Any:
    from runtime.kafka.desk import Desk  # noqa: PLC0415 - the client is loaded only where Kafka is

    return Desk(settings.kafka)


def _say(settings: Settings, verb: str, decision: str, note: str) -> list[Decision]:
    """Say a word to workers on Kafka."""
    desk = _desk(settings)
    ids = [one.id for one in desk.decisions() if one.id.startswith(decision)]
    if len(ids) != 1:
        raise click.UsageError(
            f"no decision (or several) begins with {decision!r}; see `opsonin policy list --kafka`"
        )
    said = {"by": getpass.getuser(), "note": note}
    told: list[Decision] = desk.command(words.command(verb, ids[0], said, now_us()))
    return told


def _known(store: Store, id: str) -> str:
    found = find(store, "decision", id)
    if found is None:
        raise click.UsageError(
            f"no decision (or several) begins with {id!r}; see `opsonin policy list`"
        )
    return found.id
