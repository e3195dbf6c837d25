"""A real broker for the tests marked `kafka`: one a session, topics with a prefix of their own each test.

`OPSONIN_KAFKA=host:port` names a running one (without security) instead; tests that kill theirs then skip.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from kafka_broker import Broker
from kafka_jars import missing

GIVEN = os.environ.get("OPSONIN_KAFKA", "")
_numbers = itertools.count(1)
# Of brokers that nobody kills: a machine that stands still for some seconds must not make them think themselves dead.
_PATIENT = {"broker.session.timeout.ms": 60_000}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder that ask for a broker are marked."""
    for item in items:
        if {"kafka", "own_broker", "secure_broker"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


def _require() -> None:
    reason = missing()
    if not reason:
        return
    if os.environ.get("OPSONIN_REQUIRE") == "all":
        pytest.fail(f"required by OPSONIN_REQUIRE=all: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker that all tests share; nobody stops it."""
    if GIVEN:
        yield GIVEN
        return
    _require()
    with Broker(settings=_PATIENT) as broker:
        yield broker.bootstrap


@pytest.fixture
def prefix() -> str:
    """What the names of one test's topics and groups begin with."""
    return f"t{os.getpid()}-{next(_numbers)}."


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    """A broker of one test's own, to be killed, frozen and started again."""
    _require()
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[Callable[..., Broker]]:
    """Make a secured broker with these users; each is closed at the end of the session."""
    _require()
    made: list[Broker] = []

    def make(*users: str) -> Broker:
        broker = Broker(users, settings=_PATIENT)
        made.append(broker)
        return broker.start()

    yield make
    for broker in made:
        broker.close()
