"""The command line: `opsonin COMMAND`. Each command lives in its own module and is imported when it is called.

Exit codes: 0 done, 1 the thing checked does not hold, 2 wrong use or configuration, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import click

from console.lazy import LazyGroup
from contract.errors import InputError, OpsoninError

_COMMANDS = {
    "run": ("console.run", "run", "the engine in one process: sources, detection, chains, policy"),
    "worker": ("console.worker", "worker", "one or several roles of the engine on Kafka"),
    "replay": (
        "console.replay",
        "replay",
        "recorded logs through the same engine, on their own clock",
    ),
    "parse": ("console.parse", "parse", "normalization alone"),
    "match": ("console.match", "match", "Sigma detection alone, over JSON events"),
    "rules": (
        "console.rules",
        "rules",
        "check, test, list, explain, backtest: what a rule author needs",
    ),
    "chains": ("console.chains", "chains", "list, show, export what was linked"),
    "policy": ("console.policy", "policy", "list, show, approve, reject, revert decisions"),
    "console": ("console.serve", "console", "the web pages of an engine that runs elsewhere"),
    "search": ("console.search", "search", "events, alerts, chains and decisions by a query (KQL)"),
    "index": ("console.index", "index", "set up and check the templates of Elasticsearch"),
    "dead-letters": (
        "console.dead_letters",
        "dead_letters",
        "list, show, replay what could not be read",
    ),
    "topics": ("console.topics", "topics", "Kafka topics: apply, check; the rights they take"),
    "status": ("console.status", "status", "what a running engine does"),
    "play": ("console.play", "play", "send recorded logs to a running engine's sockets"),
}


@click.group(
    cls=LazyGroup, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(version("opsonin"), prog_name="opsonin")
def opsonin() -> None:
    """Opsonin: from sensors' logs to attack chains to verified policy updates.

    Example: opsonin replay suricata.eve=eve.json linux.auth=auth.log
    """


def main() -> None:
    """Run the command line; the process's exit code says how it went."""
    try:
        code = opsonin.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (BrokenPipeError, SystemExit) as error:
        # click turns a closed pipe into exit code 1.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # Python flushes standard output at exit and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OpsoninError as error:
        click.echo(f"opsonin: {error}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(code if isinstance(code, int) else 0)
