"""The role enforce: what the policy topic says is brought about, answered once, and the answer is an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import Decision, Outcome, Target
from contract.timestamps import to_datetime
from contract.topics import EVENTS, OUTCOMES, POLICY
from runtime import clock
from runtime.kafka.client import admin, consumer, producer
from runtime.kafka.enforce import Enforce
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import Item, decode, encode
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    made = resolve(
        {
            "engine": {"data_dir": str(tmp_path)},
            "kafka": {"bootstrap": [kafka], "prefix": prefix, "replication": 1, "min_in_sync": 1},
            "point": [{"name": "memory", "type": "memory"}],
        }
    )
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


def decision(revision: int = 1, state: str = "approved") -> Decision:
    now = to_datetime(clock.now_us())
    return Decision.model_validate(
        {
            "id": "d1", "revision": revision, "chain": "c1", "playbook": "p", "action": "deny",
            "target": Target(type="ipv4_net", value="192.0.2.7"), "points": ("memory",), "made": now,
            "expires": now + timedelta(hours=1), "state": state, "reason": "a test",
        }
    )  # fmt: skip


def write(settings: Settings, decisions: Sequence[Decision]) -> None:
    client = producer(settings.kafka)
    for one in decisions:
        value, headers = encode(one)
        client.send(name_of(settings.kafka, POLICY), value, key=one.id.encode(), headers=headers)
    client.flush()
    client.close()


def said(settings: Settings, enough: Callable[[list[Item]], bool]) -> list[Item]:
    client = consumer(settings.kafka)
    client.subscribe([name_of(settings.kafka, one) for one in (OUTCOMES, EVENTS)])
    found: list[Item] = []
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit and not enough(found):
        for reads in client.poll(500).values():
            found += [decode(one.value, one.headers) for one in reads]
    client.close()
    assert enough(found), found
    return found


def outcomes(found: list[Item]) -> list[tuple[str, int]]:
    return [(one.result, one.revision) for one in found if isinstance(one, Outcome)]


def run(settings: Settings, enough: Callable[[list[Item]], bool]) -> list[Item]:
    async def whole() -> list[Item]:
        role = Enforce(settings, MemoryMeter(), clock.now_us)
        running = asyncio.create_task(role.run())
        try:
            return await asyncio.to_thread(said, settings, enough)
        finally:
            role.stop()
            await running

    return asyncio.run(whole())


def test_a_decision_is_applied_and_the_answer_comes_back_as_an_event(settings: Settings) -> None:
    write(settings, [decision()])
    found = run(
        settings,
        lambda found: bool(outcomes(found)) and any(isinstance(one, Event) for one in found),
    )
    assert outcomes(found) == [("applied", 1)]
    (event,) = [one for one in found if isinstance(one, Event)]
    assert event.fields["opsonin.target.value"] == "192.0.2.7"


def test_after_a_restart_known_answers_are_not_said_again_and_lost_ones_are(
    settings: Settings,
) -> None:
    write(settings, [decision()])
    run(settings, lambda found: ("applied", 1) in outcomes(found))
    # Nobody runs while it is reverted: the next one finds it so at its start.
    write(settings, [decision(revision=2, state="reverted")])
    found = run(settings, lambda found: ("removed", 2) in outcomes(found))
    assert outcomes(found) == [("applied", 1), ("removed", 2)]
    time.sleep(1)
    again = run(settings, lambda found: len(outcomes(found)) >= 2)
    assert outcomes(again) == [("applied", 1), ("removed", 2)]
