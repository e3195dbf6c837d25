"""`opsonin topics`: the engine's topics on a Kafka cluster, made and compared with what the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from console.output import write_record
from console.places import config_option, json_option, settings_of
from runtime.kafka.client import admin
from runtime.kafka.rights import (
    ACCESS,
    PRINCIPAL,
    TOPICS_ROLE,
    command,
    grant,
    missing,
    rights,
)
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import Difference, bring_in_line, compare, wanted


@click.group()
def topics() -> None:
    """The topics of `opsonin worker`: make them, compare them with the settings, list the rights they take.

    Example: opsonin topics apply --config /etc/opsonin/opsonin.toml
    """


@topics.command()
@config_option
@json_option
def check(config: Path | None, as_json: bool) -> int:
    """Compare, change nothing; exit 1 when something differs: `opsonin topics check`."""
    settings = settings_of(config).kafka
    left = _compare(settings)
    _say(left, as_json=as_json, word="")
    if not left:
        click.echo(f"{len(wanted(settings))} topics are as the settings ask", err=True)
    return 1 if left else 0


@topics.command()
@config_option
@json_option
@click.option("--grow", is_flag=True, help="add partitions: open windows of moved keys begin anew")
@click.option("--lose", is_flag=True, help="also change what makes brokers delete records sooner")
def apply(config: Path | None, as_json: bool, grow: bool, lose: bool) -> int:
    """Make what is absent, mend what may be mended; exit 1 when something is left: `opsonin topics apply`."""
    settings = settings_of(config).kafka
    client = admin(settings)
    try:
        done = bring_in_line(client, wanted(settings), grow=grow, lose=lose)
        left = compare(client, wanted(settings))
    finally:
        client.close()
    _say(done, as_json=as_json, word="done")
    _say(left, as_json=as_json, word="left")
    if not done and not left:
        click.echo("nothing to do", err=True)
    return 1 if left else 0


def _compare(settings: KafkaSettings) -> list[Difference]:
    client = admin(settings)
    try:
        return compare(client, wanted(settings))
    finally:
        client.close()


_REMEDIES = {
    "apply": "`opsonin topics apply` mends it",
    "grow": "`opsonin topics apply --grow` adds them; open windows of keys that move begin anew",
    "lose": "`opsonin topics apply --lose` changes it; brokers then delete older records",
    "by hand": "nothing here changes that; see docs/kafka.md",
}


def _say(found: Sequence[Difference], *, as_json: bool, word: str) -> None:
    for one in found:
        if as_json:
            write_record({**asdict(one), **({"state": word} if word else {})})
        elif word == "done":
            click.echo(f"{one.topic}: {one.what} was {one.found}, now {one.expected}")
        else:
            click.echo(f"{one}; {_REMEDIES[one.remedy]}")


@topics.command()
@config_option
@json_option
@click.option("--role", "roles", multiple=True, help="only of this role; again for more")
@click.option(
    "--principal", default=PRINCIPAL, show_default=True, help="how a role's user is called"
)
@click.option("--apply", "gives", is_flag=True, help="give the rights, as a user who may")
@click.option("--check", "checks", is_flag=True, help="say which are missing; exit 1 when some are")
def acls(
    config: Path | None,
    as_json: bool,
    roles: tuple[str, ...],
    principal: str,
    gives: bool,
    checks: bool,
) -> int:
    """List the least rights of each role, as arguments of kafka-acls.sh: `opsonin topics acls`."""
    settings = settings_of(config).kafka
    unknown = sorted(set(roles) - {*ACCESS, TOPICS_ROLE})
    if unknown:
        known = ", ".join((*ACCESS, TOPICS_ROLE))
        raise click.UsageError(f"no role {', '.join(unknown)}; expected some of {known}")
    found = list(rights(settings.prefix, roles or (*ACCESS, TOPICS_ROLE)))
    if gives or checks:
        client = admin(settings)
        try:
            if gives:
                click.echo(f"{grant(client, found, principal)} rights given", err=True)
            found = missing(client, found, principal)
        finally:
            client.close()
    for right in found:
        if as_json:
            write_record({**asdict(right), "principal": principal.format(role=right.role)})
        else:
            click.echo(command(right, principal))
    return 1 if checks and found else 0
