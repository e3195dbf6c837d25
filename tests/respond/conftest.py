"""Factories and gates of the tests of respond."""

import ctypes
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.records import Chain, ChainStage, Decision, Entity, Target

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_STAGES = (("reconnaissance", "T1595"), ("initial-access", "T1190"))


@pytest.fixture
def make_chain() -> Callable[..., Chain]:
    """A chain that `deny_source` asks about, unless told otherwise; `at` is seconds after noon."""

    def make(
        id: str = "chain-1",
        revision: int = 1,
        *,
        at: float = 0,
        score: float = 20,
        sources: tuple[str, ...] = ("203.0.113.9",),
        **changes: Any,
    ) -> Chain:
        last = NOON + timedelta(seconds=at)
        values: dict[str, Any] = {
            "id": id,
            "revision": revision,
            "score": score,
            "first": min(NOON, last),
            "last": last,
            "alerts": ("a1", "a2"),
            "entities": tuple(Entity(type="ip", value=one, role="source") for one in sources),
            "stages": tuple(
                ChainStage(tactic=tactic, technique=technique, alert="a1", time=NOON)
                for tactic, technique in _STAGES
            ),
        }
        return Chain(**(values | changes))

    return make


@pytest.fixture
def make_decision() -> Callable[..., Decision]:
    """An approved denial; times in seconds after `start`."""

    def make(
        value: str = "203.0.113.9",
        revision: int = 1,
        *,
        id: str = "",
        state: str = "approved",
        expires: float = 3600,
        start: datetime = NOON,
        **changes: Any,
    ) -> Decision:
        kind = "ipv6_net" if ":" in value else "ipv4_net"
        values: dict[str, Any] = {
            "id": id or value.encode().hex()[:24],
            "revision": revision,
            "chain": "chain-1",
            "playbook": "deny_source",
            "action": "deny",
            "target": Target.model_validate({"type": kind, "value": value}),
            "points": ("firewall",),
            "made": start,
            "expires": start + timedelta(seconds=expires),
            "state": state,
            "reason": "test",
        }
        return Decision(**(values | changes))

    return make


def _lacking() -> str:
    if os.geteuid() != 0:
        return "needs root"
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            return f"needs {program}"
    try:
        ctypes.CDLL("libnftables.so.1")
    except OSError:
        return "needs libnftables1"
    return ""


_numbers = itertools.count()


@pytest.fixture
def new_netns() -> Iterator[Callable[[], str]]:
    """Make network namespaces that are gone after the test; skip, or fail when all is required, without them."""
    lacking = _lacking()
    if lacking:
        if os.environ.get("OPSONIN_REQUIRE") == "all":
            pytest.fail(f"OPSONIN_REQUIRE=all, but this test {lacking}")
        pytest.skip(lacking)
    made: list[str] = []

    def make() -> str:
        name = f"ot{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        made.append(name)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        return name

    yield make
    for name in made:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.fixture
def run_in() -> Callable[..., str]:
    """Run a command in a namespace and return what it prints."""

    def run(netns: str, *command: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", netns, *command], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
