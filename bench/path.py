"""What each stage costs on Kafka, beside the bare client that reads and writes the same records in the same transactions.

    python bench/path.py --events 100000 [--input netfilter|eve|ecs|windows] [--passes 3] [--forward] [--rules DIR]

One after another on a broker of its own, each alone in this process: ingest, detect, aggregate, link, decide. Rates are per CPU
second of this process, the client's threads included, so that what else the machine does hardly counts. What is read:
`netfilter`, the firewall's lines of the recorded intrusion, and `eve`, made Suricata lines, both repeated at later times; `ecs`, the
recorded intrusion as ECS documents, which every stage has work with; `windows`, recorded Windows events of `--file` (again and
again as they are; by default those of `bench/detect.py`), for public rules: `--input windows --rules ../shared/data/sigmahq/rules/windows …`. `--rules` names the rules; without it there
are none, and detection passes everything by; with `--forward` one rule holds for every line of the firewall, so that each goes on to Kafka. Prints
one JSON object as its last line; per stage, the median of the passes:

    events_per_s_per_core   records read by the stage (ingest: lines) per CPU second
    bare_client_per_s       the same records read, and the stage's records sent, by kafka-python alone
    ratio                   of the two
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import logging
import os
import runpy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "bench" / "empty")  # scripts here bear the names of packages
sys.path += [str(ROOT), str(ROOT / "deploy" / "lab")]

from kafka import KafkaConsumer, TopicPartition  # noqa: E402 - after the paths
from kafka.structs import OffsetAndMetadata  # noqa: E402
from kafka_broker import Broker  # noqa: E402

from contract.event import Event  # noqa: E402
from contract.meter import MemoryMeter  # noqa: E402
from contract.plugins import load_named  # noqa: E402
from contract.ports import Adapter, Batch  # noqa: E402
from contract.timestamps import iso, to_datetime  # noqa: E402
from contract.topics import EVENTS, STATES, TOPICS, Topic  # noqa: E402
from ingest.streams.kafka_client import arguments  # noqa: E402
from runtime import clock, log  # noqa: E402
from runtime.compose import compose  # noqa: E402
from runtime.intake import Intake  # noqa: E402
from runtime.kafka import client, topics  # noqa: E402
from runtime.kafka.ingest import Ingest  # noqa: E402
from runtime.kafka.loop import Loop  # noqa: E402
from runtime.kafka.membership import BATCH_RECORDS  # noqa: E402
from runtime.kafka.roles import ROLES, Role, Roles  # noqa: E402
from runtime.settings import Reading, Settings, resolve  # noqa: E402

EXAMPLE = ROOT / "examples" / "webshop"
LOGS = {"eve.json": "suricata.eve", "netfilter.log": "linux.netfilter", "auth.log": "linux.auth"}
ADAPTERS = {
    "ecs": "generic.ecs",
    "eve": "suricata.eve",
    "netfilter": "linux.netfilter",
    "windows": "windows.eventlog",
}
WINDOWS = ROOT / "../shared/data/bench/windows_events.jsonl.gz"
EVERY = """
title: every line of the firewall
id: 1d2f6b2e-6a52-4d3c-9d3f-0c8f1c5f7a11
logsource: {category: firewall}
detection: {any: {event.kind: event}, condition: any}
level: low
"""
PARTITIONS = 4
_STEP_US = 2_000_000_000
_AGO_US = 30 * 86_400_000_000
LIMIT_S = 1_200


def write_events(path: Path, count: int, meter: MemoryMeter, settings: Settings) -> int:
    """Write the example's events again and again, later each time; return how many."""
    events: list[Event] = []
    for name, adapter in LOGS.items():
        reading = Reading(name, load_named("ingest.adapters", adapter, "ADAPTER", Adapter), UTC, {})
        lines = [one for one in (EXAMPLE / name).read_bytes().splitlines() if one]
        intake = Intake(reading, settings.normalize, meter)
        taken = intake.take(Batch(name, lines, clock.now_us()))
        events += [one for one in taken if isinstance(one, Event)]
    events.sort(key=lambda one: one.time_us)
    first = events[0].time_us
    written = 0
    with path.open("w") as out:
        while written < count:
            shift = clock.now_us() - _AGO_US - first + written // len(events) * _STEP_US // 10
            for event in events[: count - written]:
                fields = dict(event.fields)
                fields.pop("event.id")
                fields["@timestamp"] = iso(event.time_us + shift)
                out.write(json.dumps(fields) + "\n")
                written += 1
    return written


def write_lines(path: Path, kind: str, count: int, file: Path) -> int:
    """Write so many raw lines of a kind, a millisecond apart, up to now, or those of the file; return how many."""
    if kind == "windows":
        with gzip.open(file, "rt", encoding="utf-8") as recorded:
            lines = [line.rstrip("\n") for line in recorded]
        lines = list(islice(cycle(lines), count))
    elif kind == "eve":
        lines = runpy.run_path(str(ROOT / "bench" / "embedded.py"))["eve_lines"](count, 1)
    else:
        known = [one for one in (EXAMPLE / "netfilter.log").read_text().splitlines() if one]
        first = to_datetime(clock.now_us()) - timedelta(days=1)
        lines = [
            (first + timedelta(milliseconds=number)).isoformat(timespec="microseconds")
            + known[number % len(known)][32:]
            for number in range(count)
        ]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


def cpu_of(call: Callable[[], object]) -> float:
    """Return the CPU seconds that a call takes, all threads together."""
    began = time.process_time()
    call()
    return time.process_time() - began


def run_stage(role: Role, settings: Settings) -> None:
    """Run one role's loop to the end of its input."""
    loop = Loop(role, settings.kafka, "bench", MemoryMeter(), clock.now_us)
    loop.start()
    limit = time.monotonic() + LIMIT_S
    while not loop.has_ended:
        if loop.health.failure is not None or time.monotonic() > limit:
            sys.exit(f"{role.name}: {loop.health.failure or 'not at the end in time'}")
        time.sleep(0.1)
    loop.stop()
    loop.join()


def everything(settings: Settings, wanted: tuple[Topic, ...]) -> list[Any]:
    """Return all committed records of topics."""
    reader = _reader(settings, wanted)
    ends = reader.end_offsets(list(reader.assignment()))
    found: list[Any] = []
    while any(reader.position(one) < end for one, end in ends.items()):
        for reads in reader.poll(500, max_records=BATCH_RECORDS).values():
            found += reads
    reader.close()
    return found


def _reader(settings: Settings, wanted: tuple[Topic, ...], **more: Any) -> KafkaConsumer:
    """Return a consumer as kafka-python makes it, at the beginning of topics."""
    reader = KafkaConsumer(
        **arguments(settings.kafka),
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=BATCH_RECORDS,
        fetch_max_bytes=8 << 20,
        **more,
    )
    places = [
        TopicPartition(topics.name_of(settings.kafka, topic), number)
        for topic in wanted
        for number in range(topics.partitions_of(settings.kafka, topic))
    ]
    reader.assign(places)
    reader.seek_to_beginning(*places)
    return reader


def bare(
    settings: Settings, inputs: tuple[Topic, ...], records: int, sent: list[Any], tag: str
) -> None:
    """Read all inputs and send as many records as the stage did, in transactions with the positions."""
    producer = client.producer(settings.kafka, transactional_id=f"bare-{tag}", linger_ms=5)
    producer.init_transactions()
    reader = _reader(settings, inputs, group_id=f"bare-{tag}") if inputs else None
    done = given = 0
    name = topics.name_of(settings.kafka, BARE)
    while done < records:
        positions = {}
        batch = BATCH_RECORDS
        if reader is not None:
            found = reader.poll(500, max_records=BATCH_RECORDS)
            batch = sum(len(reads) for reads in found.values())
            positions = {
                place: OffsetAndMetadata(reads[-1].offset + 1, "", -1)
                for place, reads in found.items()
            }
        done += batch
        producer.begin_transaction()
        until = len(sent) * min(done, records) // records
        for one in sent[given:until]:
            producer.send(
                name,
                one.value,
                key=one.key,
                headers=one.headers,
                partition=one.partition % PARTITIONS,
            )
        given = until
        producer.flush()
        if positions and reader is not None:
            producer.send_offsets_to_transaction(positions, reader.group_metadata())
        producer.commit_transaction()
    producer.close()
    if reader is not None:
        reader.close()


BARE = Topic("bare", "none", bytes, scales=True, bulk=True)


def measure(settings: Settings, rules: tuple[Path, ...], lines: int) -> dict[str, dict[str, float]]:
    """Run all stages in turn and the bare client beside each."""
    admin = client.admin(settings.kafka)
    wanted = topics.wanted(settings.kafka)
    topics.bring_in_line(admin, [*wanted, *topics.wanted(settings.kafka, (BARE,))])
    admin.close()
    ingest = cpu_of(lambda: asyncio.run(Ingest(settings, MemoryMeter(), clock.now_us).run()))
    sent = everything(settings, (EVENTS,))
    plain = cpu_of(lambda: bare(settings, (), lines, sent, "ingest"))
    found = {"ingest": _line(lines, ingest, plain, len(sent))}
    roles = Roles(settings, compose(settings, rules), MemoryMeter())
    outputs: dict[str, tuple[Topic, ...]] = {
        "detect": _topics("matches", "observations", "detect-state"),
        "aggregate": _topics("observations", "alerts", "aggregate-state"),
        "link": _topics("chains", "link-state"),
        "decide": _topics("policy", "decide-state"),
    }
    for name in ROLES:
        role = roles.role(name)
        records = len(everything(settings, role.inputs))
        before = _ends(settings, outputs[name])
        spent = cpu_of(lambda role=role: run_stage(role, settings))  # type: ignore[misc]
        sent = [
            one
            for one in everything(settings, outputs[name])
            if one.offset >= before[one.topic, one.partition]
        ]
        plain = cpu_of(
            lambda role=role, records=records, sent=sent: bare(  # type: ignore[misc]
                settings, role.inputs, records, sent, role.name
            )
        )
        found[name] = _line(records, spent, plain, len(sent))
        print(name, found[name], file=sys.stderr)
    return found


def _topics(*names: str) -> tuple[Topic, ...]:
    known = {one.name: one for one in (*TOPICS, *STATES)}
    return tuple(known[name] for name in names)


def _ends(settings: Settings, wanted: tuple[Topic, ...]) -> dict[tuple[str, int], int]:
    reader = _reader(settings, wanted)
    ends = reader.end_offsets(list(reader.assignment()))
    reader.close()
    return {(one.topic, one.partition): end for one, end in ends.items()}


def _line(records: int, spent: float, plain: float, sent: int) -> dict[str, float]:
    return {
        "records": records,
        "sent": sent,
        "cpu_s": round(spent, 2),
        "events_per_s_per_core": round(records / spent),
        "bare_client_per_s": round(records / plain),
        "ratio": round(plain / spent, 2),
    }


def passes(given: argparse.Namespace, broker: Broker, folder: Path) -> list[dict[str, Any]]:
    """Measure as often as asked, each time with topics of its own."""
    rules = tuple(one.absolute() for one in given.rules)
    if not rules:
        (folder / "rules").mkdir()
        rules = (folder / "rules",)
        if given.forward:
            (folder / "rules" / "every.yml").write_text(EVERY)
    lines, path = 0, folder / "input"
    found = []
    for number in range(given.passes):
        settings = settings_of(broker, folder, f"path{number}", ADAPTERS[given.input], path)
        if not lines and given.input == "ecs":
            lines = write_events(path, given.events, MemoryMeter(), settings)
        elif not lines:
            lines = write_lines(path, given.input, given.events, given.file)
        found.append(measure(settings, rules, lines))
    return found


def settings_of(broker: Broker, folder: Path, name: str, adapter: str, path: Path) -> Settings:
    """Return the settings of one pass."""
    return resolve(
        {
            "engine": {
                "data_dir": str(folder / name), "stop_at_end": True, "idle_after": "1h",
                "epoch": "1s", "epoch_records": BATCH_RECORDS,
            },
            "kafka": {
                "bootstrap": [broker.bootstrap], "prefix": f"{name}.", "replication": 1, "min_in_sync": 1,
                "partitions": PARTITIONS, "spread": "event",
            },
            "source": [
                {"name": "logs", "type": "file", "adapter": adapter, "path": str(path), "follow": False}
            ],
        }
    )  # fmt: skip


def main() -> None:
    """Run the bench."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--input", choices=sorted(ADAPTERS), default="netfilter")
    options.add_argument("--file", type=Path, default=WINDOWS)
    options.add_argument("--passes", type=int, default=3)
    options.add_argument(
        "--forward", action="store_true", help="one rule holds for every line of the firewall"
    )
    options.add_argument("--rules", type=Path, action="append", default=[])
    given = options.parse_args()
    log.configure("warning", "text")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temporary, Broker(place=Path(temporary)) as broker:
        found = passes(given, broker, Path(temporary))
    through = [
        one["ingest"]["records"] / (one["ingest"]["cpu_s"] + one["detect"]["cpu_s"])
        for one in found
    ]
    print(
        json.dumps(
            {
                "input": given.input,
                "ingest_to_detected_per_s_per_core": round(statistics.median(through)),
                "of_passes": [round(one) for one in through],
                "rules": "every line of the firewall"
                if given.forward
                else [str(one) for one in given.rules],
                "stages": {name: _median([one[name] for one in found]) for name in found[0]},
                "cpus": os.cpu_count(),
            }
        )
    )


def _median(lines: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(one[key] for one in lines), 2) for key in lines[0]}


if __name__ == "__main__":
    main()
