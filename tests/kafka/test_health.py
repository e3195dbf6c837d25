"""When a loop counts as unwell, and what a role says when state goes."""

from __future__ import annotations

from pathlib import Path

from contract.meter import MemoryMeter
from contract.topics import POLICY
from runtime.compose import compose
from runtime.kafka.health import Health
from runtime.kafka.roles import Roles
from tests.kafka.test_exactness import LOGS, settings_of

SECOND_US = 1_000_000
LIMIT_US = 60 * SECOND_US


def test_a_partition_that_stands_still_for_too_long_is_named() -> None:
    health = Health(partitions={0: 200 * SECOND_US, 3: 100 * SECOND_US})
    assert health.stuck(160 * SECOND_US, LIMIT_US) is None
    assert health.stuck(161 * SECOND_US, LIMIT_US) == "partition 3 stands still for 61 s"


def test_failing_again_and_again_is_unwell_only_after_the_limit() -> None:
    health = Health(failing_since_us=10 * SECOND_US, last_error="no broker")
    assert health.stuck(70 * SECOND_US, LIMIT_US) is None
    assert health.stuck(71 * SECOND_US, LIMIT_US) == "failing for 61 s: no broker"


def test_what_ended_it_for_good_is_told_at_once() -> None:
    assert Health(failure=ValueError("a bug")).stuck(0, LIMIT_US) == "ended: a bug"


def test_a_decision_that_is_forgotten_gets_a_tombstone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LOGS)
    role = Roles(settings, compose(settings), MemoryMeter()).role("decide")
    gone = {
        ("decide", "site", "claim/d1"): None,
        ("decide", "site", "claim/d2"): b"{}",
        ("host", "waiting", "5"): None,
    }
    (sent,) = role.buried(gone)
    assert (sent.topic, sent.partition, sent.key, sent.value) == (POLICY, 0, b"d1", None)
