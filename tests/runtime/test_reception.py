"""Sources in front of a host: what is read ahead of it, and what is opened before it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from contract.meter import MemoryMeter
from contract.ports import Batch
from runtime.reception import RECORD_BYTES, Read, Reception
from runtime.record_queue import RecordQueue
from runtime.settings import Settings, resolve


class Endless:
    """A source that gives one record after another, as large as it was told."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.given = 0
        self.asked_from: list[Any] = []
        self._record = b"x" * size

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        self.asked_from.append(position)
        while True:
            self.given += 1
            yield Batch(self.name, [self._record], 0, position=self.given)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Nothing is open."""


def settings_of(folder: Path) -> Settings:
    source = {"adapter": "generic.ecs", "port": 0}
    file = {"type": "file", "adapter": "generic.ecs", "path": str(folder)}
    return resolve(
        {
            "engine": {"data_dir": str(folder)},
            "source": [{"name": "tcp", "type": "syslog_tcp"} | source, {"name": "file"} | file],
        }
    )


def read_ahead(folder: Path, size: int, bound: int) -> dict[str, Endless]:
    """Return the sources after a while in which nothing was taken."""
    sources: dict[str, Endless] = {}

    async def run() -> None:
        queue: RecordQueue[Any] = RecordQueue(bound)

        def opened(config: Any) -> Endless:
            return sources.setdefault(config.name, Endless(config.name, size))

        reception = Reception(
            settings_of(folder), MemoryMeter(), lambda: 0, queue, lambda *_: None, opened
        )
        reception.restore({"file": {"at": 7}})
        reception.start()
        for _ in range(1_000):
            await asyncio.sleep(0)
        assert isinstance(await queue.get(0), Read)
        await reception.close()

    asyncio.run(run())
    return sources


def test_long_records_are_read_ahead_by_their_bytes(tmp_path: Path) -> None:
    short = read_ahead(tmp_path, 10, 100)
    assert 100 <= sum(one.given for one in short.values()) <= 103
    long = read_ahead(tmp_path, 19 * RECORD_BYTES, 100)  # each counts twenty
    assert 5 <= sum(one.given for one in long.values()) <= 8


def test_before_positions_are_known_only_what_others_send_is_read(tmp_path: Path) -> None:
    sources: dict[str, Endless] = {}

    async def run() -> None:
        queue: RecordQueue[Any] = RecordQueue(100)

        def opened(config: Any) -> Endless:
            return sources.setdefault(config.name, Endless(config.name, 10))

        reception = Reception(
            settings_of(tmp_path), MemoryMeter(), lambda: 0, queue, lambda *_: None, opened
        )
        reception.start()
        for _ in range(500):
            await asyncio.sleep(0)
        assert list(sources) == ["tcp"]
        assert 100 <= sources["tcp"].given <= 102
        reception.restore({"file": {"at": 7}})
        while await queue.get(0):
            pass
        for _ in range(500):
            await asyncio.sleep(0)
        assert sources["file"].asked_from == [7]
        await reception.close()

    asyncio.run(run())
