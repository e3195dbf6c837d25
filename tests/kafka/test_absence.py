"""What did not happen, by the roles on Kafka where all sources fell silent: told by time alone, also by workers that begin again, and taken back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contract.event import Event
from contract.records import Alert, Chain, Decision
from contract.timestamps import iso
from contract.topics import ALERTS, CHAINS, POLICY
from runtime.compose import compose
from runtime.settings import resolve
from tests.kafka.drive import Drive
from tests.runtime.test_absence import PLAYBOOK, RULES, SECOND

START_US = 1_800_000_000_000_000  # the wall clock of a drive begins here


def event(at: float, action: str) -> Event:
    time_us = START_US + round(at * SECOND)
    fields = {
        "@timestamp": iso(time_us), "event.id": action, "event.action": action, "host.name": "web1", "source.ip": "203.0.113.7",
    }  # fmt: skip
    return Event.of(fields, id=action, time_us=time_us, source="ecs")


def found(drive: Drive) -> tuple[Alert | None, list[int], list[str]]:
    """Return the last revision of the absence's alert, how many alerts each chain has, and the states of decisions."""
    items = drive.read((ALERTS, CHAINS, POLICY))
    last = {
        (one.kind, one.id): one for one in items if isinstance(one, Alert | Chain | Decision)
    }.values()
    alerts = [one for one in last if isinstance(one, Alert) and one.rule.id == "silent"]
    return (
        alerts[0] if alerts else None,
        [len(one.alerts) for one in last if isinstance(one, Chain) and one.alerts],
        [one.state for one in last if isinstance(one, Decision)],
    )


@pytest.mark.parametrize("kills", [0.0, 5.0])
def test_an_absence_is_told_where_all_is_silent_and_taken_back_everywhere(
    kills: float, tmp_path: Path
) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "deny.yml").write_text(PLAYBOOK)
    settings = resolve(
        {
            "engine": {"data_dir": "data", "rules": ["."], "lateness": "2s", "idle_after": "2s"},
            "policy": {"mode": "enforce"},
            "kafka": {"bootstrap": ["127.0.0.1:9"], "replication": 1, "min_in_sync": 1, "partitions": 2},
            "source": [{"name": "ecs", "type": "unix_stream", "adapter": "generic.ecs", "path": "x"}],
            "point": [{"name": "gate", "type": "memory"}],
        },
        folder=tmp_path,
    )  # fmt: skip
    drive = Drive(settings, compose(settings), random.Random(7), kills)  # noqa: S311 - repeatable, no secret
    drive.feed([event(0, "logon"), event(1, "beat")], ends=False)
    drive.turn(100)
    assert found(drive)[0] is None
    drive.turn(900)
    told, chains, decisions = found(drive)
    assert told is not None
    assert not told.retracted
    assert (chains, decisions) == ([2], ["approved"])
    drive.feed([event(20, "again")], ends=False)
    drive.turn(600)
    taken, chains, decisions = found(drive)
    assert taken is not None
    assert (taken.id, taken.revision, taken.retracted) == (told.id, 2, True)
    assert (chains, decisions) == ([1], ["reverted"])
