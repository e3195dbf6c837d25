"""Event time over several sources."""

from __future__ import annotations

from runtime.watermark import Watermarks


def test_the_slowest_live_source_decides() -> None:
    marks = Watermarks(5, 100)
    marks.open("a", 1000)
    marks.open("b", 1000)
    marks.saw("a", 50, 1000)
    assert marks.low(1000) == 0, "b has said nothing yet"
    marks.saw("b", 30, 1000)
    assert marks.low(1000) == 25


def test_an_idle_source_holds_nobody_back_and_time_never_returns() -> None:
    marks = Watermarks(5, 100)
    marks.saw("slow", 10, 1000)
    marks.saw("a", 900, 1090)
    assert marks.low(1090) == 5
    assert marks.low(1150) == 895
    marks.saw("slow", 20, 1151)
    assert marks.low(1151) == 895


def test_with_every_source_idle_time_follows_the_wall_clock() -> None:
    marks = Watermarks(5, 100)
    marks.saw("a", 900, 1000)
    assert marks.low(2000) == 1895


def test_a_clock_in_the_future_does_not_move_the_others() -> None:
    marks = Watermarks(5, 100)
    marks.saw("wild", 10**9, 1000)
    marks.saw("a", 900, 1000)
    assert marks.low(1000) == 895
    marks.close("a")
    assert marks.low(1001) == 996, "alone it moves time no further than the wall clock"


def test_in_a_replay_only_the_logs_move_time() -> None:
    marks = Watermarks(5, None)
    marks.open("a", 0)
    assert marks.low(10**15) == 0
    marks.saw("a", 10**9, 0)
    assert marks.low(0) == 10**9 - 5
