"""What chains hold is a function of what was said, not of the order in which it came or of restarts in between."""

from __future__ import annotations

import random

import pytest

from contract.timestamps import microseconds
from correlate.chain.settings import LinkSettings
from tests.correlate.chain.site import Site, Unconnected, in_order, sequence, shuffled, told

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


@pytest.mark.parametrize("seed", [0, 4])
def test_coincidences_are_the_same_in_any_order_within_lateness_and_over_restarts(
    seed: int,
) -> None:
    items = Unconnected(seed).items(150)
    dice = random.Random(seed)  # noqa: S311  the same order again
    expected = told(in_order(items))
    edges = [link["edge"] for one in expected.values() for link in one["links"]]
    assert edges.count("coincidence") > 3
    order = shuffled(items, dice, LATENESS_US)
    assert told(order) == expected
    assert told(order, dice=dice) == expected


@pytest.mark.parametrize("seed", [0, 4])
def test_coincidences_told_on_the_way_do_not_show_in_which_steps_time_passed(seed: int) -> None:
    """What is learnt of how often hosts show strong episodes becomes known at times of its own."""
    items = Unconnected(seed).items(150)
    assert sequence(items, random.Random(seed)) == sequence(items)  # noqa: S311  the same again


class Always(random.Random):
    """Dice that fall so that the stage is put away and opened anew after every item."""

    def random(self) -> float:
        return 0.0


@pytest.mark.parametrize("seed", [4, 9])
def test_coincidences_outlive_a_restart_after_every_item(seed: int) -> None:
    items = Unconnected(seed).items(60)
    order = in_order(items)
    expected = told(order)
    assert any(link["edge"] == "coincidence" for one in expected.values() for link in one["links"])
    assert told(order, dice=Always()) == expected
