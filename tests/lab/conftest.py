"""Labs for tests: made under names of their own, removed whatever happens."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LAB = Path(__file__).resolve().parents[2] / "deploy" / "lab"
# Scripts import their neighbours. At the end: `bench/ingest.py` must not stand before the package `ingest`.
sys.path += [str(LAB), str(LAB.parents[1] / "bench")]

from network import Lab  # noqa: E402 - found by the path above

NEEDED = ("ip", "nft", "ethtool", "suricata", "nmap", "ulogd", "sshd", "ssh")


def _absent() -> str | None:
    if os.geteuid() != 0:
        return "needs root: the lab makes network namespaces"
    absent = [program for program in NEEDED if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


@pytest.fixture(scope="session")
def able() -> None:
    """Skip, or fail where everything is required, when no lab can be made."""
    if reason := _absent():
        if os.environ.get("OPSONIN_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def prefix(able: None) -> str:
    """A prefix that no other test run uses."""
    return f"t{os.getpid():x}"


@pytest.fixture(scope="module")
def lab(able: None) -> Iterator[Lab]:
    """A whole lab, shared by the tests of a module."""
    made = Lab(f"m{os.getpid():x}")
    made.up()
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(made.state.folder)


@pytest.fixture
def bare(prefix: str) -> Iterator[Lab]:
    """A lab that is not up; the test may bring it up without the sensor."""
    made = Lab(prefix)
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(made.state.folder, ignore_errors=True)
