"""A worker does not run with another number of partitions than its topics have."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from kafka.admin import NewPartitions

from contract.errors import BrokerError
from contract.meter import MemoryMeter
from contract.topics import DETECT_STATE, EVENTS, Topic
from runtime import clock
from runtime.compose import compose
from runtime.kafka.client import admin
from runtime.kafka.loop import Loop
from runtime.kafka.roles import Roles
from runtime.kafka.topics import bring_in_line, name_of, partition_counts, wanted
from runtime.kafka.worker import Worker
from runtime.settings import Settings
from tests.conftest import PATIENCE_S
from tests.kafka.test_roles import settings_of


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    made = settings_of(kafka, prefix, tmp_path)
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


def grow(settings: Settings, *topics: Topic) -> None:
    client = admin(settings.kafka)
    names, count = (
        [name_of(settings.kafka, topic) for topic in topics],
        settings.kafka.partitions + 2,
    )
    for name in names:
        client.create_partitions({name: NewPartitions(count)})
    limit = time.monotonic() + PATIENCE_S
    while set(partition_counts(client, names)) != {count}:
        assert time.monotonic() < limit
        time.sleep(0.1)
    client.close()


def test_a_topic_that_has_grown_is_refused_at_the_start_with_what_to_do(
    settings: Settings,
) -> None:
    grow(settings, EVENTS)
    worker = Worker(settings, compose(settings), ("detect",), MemoryMeter(), clock.now_us)
    with pytest.raises(BrokerError, match=r"events has 6 partitions, kafka\.partitions is 4; set"):
        asyncio.run(worker.run())


def test_a_loop_that_is_given_a_partition_too_many_ends_and_says_why(settings: Settings) -> None:
    grow(settings, EVENTS, DETECT_STATE)
    meter = MemoryMeter()
    role = Roles(settings, compose(settings), meter).role("detect")
    loop = Loop(role, settings.kafka, "a", meter, clock.now_us)
    loop.start()
    limit = time.monotonic() + PATIENCE_S
    while loop.is_alive() and time.monotonic() < limit:
        time.sleep(0.2)
    loop.stop()
    loop.join(PATIENCE_S)
    assert "start all workers anew" in str(loop.health.stuck(0, 1))
