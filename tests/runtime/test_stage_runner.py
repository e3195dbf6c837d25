"""Hosting a stage: keys, timers, changed parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pytest

from contract.errors import ClockError
from contract.ports import Logic, Parts, Stage
from runtime.stage_runner import NEVER, StageRunner


class Adder:
    """Adds numbers up; says the sum ten microseconds after the first, then is empty."""

    def __init__(self, key: str, parts: Mapping[str, bytes]) -> None:
        self.key = key
        self.total: int = 0
        self.due: int | None = None
        if parts:
            self.total, self.due = msgspec.json.decode(parts["sum"])
        self.changed = False

    def on_item(self, item: tuple[str, int]) -> Iterable[str]:
        self.total += item[1]
        self.due = self.due or 10
        self.changed = True
        return ()

    def on_time(self, now_us: int) -> Iterable[str]:
        said = f"{self.key}={self.total}"
        self.total, self.due, self.changed = 0, None, True
        return (said,)

    def wake_at(self) -> int | None:
        return self.due

    def snapshot(self) -> Parts:
        if not self.changed:
            return {}
        self.changed = False
        return {"sum": None if self.is_empty() else msgspec.json.encode((self.total, self.due))}

    def is_empty(self) -> bool:
        return self.due is None


def runner() -> StageRunner[tuple[str, int], str]:
    return StageRunner(Stage("adder", lambda item: item[0], Adder))


def test_an_item_goes_to_each_of_its_keys_and_deadlines_fire_in_order_of_time_then_key() -> None:
    one = runner()
    assert list(one.take(("ba", 1))) == []
    assert list(one.take(("a", 2))) == []
    assert list(one.advance(9)) == []
    assert list(one.advance(10)) == ["a=3", "b=1"]
    assert list(one.advance(11)) == []


def test_changes_hold_only_what_changed_and_empty_keys_are_forgotten() -> None:
    one = runner()
    list(one.take(("ab", 1)))
    assert set(one.changes()) == {("adder", "a", "sum"), ("adder", "b", "sum")}
    assert one.changes() == {}
    list(one.advance(10))
    assert one.changes() == {("adder", "a", "sum"): None, ("adder", "b", "sum"): None}
    assert len(one) == 0


def test_a_restart_at_any_step_gives_the_same() -> None:
    whole, said = runner(), []
    parts: dict[str, dict[str, bytes]] = {}
    for number in range(5):
        list(whole.take(("xy"[number % 2], number)))
        again = runner()
        again.restore(parts.items(), 0)
        list(again.take(("xy"[number % 2], number)))
        for (_, key, part), data in again.changes().items():
            assert data is not None
            parts[key] = {part: data}
        said.append(again)
    assert list(said[-1].advance(10)) == list(whole.advance(10)) == ["x=6", "y=4"]


def test_time_never_goes_back() -> None:
    one = runner()
    list(one.advance(5))
    with pytest.raises(ClockError):
        list(one.advance(4))


def test_next_wake_is_never_late() -> None:
    one = runner()
    assert one.next_wake() == NEVER
    list(one.take(("a", 1)))
    assert one.next_wake() <= 10


def test_a_stage_of_other_rules_goes_on_with_what_is_open() -> None:
    runner_, told = runner(), []

    def renew(key: str, logic: Logic[tuple[str, int], str]) -> Logic[tuple[str, int], str]:
        told.append(key)
        return logic if key == "a" else Adder(key, {})  # empty

    successor = Stage("sum", lambda item: (item[0],), Adder, renew)
    list(runner_.take(("a", 1)))
    list(runner_.take(("b", 1)))
    runner_.changes()
    assert runner_.replace(successor) == 1
    assert told == ["a", "b"]
    assert list(runner_.take(("a", 1))) == []
    assert list(runner_.advance(10)) == ["a=2"]
    assert list(runner_.take(("b", 5))) == []
    assert len(runner_) == 2, "the key whose state went begins anew with its next item"
    assert runner_.changes()["sum", "b", "sum"] == b"[5,10]"


def test_a_stage_is_not_replaced_amid_an_epoch() -> None:
    runner_ = runner()
    list(runner_.take(("a", 1)))
    with pytest.raises(AssertionError, match="cannot be replaced now"):
        runner_.replace(Stage("sum", lambda item: (item[0],), Adder, lambda _, logic: logic))
