"""The whole engine with a user a role: its rights are enough for all of them, and a role that lacks one says which."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
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
from runtime.kafka.rights import grant, missing, rights
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.worker import WORKER_ROLES, Worker
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S

EXAMPLE = Path(__file__).parents[2] / "examples" / "webshop"


@pytest.fixture
def boss(secure_broker: Broker) -> Iterator[KafkaAdminClient]:
    made = KafkaAdminClient(**secure_broker.arguments())
    yield made
    made.close()


def settings_of(secure_broker: Broker, folder: Path, role: str, prefix: str) -> Settings:
    secret = folder / f"{role}.password"
    secret.write_text(secure_broker.password(f"opsonin-{role}"))
    assert secure_broker.authority is not None
    return resolve(
        {
            "engine": {"data_dir": str(folder / role), "stop_at_end": True, "epoch": "50ms"},
            "policy": {"mode": "enforce"},
            "elastic": {"urls": ["http://127.0.0.1:9"] if role == "index" else []},  # nobody there
            "kafka": {
                "bootstrap": [secure_broker.bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1,
                "security": "sasl_ssl", "user": f"opsonin-{role}", "password_file": str(secret),
                "ca_file": str(secure_broker.authority.file), "member": "one", "connect_within": "60s",
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
def rules(secure_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose(settings_of(secure_broker, tmp_path_factory.mktemp("rules"), "detect", "x."))


def make_topics(boss: KafkaAdminClient, prefix: str) -> None:
    bring_in_line(boss, wanted(KafkaSettings(prefix=prefix, replication=1, min_in_sync=1)))


def give(boss: KafkaAdminClient, given: list[Any]) -> None:
    grant(boss, given)
    limit = time.monotonic() + PATIENCE_S
    while missing(boss, given):
        assert time.monotonic() < limit
        time.sleep(0.1)
    time.sleep(0.5)  # until the broker's own view has them


def count(secure_broker: Broker, topic: str) -> int:
    secret = secure_broker.folder / "boss.password"
    secret.write_text(secure_broker.password("admin"))
    assert secure_broker.authority is not None
    boss = KafkaSettings(
        bootstrap=(secure_broker.bootstrap,), security="sasl_ssl", user="admin", password_file=secret,
        ca_file=secure_broker.authority.file,
    )  # fmt: skip
    reader = consumer(boss)
    places = [TopicPartition(topic, one) for one in reader.partitions_for_topic(topic) or ()]
    found = sum(reader.end_offsets(places).values())
    reader.close()
    return found


def test_rights_of_each_role_carry_an_attack_from_its_log_to_the_points_answer(
    secure_broker: Broker, boss: KafkaAdminClient, rules: Composition, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    give(boss, list(rights(prefix, WORKER_ROLES)))
    outcomes = name_of(KafkaSettings(prefix=prefix), OUTCOMES)

    async def main() -> None:
        workers = [
            Worker(
                settings_of(secure_broker, tmp_path, role, prefix),
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
        while not await asyncio.to_thread(count, secure_broker, outcomes):
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
    secure_broker: Broker,
    boss: KafkaAdminClient,
    rules: Composition,
    tmp_path: Path,
    prefix: str,
    role: str,
) -> None:
    make_topics(boss, prefix)
    needed = list(rights(prefix, [role]))
    give(boss, needed[1:])
    settings = settings_of(secure_broker, tmp_path, role, prefix)

    def begin() -> str:
        with pytest.raises(BrokerError) as refused:
            asyncio.run(Worker(settings, rules, [role], MemoryMeter(), clock.now_us).run())
        return str(refused.value)

    assert begin() == f"cannot run {role}: missing right: {needed[0].words()}"


def test_every_kind_of_right_is_asked_for(
    secure_broker: Broker, boss: KafkaAdminClient, rules: Composition, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    settings = settings_of(secure_broker, tmp_path, "detect", prefix)
    with pytest.raises(BrokerError) as refused:
        asyncio.run(Worker(settings, rules, ["detect"], MemoryMeter(), clock.now_us).run())
    said = str(refused.value)
    assert all(one.words() in said for one in rights(prefix, ["detect"]))
