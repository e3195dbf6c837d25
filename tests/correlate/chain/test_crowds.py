"""Who is a crowd and who is near does not hang on the order of arrival, on restarts, or on what has expired meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from contract.event import Observation
from contract.records import Alert, Level, Rule
from contract.timestamps import from_datetime, microseconds, to_datetime
from correlate.chain.entities import entities_of
from correlate.chain.postings import Postings
from correlate.chain.resting import Resting
from correlate.chain.runs import Reach, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.signature import member_of, sign
from correlate.link import Linker
from tests.correlate.chain.site import START_US, Item, in_order, sequence, shuffled, told

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


def siege(seed: int) -> list[Item]:
    """A flood against two hosts, and all that may ask for one of its sources, or change what it is."""
    dice = random.Random(seed)  # noqa: S311  the same site again
    found: list[Item] = []
    targets = ("10.0.0.5", "10.0.0.6")
    for number in range(90):
        minute = dice.uniform(0, 12) if number < 70 else dice.uniform(0, 2 * DAY)
        source, target = f"198.51.100.{dice.randrange(80)}", targets[number % 7 == 0]
        named = {"source__ip": source, "destination__ip": target}
        if number % 3 == 0:
            named["network__community_id"] = f"1:{number}="
        first = alert(number, minute, "flood", "medium", **named)
        found.append(first)
        found += _asks(first, number, minute + dice.uniform(0, 40), dice.randrange(12), named)
    return sorted(found, key=lambda one: (one.time_us if isinstance(one, Observation) else from_datetime(one.time)))  # fmt: skip


def _asks(
    first: Alert, number: int, after: float, kind: int, named: dict[str, str]
) -> Iterator[Item]:
    """Yield what asks for a member of a flood."""
    source, target = named["source__ip"], named["destination__ip"]
    shell = {"host__name": "web", "process__entity_id": "p2"}
    last = to_datetime(START_US + int(after * MINUTE_US))
    match kind:
        case 0:
            yield first.model_copy(update={"revision": 2, "retracted": True})
        case 1:
            yield first.model_copy(update={"revision": 2, "last": last})
        case 2:
            yield alert(1000 + number, after, "exploit", "high", **named)
        case 3:
            opened = {**shell, "source__ip": source, "destination__ip": "10.0.0.9"}
            yield seen(number, after, **opened)
        case 4:
            yield seen(number, after, host__name="web", host__ip=[target])
        case 5:
            yield seen(number, after, host__name=f"ws{number}", host__ip=[source])
        case 6 if "network__community_id" in named:
            flow = named["network__community_id"]
            yield seen(number, after, **shell, network__community_id=flow, destination__ip=target)
            yield alert(1000 + number, after, "shell", "high", **shell)
        case 7:
            yield alert(1000 + number, after, "scan", source__ip=target, destination__ip=source)


def seen(number: int, minute: float, **fields: Any) -> Observation:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Observation(f"o{number}", START_US + int(minute * MINUTE_US), named)


@pytest.mark.parametrize("seed", range(12))
def test_a_member_of_a_crowd_at_rest_is_what_its_run_would_have_been(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = siege(seed)
    rested = 0
    takes = Resting.takes

    def counted(*given: Any) -> bool:
        nonlocal rested
        done = takes(*given)
        rested += done
        return done

    monkeypatch.setattr(Resting, "takes", counted)
    chains = agree(items, seed)
    assert rested > 20
    monkeypatch.setattr(Resting, "takes", lambda *_: False)
    assert told(in_order(items)) == chains


@pytest.mark.parametrize("seed", [3, 22, 57, 82])
def test_what_is_told_on_the_way_does_not_show_who_was_at_rest(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is found by one more thing leaves its crowd, and who sees it, as they are."""
    rested = sequence(siege(seed))
    monkeypatch.setattr(Resting, "takes", lambda *_: False)
    assert sequence(siege(seed)) == rested


def test_members_at_rest_are_stored_as_few_parts_and_end_with_their_time() -> None:
    logic = Linker(LinkSettings(), (), {})
    for number in range(600):
        list(logic.on_item(alert(number, number / 100, "flood", "medium", source__ip=f"198.51.{number >> 8}.{number & 255}", destination__ip="10.0.0.5")))  # fmt: skip
        list(logic.on_moment(number + 1))
    list(logic.on_time(START_US + 5 * MINUTE_US))
    kinds = Counter(name.partition("/")[0] for name in logic.snapshot())
    assert kinds["run"] < 20
    assert 3 <= kinds["rest"] < 10
    list(logic.on_time(START_US + 3 * DAY * MINUTE_US))
    gone = logic.snapshot()
    assert (
        sum(data is None for name, data in gone.items() if name.startswith("rest/"))
        == kinds["rest"]
    )
    assert logic.wake_at() is None


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


def test_a_late_member_makes_a_crowd_of_those_of_the_next_half_day() -> None:
    """Many at noon make a crowd of one shortly before midnight, and that one of another shortly after it."""
    minutes = (*range(600, 614), *range(720, 724), *(1430 + number for number in range(8)), 1439)
    guesses: list[Item] = [
        alert(number, minute, "guess", "high", source__ip=f"198.51.100.{number}", destination__ip="10.0.0.5")
        for number, minute in enumerate(minutes)
    ]  # fmt: skip
    after: list[Item] = [
        alert(90 + number, DAY + 1 + number / 9, "guess", "high", source__ip=f"203.0.113.{number}", destination__ip="10.0.0.5")
        for number in range(4)
    ]  # fmt: skip
    late = guesses[-1]
    in_time = told(in_order([*guesses, *after]))
    early = [*in_order(guesses[:-1]), *in_order(after), (START_US + (DAY + 2) * MINUTE_US, late)]
    assert told(early) == in_time
    assert not in_time, "all are of a crowd"


def test_what_is_over_is_remembered_up_to_a_bound_and_the_oldest_goes_first() -> None:
    """A scan of ever new targets must not fill memory with those whose time is over."""
    lifetime_us = microseconds(LinkSettings().lifetime)
    postings = Postings(1, lifetime_us, max_ended=3)
    targets = [f"10.0.0.{number}" for number in (7, 9, 5, 3, 1)]
    runs = []
    for number, target in enumerate(targets):
        said = alert(number, number, "scan", source__ip="203.0.113.7", destination__ip=target)
        signature, signing, _ = sign(said)
        run = Run(number, signature, said.rule, (), (), signing, {})
        run.put(member_of(said), 8)
        run.reach = (Reach(f"ip|{target}", "v"),)
        postings.add(run)
        runs.append(run)
    for run in runs:
        postings.remove(run, is_over=True)
    kept = [postings.at_any(f"ip|{target}") for target in targets]
    assert kept == [False, False, True, True, True]
    assert postings.lost == 2
    rows = [row for place in postings.changed if (row := postings.part(place)) is not None]
    assert len(rows) == 3
    again = Postings(1, lifetime_us, max_ended=3)
    for row in sorted(rows):  # the store has an order of its own
        again.restore(row)
    assert again.lost == 0
    for one in (postings, again):
        one.end(("ip|10.0.0.2", "v", "scan"), one.slot_of(runs[0]))
        kept = [one.at_any(f"ip|{target}") for target in targets]
        assert kept == [False, False, False, True, True]
    for one in (postings, again):
        one.forget(START_US + 10 * lifetime_us)
        assert not any(one.at_any(f"ip|{target}") for target in targets)
        assert not one._ended
        assert not one._over


def test_nothing_is_kept_of_a_thing_whose_runs_are_all_gone() -> None:
    postings = Postings(1)
    run = Run(1, "s", alert(1, 1, "scan").rule, (), (), (), {})
    run.reach = (Reach("ip|203.0.113.7", "a"), Reach("ip|10.0.0.1", "v"))
    postings.add(run)
    assert postings.at_any("ip|203.0.113.7")
    postings.remove(run)
    assert not any(postings.at_any(reach.key) for reach in run.reach)


@pytest.mark.parametrize("seed", range(6))
def test_whoever_sees_others_than_before_is_told(seed: int) -> None:
    """As runs of one thing come and go in any order: nothing else has its edges looked for again."""
    dice = random.Random(seed)  # noqa: S311  the same again
    postings = Postings(16)
    held: list[Run] = []
    before: set[frozenset[int]] = set()
    for number in range(150):
        told: set[Run] = set()
        parted: set[frozenset[int]] = set()
        if held and dice.random() < 0.4:
            run = held.pop(dice.randrange(len(held)))
            told |= postings.remove(run)
        else:
            run = posted(number, dice)
            found, lost = postings.add(run)
            told |= found
            parted = {frozenset((one.number, other.number)) for one, other, _ in lost}
            held.append(run)
        now = pairs(postings, held)
        again = {one.number for one in told} | {run.number}
        assert all(pair & again or pair in parted for pair in before ^ now)
        before = now


def posted(number: int, dice: random.Random) -> Run:
    """Return a run of one of two rules, of one process or begun by it, at any minute."""
    said = alert(number, dice.randrange(10_000) / 10, f"rule-{dice.randrange(2)}")
    run = Run(number, "s", said.rule, (), (), (), {})
    run.put(member_of(said), 8)
    run.reach = (Reach("process|h|p", dice.choice("as")),)
    return run


def pairs(postings: Postings, held: list[Run]) -> set[frozenset[int]]:
    """Return who sees whom, by number; the same from both sides."""
    seen = {(run.number, row.run.number) for run in held for _, row, _, _ in postings.beside(run)}
    assert seen == {(two, one) for one, two in seen}
    return {frozenset(pair) for pair in seen}
