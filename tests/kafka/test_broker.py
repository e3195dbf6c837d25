"""The broker that the other tests stand on: it keeps what it acknowledged, and lets in only whom it knows."""

from __future__ import annotations

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from kafka_broker import Broker

from tests.conftest import PATIENCE_S


def write(broker: Broker, user: str = "admin") -> int:
    producer = KafkaProducer(**broker.arguments(user), acks="all", max_block_ms=60_000)
    try:
        return producer.send("kept", b"one", partition=0).get(PATIENCE_S).offset
    finally:
        producer.close(timeout=2)


def count(broker: Broker) -> int:
    partition = TopicPartition("kept", 0)
    consumer = KafkaConsumer(**broker.arguments())
    try:
        return consumer.end_offsets([partition])[partition]
    finally:
        consumer.close()


def make_topic(broker: Broker) -> None:
    admin = KafkaAdminClient(**broker.arguments())
    admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}})
    admin.wait_for_topics(["kept"])
    admin.close()


def test_acknowledged_records_survive_kill_and_restart(own_broker: Broker) -> None:
    make_topic(own_broker)
    write(own_broker)
    own_broker.kill()
    own_broker.start()
    write(own_broker)
    own_broker.restart()
    assert count(own_broker) == 2


def test_secured_broker_asks_for_a_password_and_for_rights(
    secure_broker: Broker,
) -> None:
    make_topic(secure_broker)
    assert write(secure_broker) == 0
    with pytest.raises(TopicAuthorizationFailedError):
        write(secure_broker, "stranger")
    with pytest.raises(KafkaError):
        KafkaAdminClient(bootstrap_servers=secure_broker.bootstrap, bootstrap_timeout_ms=1_000)
