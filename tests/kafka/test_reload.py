"""Workers on Kafka take changed rules while they run."""

from __future__ import annotations

import time
from dataclasses import replace as changed
from pathlib import Path

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.timestamps import to_datetime
from contract.topics import ALERTS, EVENTS
from runtime import clock
from runtime.compose import compose, recompose
from runtime.kafka.client import admin, consumer, producer
from runtime.kafka.loop import Loop
from runtime.kafka.roles import ROLES, Roles
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import decode, encode
from runtime.settings import Settings
from tests.conftest import PATIENCE_S
from tests.kafka.test_roles import settings_of

RULE = """\
title: A word in a message
id: 5c7f2f62-9c0e-4a54-9d59-0f2d6f0d3a11
status: test
logsource: {{product: linux}}
detection:
  said: {{message|contains: {word}}}
  condition: said
level: high
"""


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    made = settings_of(kafka, prefix, tmp_path)
    made = changed(made, engine=made.engine.model_copy(update={"stop_at_end": False}))
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


def send(settings: Settings, id: str, message: str) -> None:
    now = clock.now_us()
    fields = {"@timestamp": to_datetime(now).isoformat(), "event.id": id, "message": message}
    event = Event.of(
        fields | {"host.os.type": "linux", "host.name": "one"}, id=id, time_us=now, source="auth.log"
    )  # fmt: skip
    client = producer(settings.kafka)
    value, headers = encode(event)
    client.send(name_of(settings.kafka, EVENTS), value, headers=headers, partition=0)
    client.flush()
    client.close()


def alerted(settings: Settings, events: set[str]) -> bool:
    """Tell whether alerts of these events come to stand on the topic."""
    client = consumer(settings.kafka)
    client.subscribe([name_of(settings.kafka, ALERTS)])
    seen: set[str] = set()
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit and not events <= seen:
        for reads in client.poll(500).values():
            for one in reads:
                seen |= set(getattr(decode(one.value, one.headers), "events", ()))
    client.close()
    return events == seen


def test_changed_rules_are_in_force_without_a_restart(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    file = folder / "word.yml"
    file.write_text(RULE.format(word="alpha"))
    before = compose(settings, (folder,))
    assert before.counts["detections"] == 1
    meter = MemoryMeter()
    roles = Roles(settings, before, meter)
    loops = [Loop(roles.role(one), settings.kafka, "a", meter, clock.now_us) for one in ROLES]
    for loop in loops:
        loop.start()
    try:
        send(settings, "e1", "alpha")
        assert alerted(settings, {"e1"})
        file.write_text(RULE.format(word="omega"))
        after, changes = recompose(settings, before)
        assert changes.changed
        roles.renew(after)
        for loop in loops:
            loop.renew()
        limit = time.monotonic() + PATIENCE_S
        while any(loop._renewing.is_set() for loop in loops):
            assert time.monotonic() < limit
            time.sleep(0.05)
        send(settings, "e2", "alpha")
        send(settings, "e3", "omega")
        assert alerted(settings, {"e1", "e3"})
    finally:
        for loop in loops:
            loop.stop()
        for loop in loops:
            loop.join(PATIENCE_S)
            loop.leave()
    assert [one.health.failure for one in loops] == [None] * len(loops)
