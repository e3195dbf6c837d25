"""The half of `faults.py --host kafka`: workers killed at random, each started again at once, and the broker killed too.

Seven processes share the roles: three run detection and aggregation on four partitions, one of them also links and another
decides; one ingests; one enforces; one indexes into a real Elasticsearch, see `faults_elastic.py`; one keeps the live views. What the topics hold in the end (read committed) is compared by `faults.py` to an
undisturbed run of the embedded engine.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "lab")]
from faults_elastic import (  # type: ignore[import-not-found]  # noqa: E402 - beside this script
    Searched,
)
from kafka_broker import Broker  # noqa: E402 - after the paths above

from contract.records import Alert, Chain, Decision  # noqa: E402 - after the paths above
from runtime.kafka.view import View  # noqa: E402 - after the paths above

OPSONIN = Path(sys.executable).with_name("opsonin")
WORKERS = {
    "ingest": ("ingest",),
    "one": ("detect", "aggregate"),
    "two": ("detect", "aggregate", "link"),
    "three": ("detect", "aggregate", "decide"),
    "points": ("enforce",),
    "search": ("index",),
    "shown": ("views",),
}
PREFIX = "faults."
_GAP_S = (0.2, 2.5)
_BROKER_DOWN_S = 2.0
_END_LIMIT_S = 600
_VIEWS_LIMIT_S = 90
_RECORD_TOPICS = ("alerts", "chains", "policy")
RECORDS: dict[str, type[Alert | Chain | Decision]] = {
    "alert": Alert,
    "chain": Chain,
    "decision": Decision,
}


@dataclass(slots=True)
class Disturbed:
    """What became of a run.

    Attributes:
        found: records by kind and id, as `faults.outcome` gives them.
        kills: SIGKILLs that hit a running worker, by worker.
        broker_kills: of the broker.
        duplicates: records that stand twice with the same id and revision, events included.
        seconds: from the first start to the end of the input at the last stage.
        searched: what Elasticsearch holds; None: it took no part.
        elastic_down_s: how long it was away.
        views_equal: whether the live views' counts are those of the topics' records.
    """

    found: dict[tuple[str, str], str]
    kills: Counter[str]
    broker_kills: int
    duplicates: int
    seconds: float
    searched: dict[tuple[str, str], str] | None
    elastic_down_s: float
    views_equal: bool


def replayed(path: Path, files: Iterable[Path]) -> dict[tuple[str, str], str]:
    """Return what a replay of ECS logs ends with, as `faults.outcome` does of a store."""
    given = [f"generic.ecs={one}" for one in files]
    kinds = "event,alert,chain,decision"
    command: list[str | Path] = [OPSONIN, "replay", "--config", path, "--emit", kinds, *given]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[tuple[str, str], str] = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        place = (record["kind"], record["id"])
        if record["kind"] == "event":
            found[place] = json.dumps(record["event"], sort_keys=True)
        else:
            del record["revision"]
            found[place] = json.dumps(record, sort_keys=True)
    return found


def run(
    path: Path,
    kills: int,
    broker_kills: int,
    elastic_down_s: float,
    expected: int,
    rng: random.Random,
) -> Disturbed:
    """Run the settings at `path`, with a `[kafka]` table added, to the end through kills.

    Args:
        path: of the settings.
        kills: of workers.
        broker_kills: of the broker.
        elastic_down_s: how long Elasticsearch is away; 0: it takes no part.
        expected: how many events and records the undisturbed run has.
        rng: of the moments.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(place=path.parent))
        searched: Searched | None = None
        if elastic_down_s:
            searched = Searched(elastic_down_s)
            stack.callback(searched.close)
        path.write_text(
            f"{path.read_text()}[kafka]\nbootstrap = ['{broker.bootstrap}']\nprefix = '{PREFIX}'\n"
            "replication = 1\nmin_in_sync = 1\npartitions = 4\nspread = 'event'\n"
            + (searched.settings() if searched is not None else "")
        )
        subprocess.run(
            [OPSONIN, "topics", "apply", "--config", path], check=True, stdout=subprocess.DEVNULL
        )
        began = time.monotonic()
        names = [name for name in WORKERS if searched is not None or name != "search"]
        workers = {name: _start(path, name) for name in names}
        watch = _consumer(broker, ("decide-state",))
        held: dict[tuple[str, str], str] | None = None
        try:
            moments = _Moments(kills, broker_kills, rng, searched)
            hit, broker_hit = _disturb(path, broker, workers, watch, moments)
            seconds = time.monotonic() - began
            if searched is not None:
                held = searched.holds(expected)
            views_equal = _views_equal(broker)
        finally:
            for worker in workers.values():
                worker.terminate()
            for worker in workers.values():
                worker.wait(60)
            watch.close()
        found, duplicates = _read(broker)
        down_s = searched.was_down_s if searched is not None else 0.0
    return Disturbed(found, hit, broker_hit, duplicates, seconds, held, down_s, views_equal)


@dataclass(slots=True)
class _Moments:
    """When who is killed.

    Attributes:
        kills: of workers.
        broker_kills: of the broker, evenly among them.
        rng: of the pauses and of who is next.
        searched: goes down after a third of the kills.
    """

    kills: int
    broker_kills: int
    rng: random.Random
    searched: Searched | None


def _start(path: Path, name: str) -> subprocess.Popen[bytes]:
    with path.with_name(f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [OPSONIN, "worker", *WORKERS[name], "--config", path],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"OPSONIN_KAFKA__MEMBER": name},
        )


def _disturb(
    path: Path,
    broker: Broker,
    workers: dict[str, subprocess.Popen[bytes]],
    watch: KafkaConsumer,
    moments: _Moments,
) -> tuple[Counter[str], int]:
    """Kill and start again until the last stage has come to the end of the input; return who was hit how often."""
    kills, rng = moments.kills, moments.rng
    hit: Counter[str] = Counter()
    broker_hit = 0
    each = range(1, moments.broker_kills + 1)
    at_kill = {kills * number // (moments.broker_kills + 1) for number in each}
    next_s = time.monotonic() + rng.uniform(*_GAP_S)
    limit_s = time.monotonic() + _END_LIMIT_S
    while not _has_ended(watch):
        if time.monotonic() > limit_s:
            sys.exit(f"not at the end after {_END_LIMIT_S} s; logs in {path.parent}")
        if moments.searched is not None and hit.total() >= kills // 3:
            moments.searched.go_down()
        if hit.total() in at_kill:
            at_kill.discard(hit.total())
            broker.kill()
            broker_hit += 1
            time.sleep(_BROKER_DOWN_S)
            broker.start()
        if hit.total() < kills and time.monotonic() >= next_s:
            next_s = time.monotonic() + rng.uniform(*_GAP_S)
            # Ingest is over when all is read; it stays as a process and is killed like the others.
            name = rng.choice(sorted(workers))
            worker = workers[name]
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
                hit[name] += 1
                print(f"\r{hit.total()} kills", end="", file=sys.stderr, flush=True)
        for name, worker in workers.items():
            if worker.poll() is not None:
                if worker.returncode != -signal.SIGKILL:
                    sys.exit(
                        f"worker {name} ended with {worker.returncode}; see {path.parent}/{name}.log"
                    )
                workers[name] = _start(path, name)
    print(file=sys.stderr)
    return hit, broker_hit


def _has_ended(watch: KafkaConsumer) -> bool:
    """Tell whether the last stage has written that all input has gone through it."""
    for reads in watch.poll(200).values():
        for read in reads:
            if b"decide/0" in read.key and read.value and json.loads(read.value).get("ended"):
                return True
    return False


def _views_equal(broker: Broker) -> bool:
    """Tell whether the views come to count what the topics hold: waits until they have, or it takes too long."""
    expected = View()
    for number, (_, record) in enumerate(_decoded(broker)):
        expected.take("all", number, record)
    limit_s = time.monotonic() + _VIEWS_LIMIT_S
    shown: dict[str, Any] = {}
    while time.monotonic() < limit_s:
        for one in _values(broker, "views-view-changelog"):
            shown = json.loads(one)["counts"]
        if shown == expected.row()["counts"]:
            return True
        time.sleep(1)
    print(f"views: {shown}; expected {expected.row()['counts']}", file=sys.stderr)
    return False


def _decoded(broker: Broker) -> Iterator[tuple[str, Any]]:
    for kind, body in _records(broker, _RECORD_TOPICS):
        yield kind, RECORDS[kind].model_validate_json(body)


def _values(broker: Broker, topic: str) -> Iterator[bytes]:
    consumer = _consumer(broker, (topic,))
    places = consumer.assignment()
    ends = consumer.end_offsets(list(places))
    while any(consumer.position(one) < ends[one] for one in places):
        for reads in consumer.poll(500).values():
            yield from (one.value for one in reads if one.value)
    consumer.close()


def _read(broker: Broker) -> tuple[dict[tuple[str, str], str], int]:
    """Return what the topics hold in the end, and how many records stand there twice."""
    found: dict[tuple[str, str], str] = {}
    seen: Counter[tuple[str, str, int]] = Counter()
    newest: dict[tuple[str, str], int] = {}
    for kind, body in _records(broker, ("events", *_RECORD_TOPICS)):
        if kind == "event":
            if '"opsonin.outcome"' not in body:
                event = json.loads(body)
                id = str(event["event.id"])
                found["event", id] = json.dumps(event, sort_keys=True)
                seen["event", id, 0] += 1
            continue
        record = json.loads(body)
        revision = int(record.pop("revision"))
        place = (kind, str(record["id"]))
        seen[*place, revision] += 1
        if revision >= newest.get(place, 0):
            newest[place] = revision
            found[place] = json.dumps(record, sort_keys=True)
    return found, sum(count - 1 for count in seen.values())


def _records(broker: Broker, topics: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield kind and value of all committed records, in order of each partition."""
    consumer = _consumer(broker, topics)
    places = consumer.assignment()
    ends = consumer.end_offsets(list(places))
    while any(consumer.position(one) < ends[one] for one in places):
        for reads in consumer.poll(500, max_records=5_000).values():
            for read in reads:
                kind = dict(read.headers).get("kind", b"").partition(b"/")[0].decode()
                if kind in ("event", "alert", "chain", "decision"):
                    yield kind, read.value.decode()
    consumer.close()


def _consumer(broker: Broker, topics: tuple[str, ...]) -> KafkaConsumer:
    consumer: Any = KafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        reconnect_backoff_max_ms=1_000,
    )
    places = [
        TopicPartition(PREFIX + topic, number)
        for topic in topics
        for number in sorted(consumer.partitions_for_topic(PREFIX + topic))
    ]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    return consumer
