"""Counting leaves on a sample gives what testing each event gives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from correlate.sigma.evaluate import leaf_test
from correlate.sigma.node import MANY, Leaf
from correlate.sigma.sample import Sample

VALUES = st.text("aBß.", max_size=4) | st.integers(0, 3) | st.none() | st.lists(st.text("ab"))
EVENTS = st.lists(st.dictionaries(st.sampled_from("AB"), VALUES), min_size=1, max_size=6)
LEAVES: list[Leaf] = [
    Leaf(op, field, value, cased)  # type: ignore[arg-type]  # a text of the list below
    for op, value in (("equal", "a"), ("prefix", "a"), ("suffix", "b"), ("infix", "ss"))
    for field in ("A", None)
    for cased in (False, True)
] + [Leaf("glob", "A", ("a", MANY, "b")), Leaf("number", "A", 1), Leaf("re", "B", ("a|b", ""))]


@given(EVENTS)
def test_a_share_is_that_of_the_events_in_which_the_leaf_holds(
    events: list[dict[str, Any]],
) -> None:
    sample = Sample(events)
    for leaf in LEAVES:
        held = sum(map(leaf_test(leaf), events)) / len(events)
        assert sample.share(leaf) == held, leaf
