"""What chains hold is a function of what was said, not of the order in which it came or of restarts in between."""

from __future__ import annotations

import random

import pytest

from contract.timestamps import microseconds
from correlate.chain.settings import LinkSettings
from tests.correlate.chain.site import Site, in_order, sequence, shuffled, told

LATENESS_US = microseconds(LinkSettings().lateness)


@pytest.mark.parametrize("seed", [8, 10, 20, 205, 222, 247, 338, 3029, 3047])
def test_any_order_within_lateness_and_restarts_in_between_give_the_same_chains(seed: int) -> None:
    items = Site(seed).items(90)
    dice = random.Random(seed)  # noqa: S311  the same order again
    expected = told(in_order(items))
    assert any(len(one["alerts"]) > 1 for one in expected.values())
    order = shuffled(items, dice, LATENESS_US)
    assert told(order) == expected
    assert told(order, dice=dice) == expected


@pytest.mark.parametrize("seed", [0, 7, 11])
def test_a_restart_days_later_knows_what_was_known(seed: int) -> None:
    """Runs that stay open outlive what led to them; a restart must not forget what they were joined by."""
    order = in_order(Site(seed).items(120))
    assert told(order, dice=random.Random(seed)) == told(order)  # noqa: S311  not for secrets


@pytest.mark.parametrize("seed", [1, 5, 11, 14, 31])
def test_all_that_is_told_on_the_way_is_the_same_however_one_time_is_ordered_and_batched(
    seed: int,
) -> None:
    """Also what lasts a moment only: decisions are made on it."""
    items = Site(seed).items(110)
    expected = sequence(items)
    assert any(one.merged_into for one in expected)
    for number in range(3):
        assert sequence(items, random.Random(number)) == expected  # noqa: S311  the same order again
