"""What only coincidence joins is the same in one process and over four partitions, with kills: chains, ids, revisions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from contract.event import Event
from contract.records import Alert, Chain
from contract.topics import CHAINS
from runtime.compose import Composition, compose
from runtime.settings import Settings
from tests.correlate.chain.site import Unconnected
from tests.kafka.drive import Drive
from tests.kafka.test_exactness import replayed, rows, settings_of

NAMES = {"host": "host.name", "ip": "host.ip"}
SENSORS = {"one.json": "generic.ecs", "two.json": "generic.ecs"}


def lines(seed: int, count: int) -> list[dict[str, object]]:
    """Return alerts of sensors that name a host and no peer, by time."""
    return [
        {
            "@timestamp": one.time.isoformat(),
            "event.kind": "alert",
            "event.severity": 50,
            "rule.id": one.rule.id,
            "rule.name": one.rule.name,
            **{NAMES[it.type]: it.value for it in one.entities},
        }
        for one in Unconnected(seed).items(count)
        if isinstance(one, Alert) and one.revision == 1
    ]


def recorded(folder: Path, seed: int, count: int) -> Settings:
    """Write what was drawn to the sensors' logs, half and half."""
    found = lines(seed, count)
    for number, name in enumerate(SENSORS):
        text = "".join(f"{json.dumps(one)}\n" for one in found[number :: len(SENSORS)])
        (folder / name).write_text(text)
    return settings_of(folder, SENSORS)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose(settings_of(tmp_path_factory.mktemp("rules"), SENSORS))


@pytest.mark.parametrize(("seed", "kills"), [(0, 0.0), (4, 3.0)])
def test_coincidences_are_the_same_in_one_process_and_over_partitions(
    seed: int, kills: float, rules: Composition, tmp_path: Path
) -> None:
    settings = recorded(tmp_path, seed, 150)
    assert settings.kafka.partitions == 4
    seen = replayed(settings, rules, tmp_path)
    told = [one for one in seen if isinstance(one, Chain)]
    last = {one.id: one for one in told}
    edges = [link.edge for one in last.values() for link in one.links]
    assert edges.count("coincidence") > 3
    drive = Drive(settings, rules, random.Random(seed), kills)  # noqa: S311  the same turns again
    drive.feed([one for one in seen if isinstance(one, Event)])
    assert rows(drive.run((CHAINS,)), Chain) == rows(told, Chain)
