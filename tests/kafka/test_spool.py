"""What waits on disk keeps its order, survives a kill, never passes its bound, and is deleted once it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import runtime.kafka.spool
from contract.meter import MemoryMeter
from contract.ports import Batch
from runtime.kafka.spool import Segments, Spooled
from tests.conftest import PATIENCE_S


class Datagrams:
    """A source that waits for nobody: gives what it is told at once."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Batch | None] = asyncio.Queue()

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        while batch := await self.queue.get():
            yield batch

    async def close(self) -> None:
        self.queue.put_nowait(None)

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.queue.put_nowait(Batch("udp", [b"%d" % number], number, sender="10.0.0.1"))


def spooled(
    inner: Datagrams, folder: Path, meter: MemoryMeter, *, bound: int = 1 << 20, memory: int = 3
) -> Spooled:
    return Spooled("udp", inner, Segments(folder, bound), meter, memory)


async def take(batches: AsyncIterator[Batch], count: int) -> list[Batch]:
    return [await asyncio.wait_for(anext(batches), PATIENCE_S) for _ in range(count)]


def numbers(batches: list[Batch]) -> list[int]:
    return [int(record) for batch in batches for record in batch.records]


def on_disk(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.iterdir())


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def test_order_is_kept_through_memory_and_disk(tmp_path: Path) -> None:
    async def main() -> None:
        inner, meter = Datagrams(), MemoryMeter()
        batches = spooled(inner, tmp_path, meter).batches(None)
        inner.say(0)
        found = await take(batches, 1)
        inner.say(*range(1, 20))  # nobody pulls: three wait in memory, the rest on disk
        await settle()
        found += await take(batches, 10)
        inner.say(*range(20, 30))
        await settle()
        found += await take(batches, 19)
        inner.say(30)
        found += await take(batches, 1)
        assert numbers(found) == list(range(31))
        assert meter.total("spooled_records") > 15
        assert all(
            one.sender == "10.0.0.1" and one.received_us == int(one.records[0]) for one in found
        )
        await inner.close()
        assert [one async for one in batches] == []

    asyncio.run(main())


def test_ordinary_times_do_not_touch_the_disk(tmp_path: Path) -> None:
    async def main() -> None:
        inner, meter = Datagrams(), MemoryMeter()
        batches = spooled(inner, tmp_path, meter).batches(None)
        for number in range(10):
            inner.say(number)
            await take(batches, 1)
        assert on_disk(tmp_path) == 0

    asyncio.run(main())


def test_overflow_is_counted_and_the_oldest_stay(tmp_path: Path) -> None:
    async def main() -> None:
        inner, meter = Datagrams(), MemoryMeter()
        source = spooled(inner, tmp_path, meter, bound=500)
        batches = source.batches(None)
        inner.say(*range(100))
        first = await take(batches, 1)
        await settle()
        dropped = int(meter.total("dropped_spool"))
        assert dropped > 50
        assert 400 < on_disk(tmp_path) <= 500
        rest = await take(batches, 99 - dropped)
        assert numbers(first + rest) == list(range(100 - dropped))

    asyncio.run(main())


def test_killed_process_goes_on_behind_its_durable_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.kafka.spool, "SEGMENT_BYTES", 100)

    async def first_life() -> Any:
        inner = Datagrams()
        source = spooled(inner, tmp_path, MemoryMeter())
        batches = source.batches(None)
        inner.say(*range(40))
        found = await take(batches, 1)
        await settle()
        found += await take(batches, 19)
        source.confirm(found[-1].position)
        await take(batches, 5)  # taken, never durable
        return found[-1].position

    async def second_life(position: Any) -> None:
        inner = Datagrams()
        source = spooled(inner, tmp_path, MemoryMeter())
        batches = source.batches(position)
        inner.say(40)
        found = await take(batches, 21)
        assert numbers(found) == list(range(20, 41))
        source.confirm(found[-1].position)
        assert on_disk(tmp_path) == 0
        inner.say(*range(41, 60))
        assert numbers(await take(batches, 19)) == list(range(41, 60))

    position = asyncio.run(first_life())
    assert len(list(tmp_path.iterdir())) > 2
    asyncio.run(second_life(position))


def test_position_of_a_deleted_file_hides_no_later_one(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 1 << 20)
    segments.append(b"one")
    assert list(segments.read()) == [b"one"]
    position = segments.at
    segments.forget(position)
    later = Segments(tmp_path, 1 << 20)
    later.resume(position)
    later.append(b"two")
    assert list(later.read()) == [b"two"]
    later.close()


@pytest.mark.parametrize("count", [2, 12])
def test_what_came_before_the_position_is_known_is_kept_behind_it(
    tmp_path: Path, count: int
) -> None:
    async def main() -> None:
        inner, meter = Datagrams(), MemoryMeter()
        source = spooled(inner, tmp_path, meter)
        source.listen()
        inner.say(*range(count))
        await settle()
        assert meter.total("spooled_records") == max(0, count - 3)
        batches = source.batches([7, 100])  # of a process that had read its queue to the end
        found = await take(batches, count)
        assert numbers(found) == list(range(count))
        assert all(one.position >= [7, 100] for one in found)
        source.confirm(found[-1].position)
        assert on_disk(tmp_path) == 0
        inner.say(count)
        assert numbers(await take(batches, 1)) == [count]

    asyncio.run(main())


def test_cut_and_spoilt_frames_end_their_file_only(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 1 << 20)
    segments.append(b"one")
    segments.append(b"two")
    segments.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    again = Segments(tmp_path, 1 << 20)
    again.append(b"three")
    assert list(again.read()) == [b"one", b"three"]
    assert again.is_read()
    again.close()
