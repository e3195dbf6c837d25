"""The short ways of evaluating give what the plain one gives, whatever comes, goes and comes late."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from correlate.window import measure
from correlate.window.condition import Threshold
from correlate.window.entry import Entries, Entry
from correlate.window.evaluate import Evaluator
from correlate.window.measure import Average, Count, Distinct, Measure, Percentile, Share, Sum
from correlate.window.measured import Measured, Ranked, Summed

SPAN = 10
STEPS = st.lists(
    st.tuples(st.sampled_from("cccclt"), st.integers(0, 4), st.integers(1, 8), st.integers(0, 99)),
    min_size=1,
    max_size=60,
)
RANKS = st.sampled_from([Fraction(n) for n in (0, 10, 50, 90, 95, 100)] + [Fraction(100, 3)])
TESTS = st.tuples(st.sampled_from(["gt", "gte"]), st.sampled_from([3, Fraction(7, 2), 5]))


def entry(time: int, number: int, value: int) -> Entry:
    return time, 0, f"{number:03}", value, b"", 0


class Plain:
    """Measures the span of each entry anew."""

    sketch = None

    def __init__(self, made: Callable[[], Measure], asked: tuple[str, Any]) -> None:
        self.made = made
        self.test = Threshold((asked,)).test()

    def step(self, entries: Entries, at: int) -> int | None:
        since = entries[at][0] - SPAN
        found = self.made()
        for one in entries[: at + 1]:
            if one[0] >= since:
                found.add(one[3])
        return since if self.test(*found.ratio(entries[at][3])) else None

    def rewind(self, entries: Entries, at: int) -> None:
        pass

    def reset(self, entries: Entries, at: int) -> None:
        pass

    def trim(self, entries: Entries, count: int) -> None:
        pass


def play(short: Evaluator, plain: Evaluator, steps: list[tuple[str, int, int, int]]) -> None:
    """Feed both the same: an event that follows, a late one, or a trim of what no frame reaches any more."""
    entries: list[Entry] = []
    time = 0
    for number, (kind, pause, value, where) in enumerate(steps):
        if kind == "c" or len(entries) < 3:
            time += pause
            entries.append(entry(time, number, value))
            assert short.step(entries, len(entries) - 1) == plain.step(entries, len(entries) - 1)
        elif kind == "l":
            at = where % len(entries)
            for one in (short, plain):
                one.rewind(entries, at)
            entries.insert(at, entry(entries[at][0], number, value))
            for index in range(at, len(entries)):
                assert short.step(entries, index) == plain.step(entries, index)
        else:
            count = sum(one[0] < time - SPAN for one in entries[:-1])
            for one in (short, plain):
                one.trim(entries, count)
            del entries[:count]


@pytest.mark.parametrize(
    "made", [Count, Distinct, Share, Sum, Average, lambda: Percentile(Fraction(75))]
)
@settings(max_examples=30, deadline=None)
@given(steps=STEPS, asked=TESTS)
def test_a_measure_kept_up_is_the_one_taken_anew(made: Any, steps: Any, asked: Any) -> None:
    if made is Share:
        asked = asked[0], asked[1] * 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "_BLOCK", 2)
        play(Measured(SPAN, made(), Threshold((asked,)).test()), Plain(made, asked), steps)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, rank=RANKS, asked=TESTS)
def test_a_percentile_told_by_counting_is_the_one_told_by_sorting(
    steps: Any, rank: Fraction, asked: Any
) -> None:
    test = Threshold((asked,)).test()
    play(Ranked(SPAN, rank, *asked), Measured(SPAN, Percentile(rank), test), steps)


@pytest.mark.parametrize("is_mean", [False, True])
@settings(max_examples=100, deadline=None)
@given(steps=STEPS, asked=TESTS)
def test_a_sum_in_one_step_is_the_one_of_its_measure(
    *, is_mean: bool, steps: Any, asked: Any
) -> None:
    test = Threshold((asked,)).test()
    measure = Average() if is_mean else Sum()
    play(Summed(SPAN, test, is_mean=is_mean), Measured(SPAN, measure, test), steps)
