"""The whole engine with a user a role: its rights are enough for all of them, and a role that lacks one says which."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka_broker import Broker

from contract.errors import BrokerError
from contract.meter import MemoryMeter
from contract.topics import OUTCOMES
from runtime import clock
from runtime.compose import Composition, compose
from runtime.kafka.client import consumer
from runtime.kafka.rights import ACCESS, grant, missing, rights
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.worker import WORKER_ROLES, Worker
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "webshop"


@pytest.fixture(scope="module")
def broker(secure_broker: Callable[..., Broker]) -> Broker:
    return secure_broker(*(f"opsonin-{role}" for role in ACCESS))


@pytest.fixture
def boss(broker: Broker) -> Iterator[KafkaAdminClient]:
    made = KafkaAdminClient(**broker.arguments())
    yield made
    made.close()


def settings_of(broker: Broker, folder: Path, role: str, prefix: str) -> Settings:
    secret = folder / f"{role}.password"
    secret.write_text(broker.password(f"opsonin-{role}"))
    assert broker.authority is not None
    return resolve(
        {
            "engine": {"data_dir": str(folder / role), "stop_at_end": True, "epoch": "50ms"},
            "policy": {"mode": "enforce"},
            "elastic": {"urls": ["http://127.0.0.1:9"] if role == "index" else []},  # nobody there
            "kafka": {
                "bootstrap": [broker.bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1,
                "security": "sasl_ssl", "user": f"opsonin-{role}", "password_file": str(secret),
                "ca_file": str(broker.authority.file), "member": "one", "connect_within": "60s",
            },
            "source": [
                {
                    "name": "ids", "type": "file", "adapter": "suricata.eve",
                    "path": str(EXAMPLE / "eve.json"), "follow": False,
                }
            ],
            "point": [{"name": "memory", "type": "memory"}],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rules(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose(settings_of(broker, tmp_path_factory.mktemp("rules"), "detect", "x."))


def make_topics(boss: KafkaAdminClient, prefix: str) -> None:
    bring_in_line(boss, wanted(KafkaSettings(prefix=prefix, replication=1, min_in_sync=1)))


def give(boss: KafkaAdminClient, given: list[Any]) -> None:
    grant(boss, given)
    limit = time.monotonic() + PATIENCE_S
    while missing(boss, given):
        assert time.monotonic() < limit
        time.sleep(0.1)
    time.sleep(0.5)  # until the broker's own view has them


def count(broker: Broker, topic: str) -> int:
    secret = broker.folder / "boss.password"
    secret.write_text(broker.password("admin"))
    assert broker.authority is not None
    boss = KafkaSettings(
        bootstrap=(broker.bootstrap,), security="sasl_ssl", user="admin", password_file=secret,
        ca_file=broker.authority.file,
    )  # fmt: skip
    reader = consumer(boss)
    places = [TopicPartition(topic, one) for one in reader.partitions_for_topic(topic) or ()]
    found = sum(reader.end_offsets(places).values())
    reader.close()
    return found


def test_rights_of_each_role_carry_an_attack_from_its_log_to_the_points_answer(
    broker: Broker, boss: KafkaAdminClient, rules: Composition, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    give(boss, list(rights(prefix, WORKER_ROLES)))
    outcomes = name_of(KafkaSettings(prefix=prefix), OUTCOMES)

    async def main() -> None:
        workers = [
            Worker(
                settings_of(broker, tmp_path, role, prefix),
                rules,
                [role],
                MemoryMeter(),
                clock.now_us,
            )
            for role in WORKER_ROLES
            if role != "index"  # it writes to no topic, and asks for Elasticsearch
        ]
        running = [asyncio.create_task(one.run()) for one in workers]
        limit = time.monotonic() + PATIENCE_S
        while not await asyncio.to_thread(count, broker, outcomes):
            assert time.monotonic() < limit
            for task in running:
                if task.done():
                    task.result()
            await asyncio.sleep(0.5)
        for one in workers:
            one.stop()
        await asyncio.gather(*running)

    asyncio.run(main())


@pytest.mark.parametrize("role", [role for role in WORKER_ROLES if role != "ingest"])
def test_role_that_lacks_rights_is_refused_and_says_which(
    broker: Broker,
    boss: KafkaAdminClient,
    rules: Composition,
    tmp_path: Path,
    prefix: str,
    role: str,
) -> None:
    make_topics(boss, prefix)
    needed = list(rights(prefix, [role]))
    give(boss, needed[1:])
    settings = settings_of(broker, tmp_path, role, prefix)

    def begin() -> str:
        with pytest.raises(BrokerError) as refused:
            asyncio.run(Worker(settings, rules, [role], MemoryMeter(), clock.now_us).run())
        return str(refused.value)

    assert begin() == f"cannot run {role}: missing right: {needed[0].words()}"


def test_every_kind_of_right_is_asked_for(
    broker: Broker, boss: KafkaAdminClient, rules: Composition, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    settings = settings_of(broker, tmp_path, "detect", prefix)
    with pytest.raises(BrokerError) as refused:
        asyncio.run(Worker(settings, rules, ["detect"], MemoryMeter(), clock.now_us).run())
    said = str(refused.value)
    assert all(one.words() in said for one in rights(prefix, ["detect"]))
