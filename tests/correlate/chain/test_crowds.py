"""Who is a crowd and who is near does not hang on the order of arrival, on restarts, or on what has expired meanwhile."""

from __future__ import annotations

import random
from typing import Any

import pytest

from contract.records import Alert, Level, Rule
from contract.timestamps import microseconds, to_datetime
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
from tests.correlate.chain.site import START_US, Item, in_order, shuffled, told

MINUTE_US = 60_000_000
DAY = 24 * 60
LATENESS_US = microseconds(LinkSettings().lateness)


def alert(number: int, minute: float, rule: str, level: Level = "low", **fields: Any) -> Alert:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    at = to_datetime(START_US + int(minute * MINUTE_US))
    return Alert(
        id=f"a{number:04}", revision=1, rule=Rule(id=rule, name=rule, level=level), time=at, last=at,
        events=(f"e{number}",), event_count=1, entities=entities_of(named), tactics=("discovery",),
        techniques=("T1046",), fields=named,
    )  # fmt: skip


def agree(items: list[Item], seed: int) -> dict[str, dict[str, Any]]:
    """Return the chains, after seeing that other orders and restarts give the same."""
    dice = random.Random(seed)  # noqa: S311  the same order again
    expected = told(in_order(items))
    order = shuffled(items, dice, LATENESS_US)
    assert told(order) == expected
    assert told(order, dice=dice) == expected
    return expected


def test_what_has_just_expired_still_counts_towards_a_crowd() -> None:
    """A step 24 h and 6 min after the first guess comes in time, or early: the watermark is not there yet."""
    guesses: list[Item] = [
        alert(number, minute, "guess", source__ip=f"198.51.100.{number}", destination__ip="10.0.0.5")
        for number, minute in enumerate((0, *range(23 * 60, 23 * 60 + 16)))
    ]  # fmt: skip
    late = alert(99, DAY + 6, "use", "high", source__ip="10.0.0.5", destination__ip="10.0.0.9")
    in_time = told(in_order([*guesses, late]))
    early = told([*in_order(guesses), (START_US + (DAY + 2) * MINUTE_US, late)])
    assert early == in_time
    assert [len(one["alerts"]) for one in in_time.values()] == [1], "a crowd joins nothing"
    for number in range(4):
        dice = random.Random(number)  # noqa: S311  the same restarts again
        assert told(in_order([*guesses, late]), dice=dice) == in_time


@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_scan_is_linked_alike_in_any_order(seed: int) -> None:
    """A run of a scan is compared with those next to it in time, not with those that came last."""
    dice = random.Random(seed)  # noqa: S311  the same site again
    minutes = sorted(dice.uniform(0, 6) for _ in range(120))
    items: list[Item] = [
        alert(number, minute, "scan", "medium", source__ip="203.0.113.7", destination__ip=f"10.0.{number // 250}.{number % 250}")
        for number, minute in enumerate(minutes)
    ]  # fmt: skip
    items.append(
        alert(900, 4, "exploit", "high", source__ip="203.0.113.7", destination__ip="10.0.0.5")
    )
    items.sort(key=lambda one: one.time)  # type: ignore[union-attr]
    (chain,) = agree(items, seed).values()
    assert len(chain["alerts"]) == 121


def test_sources_that_come_once_a_day_are_no_crowd() -> None:
    items: list[Item] = [
        alert(number, number * DAY / 4, "guess", "medium", source__ip=f"198.51.100.{number}", destination__ip="10.0.0.5")
        for number in range(40)
    ]  # fmt: skip
    assert len(agree(items, 1)) == 40


def test_a_crowd_is_one_on_both_sides_of_a_slot_s_end() -> None:
    """Slots are half a lifetime long: what is close in time counts together wherever they begin."""
    items: list[Item] = [
        alert(number, DAY / 2 - 10 + number, "guess", "medium", source__ip=f"198.51.100.{number}", destination__ip="10.0.0.5")
        for number in range(20)
    ]  # fmt: skip
    assert agree(items, 1) == {}
