"""The meter over the Prometheus library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from runtime.metrics import PrometheusMeter
from tests.conftest import PATIENCE_S

THREADS = 8
NAMES = 200


@pytest.fixture
def eager_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_threads_that_count_the_same_for_the_first_time_do_not_refuse_each_other() -> None:
    meter = PrometheusMeter()
    together = Barrier(THREADS, timeout=PATIENCE_S)

    def count() -> None:
        for number in range(NAMES):
            together.wait()
            meter.add(f"things_{number}", source="a")
            meter.set(f"level_{number}", 3, source="a")

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(count) for _ in range(THREADS)]:
            done.result(60)
    found = meter.values()
    assert {found[f'opsonin_things_{n}_total{{source="a"}}'] for n in range(NAMES)} == {THREADS}
    assert {found[f'opsonin_level_{n}{{source="a"}}'] for n in range(NAMES)} == {3}
