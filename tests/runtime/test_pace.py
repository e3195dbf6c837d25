"""Which source may go on, by event time."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.pace import Pace

AHEAD, IDLE = 30, 10_000


def pace(**reached: int) -> Pace:
    one = Pace(AHEAD, IDLE)
    for name, time in reached.items():
        one.open(name, 0, time, has_more=True)
    return one


def test_a_source_may_be_ahead_of_the_least_advanced_by_so_much() -> None:
    one = pace(a=100, b=70, c=400)
    assert one.limit("c", 0) == 100
    one.saw("b", 500)
    assert one.limit("c", 0) == 130


def test_a_source_alone_waits_for_nobody() -> None:
    assert pace(a=100).limit("a", 0) is None


def test_nobody_waits_for_a_source_that_has_caught_up() -> None:
    one = pace(a=100, b=0)
    one.gave("b", 0, has_more=False)
    assert one.limit("a", 0) is None
    one.gave("b", 0, has_more=True)
    assert one.limit("a", 0) == AHEAD


def test_nobody_waits_for_a_source_that_ended_or_gives_nothing() -> None:
    one = pace(a=100, b=0, c=0)
    one.close("b")
    assert one.limit("a", IDLE - 1) == AHEAD
    assert one.limit("a", IDLE) is None


def test_a_source_not_read_yet_is_waited_for() -> None:
    assert pace(a=100, b=0).limit("a", 0) == AHEAD


@given(st.lists(st.lists(st.integers(0, 10**6), max_size=8), min_size=1, max_size=5))
def test_whatever_the_times_every_source_comes_to_its_end_and_none_runs_ahead(
    times: list[list[int]],
) -> None:
    one = Pace(AHEAD, IDLE)
    left = {str(number): sorted(each) for number, each in enumerate(times)}
    for name in left:
        one.open(name, 0, has_more=True)
    while left:
        done = [name for name, each in left.items() if not each]
        for name in done:
            one.close(name)
            del left[name]
        for name, each in left.items():
            one.saw(name, each[0])
        free = [
            name
            for name, each in left.items()
            if (limit := one.limit(name, 0)) is None or each[0] <= limit
        ]
        assert bool(free) == bool(left)
        for name in free:
            time = left[name].pop(0)
            assert all(not each or time <= each[0] + AHEAD for each in left.values())
