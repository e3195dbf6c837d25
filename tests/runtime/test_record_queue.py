"""The bounded queue between tasks."""

from __future__ import annotations

import asyncio

from runtime.record_queue import RecordQueue


def test_put_waits_for_room_counted_in_records() -> None:
    async def scene() -> None:
        queue: RecordQueue[str] = RecordQueue(10)
        await queue.put("large", 50)
        waiting = asyncio.create_task(queue.put("next", 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await queue.get(1) == "large"
        await waiting
        assert await queue.get(1) == "next"

    asyncio.run(scene())


def test_get_returns_none_after_the_timeout_or_when_woken() -> None:
    async def scene() -> None:
        queue: RecordQueue[str] = RecordQueue(10)
        assert await queue.get(0.01) is None
        getting = asyncio.create_task(queue.get(60))
        await asyncio.sleep(0)
        queue.wake()
        assert await getting is None

    asyncio.run(scene())


def test_what_must_not_wait_passes_the_bound() -> None:
    async def scene() -> None:
        queue: RecordQueue[int] = RecordQueue(1)
        for number in range(5):
            queue.put_now(number, 1)
        assert [await queue.get(1) for _ in range(5)] == [0, 1, 2, 3, 4]
        assert len(queue) == 0

    asyncio.run(scene())
