"""Convergence against a device that fails, and its laws under any interference."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import PointError
from contract.meter import MemoryMeter
from contract.records import Decision, Outcome, Target
from contract.timestamps import from_datetime
from respond.converge import Converger
from respond.device import Changed, Held
from respond.enforcers.memory import MemoryDevice
from respond.guard import GuardSettings
from respond.ledger import Element, Key, Ledger

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
Deny = Callable[..., Decision]


class Clock:
    def __init__(self) -> None:
        self.now_us = from_datetime(NOON)

    def __call__(self) -> int:
        return self.now_us

    def later(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)


class FaultyDevice(MemoryDevice):
    """A memory whose faults a test switches: unreachable, or full for some addresses."""

    is_away = False
    full: frozenset[str] = frozenset()

    async def read(self) -> dict[Key, Held]:
        if self.is_away:
            raise PointError("away")
        return await super().read()

    async def change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        if self.is_away:
            raise PointError("away")
        fitting = [one for one in puts if one.key.value not in self.full]
        done = await super().change(fitting, takes)
        failures = {one.key: "full" for one in puts if one.key.value in self.full}
        return Changed(done.held, failures)


def made(device: MemoryDevice, clock: Clock) -> Converger:
    return Converger("point", device, GuardSettings(), MemoryMeter(), clock)


def results(outcomes: list[Outcome]) -> list[str]:
    return [one.result for one in outcomes]


def test_an_unreachable_point_raises_and_converges_when_it_is_back(make_decision: Deny) -> None:
    async def dialogue() -> None:
        clock = Clock()
        device = FaultyDevice(clock)
        point = made(device, clock)
        device.is_away = True
        with pytest.raises(PointError):
            await point.apply([make_decision()])
        with pytest.raises(PointError):
            await point.converge([make_decision()])
        device.is_away = False
        assert results(await point.apply([make_decision()])) == ["applied"]
        assert await point.converge([make_decision()]) == []

    asyncio.run(dialogue())


def test_a_revert_that_did_not_get_through_is_told_when_it_did(make_decision: Deny) -> None:
    async def dialogue() -> None:
        clock = Clock()
        device = FaultyDevice(clock)
        point = made(device, clock)
        await point.apply([make_decision()])
        device.is_away = True
        back = make_decision(revision=2, state="reverted")
        with pytest.raises(PointError):
            await point.apply([back])
        device.is_away = False
        (outcome,) = await point.converge([])
        assert outcome.result == "removed"
        assert device.held == {}

    asyncio.run(dialogue())


def test_what_did_not_fit_fails_each_time_until_it_fits(make_decision: Deny) -> None:
    async def dialogue() -> None:
        clock = Clock()
        device = FaultyDevice(clock)
        point = made(device, clock)
        device.full = frozenset({"203.0.113.9"})
        desired = [make_decision(), make_decision("203.0.113.8")]
        first = await point.converge(desired)
        assert sorted(results(first)) == ["applied", "failed"]
        assert {one.detail for one in first} == {"", "full"}
        clock.later(1)
        (again,) = await point.converge(desired)
        assert again.result == "failed"
        assert again.id not in {one.id for one in first}
        device.full = frozenset()
        assert results(await point.converge(desired)) == ["applied"]
        assert await point.converge(desired) == []

    asyncio.run(dialogue())


def test_a_device_that_says_done_and_is_not_is_found_out(make_decision: Deny) -> None:
    class Liar(MemoryDevice):
        async def change(self, puts: Any, takes: Any) -> Changed:
            return Changed(await self.read())

    async def dialogue() -> None:
        clock = Clock()
        (outcome,) = await made(Liar(clock), clock).apply([make_decision()])
        assert (outcome.result, outcome.detail) == ("failed", "read back: absent")

    asyncio.run(dialogue())


def test_a_clock_that_jumps_is_put_right(make_decision: Deny) -> None:
    async def dialogue() -> None:
        clock = Clock()
        device = MemoryDevice(clock)
        point = made(device, clock)
        desired = [make_decision(expires=36_000)]
        await point.converge(desired)
        (key,) = device.held
        expires_us = device.held[key].expires_us
        assert expires_us is not None
        device.held[key] = Held(desired[0].id, 1, expires_us + 3_600_000_000)
        assert results(await point.converge(desired)) == ["drifted"]
        assert device.held[key].expires_us == from_datetime(desired[0].expires)

    asyncio.run(dialogue())


# ------------------------------------------------------------------ laws


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Decisions told singly, convergence, interference, time and restarts, in any order."""
    found: list[tuple[Any, ...]] = []
    for _ in range(draw(st.integers(1, 15))):
        kind = draw(
            st.sampled_from(
                ["apply", "apply", "apply", "converge", "flush", "plant", "time", "new"]
            )
        )
        if kind == "apply":
            number = draw(st.integers(0, 3))
            state = draw(st.sampled_from(["approved", "approved", "reverted", "proposed"]))
            found.append((kind, number, state, draw(st.integers(1, 100))))
        elif kind == "plant":
            found.append((kind, draw(st.integers(1, 4))))
        elif kind == "time":
            found.append((kind, draw(st.integers(1, 60))))
        else:
            found.append((kind,))
    return found


def _decision(number: int, revision: int, state: str, lasts: int) -> Decision:
    return Decision.model_validate(
        {
            "id": f"d{number}", "revision": revision, "chain": "c", "playbook": "p",
            "action": "deny", "target": Target(type="ipv4_net", value=f"203.0.113.{number // 2 + 1}"),
            "points": ("point",), "made": NOON, "expires": NOON + timedelta(seconds=lasts),
            "state": state, "reason": "",
        }
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(steps())
def test_after_converging_the_device_holds_just_the_ledger(script: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        clock = Clock()
        device = MemoryDevice(clock)
        point = made(device, clock)
        newest: dict[str, Decision] = {}
        said: list[Outcome] = []
        for step in script:
            if step[0] == "apply":
                id = f"d{step[1]}"
                revision = newest[id].revision + 1 if id in newest else 1
                newest[id] = _decision(step[1], revision, *step[2:])
                said += await point.apply([newest[id]])
            elif step[0] == "flush":
                device.held.clear()
            elif step[0] == "plant":
                device.held[Key("deny", "ipv4_net", f"203.0.113.{step[1]}")] = Held()
            elif step[0] == "time":
                clock.later(step[1])
            elif step[0] == "new":
                point = made(device, clock)
            else:
                said += await point.converge(list(newest.values()))
        said += await point.converge(list(newest.values()))
        wanted = Ledger(newest.values()).elements(clock())
        assert {key: held.expires_us for key, held in device.held.items()} == {
            key: element.expires_us for key, element in wanted.items()
        }
        assert await point.converge(list(newest.values())) == []
        assert all(one.result != "failed" for one in said)
        live = [one for one in newest.values() if _is_in_force(one, clock())]
        last = {one.decision: one for one in said}
        assert all(
            (last[one.id].result, last[one.id].revision)
            in (("applied", one.revision), ("drifted", one.revision))
            for one in live
        )

    asyncio.run(play())


def _is_in_force(decision: Decision, now_us: int) -> bool:
    return decision.state == "approved" and from_datetime(decision.expires) > now_us
