"""Runs of one signature: which one an alert repeats, and which growing brings together."""

from __future__ import annotations

import random

import pytest

from contract.records import Rule
from correlate.chain.holding import Holding
from correlate.chain.runs import Knot, Member, Run
from correlate.chain.settings import LinkSettings

MINUTE_US = 60_000_000


def run(held: Holding, first: float, last: float) -> Run:
    one = Run(held.number(), "s", Rule(id="r", name="r", level="low"), (), (), (), {})
    one.put(member(first, last), 8)
    held.hold(one)
    return one


def member(first: float, last: float) -> Member:
    return Member(f"a{first:g}", 1, int(first * MINUTE_US), int(last * MINUTE_US), 1)


@pytest.mark.parametrize("order", range(6))
def test_an_alert_repeats_the_run_that_is_within_the_gap_whatever_came_first(order: int) -> None:
    held = Holding(LinkSettings())
    spans = [(0, 10), (40, 50), (100, 100), (200, 260)]
    random.Random(order).shuffle(spans)  # noqa: S311  the same order again
    runs = {span: run(held, *span) for span in spans}
    for at, expected in (
        (0, (0, 10)), (24.9, (0, 10)), (25, (40, 50)), (65, (40, 50)), (65.1, None), (84.9, None),
        (85, (100, 100)), (116, None), (185, (200, 260)), (230, (200, 260)), (276, None),
    ):  # fmt: skip
        assert held.find("s", member(at, at)) is (runs[expected] if expected else None), at
    assert held.find("s", member(-20, -15)) is runs[0, 10]
    assert held.find("s", member(-20, -15.1)) is None
    assert held.find("other", member(0, 0)) is None


def test_growing_brings_together_all_that_it_reaches_and_no_more() -> None:
    held = Holding(LinkSettings())
    first, second, third, last = (run(held, at, at) for at in (0, 60, 120, 300))
    assert held.beside(second) == []
    second.put(member(45, 105), 8)
    held.move(second)
    assert held.beside(second) == [third]
    second.put(member(15, 15), 8)
    held.move(second)
    assert held.beside(second) == [first, third]
    assert held.beside(last) == []


def test_members_are_parted_where_more_than_the_gap_is_between_them() -> None:
    held = Holding(LinkSettings())
    members = [member(0, 12), member(5, 6), member(27, 27), member(42.1, 43)]
    assert held.parts(members) == [members[:3], members[3:]]


def test_a_run_whose_beginning_moved_past_another_is_found_where_it_is() -> None:
    held = Holding(LinkSettings())
    moved, other = run(held, 0, 0), run(held, 60, 60)
    moved.members = {"a0": Member("a0", 2, 120 * MINUTE_US, 120 * MINUTE_US, 1)}
    moved.measure()
    held.move(moved)
    assert held.find("s", member(61, 61)) is other
    assert held.find("s", member(121, 121)) is moved
    assert held.find("s", member(0, 0)) is None
    held.let_go(moved)
    assert held.find("s", member(121, 121)) is None


def test_ends_of_runs_that_a_bound_put_out_are_not_kept_until_their_time() -> None:
    held = Holding(LinkSettings())
    stays = [run(held, 100 * number, 100 * number) for number in range(3)]
    for number in range(5_000):
        held.let_go(run(held, 1_000_000 + number, 1_000_000 + number))
    assert len(held._expiry) < 2_100
    over_us = LinkSettings().lifetime.total_seconds() * 1_000_000 + 5 * MINUTE_US
    assert held.wake_at() == stays[0].last_us + over_us
    for one in stays:
        one.knot = Knot(one.number, {one})
    assert list(held.ended(2**62)) == stays
