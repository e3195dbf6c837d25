"""Correlations per second on one core, beside rsigma on the same events in the same run.

Lanes: one correlation over a million Windows logons, with 100, 10,000 and 1,000,000 groups, and distinct
values at 10, 1,000 and 7,000 in the window; and with one group (`@1`) 2,000 events a second that bear whole seconds, as a flood
in a log by the second does. The events are decoded and matched beforehand; what is timed is
the stage under the engine's own host: keys, windows, timers, and (unless --no-state) a snapshot of what
changed every --epoch events (the host: after 200 ms or 5,000 records). The peer reads, decodes and matches too: it is given the same lines.

Beside each lane stands what Python itself takes of the same events: `decode_us`, msgspec's decoding of their JSON, and
`keep_us`, the least that any correlation does: read the group-by field and append (time, id) to the group's list. `floor_per_s` is
a second over both; `ratio` is ours to the peer's as timed, `ratio_decoded` with our decoding added, since the peer decodes too. A lane of
which the peer takes more than 90 seconds has none. The peer is found beside the checkout (`../shared/peers/rsigma.sh`, which prints where the program is).

Rates are per second of CPU time, so that a busy machine shows in neither; run on an idle one all the same.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402

from contract.document import read  # noqa: E402
from contract.event import Event, Match  # noqa: E402
from contract.records import Alert  # noqa: E402
from contract.timestamps import iso  # noqa: E402
from correlate.aggregate import Settings, aggregate  # noqa: E402
from correlate.sigma.compile import load  # noqa: E402
from runtime.stage_runner import StageRunner  # noqa: E402

T0_US = 1_767_225_600_000_000
LATENESS_US = 1_000_000
BATCH = 20_000
GC_THRESHOLD = (100_000, 20, 50)  # as in runtime/embedded.py
Row: TypeAlias = tuple[int, int, int, str, int]
_decode = msgspec.json.Decoder().decode
PEER = ROOT.parent / "shared" / "peers" / "rsigma.sh"

DETECTIONS = "".join(
    f"title: {name}\nid: 00000000-0000-4000-8000-00000000000{number}\nname: {name}\nstatus: test\n"
    f"logsource: {{product: windows, service: security}}\n"
    f"detection:\n  selection: {{EventID: {code}}}\n  condition: selection\nlevel: informational\n---\n"
    for number, (name, code) in enumerate((("fail", 4625), ("good", 4624), ("special", 4672)), 1)
)
IDS = {
    code: f"00000000-0000-4000-8000-00000000000{n}" for n, code in enumerate((4625, 4624, 4672), 1)
}
NEVER = 1_000_000_000_000
LANES: dict[str, tuple[str, str, str]] = {
    "event_count": ("event_count", "fail", "condition: {gte: 1000000}"),
    "event_count_fire": ("event_count", "fail", "condition: {gte: 10}"),
    "value_count": ("value_count", "fail", "condition: {field: TargetUserName, gte: 1000000}"),
    "value_sum": ("value_sum", "fail", f"condition: {{field: Bytes, gte: {NEVER}}}"),
    "value_avg": ("value_avg", "fail", f"condition: {{field: Bytes, gte: {NEVER}}}"),
    "value_percentile": ("value_percentile", "fail", f"condition: {{field: Bytes, percentile: 95, gte: {NEVER}}}"),
    "value_median": ("value_median", "fail", f"condition: {{field: Bytes, gte: {NEVER}}}"),
    "temporal": ("temporal", "fail, good, special", ""),
    "temporal_ordered": ("temporal_ordered", "fail, good, special", ""),
}  # fmt: skip
GROUPS = (100, 10_000, 1_000_000)
VALUES = (10, 1_000, 7_000)
FLOODED = ("event_count_fire", "value_count", "value_sum", "temporal")
FLOOD_PER_S = 2_000


def rule(lane: str, span: str) -> str:
    """Return the rules of a lane."""
    kind, rules, condition = LANES[lane]
    text = (
        f"{DETECTIONS}title: lane\nid: 00000000-0000-4000-8000-000000000101\nstatus: test\nlevel: high\n"
        f"correlation:\n  type: {kind}\n  rules: [{rules}]\n  group-by: [IpAddress]\n  timespan: {span}\n"
    )
    return text + (f"  {condition}\n" if condition else "")


def rows(kind: str, size: int, total: int) -> Iterator[Row]:
    """Yield (time, EventID, group, user, bytes) of events a millisecond apart, or `size` a minute, or `FLOOD_PER_S` of each second."""
    chance = random.Random(11)  # noqa: S311  the same streams in each run
    for index in range(total):
        if kind == "values":
            yield T0_US + index * 60_000_000 // size, 4625, 1, f"user{index % size:05}", 100
            continue
        draw = chance.random()
        code = 4625 if draw < 0.9 else 4624 if draw < 0.99 else 4672  # noqa: PLR2004
        user = f"user{chance.randrange(50):02}"
        time_us = index * 1000 if kind == "keys" else index // FLOOD_PER_S * 1_000_000
        yield T0_US + time_us, code, chance.randrange(size), user, chance.randint(1, 10_000)


def address(group: int) -> str:
    """Return the address that stands for a group."""
    return f"10.{group >> 16 & 255}.{group >> 8 & 255}.{group & 255}"


def match_of(index: int, row: tuple[int, int, int, str, int]) -> Match:
    """Return a row as the match of an ECS event, as the Windows adapter makes them."""
    at, code, group, user, size = row
    id = f"{index * 0x9E3779B97F4A7C15 % 2**64:024x}"  # as digests, in no order
    fields: dict[str, Any] = {
        "@timestamp": iso(at), "event.id": id, "event.code": str(code), "host.name": "dc01",
        "event.category": ["authentication"], "event.outcome": "failure" if code == 4625 else "success",  # noqa: PLR2004
        "winlog.channel": "Security", "source.ip": address(group), "user.name": user,
        "winlog.event_data.IpAddress": address(group), "winlog.event_data.TargetUserName": user,
        "winlog.event_data.LogonType": "3", "winlog.event_data.Bytes": size,
    }  # fmt: skip
    return Match(IDS[code], Event(id, at, "bench", fields, b""))


def ours(text: str, matches: Iterator[Match], *, epoch: int) -> dict[str, Any]:
    """Run a lane; return its figures. Events are made in batches, between which the clock stands."""
    rules = load(read(text, "lane.yml"))
    used = {one for row in rules.correlations.values() for one in row.data["correlation"]["rules"]}
    ids = {detection.id for detection in rules.detections.values() if detection.name in used}
    runner = StageRunner(aggregate(rules, Settings(max_events=1_000_000)))
    lane = _Lane(runner, epoch=epoch)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    before, most, seconds, events = resident_mb(), 0, 0.0, 0
    floor = _Floor()
    for number in count():
        batch = [one for one in islice(matches, BATCH) if one.rule in ids]
        if not batch:
            break
        events += len(batch)
        if number % 8 == 0:
            floor.sample(batch)
        begun = time.process_time()
        lane.run(batch)
        seconds += time.process_time() - begun
        most = max(most, len(runner))
    return {
        "events": events, "events_per_s": round(events / seconds), "us": round(1e6 * seconds / events, 2),
        **floor.figures(), "groups": most,
        "alerts": lane.alerts, "rss_mb": round(resident_mb()), "state_rss_mb": round(resident_mb() - before),
        "state_bytes_per_event": round(lane.written / max(1, events)),
    }  # fmt: skip


class _Floor:
    """What Python takes of the same events whatever is done with them; measured on an eighth of the batches."""

    def __init__(self) -> None:
        self.groups: dict[str, list[tuple[int, str]]] = {}
        self.decoding = self.keeping = 0.0
        self.events = 0

    def sample(self, batch: list[Match]) -> None:
        """Decode a batch, and append its events to their groups."""
        lines = [msgspec.json.encode(one.event.fields) for one in batch]
        begun = time.process_time()
        decoded = [_decode(line) for line in lines]
        middle = time.process_time()
        groups = self.groups
        for one in batch:
            event = one.event
            group = event.fields["winlog.event_data.IpAddress"].lower()
            known = groups.get(group)
            if known is None:
                known = groups[group] = []
            known.append((event.time_us, event.id))
        self.keeping += time.process_time() - middle
        self.decoding += middle - begun
        self.events += len(decoded)

    def figures(self) -> dict[str, float]:
        """Return microseconds an event, and events a second."""
        decode, keep = (1e6 * one / max(1, self.events) for one in (self.decoding, self.keeping))
        return {
            "decode_us": round(decode, 2), "keep_us": round(keep, 2), "floor_per_s": round(1e6 / max(1e-9, decode + keep)),
        }  # fmt: skip


class _Lane:
    """Drives the stage as the embedded host does."""

    def __init__(self, runner: StageRunner[Any, Any], *, epoch: int) -> None:
        self.runner = runner
        self.epoch = epoch
        self.alerts = 0
        self.written = 0
        self.pending = 0

    def run(self, batch: list[Match]) -> None:
        """Take a batch of matches."""
        runner = self.runner
        for match in batch:
            now = match.event.time_us
            if now - LATENESS_US >= runner.next_wake():
                self.alerts += sum(
                    isinstance(one, Alert) for one in runner.advance(now - LATENESS_US)
                )
            for output in runner.take(match):
                self.alerts += isinstance(output, Alert)
            self.pending += 1
            if self.pending == self.epoch:
                self.pending = 0
                self.written += sum(len(part or b"") for part in runner.changes().values())


def resident_mb() -> float:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def peer(text: str, lines: Path, total: int) -> int | None:
    """Return rsigma's events per second of CPU time on the same lines, its start taken off; None: it took too long."""
    binary = subprocess.run([PEER], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        rules, empty = Path(folder) / "lane.yml", Path(folder) / "empty"
        rules.write_text(text, "utf-8")
        empty.write_text("", "utf-8")
        spent = [cpu([binary, "engine", "eval", "-r", str(rules), "-e", f"@{one}", "--output-format", "ndjson",
                      "--max-state-entries", "2000000"]) for one in (empty, lines)]  # fmt: skip
    if spent[1] is None or spent[0] is None:
        return None
    return round(total / max(1e-3, spent[1] - spent[0]))


def cpu(command: list[str], limit_s: int = 90) -> float | None:
    """Return the CPU seconds of a command; None when it took longer than allowed."""
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(
            ["timeout", str(limit_s), *command], stdout=nowhere, stderr=nowhere
        )
        _, status, used = os.wait4(process.pid, 0)
    return None if status else used.ru_utime + used.ru_stime


def write(made: Iterable[Row], path: Path) -> None:
    """Write the rows as the peer reads them."""
    with path.open("w", encoding="utf-8") as out:
        for at, code, group, user, size in made:
            row = {"@timestamp": iso(at), "Channel": "Security", "EventID": code, "Computer": "dc01",
                   "IpAddress": address(group), "TargetUserName": user, "LogonType": 3, "Bytes": size}  # fmt: skip
            out.write(json.dumps(row, separators=(",", ":")) + "\n")


def lanes(options: argparse.Namespace) -> list[tuple[str, str, str, int]]:
    """Return (lane, timespan, kind of stream, size) of the lanes asked for."""
    chosen = [(lane, "5m", "keys", size) for size in GROUPS for lane in LANES]
    chosen += [("value_count", "60s", "values", size) for size in VALUES]
    chosen += [(lane, "5m", "seconds", 1) for lane in FLOODED]
    return [row for row in chosen if not options.lane or f"{row[0]}@{row[3]}" in options.lane]


def one(lane: str, span: str, kind: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run one lane, ours and the peer's, in a process of its own: memory is told apart."""
    total = options.events if kind == "keys" else min(options.events, 100_000)
    text = rule(lane, span)
    figures: dict[str, Any] = {"lane": lane, "stream": f"{kind}_{size}"}
    if not options.no_peer and PEER.exists():
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as lines:
            write(rows(kind, size, total), Path(lines.name))
            figures["peer_events_per_s"] = peer(text, Path(lines.name), total)
    matches = (match_of(index, row) for index, row in enumerate(rows(kind, size, total)))
    figures |= ours(text, matches, epoch=0 if options.no_state else options.epoch)
    if (peer_rate := figures.get("peer_events_per_s")) is not None:
        figures["ratio"] = round(figures["events_per_s"] / peer_rate, 2)
        decoded = 1e6 / (figures["us"] + figures["decode_us"])
        figures["ratio_decoded"] = round(decoded / peer_rate, 2)
    return figures


def table(results: list[dict[str, Any]]) -> str:
    """Return the lanes as one table, in Markdown."""
    head = ("lane", "stream", "alerts", "ours", "rsigma", "ratio", "+ decoding", "RSS in MB")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in results:
        peer_rate = row.get("peer_events_per_s", "")
        cells = (
            row["lane"], row["stream"], row["alerts"], f"{row['events_per_s']:,}",
            f"{peer_rate:,}" if isinstance(peer_rate, int) else "over 90 s" if peer_rate is None else "",
            row.get("ratio", ""), row.get("ratio_decoded", ""), row["rss_mb"],
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Run the lanes, each in its own process; print a table, and one JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: bench/windows.py --lane event_count@100 --events 300000")  # fmt: skip
    parser.add_argument("--events", type=int, default=1_000_000, help="events of a lane")
    parser.add_argument("--lane", action="append", help="e.g. value_count@7000; default: all")
    parser.add_argument("--no-peer", action="store_true", help="do not run rsigma")
    parser.add_argument("--epoch", type=int, default=1_000, help="events between two snapshots")
    parser.add_argument("--no-state", action="store_true", help="take no snapshots")
    parser.add_argument("--single", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = lanes(options)
    if options.single:
        print(json.dumps(one(*chosen[0], options)))
        return
    results = []
    for lane, _, _, size in chosen:
        print(f"{lane} at {size} ...", file=sys.stderr, flush=True)
        command = [
            sys.executable,
            __file__,
            "--single",
            "--lane",
            f"{lane}@{size}",
            "--events",
            str(options.events),
            "--epoch",
            str(options.epoch),
        ]
        command += ["--no-peer"] * options.no_peer + ["--no-state"] * options.no_state
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(table(results), flush=True)
    rates = [row["events_per_s"] for row in results]
    print(
        json.dumps(
            {
                "lanes": results,
                "least_events_per_s": min(rates),
                "rss_mb": max(r["rss_mb"] for r in results),
            }
        )
    )


if __name__ == "__main__":
    main()
