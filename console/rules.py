"""`opsonin rules`: what a rule author needs. Each subcommand is imported when it is called."""

from __future__ import annotations

import importlib

import click
from typing_extensions import override

_COMMANDS = {
    "check": "every fault of rules, with place and remedy (text, JSON, SARIF)",
    "test": "run the tests beside rules",
    "list": "rules with level, log source and techniques",
    "explain": "why a rule holds for an event, or does not",
    "backtest": "rules over recorded events: hits by day and host, the noisiest",
    "coverage": "an ATT&CK Navigator layer of what rules cover",
}


class _Lazy(click.Group):
    """A group whose commands live in `console.rules_<name>`."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"console.rules_{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a slip of ours, not of a user
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, epilog="Example: opsonin rules check rules/detection")
def rules() -> None:
    """Check, test, list, explain and backtest rules."""
