"""Recorded items of several upstream partitions go in order of what caused them, whichever came first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contract.event import Observation
from runtime.kafka.order import Rank, Taken, Turns, Upstreams, Waiting
from runtime.kafka.wire import Mark
from runtime.stage_runner import NEVER


def taken(cause_us: int, offset: int, tie: str = "", rank: Rank = Rank.CAUSED) -> Taken:
    item = Observation(f"e{offset}", cause_us, {})
    return Taken(cause_us, rank, tie, offset, item, 0, b"", [])


def test_nothing_goes_on_before_every_upstream_was_heard() -> None:
    upstreams = Upstreams(("detect/0", "detect/1"))
    upstreams.heard(Mark("detect/0", 100, 70))
    assert upstreams.front_us() == 0
    upstreams.heard(Mark("detect/1", 90, 60))
    assert (upstreams.front_us(), upstreams.low_us()) == (90, 60)


def test_an_upstream_never_goes_back_and_strangers_are_not_heard() -> None:
    upstreams = Upstreams(("detect/0",))
    assert upstreams.heard(Mark("detect/0", 100, 70))
    assert not upstreams.heard(Mark("link/0", 5, 5))
    upstreams.heard(Mark("detect/0", 90, 60))
    assert (upstreams.front_us(), upstreams.low_us()) == (100, 70)


def test_what_has_ended_holds_nobody_back() -> None:
    upstreams = Upstreams(("detect/0", "detect/1"))
    upstreams.heard(Mark("detect/0", 100, 70, ended=True))
    upstreams.heard(Mark("detect/1", 40, 10))
    assert (upstreams.front_us(), upstreams.low_us()) == (40, 10)
    upstreams.heard(Mark("detect/1", 50, 20, ended=True))
    assert upstreams.have_ended()
    assert (upstreams.front_us(), upstreams.latest_us()) == (NEVER, 100)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.text("ab", max_size=2)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_order_does_not_depend_on_arrival(items: list[tuple[int, str]], random: object) -> None:
    orders = []
    for _ in range(2):
        numbered = [
            taken(cause, number, f"{tie}{number}") for number, (cause, tie) in enumerate(items)
        ]
        random.shuffle(numbered)  # type: ignore[attr-defined]
        waiting = Waiting(1_000)
        for one in numbered:
            waiting.add(one)
        orders.append([one.offset for front in (20, NEVER) for one in waiting.ready(front)])
    assert orders[0] == orders[1]


def test_what_time_brought_about_goes_before_what_an_event_caused() -> None:
    waiting = Waiting(10)
    waiting.add(taken(5, 0))
    waiting.add(taken(5, 1, rank=Rank.TIMED))
    assert [one.offset for one in waiting.ready(6)] == [1, 0]


def test_what_was_caused_at_the_front_waits_for_others_of_that_time() -> None:
    waiting = Waiting(10)
    waiting.add(taken(5, 0, tie="b"))
    assert list(waiting.ready(5)) == []
    waiting.add(taken(5, 1, tie="a"))
    assert [one.offset for one in waiting.ready(6)] == [1, 0]
    assert waiting.forced == 0


def test_an_event_not_later_than_one_before_it_has_that_ones_turn_and_a_number() -> None:
    turns = Turns({})
    given = [("a", 5), ("a", 5), ("a", 3), ("b", 4), ("a", 6), ("a", 6)]
    told = [turns.next(*one) for one in given]
    assert told == [(5, 0), (5, 1), (5, 2), (4, 0), (6, 0), (6, 1)]
    later = Turns({"a": turns.row("a")})
    assert later.next("a", 2) == (6, 2)
    assert later.next("a", 7) == (7, 0)


def test_what_waits_is_stored_once_and_taken_out_when_it_goes() -> None:
    waiting = Waiting(10)
    waiting.add(taken(5, 0))
    waiting.add(taken(9, 1))
    assert [one.offset for one in waiting.ready(6)] == [0]
    new, gone = waiting.changes()
    assert ([one.offset for one in new], gone) == ([1], [])
    assert waiting.changes() == ([], [])
    assert [one.offset for one in waiting.ready(10)] == [1]
    assert waiting.changes() == ([], [1])


def test_beyond_the_bound_the_earliest_goes_on_and_is_counted() -> None:
    waiting = Waiting(2)
    for number in range(3):
        waiting.add(taken(10 + number, number))
    assert [one.offset for one in waiting.ready(0)] == [0]
    assert (len(waiting), waiting.forced) == (2, 1)
