"""How far a source's time has come, when one of its records bears a clock gone wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import DeadLetter
from contract.timestamps import iso, to_datetime
from runtime.source_clock import SourceClock

START_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def event(minutes: float) -> Event:
    time_us = START_US + round(minutes * MINUTE_US)
    fields = {"@timestamp": iso(time_us), "event.id": str(minutes)}
    return Event.of(fields, id=str(minutes), time_us=time_us, source="s")


def letter() -> DeadLetter:
    return DeadLetter(
        id="d", time=to_datetime(START_US), stage="ingest", source="s", adapter="a", reason="r",
        raw=b"", size_bytes=0, truncated=False,
    )  # fmt: skip


def clock_of(meter: MemoryMeter | None = None, lateness_us: int | None = None) -> SourceClock:
    return SourceClock("s", meter or MemoryMeter(), HOUR_US, lateness_us)


def turns(clock: SourceClock, items: Iterable[Event | DeadLetter]) -> list[tuple[str, float]]:
    """Return each item's id and the minute with which it is in turn."""
    return [
        (one.id, (clock.turn_us - START_US) / MINUTE_US if clock.turn_us else -1.0) for one in items
    ]


def recorded(*minutes: float) -> list[tuple[str, float]]:
    clock = clock_of()
    items = clock.order(map(event, minutes), 0, has_more=True)

    def whole() -> Iterator[Event | DeadLetter]:
        yield from items
        yield from clock.end()

    return turns(clock, whole())


def test_what_is_in_order_has_its_own_turn_and_what_is_late_that_of_the_latest() -> None:
    assert recorded(0, 1, 59, 58, 60) == [("0", 0), ("1", 1), ("59", 59), ("58", 59), ("60", 60)]


def test_one_record_of_a_clock_ahead_goes_with_the_one_before_it() -> None:
    assert recorded(0, 1, 500, 2, 3) == [("0", 0), ("1", 1), ("500", 1), ("2", 2), ("3", 3)]


def test_after_a_pause_the_second_record_confirms_the_first() -> None:
    assert recorded(0, 1, 500, 501) == [("0", 0), ("1", 1), ("500", 500), ("501", 501)]


def test_a_log_of_one_record_a_day_goes_on_by_day() -> None:
    day = 24 * 60
    assert recorded(0, day, 2 * day, 3 * day) == [
        ("0", 0), (str(day), day), (str(2 * day), 2 * day), (str(3 * day), 3 * day)
    ]  # fmt: skip


def test_two_that_are_ahead_are_believed_as_far_as_both_say() -> None:
    assert recorded(0, 90_000, 500, 501) == [("0", 0), ("90000", 500), ("500", 500), ("501", 501)]


def test_the_first_record_of_all_needs_a_second_one_too() -> None:
    assert recorded(90_000, 0, 1) == [("90000", 0), ("0", 0), ("1", 1)]
    assert recorded(0) == [("0", 0)]


def test_behind_the_last_record_nothing_can_be_late() -> None:
    assert recorded(0, 1, 500) == [("0", 0), ("1", 1), ("500", 500)]


def test_where_nothing_more_is_at_hand_nothing_waits() -> None:
    meter = MemoryMeter()
    clock = clock_of(meter)
    clock.turn_us = 0
    assert turns(clock, clock.order([event(0), event(1)], 0, has_more=True)) == [("0", 0), ("1", 1)]
    assert turns(clock, clock.order([event(500)], 0, has_more=False)) == [("500", 1)]
    assert meter.total("clock_jumps_total") == 1
    assert turns(clock, clock.order([event(501)], 0, has_more=False)) == [("501", 501)]
    assert meter.total("clock_jumps_total") == 1


def test_what_cannot_be_read_passes_behind_what_waits() -> None:
    clock = clock_of()
    items: list[Event | DeadLetter] = [event(0), event(1), event(500), letter(), event(2)]
    ids = [one for one, _ in turns(clock, clock.order(items, 0, has_more=False))]
    assert ids == ["0", "1", "500", "d", "2"]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_stop_anywhere_changes_no_turn(cut: int) -> None:
    minutes = [0, 1, 500, 2, 700, 701, 702]
    whole = recorded(*minutes)
    first = clock_of()
    told = turns(first, first.order(map(event, minutes[:cut]), 0, has_more=True))
    memory = json.loads(json.dumps(first.memory()))
    reached_us = max(START_US + round(turn * MINUTE_US) for _, turn in told) if told else 0
    again = SourceClock("s", MemoryMeter(), HOUR_US, None, reached_us, memory)
    told += turns(again, again.order(map(event, minutes[cut:]), 0, has_more=True))
    assert told == whole


def test_a_record_of_just_now_needs_no_second_one() -> None:
    clock = clock_of(lateness_us=MINUTE_US // 2)
    now_us = START_US + 500 * MINUTE_US
    clock_items = clock.order([event(450)], now_us, has_more=True)
    assert turns(clock, clock_items) == [("450", 450)]


def test_live_no_record_moves_time_further_than_its_arrival() -> None:
    meter = MemoryMeter()
    clock = clock_of(meter, lateness_us=MINUTE_US // 2)
    items = [event(0), event(50), event(0.25)]
    assert turns(clock, clock.order(items, START_US, has_more=False)) == [
        ("0", 0), ("50", 0.5), ("0.25", 0.5)
    ]  # fmt: skip
    assert meter.total("clock_jumps_total") == 1
