"""Several files read at once by the embedded host: in step by event time, and exact over a stop in the middle."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.timestamps import iso
from runtime import clock
from runtime.compose import compose
from runtime.embedded import Embedded
from runtime.flow import Seen
from runtime.settings import Settings, resolve
from runtime.store import Store
from runtime.stored import records
from tests.conftest import PATIENCE_S

START_US = 1_767_225_600_000_000
LATENESS_US = 30_000_000
HOUR_US = 3_600_000_000


def write(folder: Path, name: str, times: list[int]) -> None:
    """Write failed logons, enough in a row for the shipped brute-force rules, of a user that each file shares."""
    lines = [
        {
            "@timestamp": iso(START_US + time),
            "event.kind": "event",
            "event.category": ["authentication"],
            "event.outcome": "failure",
            "event.action": "ssh_login",
            "event.module": "system",
            "event.dataset": "system.auth",
            "process.name": "sshd",
            "source.ip": f"198.51.100.{1 + number % 3}",
            "host.name": "alpha",
            "user.name": "root",
            "message": f"{name} {number}",
        }
        for number, time in enumerate(times)
    ]
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in lines))


def settings_for(folder: Path, *names: str, follow: bool = False) -> Settings:
    return resolve(
        {
            "engine": {
                "data_dir": "data",
                "idle_after": "1h",
                "epoch": "20ms",
                "stop_at_end": not follow,
            },
            "source": [
                {
                    "name": name,
                    "type": "file",
                    "adapter": "generic.ecs",
                    "path": name,
                    "follow": follow,
                }
                for name in names
            ],
        },
        folder=folder,
    )


def run(settings: Settings, *, until: int | None = None) -> tuple[list[Event], MemoryMeter]:
    """Run to the end, or break off after so many events as kill -9 would; return the events in the order taken."""
    taken: list[Event] = []
    meter = MemoryMeter()

    def watch(item: Seen) -> None:
        if isinstance(item, Event):
            taken.append(item)
            if len(taken) == until:
                raise KeyboardInterrupt

    async def scene() -> None:
        store = Store(settings.engine.data_dir / "opsonin.db")
        pipeline = compose(settings).pipeline
        try:
            host = Embedded(settings, pipeline, store, meter, clock.now_us, watch)
            await asyncio.wait_for(host.run(), PATIENCE_S)
        finally:
            store.close()

    if until is None:
        asyncio.run(scene())
    else:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(scene())
    return taken, meter


def test_no_file_is_read_further_ahead_of_another_than_the_lateness(tmp_path: Path) -> None:
    rng = random.Random(5)  # noqa: S311 - not for secrets
    for name, count in (("many", 6_000), ("few", 40), ("late", 500)):
        times = sorted(rng.randrange(HOUR_US) for _ in range(count))
        write(tmp_path, name, [2 * HOUR_US + one for one in times] if name == "late" else times)
    taken, meter = run(settings_for(tmp_path, "many", "few", "late"))
    assert len(taken) == 6_540
    assert meter.total("sources_held_total") > 10
    latest = 0
    for event in taken:
        assert event.time_us >= latest - LATENESS_US
        latest = max(latest, event.time_us)


def outcome(folder: Path) -> dict[str, object]:
    with_all = Store(folder / "data" / "opsonin.db", read_only=True)
    found: dict[str, object] = {
        one.id: one.model_dump(exclude={"revision"})
        for kind in ("alert", "chain")
        for one in records(with_all, kind)
    }
    with_all.close()
    return found


def test_a_stop_while_sources_are_held_loses_and_repeats_nothing(tmp_path: Path) -> None:
    rng = random.Random(6)  # noqa: S311 - not for secrets
    times = {
        name: sorted(rng.randrange(HOUR_US) for _ in range(count))
        for name, count in (("many", 1_500), ("few", 60))
    }
    ends = []
    for folder, stops in ((tmp_path / "calm", ()), (tmp_path / "wild", (1, 300, 777, 100, 5))):
        folder.mkdir()
        for name, each in times.items():
            write(folder, name, each)
        settings = settings_for(folder, *times)
        for stop in stops:
            run(settings, until=stop)
        run(settings)
        ends.append(outcome(folder))
    assert ends[0]
    assert ends[1] == ends[0]


def test_one_record_of_a_clock_ahead_stops_no_source_and_a_stop_beside_it_changes_nothing(
    tmp_path: Path,
) -> None:
    rng = random.Random(8)  # noqa: S311 - not for secrets
    times = {
        name: sorted(rng.randrange(HOUR_US) for _ in range(count))
        for name, count in (("many", 900), ("few", 90))
    }
    times["few"].insert(30, 40 * HOUR_US)
    ends = []
    for folder, stops in ((tmp_path / "calm", ()), (tmp_path / "wild", (250, 60, 1, 1, 1, 40))):
        folder.mkdir()
        for name, each in times.items():
            write(folder, name, each)
        settings = settings_for(folder, *times)
        for stop in stops:
            run(settings, until=stop)
        taken, meter = run(settings)
        ends.append(outcome(folder))
        if not stops:
            assert meter.total("clock_jumps_total") == 1
            assert meter.total("correlation_late_events") == 0
            latest = 0
            for event in taken:
                if event.time_us - START_US < 2 * HOUR_US:
                    assert event.time_us >= latest - LATENESS_US
                    latest = max(latest, event.time_us)
    assert ends[0]
    assert ends[1] == ends[0]


def test_a_followed_file_that_is_empty_keeps_nobody_waiting(tmp_path: Path) -> None:
    write(tmp_path, "full", [number * 60_000_000 for number in range(50)])
    (tmp_path / "empty").touch()
    settings = settings_for(tmp_path, "full", "empty", follow=True)
    taken: list[Seen] = []

    async def scene() -> None:
        store = Store(settings.engine.data_dir / "opsonin.db")
        pipeline = compose(settings).pipeline
        host = Embedded(settings, pipeline, store, MemoryMeter(), clock.now_us, taken.append)
        engine = asyncio.create_task(host.run())
        async with asyncio.timeout(PATIENCE_S):
            while sum(isinstance(one, Event) for one in taken) < 50:  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(0.01)
        await host.stop()
        await asyncio.wait_for(engine, PATIENCE_S)
        store.close()

    asyncio.run(scene())
