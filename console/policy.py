"""`opsonin policy`: what is desired at the enforcement points, and a person's word on it."""

from __future__ import annotations

from pathlib import Path

import click

from console.desks import ALL, Desk, desk_of, who
from console.output import write_record
from console.places import config_option, json_option, kafka_option, settings_of
from console.tables import moment, show
from contract.records import Decision

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
@click.option("--state", default="", help="only this state, e.g. proposed")
def list_(config: Path | None, on_kafka: bool, as_json: bool, state: str) -> None:
    """List decisions, newest first: `opsonin policy list --state proposed`."""
    found = desk_of(settings_of(config), on_kafka=on_kafka).decisions(state=state, limit=ALL)
    show(found, _COLUMNS, as_json=as_json, empty="no decisions")


@policy.command("show")
@click.argument("decision")
@config_option
@kafka_option
@json_option
def show_(decision: str, config: Path | None, on_kafka: bool, as_json: bool) -> None:
    """Show one decision with all its revisions: `opsonin policy show 1f2e`.

    With --kafka, with those that the compacted topic still has.
    """
    desk = desk_of(settings_of(config), on_kafka=on_kafka)
    history = _known(desk, decision)
    show(history, _COLUMNS, as_json=as_json, empty="")
    for one in desk.outcomes(history[-1].id):
        write_record(one.model_dump(mode="json")) if as_json else click.echo(
            f"  {moment(one.time)}  {one.point}: {one.result} {one.detail}"
        )


def _command(verb: str, text: str) -> click.Command:
    @click.argument("decision")
    @click.option("--note", default="", help="why, kept with the decision")
    @config_option
    @kafka_option
    def run(decision: str, note: str, config: Path | None, on_kafka: bool) -> None:
        desk = desk_of(settings_of(config), on_kafka=on_kafka)
        id = _known(desk, decision)[-1].id
        for told in desk.command(verb, id, {"by": who(), "note": note}):
            write_record(told.model_dump(mode="json"))

    return click.command(verb, help=f"{text}: `opsonin policy {verb} 1f2e --note 'seen'`.")(run)


policy.add_command(_command("approve", "Let a proposed decision be enforced"))
policy.add_command(_command("reject", "Refuse a proposed decision"))
policy.add_command(_command("revert", "Undo an enforced decision at all its points"))


def _known(desk: Desk, id: str) -> list[Decision]:
    found = desk.revisions(id)
    if not found:
        raise click.UsageError(
            f"no decision (or several) begins with {id!r}; see `opsonin policy list`"
        )
    return found
