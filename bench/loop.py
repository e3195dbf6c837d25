"""Wire to block: how long after a packet was on the wire does the firewall hold its sender?

A lab of network namespaces is made (`deploy/lab/`, root). Sources one after the other scan the target and send an
exploit. For each, the time from the exploit's packet (Suricata's own time stamp, taken by the kernel at capture)
to the nft set element (announced by the kernel, received by an independent watcher) is taken. The bare script
`bench/floor.py` is measured in the same run, half before and half after the engine, by the same method.

The last line on standard output is one JSON object: p50_ms, p95_ms, max_ms, n, lost (alerts that led to no
element) of the engine; the same with `floor_` of the bare script; ratio_p95; realtime (whether `--realtime` was given).
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "deploy" / "lab"))

import attack  # noqa: E402 - found by the path above
from engine import LabEngine  # noqa: E402
from network import Lab  # noqa: E402
from state import LabError  # noqa: E402
from topology import TARGET  # noqa: E402

SIGNATURE = 9000001
SCAN_PORTS = range(1000, 1025)  # 25 attempts; the lab's scan rule asks for 20
FIRST = ipaddress.IPv4Address("198.18.0.1")
WARM_UP = 5
REALTIME_PRIORITY = 5
START_S, SETTLE_S = 60.0, 3.0


Measured = tuple[list[float], int]


@dataclass(slots=True)
class Watch:
    """The watcher's process and what it saw: address to nanoseconds of its first element."""

    process: subprocess.Popen[str]
    seen: dict[str, int] = field(default_factory=dict)

    def read(self) -> None:
        """Take lines until the watcher ends; runs in a thread of its own."""
        assert self.process.stdout is not None  # noqa: S101 - started with a pipe
        for line in self.process.stdout:
            moment, _, _, address = line.split()
            self.seen.setdefault(address, int(moment))


@contextlib.contextmanager
def watching(lab: Lab) -> Iterator[Watch]:
    """Run the independent watcher on the router."""
    line = lab.topology.within("router", sys.executable, str(ROOT / "bench" / "setwatch.py"))
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        watch = Watch(process)
        assert process.stdout is not None  # noqa: S101 - started with a pipe
        process.stdout.readline()  # "watching"
        thread = threading.Thread(target=watch.read, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            process.terminate()
            thread.join()


@contextlib.contextmanager
def bare_script(lab: Lab) -> Iterator[None]:
    """Run `bench/floor.py` on the router from its EVE socket being there; end it."""
    lab.suricata.socket.unlink(missing_ok=True)
    script = [sys.executable, str(ROOT / "bench" / "floor.py"), str(lab.suricata.socket)]
    with subprocess.Popen(lab.topology.within("router", *script)) as process:
        deadline = time.monotonic() + START_S
        while not lab.suricata.socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise LabError("the bare script does not listen")
            time.sleep(0.02)
        try:
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def whole_engine(lab: Lab, folder: Path, follow: tuple[str, ...]) -> Iterator[None]:
    """Run `opsonin run` on the router, enforcing, with caps beyond what is measured; end it."""
    caps = {"rate": 1_000_000, "live": 1_000_000}
    # What the IDS alone sees of this attack weighs less than with the firewall's word, which is not read here.
    engine = LabEngine(lab, folder, score=5, guard=caps, follow=follow)
    engine.start()
    try:
        yield
    except LabError as error:
        raise LabError(f"{error}; the engine said:\n{engine.said()}") from error
    finally:
        engine.stop()


def volley(first: str, count: int, gap_s: float) -> None:
    """Attack from `count` sources in turn; runs inside the attacker's namespace."""
    for number in range(count):
        source = str(ipaddress.IPv4Address(first) + number)
        attack.sweep(source, TARGET, SCAN_PORTS)
        time.sleep(gap_s / 2)
        with contextlib.suppress(OSError):  # a source that is blocked already cannot connect
            attack.strike(source, TARGET)
        time.sleep(gap_s / 2)


def strike(lab: Lab, first: int, count: int, gap_s: float) -> list[str]:
    """Start `volley` in the lab, wait for its end, return its sources."""
    start = FIRST + first
    script = [sys.executable, str(Path(__file__).resolve()), "--volley", str(start)]
    lab.topology.run("attacker", *script, "-n", str(count), "--gap", str(gap_s))
    return [str(start + number) for number in range(count)]


def packet_times(eve: Path) -> dict[str, int]:
    """Return, by source address, when the exploit's packet was captured, in ns since 1970."""
    found: dict[str, int] = {}
    with eve.open(encoding="utf-8") as lines:
        for line in lines:
            if f'"signature_id":{SIGNATURE}' in line:
                event = json.loads(line)
                moment = datetime.fromisoformat(event["timestamp"])
                micros = int(moment.timestamp()) * 1_000_000 + moment.microsecond
                found.setdefault(event["src_ip"], micros * 1000)
    return found


def measure(lab: Lab, watch: Watch, first: int, count: int, gap_s: float) -> Measured:
    """Warm up, attack from `count` sources; return the delays in ms and how many were lost.

    Suricata joins a new listener only with its next event, at most every 500 ms, so the warm-up goes on
    until a block has been seen.

    Raises:
        LabError: nothing is ever blocked.
    """
    deadline = time.monotonic() + START_S
    while True:
        sources = strike(lab, first, WARM_UP, 0.3)
        first += WARM_UP
        if any(source in watch.seen for source in sources):
            break
        if time.monotonic() > deadline:
            raise LabError(f"no source was blocked within {START_S:.0f} s")
    sources = strike(lab, first, count, gap_s)
    time.sleep(SETTLE_S)
    packets = packet_times(lab.suricata.eve)
    alerted = [source for source in sources if source in packets]
    delays = [(watch.seen[s] - packets[s]) / 1e6 for s in alerted if s in watch.seen]
    print(f"{len(sources)} attacks, {len(alerted)} alerts, {len(delays)} blocks", file=sys.stderr)
    return delays, len(alerted) - len(delays)


def summary(delays: list[float], lost: int, prefix: str = "") -> dict[str, float | int]:
    """Return the figures of one side, rounded to microseconds."""
    cuts = statistics.quantiles(delays, n=20, method="inclusive")
    figures: dict[str, float | int] = {
        "p50_ms": round(cuts[9], 3),
        "p95_ms": round(cuts[18], 3),
        "max_ms": round(max(delays), 3),
        "n": len(delays),
        "lost": lost,
    }
    return {prefix + name: figure for name, figure in figures.items()}


def main() -> int:
    """Measure; 0 done, 1 the lab cannot be made or nothing was blocked."""
    given = _parser().parse_args()
    if given.volley:
        volley(given.volley, given.n, given.gap)
        return 0
    try:
        figures = run(given)
    except LabError as error:
        print(f"loop.py: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures))
    return 0


def run(given: argparse.Namespace) -> dict[str, float | int]:
    """Make the lab, measure floor, engine, floor again, remove the lab; return the figures."""
    lab = Lab(given.prefix)
    if given.realtime:  # inherited by all that is started from here on
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
    lab.up(everything=given.one_stream)
    follow = () if given.one_stream else ("flows",)
    half = given.n // 2
    try:
        with watching(lab) as watch, tempfile.TemporaryDirectory() as folder:
            with bare_script(lab):
                before = measure(lab, watch, 0, half, given.gap)
            with whole_engine(lab, Path(folder), follow):
                engine = measure(lab, watch, 20_000, given.n, given.gap)
            with bare_script(lab):
                after = measure(lab, watch, 40_000, given.n - half, given.gap)
    finally:
        lab.down()
    figures = summary(*engine)
    figures |= summary(before[0] + after[0], before[1] + after[1], "floor_")
    figures["realtime"] = given.realtime
    figures["ratio_p95"] = round(figures["p95_ms"] / figures["floor_p95_ms"], 2)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=200, help="attacks per side (%(default)s)")
    parser.add_argument("--gap", type=float, default=0.05, help="seconds an attack (%(default)s)")
    parser.add_argument(
        "--one-stream",
        action="store_true",
        help="all of EVE over the socket, not the alerts over it and the rest by file",
    )
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="run sensor, script and engine under SCHED_RR, for a machine that others use meanwhile",
    )
    parser.add_argument("--prefix", default="oplbench", help="of the lab (%(default)s)")
    parser.add_argument("--volley", help=argparse.SUPPRESS)  # the part that runs as the attacker
    return parser


if __name__ == "__main__":
    sys.exit(main())
