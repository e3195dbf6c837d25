"""`opsonin rules`: what a rule author needs. Each subcommand is imported when it is called."""

from __future__ import annotations

import click

from console.lazy import LazyGroup

_COMMANDS = {
    "check": "every fault of rules, with place and remedy (text, JSON, SARIF)",
    "test": "run the tests beside rules",
    "list": "rules with level, log source and techniques",
    "explain": "why a rule holds for an event, or does not",
    "backtest": "rules over recorded events: hits by day and host, the noisiest",
    "coverage": "an ATT&CK Navigator layer of what rules cover",
}


_LAZY = {name: (f"console.rules_{name}", "command", text) for name, text in _COMMANDS.items()}


@click.group(cls=LazyGroup, lazy=_LAZY, epilog="Example: opsonin rules check rules/detection")
def rules() -> None:
    """Check, test, list, explain and backtest rules."""
