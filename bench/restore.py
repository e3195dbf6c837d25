"""How long a partition's state takes to come back from its changelog: open groups of a correlation, as after a worker is lost.

    python bench/restore.py --keys 1000000

Fills a correlation by address with so many groups, writes its state as an epoch after another does, and reads it back on a
broker of its own in a new process. Prints one JSON object as its last line:

    keys        groups that were open
    records     of the changelog, and its megabytes
    restore_s   wall time from the first read to the stage ready; restore_cpu_s: this process's, read_cpu_s: of it, to have the parts read
    rss_mb      of the process that has restored it; peak_rss_mb: at most; empty_rss_mb: before
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "bench" / "empty")  # scripts here bear the names of packages
sys.path += [str(ROOT), str(ROOT / "deploy" / "lab")]

from kafka_broker import Broker  # noqa: E402 - after the paths

from contract.document import read  # noqa: E402
from contract.event import Event, Match  # noqa: E402
from contract.topics import AGGREGATE_STATE  # noqa: E402
from correlate.aggregate import aggregate  # noqa: E402
from correlate.sigma.compile import load  # noqa: E402
from runtime import log  # noqa: E402
from runtime.garbage import settle  # noqa: E402
from runtime.kafka import client, topics  # noqa: E402
from runtime.kafka.settings import KafkaSettings  # noqa: E402
from runtime.kafka.state import records_of, restore  # noqa: E402
from runtime.stage_runner import StageRunner  # noqa: E402

RULES = """
title: one
id: one
logsource: {product: linux}
detection: {s: {event.action: x}, condition: s}
---
title: many
id: many
correlation:
  type: event_count
  rules: [one]
  group-by: [source.ip]
  timespan: 1h
  condition: {gte: 3}
"""
START_US = 1_700_000_000_000_000
EPOCH = 5_000


def stage() -> StageRunner[Any, Any]:
    """Return the stage of the one correlation."""
    return StageRunner(aggregate(load(read(RULES, "rules.yml"))))


def fill(settings: KafkaSettings, keys: int) -> tuple[int, int]:
    """Open so many groups, write the changelog epoch by epoch; return its records and bytes."""
    runner = stage()
    producer = client.producer(settings)
    name = topics.name_of(settings, AGGREGATE_STATE)
    records = size = 0
    for number in range(keys):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        fields = {"source.ip": address, "event.id": f"e{number}", "host.name": "web"}
        event = Event.of(fields, id=f"e{number}", time_us=START_US + number, source="bench")
        list(runner.take(Match("one", event)))
        if number % EPOCH == EPOCH - 1:
            for one in records_of(runner.changes(), AGGREGATE_STATE, 0, 500_000):
                producer.send(name, one.value, key=one.key, headers=one.headers, partition=0)
                records += 1
                size += len(one.value or b"") + len(one.key)
            print(f"\r{number + 1} keys", end="", file=sys.stderr, flush=True)
    producer.flush()
    producer.close()
    print(file=sys.stderr)
    return records, size


def memory_mb(name: str) -> int:
    """Return what Linux says of this process's memory (what `getrusage` says is handed down by the parent)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith(name)) // 1024


def bring_back(settings: KafkaSettings) -> dict[str, float]:
    """Read the state back and open it; return what it cost."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settle()
    runner = stage()
    empty = memory_mb("VmRSS")
    began, cpu = time.monotonic(), time.process_time()
    reader, ends = (
        client.consumer(settings),
        client.consumer(settings, isolation_level="read_uncommitted"),
    )
    state = restore(reader, ends, topics.name_of(settings, AGGREGATE_STATE), 0, lambda: None)
    read_cpu_s = time.process_time() - cpu
    runner.restore(state.get("aggregate", {}).items(), START_US)
    del state
    return {
        "restore_s": round(time.monotonic() - began, 1),
        "restore_cpu_s": round(time.process_time() - cpu, 1),
        "read_cpu_s": round(read_cpu_s, 1),
        "rss_mb": memory_mb("VmRSS"),
        "peak_rss_mb": memory_mb("VmHWM"),
        "empty_rss_mb": empty,
    }


def main() -> None:
    """Run the bench."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--keys", type=int, default=1_000_000)
    given = options.parse_args()
    log.configure("warning", "text")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temporary, Broker(place=Path(temporary)) as broker:
        settings = KafkaSettings(
            bootstrap=(broker.bootstrap,), prefix="restore.", replication=1, min_in_sync=1
        )
        admin = client.admin(settings)
        topics.bring_in_line(admin, topics.wanted(settings, (AGGREGATE_STATE,)))
        admin.close()
        records, size = fill(settings, given.keys)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cost = pool.apply(bring_back, (settings,))
    megabytes = round(size / 1e6)
    print(
        json.dumps(
            {
                "keys": given.keys,
                "records": records,
                "megabytes": megabytes,
                **cost,
                "cpus": os.cpu_count(),
            }
        )
    )


if __name__ == "__main__":
    main()
