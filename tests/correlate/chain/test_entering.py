"""Processes that entered others: what these did from then on is a story with theirs, and everyday accessors join nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from contract.event import Event, Observation
from contract.records import Alert
from contract.timestamps import microseconds
from correlate.chain.causes import causes_of
from correlate.chain.entrants import MANY_ENTERED
from correlate.chain.settings import LinkSettings
from correlate.observe import observe
from tests.correlate.chain.site import HOSTS, Item, Site, in_order, shuffled, told
from tests.correlate.chain.test_relations import alert, groups, process, seen, started

LATENESS_US = microseconds(LinkSettings().lateness)
HOST_OF_SERVICES = "C:\\Windows\\System32\\svchost.exe"


def entered(at: float, target: str, by: str, code: str = "8", access: str = "", path: str = "C:\\a.exe") -> Observation:  # fmt: skip
    more = {"winlog.event_data.GrantedAccess": access} if access else {}
    one = seen(
        at, event__category=["process"], event__type=["change"], event__code=code, host__name="ws5",
        process__entity_id=by, process__executable=path, winlog__event_data__TargetProcessGUID=target,
        winlog__event_data__TargetProcessId="2924",
    )  # fmt: skip
    return Observation(one.event, one.time_us, {**one.fields, **more})


def payload(at: float = 1) -> Alert:
    return alert("a", "payload", at, process("payload"), "execution")


def dump(at: float = 60) -> Alert:
    return alert("b", "dump", at, process("dump"), "credential-access")


def host_started(at: float, child: str = "dump") -> Observation:
    return started(at, child, "services", HOST_OF_SERVICES)


@pytest.mark.parametrize("access", ["0x147a", "0x2a", "0x43A", "0x1F0FEB"])
def test_rights_to_write_and_start_code_are_an_entering(access: str) -> None:
    assert groups([payload(), entered(10, "services", "payload", "10", access), host_started(50), dump()]) == {frozenset("ab")}  # fmt: skip


@pytest.mark.parametrize("access", ["0x1fffff", "0x1f0fff", "0x1410", "0x1478", "0x1000", "0x28", "", "x"])  # fmt: skip
def test_everyday_rights_are_none(access: str) -> None:
    """All rights are what a starter has by birth; fewer than the three do not start code."""
    one = entered(10, "services", "payload", "10", access)
    assert observe(Event("e", 1, "test", one.fields, b"{}")) is None
    assert groups([payload(), one, host_started(50), dump()]) == {frozenset("a"), frozenset("b")}


def test_thread_in_a_service_host_makes_what_that_starts_the_doing_of_who_entered_it() -> None:
    items: list[Item] = [payload(), entered(10, "services", "payload"), host_started(50), dump()]
    assert groups(items) == {frozenset("ab")}
    assert groups([items[0], items[2], items[3], items[1]]) == {frozenset("ab")}


def test_what_was_done_before_the_entering_is_not_joined() -> None:
    items: list[Item] = [payload(), host_started(5), entered(10, "services", "payload"), dump()]
    assert groups(items) == {frozenset("a"), frozenset("b")}


def test_process_that_was_started_by_whom_the_payload_started_is_joined_too() -> None:
    items: list[Item] = [
        payload(), started(2, "stage", "payload"), entered(10, "services", "stage"), host_started(50, "shell"),
        started(55, "dump", "shell"), dump(),
    ]  # fmt: skip
    assert groups(items) == {frozenset("ab")}


@pytest.mark.parametrize(
    "named",
    [
        {"process.entity_id": "services", "process.executable": HOST_OF_SERVICES},
        {"process.pid": 2924, "process.executable": HOST_OF_SERVICES},
        {"process.entity_id": "dump", "process.parent.entity_id": "services",
         "process.parent.executable": HOST_OF_SERVICES},
        {"process.entity_id": "dump", "process.parent.pid": 2924, "process.parent.executable": HOST_OF_SERVICES},
    ],
)  # fmt: skip
def test_entered_process_that_an_alert_names_itself_leads_to_who_entered_it(
    named: dict[str, Any],
) -> None:
    late = alert("b", "dump", 60, {"host.name": "ws5", **named}, "credential-access")
    assert groups([payload(), entered(10, "services", "payload"), late]) == {frozenset("ab")}
    assert groups([payload(), late]) == {frozenset("a"), frozenset("b")}


def test_entering_through_two_service_hosts_is_followed() -> None:
    items: list[Item] = [
        payload(), entered(10, "services", "payload"),
        entered(20, "others", "services", path=HOST_OF_SERVICES), started(50, "dump", "others", HOST_OF_SERVICES),
        dump(),
    ]  # fmt: skip
    assert groups(items) == {frozenset("ab")}


@pytest.mark.parametrize("name", ["csrss.exe", "wininit.exe", "services.exe", "svchost.exe"])
def test_processes_of_the_system_that_enter_others_join_nothing(name: str) -> None:
    system = f"C:\\Windows\\System32\\{name}"
    items: list[Item] = [
        entered(1, "one", "system", path=system), entered(2, "dump", "system", path=system),
        alert("a", "payload", 10, process("one"), "execution"), dump(),
    ]  # fmt: skip
    assert groups(items) == {frozenset("a"), frozenset("b")}


def test_who_enters_many_is_a_scanner_and_joins_none_of_them_nor_its_own_alerts() -> None:
    scanner = "C:\\ProgramData\\Scanner\\MsMpEng.exe"
    own = alert("a", "odd", 5, process("scanner"), "execution")
    late: list[Item] = [host_started(50), dump()]
    few: list[Item] = [
        entered(10 + one, f"p{one}", "scanner", path=scanner) for one in range(MANY_ENTERED - 1)
    ]
    assert groups([own, *few, entered(20, "services", "scanner"), *late]) == {frozenset("ab")}
    many: list[Item] = [
        *few,
        entered(19, "more", "scanner", path=scanner),
        entered(20, "services", "scanner"),
    ]
    assert groups([own, *many, *late]) == {frozenset("a"), frozenset("b")}
    assert groups([own, *many[1:], *late, many[0]]) == {frozenset("a"), frozenset("b")}


def test_two_processes_that_one_entered_are_no_story_by_that_alone() -> None:
    items: list[Item] = [
        entered(1, "one", "agent"), entered(2, "dump", "agent"),
        alert("a", "payload", 10, process("one"), "execution"), dump(),
    ]  # fmt: skip
    assert groups(items) == {frozenset("a"), frozenset("b")}


def test_process_does_not_enter_itself_and_what_names_no_target_says_nothing() -> None:
    own = entered(1, "payload", "payload")
    assert not [one for one in causes_of(own.fields, 1) if one.cause == one.key]
    nameless = {name: value for name, value in own.fields.items() if "Target" not in name}
    assert not list(causes_of(nameless, 1))


class Entered(Site):
    """A site where processes enter each other, hubs among them."""

    def _told(self, at: int) -> Iterator[Item]:
        dice = self._dice
        target, by = f"p{dice.randrange(12)}", f"p{dice.choice((1, 1, 1, 2, 3, 4, 6))}"
        fields: dict[str, Any] = {"host.name": dice.choice(HOSTS[:2]), "event.category": ["process"]}  # fmt: skip
        if dice.random() < 0.5:
            fields |= {"event.type": ["start"], "process.entity_id": target, "process.parent.entity_id": by,
                       "process.parent.executable": _path(by)}  # fmt: skip
        else:
            fields |= {"event.code": "8", "process.entity_id": by, "process.executable": _path(by),
                       "winlog.event_data.TargetProcessGUID": target,
                       "winlog.event_data.TargetProcessId": target[1:]}  # fmt: skip
        self._count += 1
        yield Observation(f"o{self._count:04}", at, fields)

    def _named(self) -> dict[str, Any]:
        number = self._dice.randrange(12)
        return {"host.name": self._dice.choice(HOSTS[:2]), "process.entity_id": f"p{number}",
                "process.executable": _path(f"p{number}")}  # fmt: skip


def _path(process: str) -> str:
    return HOST_OF_SERVICES if int(process[1:]) % 3 == 0 else f"C:\\{process}.exe"


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_chains_are_the_same_in_any_order_within_lateness_and_over_restarts(seed: int) -> None:
    items = Entered(seed).items(80, days=1)
    dice = random.Random(seed)  # noqa: S311  the same order again
    expected = told(in_order(items))
    words = [link["evidence"] for one in expected.values() for link in one["links"]]
    assert any("was entered by" in one for one in words)
    order = shuffled(items, dice, LATENESS_US)
    assert told(order) == expected
    assert told(order, dice=dice) == expected
