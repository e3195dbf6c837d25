"""What every enforcement point must do, whatever it is made of."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from contract.plugins import load
from contract.ports import EnforcerType
from contract.records import Decision, Outcome

T = TypeVar("T")
Deny = Callable[..., Decision]


@pytest.fixture
def play(bench: Any) -> Callable[[Callable[[Any], Awaitable[T]]], T]:
    """Run a dialogue with the point in one event loop and let go of the point after."""

    def run(dialogue: Callable[[Any], Awaitable[T]]) -> T:
        async def whole() -> T:
            try:
                return await dialogue(bench)
            finally:
                await bench.enforcer.close()

        return asyncio.run(whole())

    return run


def told(outcomes: list[Outcome]) -> list[tuple[str, int, str]]:
    return [(one.decision, one.revision, one.result) for one in outcomes]


def fitted(bench: Any, *values: str) -> set[str]:
    return {bench.fit(value) for value in values}


def results(outcomes: list[Outcome]) -> list[str]:
    return [one.result for one in outcomes]


def test_every_enforcer_is_found_by_its_name() -> None:
    found = load("respond.enforcers", "ENFORCER", EnforcerType)
    assert {"memory", "nftables", "suricata"} <= set(found)
    for enforcer in found.values():
        assert enforcer.settings.model_config.get("extra") == "forbid"
        assert "guard" in enforcer.settings.model_fields, "the guard is asked at the point too"


@pytest.mark.parametrize(
    "value", ["203.0.113.9", "203.0.113.0/24", "2001:db8::9", "2001:db8:1::/64"]
)
def test_apply_holds_and_is_read_back(play: Any, deny: Deny, value: str) -> None:
    async def dialogue(bench: Any) -> None:
        decision = deny(value)
        (outcome,) = await bench.enforcer.apply([decision])
        assert (outcome.result, outcome.point, outcome.revision) == ("applied", "point", 1)
        assert bench.held() == fitted(bench, value)

    play(dialogue)


def test_apply_is_idempotent_with_the_same_outcome_id(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        first = await bench.enforcer.apply([deny()])
        again = await bench.enforcer.apply([deny()])
        assert [one.id for one in first] == [one.id for one in again]
        assert bench.held() == fitted(bench, "203.0.113.9")

    play(dialogue)


def test_revert_removes_and_is_read_back(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.apply([deny(), deny("203.0.112.0/25")])
        back = [deny(revision=2, state="reverted"), deny("203.0.112.0/25", 2, state="reverted")]
        assert results(await bench.enforcer.apply(back)) == ["removed", "removed"]
        assert bench.held() == set()
        assert results(await bench.enforcer.apply(back)) == ["removed", "removed"]

    play(dialogue)


def test_an_older_revision_changes_nothing(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.apply([deny(revision=2, state="reverted")])
        assert await bench.enforcer.apply([deny(revision=1)]) == []
        assert bench.held() == set()

    play(dialogue)


def test_a_renewal_extends_what_is_held(play: Any, deny: Deny, later: Any) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.apply([deny(expires=60), deny("203.0.113.0/24", expires=60)])
        longer = [deny(revision=2, expires=600), deny("203.0.113.0/24", 2, expires=600)]
        assert results(await bench.enforcer.apply(longer)) == ["applied", "applied"]
        assert bench.held() == fitted(bench, "203.0.113.9", "203.0.113.0/24")
        assert await bench.enforcer.converge(longer) == []

    play(dialogue)


def test_two_decisions_share_an_element_that_outlives_the_first(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        one, two = deny(id="aa", expires=600), deny(id="bb", expires=300)
        assert results(await bench.enforcer.apply([one, two])) == ["applied", "applied"]
        back = one.model_copy(update={"revision": 2, "state": "reverted"})
        (outcome,) = await bench.enforcer.apply([back])
        assert outcome.result == "removed"
        assert outcome.detail == "still held by decision bb"
        assert bench.held() == fitted(bench, "203.0.113.9")
        assert await bench.enforcer.converge([back, two]) == []
        last = two.model_copy(update={"revision": 2, "state": "reverted"})
        assert told(await bench.enforcer.apply([last])) == [("bb", 2, "removed")]
        assert bench.held() == set()

    play(dialogue)


def test_what_is_over_by_the_clock_is_not_put(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        assert results(await bench.enforcer.apply([deny(expires=-5)])) == ["expired"]
        assert bench.held() == set()

    play(dialogue)


def test_proposals_and_refusals_leave_no_trace(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        given = [deny(f"203.0.113.{n}", state=s) for n, s in enumerate(("proposed", "refused"))]
        assert await bench.enforcer.apply(given) == []
        assert await bench.enforcer.converge(given) == []
        assert bench.held() == set()

    play(dialogue)


def test_an_approved_decision_that_is_refused_later_is_removed(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.apply([deny()])
        (outcome,) = await bench.enforcer.apply([deny(revision=2, state="refused")])
        assert outcome.result == "removed"
        assert bench.held() == set()

    play(dialogue)


@pytest.mark.parametrize("value", ["198.51.100.1", "127.0.0.1", "224.0.0.5", "169.254.1.1"])
def test_the_guard_is_asked_at_the_point_too(play: Any, deny: Deny, value: str) -> None:
    async def dialogue(bench: Any) -> None:
        (outcome,) = await bench.enforcer.apply([deny(value)])
        assert outcome.result == "failed"
        assert "guard" in outcome.detail
        assert results(await bench.enforcer.converge([deny(value)])) == ["failed"]
        assert await bench.enforcer.converge([deny(value)]) == []  # said once
        assert bench.held() == set()

    play(dialogue)


def test_converge_puts_right_an_outside_flush(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        desired = [deny(), deny("203.0.113.0/24"), deny("2001:db8::9")]
        await bench.enforcer.converge(desired)
        bench.flush()
        outcomes = await bench.enforcer.converge(desired)
        assert results(outcomes) == ["drifted"] * 3
        assert "absent" in outcomes[0].detail
        assert bench.held() == fitted(bench, "203.0.113.9", "203.0.113.0/24", "2001:db8::9")
        assert await bench.enforcer.converge(desired) == []
        assert bench.meter.total("point_drift_total") == 3

    play(dialogue)


def test_each_drift_is_news_with_its_own_id(play: Any, deny: Deny, later: Any) -> None:
    async def dialogue(bench: Any) -> None:
        desired = [deny()]
        await bench.enforcer.converge(desired)
        ids = set()
        for _ in range(2):
            later(1)
            bench.delete("203.0.113.9")
            ids |= {one.id for one in await bench.enforcer.converge(desired)}
        assert len(ids) == 2

    play(dialogue)


def test_converge_removes_what_others_wrote_and_counts_it(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.converge([deny()])
        if not bench.sees_others:
            return
        bench.plant("192.0.2.77")
        assert await bench.enforcer.converge([deny()]) == []
        assert bench.held() == fitted(bench, "203.0.113.9")
        assert bench.meter.total("point_foreign_total") == 1

    play(dialogue)


def test_an_element_that_others_replaced_is_put_right(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.converge([deny()])
        bench.delete("203.0.113.9")
        bench.plant("203.0.113.9")
        (outcome,) = await bench.enforcer.converge([deny()])
        assert outcome.result == "drifted"
        assert "by others" in outcome.detail or "of another expiry" in outcome.detail

    play(dialogue)


def test_converge_reports_what_is_no_longer_desired(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.converge([deny(id="aa")])
        assert told(await bench.enforcer.converge([])) == [("aa", 1, "removed")]
        assert bench.held() == set()
        assert await bench.enforcer.converge([]) == []

    play(dialogue)


def test_converge_tells_the_end_of_what_expired(play: Any, deny: Deny, later: Any) -> None:
    async def dialogue(bench: Any) -> None:
        desired = [deny(id="aa", expires=30)]
        await bench.enforcer.converge(desired)
        later(31)
        assert told(await bench.enforcer.converge(desired)) == [("aa", 1, "expired")]
        assert bench.held() == set()
        assert await bench.enforcer.converge(desired) == []

    play(dialogue)


def test_after_a_restart_what_is_held_is_confirmed_with_the_same_id(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        desired = [deny(), deny("203.0.113.0/24")]
        before = {one.id for one in await bench.enforcer.converge(desired)}
        await bench.enforcer.close()
        bench.reopen()
        outcomes = await bench.enforcer.converge(desired)
        assert results(outcomes) == ["applied", "applied"]
        assert {one.id for one in outcomes} == before

    play(dialogue)


def test_after_a_restart_what_nobody_asks_for_is_removed_and_said(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.converge([deny(id="aa", revision=3)])
        await bench.enforcer.close()
        bench.reopen()
        if not bench.sees_others:
            return  # what was left behind lasts until its own expiry
        assert told(await bench.enforcer.converge([])) == [("aa", 3, "removed")]
        assert bench.held() == set()

    play(dialogue)


def test_after_a_restart_apply_keeps_what_others_hold(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        await bench.enforcer.converge([deny(), deny("203.0.113.0/24")])
        await bench.enforcer.close()
        bench.reopen()
        await bench.enforcer.apply([deny("192.0.2.5")])
        assert bench.held() == fitted(bench, "203.0.113.9", "203.0.113.0/24", "192.0.2.5")

    play(dialogue)


def test_many_decisions_are_one_transaction(play: Any, deny: Deny) -> None:
    async def dialogue(bench: Any) -> None:
        many = [deny(f"203.0.{n >> 8}.{n & 255}") for n in range(600)]
        assert set(results(await bench.enforcer.apply(many))) == {"applied"}
        assert len(bench.held()) == 600

    play(dialogue)
