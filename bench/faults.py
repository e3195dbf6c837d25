"""Kill the engine at random, many times, and compare what it ends with to a run that nobody disturbed.

    python bench/faults.py --host embedded --kills 50 --seed 1

The recorded intrusion of `examples/`, as ECS events, is repeated against other hosts, from other addresses, at later times, until
there is enough to do; a file for each of the four sensors feeds one `opsonin run`, which is ended by SIGKILL at random
moments after it began to read and started again until it reaches the end. With `--host kafka`, the engine's roles run in
five processes on a real broker; see `faults_kafka.py`. Prints one JSON object as its last line:

    kills     SIGKILLs that hit a running engine
    lost      events, alerts, chains, decisions of the undisturbed run that are missing or differ
    repeated  those that only the disturbed run has
    equal     neither

With `--host kafka` also, unless `--elastic-down 0`: `elastic_equal`, the same comparison with what Elasticsearch holds after
it was away in the middle; and `views_equal`, whether the live views count what the topics hold.

    python bench/faults.py --host kafka --kills 30 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "webshop"
FILES = {
    "eve.json": "suricata.eve",
    "netfilter.log": "linux.netfilter",
    "auth.log": "linux.auth",
    "keylime.json": "keylime.verifier",
}
OPSONIN = Path(sys.executable).with_name("opsonin")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
_START_LIMIT_S = 60
_LONG_AGO = timedelta(days=7)
"""What is dated now counts as live: the order of its sources is then the order of arrival, different in each run."""


def workload(folder: Path, rounds: int) -> int:
    """Write the example as ECS events, a file a sensor, each in order of time, `rounds` times; return the lines.

    The rounds are two minutes apart, each with an attacker and a target of its own.
    """
    return sum(
        _write(folder / name, EXAMPLE / name, adapter, rounds) for name, adapter in FILES.items()
    )


def _write(path: Path, recorded: Path, adapter: str, rounds: int) -> int:
    command: list[str | Path] = [OPSONIN, "parse", "--adapter", adapter, recorded]
    done = subprocess.run(command, capture_output=True, check=True)
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    for event in events:
        # Both are derived anew from what a round changes.
        event.pop("event.id", None)
        event.pop("network.community_id", None)
    events.sort(key=lambda one: str(one["@timestamp"]))
    text = "".join(json.dumps(event) + "\n" for event in events)
    with path.open("w") as out:
        for number in range(rounds):
            shift = timedelta(minutes=2 * number) - _LONG_AGO

            def later(found: re.Match[str], shift: timedelta = shift) -> str:
                return (datetime.fromisoformat(found[0]) + shift).isoformat(timespec="microseconds")

            place = f"{number // 250}.{1 + number % 250}"
            told = _ISO.sub(later, text).replace("198.51.100.10", f"198.18.1{place}")
            told = told.replace("203.0.113.10", f"198.19.1{place}")
            out.write(told.replace('"target"', f'"target{number}"'))
    return len(events) * rounds


def config(folder: Path, data: str) -> Path:
    """Write the settings of one run."""
    path = folder / f"{data}.toml"
    path.write_text(
        f'[engine]\ndata_dir = "{data}"\nstop_at_end = true\nidle_after = "1h"\n[policy]\nmode = "enforce"\n'
        f'[web]\nport = 0\n[log]\nformat = "json"\n[[point]]\nname = "memory"\ntype = "memory"\n'
        + "".join(
            f'[[source]]\nname = "{name}"\ntype = "file"\nadapter = "generic.ecs"\n'
            f'path = "{folder}/{name}"\nfollow = false\n'
            for name in FILES
        )
    )
    return path


def start(path: Path) -> subprocess.Popen[bytes]:
    """Start the engine; return once it reads."""
    log = path.with_suffix(".log").open("wb")
    engine = subprocess.Popen(
        [OPSONIN, "run", "--quiet", "--config", path], stdout=subprocess.DEVNULL, stderr=log
    )
    log.close()
    deadline = time.monotonic() + _START_LIMIT_S
    while b"engine.started" not in path.with_suffix(".log").read_bytes():
        if engine.poll() is not None or time.monotonic() > deadline:
            sys.exit(path.with_suffix(".log").read_text())
        time.sleep(0.005)
    return engine


def disturbed(path: Path, kills: int, rng: random.Random, longest_s: float) -> int:
    """Run to the end through up to `kills` SIGKILLs; return how many hit."""
    hit = 0
    while True:
        engine = start(path)
        if hit < kills:
            time.sleep(rng.uniform(0, longest_s))
            if engine.poll() is None:
                engine.send_signal(signal.SIGKILL)
                engine.wait()
                hit += 1
                print(f"\r{hit} kills", end="", file=sys.stderr, flush=True)
                continue
        if engine.wait():
            sys.exit(path.with_suffix(".log").read_text())
        print(file=sys.stderr)
        return hit


def outcome(data: Path) -> dict[tuple[str, str], str]:
    """Return what a store ends with: events by id, records by kind and id, without revision numbers."""
    found: dict[tuple[str, str], str] = {}
    with sqlite3.connect(data / "opsonin.db") as db:
        for id, body in db.execute(
            "SELECT id, json FROM event WHERE CAST(json AS TEXT) NOT LIKE '%\"opsonin.outcome\"%'"
        ):
            found["event", id] = bytes(body).decode()
        for kind, id, body in db.execute(
            "SELECT kind, id, json FROM record WHERE kind != 'outcome'"
        ):
            record = json.loads(body)
            del record["revision"]
            found[kind, id] = json.dumps(record, sort_keys=True)
    db.close()
    return found


def _difference(calm: str, wild: str | None) -> str:
    if wild is None:
        return "missing"
    left, right = json.loads(calm), json.loads(wild)
    changed = [name for name in left if left[name] != right.get(name)]
    return "; ".join(
        f"{name}: {str(left[name])[:300]} | {str(right.get(name))[:300]}" for name in changed
    )


def _elastic(
    calm: dict[tuple[str, str], str], held: dict[tuple[str, str], str] | None, down_s: float
) -> dict[str, Any]:
    """Return what Elasticsearch lacks, or has beyond, the undisturbed run."""
    if held is None:
        return {"elastic_equal": None}
    lost = [place for place in calm if held.get(place) != calm[place]]
    beyond = [place for place in held if place not in calm]
    for place in lost[:5]:
        print("Elasticsearch:", place, _difference(calm[place], held.get(place)), file=sys.stderr)
    return {
        "elastic_equal": not lost and not beyond,
        "elastic_lost": len(lost),
        "elastic_beyond": len(beyond),
        "elastic_down_s": round(down_s, 1),
    }


def main() -> None:
    """Run the bench."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--host", choices=("embedded", "kafka"), default="embedded")
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--rounds", type=int, default=0, help="repetitions of the example (default: by --kills)"
    )
    options.add_argument("--keep", type=Path, help="folder for the stores, kept")
    options.add_argument(
        "--broker-kills", type=int, default=2, help="of the broker, with --host kafka"
    )
    options.add_argument(
        "--elastic-down",
        type=float,
        default=60.0,
        help="seconds that Elasticsearch is away, with --host kafka; 0: without Elasticsearch",
    )
    given = options.parse_args()
    rng = random.Random(given.seed)  # noqa: S311 - repeatable moments, not secrets
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        lines = workload(folder, given.rounds or 20 + 3 * given.kills // 2)
        began = time.monotonic()
        calm_path, wild_path = config(folder, "calm"), config(folder, "wild")
        more: dict[str, Any] = {}
        if given.host == "kafka":
            import faults_kafka  # type: ignore[import-not-found]  # noqa: PLC0415 - beside this script; needs a broker's parts

            calm = faults_kafka.replayed(calm_path, (folder / name for name in FILES))
            seconds = time.monotonic() - began
            ended = faults_kafka.run(
                wild_path, given.kills, given.broker_kills, given.elastic_down, len(calm), rng
            )
            wild, kills = ended.found, ended.kills.total()
            more = {
                "duplicates": ended.duplicates,
                "broker_kills": ended.broker_kills,
                "disturbed_s": round(ended.seconds, 1),
                "hit": dict(sorted(ended.kills.items())),
                "views_equal": ended.views_equal,
                **_elastic(calm, ended.searched, ended.elastic_down_s),
            }
        else:
            if start(calm_path).wait():
                sys.exit(calm_path.with_suffix(".log").read_text())
            seconds = time.monotonic() - began
            longest_s = 1.5 * seconds / max(1, given.kills)
            kills = disturbed(wild_path, given.kills, rng, longest_s)
            calm, wild = outcome(folder / "calm"), outcome(folder / "wild")
    lost = [place for place in calm if wild.get(place) != calm[place]]
    repeated = [place for place in wild if place not in calm]
    for place in lost[:5]:
        print(place, _difference(calm[place], wild.get(place)), file=sys.stderr)
    for place in repeated[:5]:
        print(place, "only after kills", file=sys.stderr)
    kinds = {
        kind: sum(1 for one, _ in calm if one == kind)
        for kind in ("event", "alert", "chain", "decision")
    }
    print(
        json.dumps(
            {
                "kills": kills,
                "lost": len(lost),
                "repeated": len(repeated),
                "equal": not lost and not repeated,
                "lines": lines,
                "undisturbed_s": round(seconds, 1),
                **kinds,
                **more,
                "cpus": os.cpu_count(),
            }
        )
    )


if __name__ == "__main__":
    main()
