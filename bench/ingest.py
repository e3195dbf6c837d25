"""Lines a second through one adapter on one core: bytes in, typed ECS out as JSON; beside a peer when one is given.

    bench/ingest.py --adapter linux.netfilter netfilter.log
    bench/ingest.py --adapter suricata.eve eve.json --peer ./peer_rsyslog.sh --peer-kind eve --profile 20

The file is read into memory first; reading it is not timed, nor is the first pass, which warms caches and learnt
shapes as a running engine has them. With --cold it is the first pass that counts. A peer is a command that
takes FILE and KIND and prints one JSON line with `lines_per_s` (wall clock, one core) and, if it can, `lines_per_cpu_s`;
it runs between our passes, so that both see the same machine.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# This file bears the name of the package that it measures; its folder must not hide the package.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract.plugins import load_named  # noqa: E402 - after the line above
from contract.ports import Adapter, Context  # noqa: E402 - after the line above
from contract.records import DeadLetter  # noqa: E402 - after the line above
from contract.timestamps import from_datetime  # noqa: E402 - after the line above
from ingest.native import NATIVE  # noqa: E402 - after the line above
from ingest.normalize import Normalizer  # noqa: E402 - after the line above


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--passes", type=int, default=3, help="timed passes; their median counts")
    parser.add_argument("--lines", type=int, default=0, help="at most so many lines")
    parser.add_argument("--cold", action="store_true", help="count the first pass")
    parser.add_argument("--plain", action="store_true", help="without the native module")
    parser.add_argument("--core", type=int, help="run on this core")
    parser.add_argument(
        "--received", default="2026-06-15T12:00:00+00:00", help="arrival of every line"
    )
    parser.add_argument("--profile", type=int, default=0, help="print the N dearest functions")
    parser.add_argument("--peer", help="command of a peer")
    parser.add_argument("--peer-kind", default="")
    return parser.parse_args()


class Pass:
    """One run over all lines.

    Attributes:
        wall_s: wall clock.
        cpu_s: of this process.
        events: made.
        dead_letters: made.
        bytes_out: of JSON.
    """

    def __init__(self, normalizer: Normalizer, lines: list[bytes], received_us: int) -> None:
        self.events = self.dead_letters = self.bytes_out = 0
        context = Context(received_us=received_us)
        take = normalizer.take
        wall, cpu = time.perf_counter(), time.process_time()
        for line in lines:
            for result in take(line, context):
                if isinstance(result, DeadLetter):
                    self.dead_letters += 1
                else:
                    self.events += 1
                    self.bytes_out += len(result.json)
        for result in normalizer.flush(context):
            self.events += not isinstance(result, DeadLetter)
        self.wall_s, self.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def run_peer(command: str, file: Path, kind: str) -> dict[str, Any]:
    """Run the peer once on the same file; its last line is its result."""
    done = subprocess.run([command, str(file), kind], capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def show_profile(normalizer: Normalizer, lines: list[bytes], received_us: int, top: int) -> None:
    """Print where the time goes, on standard error."""
    profile = cProfile.Profile()
    profile.enable()
    Pass(normalizer, lines, received_us)
    profile.disable()
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(top)


def main() -> int:
    """Run; the last line on standard output is the result."""
    options = arguments()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    adapter = load_named("ingest.adapters", options.adapter, "ADAPTER", Adapter)
    lines = [line for line in options.file.read_bytes().split(b"\n") if line]
    lines = lines[: options.lines] if options.lines else lines
    received_us = from_datetime(datetime.fromisoformat(options.received).astimezone(UTC))
    gc.freeze()
    normalizer = Normalizer(adapter, "bench", learns=not options.plain)
    first = Pass(normalizer, lines, received_us)
    print(f"first pass {len(lines) / first.wall_s:,.0f} lines/s", file=sys.stderr)
    passes, peers = [first] if options.cold else [], []
    for number in range(options.passes):
        one = Pass(normalizer, lines, received_us)
        print(f"pass {number + 1}: {len(lines) / one.wall_s:,.0f} lines/s", file=sys.stderr)
        if not options.cold:
            passes.append(one)
        if options.peer:
            peers.append(run_peer(options.peer, options.file, options.peer_kind))
            print(f"peer: {peers[-1].get('lines_per_s'):,} lines/s", file=sys.stderr)
    if options.profile:
        show_profile(normalizer, lines, received_us, options.profile)
    median_s = statistics.median_low(one.cpu_s for one in passes)
    one_pass = next(one for one in passes if one.cpu_s == median_s)
    result: dict[str, Any] = {
        "adapter": options.adapter,
        "native": NATIVE is not None and adapter.holes is not None and not options.plain,
        "lines": len(lines),
        "lines_per_s": round(len(lines) / statistics.median(one.wall_s for one in passes)),
        "lines_per_cpu_s": round(len(lines) / one_pass.cpu_s),
        "best_lines_per_cpu_s": round(len(lines) / min(one.cpu_s for one in passes)),
        "cpu_s": round(one_pass.cpu_s, 3),
        "us_per_line": round(one_pass.cpu_s / len(lines) * 1e6, 2),
        "events": one_pass.events,
        "dead_letters": one_pass.dead_letters,
        "bytes_out_per_line": round(one_pass.bytes_out / len(lines), 1),
    }
    if peers:
        rate = (
            "lines_per_cpu_s" if all("lines_per_cpu_s" in one for one in peers) else "lines_per_s"
        )
        peer = statistics.median(one[rate] for one in peers)
        result |= {
            "peer": peers[0].get("peer"),
            f"peer_{rate}": peer,
            f"peer_best_{rate}": max(one[rate] for one in peers),
            "ratio": round(result[rate] / peer, 2),
        }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
