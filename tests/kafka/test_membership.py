"""A worker's place in its group, on a real broker: what the client does not notice by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kafka.coordinator.assignors.range import RangePartitionAssignor

from contract.meter import MemoryMeter
from runtime import clock
from runtime.compose import compose
from runtime.kafka import client
from runtime.kafka.loop import Loop
from runtime.kafka.roles import Roles
from runtime.kafka.topics import bring_in_line, name_of, wanted
from tests.conftest import PATIENCE_S
from tests.kafka.test_roles import settings_of


def until(holds: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_a_member_that_its_group_let_go_of_unheard_begins_anew(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    settings = settings_of(kafka, prefix, tmp_path)
    with closing(client.admin(settings.kafka)) as admin:
        bring_in_line(admin, wanted(settings.kafka))
    meter = MemoryMeter()
    role = Roles(settings, compose(settings), meter).role("link")
    loop = Loop(role, settings.kafka, "a", meter, clock.now_us)
    loop.start()
    try:
        until(lambda: loop.health.partitions)
        # Somebody else is given its name for a moment; from then on its heartbeats are refused, and the client, which has
        # nothing to commit, stops them and tells nobody (kafka-python 3.0.12).
        other = client.consumer(
            settings.kafka,
            group_id=f"{prefix}link",
            group_instance_id="link.a",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=6_000,
        )
        with closing(other):
            other.subscribe([name_of(settings.kafka, one) for one in role.inputs])
            until(lambda: other.poll(100) or other.assignment())
        until(lambda: meter.total("loop_restarts_total"))
        assert "the group was not heard of" in loop.health.last_error
        until(lambda: loop.health.partitions and loop.health.failing_since_us is None)
    finally:
        loop.stop()
        loop.join(PATIENCE_S)
        loop.leave()
    assert loop.health.failure is None
