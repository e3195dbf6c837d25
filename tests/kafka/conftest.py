"""Brokers for the tests marked `kafka`, each one a session; topics and users' rights have a prefix of their own each test.

`OPSONIN_KAFKA=host:port` names a running one (without security) instead of the first; tests that kill theirs, or ask for a
secured one, start it all the same.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from kafka_broker import Broker

from runtime.kafka.rights import ACCESS
from tests.conftest import PATIENT, require_kafka

USERS = (*(f"opsonin-{role}" for role in (*ACCESS, "topics")), "stranger")
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder that ask for a broker are marked."""
    for item in items:
        if {"kafka", "own_broker", "secure_broker"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture
def prefix() -> str:
    """What the names of one test's topics and groups begin with."""
    return f"t{os.getpid()}-{next(_numbers)}."


@pytest.fixture(scope="session")
def _mortal() -> Iterator[Broker]:
    require_kafka()
    with Broker() as broker:
        yield broker


@pytest.fixture
def own_broker(_mortal: Broker) -> Iterator[Broker]:
    """A broker for one test after the other, to be killed, frozen and started again; it runs at the beginning of each."""
    yield _mortal
    if not _mortal.is_running:
        _mortal.start()


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[Broker]:
    """A broker that asks for a password or a certificate, and knows USERS; they have no rights but those that tests give."""
    require_kafka()
    with Broker(USERS, settings=PATIENT) as broker:
        yield broker
