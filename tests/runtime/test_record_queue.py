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
        assert not queue

    asyncio.run(scene())


def test_a_burst_in_one_lane_delays_another_lane_by_one_item() -> None:
    async def scene() -> None:
        queue: RecordQueue[str] = RecordQueue(1000)
        for number in range(100):
            await queue.put(f"flow {number}", 1, "flows")
        await queue.put("alert", 1, "alerts")
        assert [await queue.get(1), await queue.get(1)] == ["flow 0", "alert"]
        assert [await queue.get(1) for _ in range(99)] == [f"flow {n}" for n in range(1, 100)]

    asyncio.run(scene())


def test_lanes_take_turns() -> None:
    async def scene() -> None:
        queue: RecordQueue[str] = RecordQueue(1000)
        for item in ("a1", "a2", "b1", "a3", "b2"):
            await queue.put(item, 1, item[0])
        assert [await queue.get(1) for _ in range(5)] == ["a1", "b1", "a2", "b2", "a3"]

    asyncio.run(scene())


def test_a_held_lane_is_not_served_and_leaves_its_room_to_the_others() -> None:
    async def scene() -> None:
        queue: RecordQueue[str] = RecordQueue(10)
        await queue.put("ahead 1", 6, "ahead")
        await queue.put("ahead 2", 6, "ahead")
        queue.hold("ahead")
        assert not queue
        blocked = asyncio.create_task(queue.put("ahead 3", 1, "ahead"))
        await queue.put("behind", 9, "behind")
        assert await queue.get(1) == "behind"
        assert await queue.get(0.01) is None
        assert not blocked.done()
        queue.release("ahead")
        assert await queue.get(1) == "ahead 1"
        await blocked
        assert [await queue.get(1), await queue.get(1)] == ["ahead 2", "ahead 3"]

    asyncio.run(scene())
