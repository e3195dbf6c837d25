"""The role `index`: topics to Elasticsearch, from a real broker to a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.topics import ALERTS, CHAINS, DEAD_LETTERS, EVENTS, OUTCOMES, POLICY, Topic
from runtime import clock
from runtime.kafka.client import admin, producer
from runtime.kafka.index import Index as Role
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import Canary, Item, encode
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S
from tests.elastic.conftest import Index
from tests.elastic.making import alert, chain, decision, event, letter, outcome


@pytest.fixture
def settings(kafka: str, index: Index, tmp_path: Path) -> Settings:
    made = resolve(
        {
            "engine": {"data_dir": str(tmp_path)},
            "kafka": {
                "bootstrap": [kafka],
                "prefix": f"{index.settings.namespace}.",
                "replication": 1,
                "min_in_sync": 1,
                "partitions": 2,
            },
            "elastic": index.settings.model_dump(mode="json"),
        }
    )
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


def write(settings: Settings, *sends: tuple[Topic, Sequence[Item]]) -> None:
    made = producer(settings.kafka)
    for topic, items in sends:
        for item in items:
            value, headers = encode(item)
            made.send(name_of(settings.kafka, topic), value, b"k", headers)
    made.flush()
    made.close()


def run(settings: Settings, holds: Callable[[], bool]) -> MemoryMeter:
    """Run the role until something holds."""
    meter = MemoryMeter()

    async def scene() -> None:
        role = Role(settings, meter, clock.now_us)
        task = asyncio.create_task(role.run())
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(holds):
                assert not task.done() or task.result()
                await asyncio.sleep(0.2)
        role.stop()
        await asyncio.wait_for(task, PATIENCE_S)

    asyncio.run(scene())
    return meter


@pytest.mark.kafka
def test_every_topic_arrives_once_and_after_a_restart_the_rest(
    settings: Settings, index: Index
) -> None:
    hostile = Event.of(
        event(7).fields | {"host": "x"}, id="e7", time_us=event(7).time_us, source="s"
    )
    write(
        settings,
        (EVENTS, [*(event(number) for number in range(5)), hostile]),
        (POLICY, [decision(), Canary(1_000_000)]),
        (ALERTS, [alert(1), alert(2)]),
        (CHAINS, [chain()]),
        (OUTCOMES, [outcome()]),
        (DEAD_LETTERS, [letter()]),
    )
    first = run(settings, lambda: len(index.all()) == 11)
    assert first.total("index_documents_total") >= 12
    assert first.total("canary_seen_timestamp_seconds") > 0
    found = index.all()
    assert found["a1"]["opsonin.alert.revision"] == 2
    (refused,) = (one for one in found.values() if one.get("opsonin.dead_letter.stage") == "index")
    assert "host" in str(refused["error.message"])
    write(settings, (EVENTS, [event(100)]), (ALERTS, [alert(1)]))
    second = run(settings, lambda: "e100" in index.all())
    assert len(index.all()) == 12
    assert second.total("index_documents_total") <= 2, "positions were committed"
    assert index.all()["a1"]["opsonin.alert.revision"] == 2
