"""One command for the lab: four network namespaces with a real firewall, a real IDS, and an attacker.

    lab.py up          make it (root); `status` says what runs and where the logs and the EVE socket are
    lab.py attack scan exploit brute
    lab.py engine      the engine on the router, live; attack from another terminal
    lab.py exec router -- nft list ruleset
    lab.py record --out examples/webshop
    lab.py down        remove it; twice is no fault

Nothing is done to the host's own network. Several labs can stand side by side (`--prefix`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import attack
import record
from engine import LabEngine
from network import DEFAULT_PREFIX, Lab
from state import LabError
from topology import ADMIN, ATTACKER, HOSTS


def main(arguments: list[str] | None = None) -> int:
    """Do one command; 0 done, 1 the lab refuses, 2 wrong use."""
    given = _parser().parse_args(arguments)
    try:
        lab = Lab(given.prefix)
        if given.command == "up":
            lab.up(sensor=not given.no_sensor)
        elif given.command == "down":
            lab.down()
        elif given.command == "attack":
            for act in given.act:
                print(lab.attack(act, given.source or (ADMIN if act == "spoof" else ATTACKER)))
        elif given.command == "engine":
            folder = lab.state.folder / "engine"
            _become(LabEngine(lab, folder, mode=given.mode, duration=given.duration).line())
        elif given.command == "exec":
            _become(lab.topology.within(given.host, *given.line))
        elif given.command == "record":
            record.record(lab, given.out)
        if given.command in ("up", "status"):
            print(json.dumps(lab.status(), indent=1))
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    return 0


def _become(line: list[str]) -> NoReturn:
    os.execvp(line[0], line)  # noqa: S606 - becoming the command is the purpose


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="of the namespaces (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make the lab")
    up.add_argument("--no-sensor", action="store_true", help="without Suricata")
    commands.add_parser("down", help="remove the lab")
    commands.add_parser("status", help="what runs, and where")
    attacks = commands.add_parser("attack", help="do something to the target")
    attacks.add_argument("act", nargs="+", choices=attack.ACTS)
    attacks.add_argument(
        "--from", dest="source", help=f"source address ({ATTACKER}; spoof {ADMIN})"
    )
    inside = commands.add_parser("exec", help="run a command on one of the hosts")
    inside.add_argument("host", choices=HOSTS)
    inside.add_argument("line", nargs="+", metavar="-- COMMAND")
    engine = commands.add_parser("engine", help="run the engine on the router, until Ctrl-C")
    engine.add_argument("--mode", choices=("observe", "approve", "enforce"), default="enforce")
    engine.add_argument("--duration", default="1m", help="of denials (%(default)s)")
    recorder = commands.add_parser("record", help="record an attack into a folder of examples")
    recorder.add_argument("--out", type=Path, default=Path("examples/webshop"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
