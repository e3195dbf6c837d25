"""What all tests share: asking for real parts, and where the shared test data is."""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ingest.native import NATIVE

# A machine that others use is slow at times; that is no fault of the example. CI runs the same examples each time.
settings.register_profile("opsonin", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("opsonin")

ROOT = Path(__file__).parents[1]
# Servers for tests; its scripts import their neighbours.
sys.path.append(str(ROOT / "deploy" / "lab"))

import kafka_jars  # noqa: E402 - found by the path above
from kafka_broker import Broker  # noqa: E402

SHARED = ROOT.parent / "shared"
KAFKA = os.environ.get("OPSONIN_KAFKA", "")
"""Address of a running broker, without security, to be used instead of one that the suite starts."""
PATIENT = {"broker.session.timeout.ms": 60_000}
"""Setting of brokers that nobody kills: a machine that stands still for seconds must not make them think themselves dead."""
PATIENCE_S = 180.0
"""How long a test waits for what must come. Only a failure waits so long: a busy machine may be ten times slower."""


def require(found: bool, reason: str) -> None:
    """Skip with a reason, or fail with it where `OPSONIN_REQUIRE=all` says that every part must be there."""
    if found:
        return
    if os.environ.get("OPSONIN_REQUIRE") == "all":
        pytest.fail(f"required by OPSONIN_REQUIRE=all: {reason}")
    pytest.skip(reason)


_NEEDS: dict[str, Callable[[], tuple[bool, str]]] = {
    "root": lambda: (
        os.geteuid() == 0 and shutil.which("ip") is not None,
        "needs root and iproute2 (network namespaces)",
    ),
    "nftables": lambda: (
        os.geteuid() == 0
        and shutil.which("nft") is not None
        and ctypes.util.find_library("nftables") is not None,
        "needs root, nft and libnftables (Debian: nftables)",
    ),
    "suricata": lambda: (
        shutil.which("suricata") is not None,
        "needs Suricata 7 (Debian: suricata from backports)",
    ),
    "native": lambda: (
        NATIVE is not None,
        "needs the optional native module (make install, where cargo is found)",
    ),
    "shared": lambda: (SHARED.is_dir(), "needs the shared test data beside the checkout"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask for the parts that a test's marks name, before its fixtures start any of them."""
    for name, probe in _NEEDS.items():
        if item.get_closest_marker(name):
            require(*probe())


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - of files, meters and lists, which cannot wake us
            await asyncio.sleep(0.01)


def require_kafka() -> None:
    """Skip, or fail where everything is required, when no broker can be started."""
    reason = kafka_jars.missing()
    require(not reason, reason)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker that all tests share; nobody stops it."""
    if KAFKA:
        yield KAFKA
        return
    require_kafka()
    with Broker(settings=PATIENT) as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test data."""
    require(SHARED.is_dir(), "needs the shared test data beside the checkout")
    return SHARED
