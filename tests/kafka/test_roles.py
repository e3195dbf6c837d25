"""The engine's roles on a real broker give what one process gives, wherever and however often their workers run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import Alert, Chain, DeadLetter, Decision
from contract.topics import (
    ALERTS,
    CHAINS,
    DEAD_LETTERS,
    DECIDE_STATE,
    EVENTS,
    MATCHES,
    POLICY,
    Topic,
)
from ingest.streams.kafka_batches import Headers
from runtime import clock
from runtime.compose import Composition, compose
from runtime.flow import Seen
from runtime.kafka.client import admin, consumer, producer
from runtime.kafka.loop import Loop
from runtime.kafka.order import Turns
from runtime.kafka.outlet import turn
from runtime.kafka.roles import ROLES, Roles
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import PACE, Item, Mark, decode, encode
from runtime.replay import Recording, replay
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "webshop"
LOGS = {
    "eve.json": "suricata.eve",
    "netfilter.log": "linux.netfilter",
    "auth.log": "linux.auth",
    "keylime.json": "keylime.verifier",
}
RECORDED_US = 1_795_332_400_000_000  # 2026-11-22, when the example was recorded
CHUNK = 50

Found = dict[tuple[str, str], dict[str, Any]]


def settings_of(bootstrap: str, prefix: str, folder: Path) -> Settings:
    sources = [
        {"name": name, "type": "file", "adapter": adapter, "path": str(EXAMPLE / name)}
        for name, adapter in LOGS.items()
    ]
    return resolve(
        {
            "engine": {"data_dir": str(folder), "stop_at_end": True, "idle_after": "1h"},
            "policy": {"mode": "enforce"},
            "kafka": {
                "bootstrap": [bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1
            },
            "source": sources,
            "point": [{"name": "memory", "type": "memory"}],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose(settings_of("127.0.0.1:9", "x.", tmp_path_factory.mktemp("rules")))


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    made = settings_of(kafka, prefix, tmp_path)
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


def row(record: Alert | Chain | Decision) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude={"revision"})


def replayed(settings: Settings, rules: Composition) -> tuple[list[Event], Found]:
    seen: list[Seen] = []
    recordings = [
        Recording(one, EXAMPLE / name, RECORDED_US)
        for one, name in zip(settings.sources, LOGS, strict=True)
    ]
    replay(settings, rules.fresh(), recordings, MemoryMeter(), seen.append)
    events = [one for one in seen if isinstance(one, Event)]
    few = [one for one in seen if isinstance(one, Alert | Chain | Decision)]
    return events, {(one.kind, one.id): row(one) for one in few}


def feed(
    settings: Settings,
    events: list[Event],
    between: Callable[[int], None] | None = None,
    *,
    ends: bool = True,
) -> None:
    """Write events as ingest does: spread over all partitions, with marks behind each chunk."""
    client = producer(settings.kafka)
    topic = name_of(settings.kafka, EVENTS)

    turns = Turns({})

    def send(item: Item, partition: int, more: Headers | None = None) -> None:
        value, headers = encode(item)
        client.send(topic, value, headers=headers + (more or []), partition=partition)

    for start in range(0, len(events), CHUNK):
        for number, event in enumerate(events[start : start + CHUNK]):
            time_us, place = turns.next(event.source, event.time_us)
            more = [turn(time_us, place)] if place else []
            send(event, (start + number // 7) % settings.kafka.partitions, more)
        rest = events[start + CHUNK :]
        for partition in range(settings.kafka.partitions):
            reached = rest[0].time_us if rest else events[-1].time_us + 1
            send(Mark(f"{PACE}t", reached, ended=ends and not rest), partition)
        if between is not None:
            client.flush()
            between(start)
    for source in settings.sources if ends else ():
        last = max(one.time_us for one in events if one.source == source.name)
        for partition in range(settings.kafka.partitions):
            send(Mark(source.name, last, ended=True), partition)
    client.flush()
    client.close()


@contextmanager
def worker(settings: Settings, rules: Composition, name: str) -> Iterator[list[Loop]]:
    meter = MemoryMeter()
    roles = Roles(settings, rules, meter)
    loops = [Loop(roles.role(one), settings.kafka, name, meter, clock.now_us) for one in ROLES]
    for loop in loops:
        loop.start()
    try:
        yield loops
    finally:
        for loop in loops:
            loop.stop()
        for loop in loops:
            loop.join(PATIENCE_S)
            loop.leave()
        assert [one.health.failure for one in loops] == [None] * len(loops)


def read(
    settings: Settings, topics: tuple[Topic, ...], until: Callable[[Item], bool]
) -> list[Item]:
    """Return what stands on topics when an item has said that it is enough."""
    client = consumer(settings.kafka)
    client.subscribe([name_of(settings.kafka, one) for one in topics])
    found: list[Item] = []
    limit = time.monotonic() + PATIENCE_S
    ends: dict[TopicPartition, int] = {}
    while not ends or any(client.position(one) < end for one, end in ends.items()):
        assert time.monotonic() < limit, f"the end was not reached; {len(found)} records"
        batch = [
            decode(one.value, one.headers) for reads in client.poll(500).values() for one in reads
        ]
        found += batch
        if not ends and any(until(one) for one in batch):
            ends = client.end_offsets(client.assignment())
    client.close()
    return found


def until_decided(settings: Settings) -> None:
    """Wait until the last stage has written that all input has gone through it; nothing is said behind that."""
    client = consumer(settings.kafka)
    client.subscribe([name_of(settings.kafka, DECIDE_STATE)])
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        for reads in client.poll(500).values():
            for one in reads:
                if b"decide/0" in one.key and one.value and b'"ended":true' in one.value:
                    client.close()
                    return
    raise AssertionError("decide has not come to the end of the input")


def results(settings: Settings) -> Found:
    until_decided(settings)
    found = read(
        settings, (ALERTS, CHAINS, POLICY), lambda item: isinstance(item, Mark) and item.ended
    )
    few = [one for one in found if isinstance(one, Alert | Chain | Decision)]
    assert len({(one.kind, one.id, one.revision) for one in few}) == len(few), (
        "a record stands twice"
    )
    newest: dict[tuple[str, str], Alert | Chain | Decision] = {}
    for one in few:
        known = newest.get((one.kind, one.id))
        if known is None or known.revision < one.revision:
            newest[one.kind, one.id] = one
    return {place: row(one) for place, one in newest.items()}


def test_four_partitions_and_three_workers_give_what_a_replay_gives(
    settings: Settings, rules: Composition
) -> None:
    events, expected = replayed(settings, rules)
    assert {kind for kind, _ in expected} == {"alert", "chain", "decision"}
    with (
        worker(settings, rules, "a"),
        worker(settings, rules, "b"),
        worker(settings, rules, "c"),
    ):
        feed(settings, events)
        assert results(settings) == expected


def test_workers_that_leave_and_come_lose_nothing_and_repeat_nothing(
    settings: Settings, rules: Composition
) -> None:
    events, expected = replayed(settings, rules)
    with worker(settings, rules, "a"):
        second = worker(settings, rules, "b")
        second.__enter__()
        third = worker(settings, rules, "c")

        def between(start: int) -> None:
            time.sleep(0.2)
            if start == 3 * CHUNK:
                second.__exit__(None, None, None)
            if start == 5 * CHUNK:
                third.__enter__()

        feed(settings, events, between)
        found = results(settings)
        third.__exit__(None, None, None)
    assert found == expected


def test_garbage_becomes_dead_letters_and_the_stages_go_on(
    settings: Settings, rules: Composition
) -> None:
    events, expected = replayed(settings, rules)
    client = producer(settings.kafka)
    for topic in (EVENTS, MATCHES):
        name = name_of(settings.kafka, topic)
        client.send(name, b"\x00\xff", partition=0)
        client.send(name, b"{}", partition=1, headers=[("kind", b"event/99")])
        client.send(name, b"{}", partition=2, headers=[("kind", b"decision/1")])
    client.flush()
    client.close()
    with worker(settings, rules, "a"):
        feed(settings, events)
        assert results(settings) == expected
        seen: list[DeadLetter] = []

        def until(item: Item) -> bool:
            if isinstance(item, DeadLetter):
                seen.append(item)
            return len(seen) == 6

        read(settings, (DEAD_LETTERS,), until)
    assert {one.stage for one in seen} == {"detect", "aggregate"}
    assert any("version 99" in one.reason for one in seen)
    assert {one.raw for one in seen} == {b"\x00\xff", b"{}"}
