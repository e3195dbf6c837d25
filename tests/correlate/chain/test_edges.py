"""Each kind of edge: what it joins, and what is nearly that and is not joined."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from contract.event import Observation
from contract.records import Alert, Chain, Rule
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
from correlate.link import link
from tests.correlate.at_once import at_once

START = datetime(2026, 1, 1, tzinfo=UTC)
Items: TypeAlias = Sequence[Alert | Observation]


def alert(id: str, at: float, fields: dict[str, Any], *steps: str) -> Alert:
    time = START + timedelta(seconds=at)
    return Alert(
        id=id, revision=1, rule=Rule(id=f"r-{id}", name=id, level="high"), time=time, last=time,
        events=(f"e-{id}",), event_count=1, entities=entities_of(fields), fields=fields,
        tactics=steps[:1], techniques=steps[1:],
    )  # fmt: skip


def seen(at: float, **fields: Any) -> Observation:
    flat = {name.replace("__", "."): value for name, value in fields.items()}
    return Observation(f"o{at}", round((START.timestamp() + at) * 1e6), flat)


def joined(items: Items, **chosen: Any) -> str:
    """Return the edges that join all alerts of `items` into one chain, or nothing when they are several."""
    logic = link((), LinkSettings(**chosen)).open("default", {})
    last: dict[str, Chain] = {}
    for item in items:
        for out in at_once(logic, item):
            if isinstance(out, Chain):
                last[out.id] = out
    whole = [one for one in last.values() if one.alerts]
    return " ".join(sorted({one.edge for one in whole[0].links})) if len(whole) == 1 else ""


def on(host: str, process: str = "", **more: Any) -> dict[str, Any]:
    fields = {"host.name": host, **{name.replace("__", "."): value for name, value in more.items()}}
    return {**fields, "process.entity_id": process} if process else fields


def peers(source: str, target: str, **more: Any) -> dict[str, Any]:
    flat = {name.replace("__", "."): value for name, value in more.items()}
    return {"source.ip": source, "destination.ip": target, **flat}


def started(at: float, child: str, parent: str) -> Observation:
    return seen(
        at, event__category=["process"], event__type=["start"], host__name="ws5",
        process__entity_id=child, process__parent__entity_id=parent,
        process__parent__executable="C:\\a.exe",
    )  # fmt: skip


DUMP = ("credential-access", "T1003.001")
DLL = "C:\\ProgramData\\hook.dll"
CLASS = "HKCU\\Software\\Classes\\CLSID\\{1}\\InprocServer32\\(Default)"
REGISTERED = seen(
    1, event__category=["registry"], event__type=["change"], host__name="ws5", process__entity_id="p1",
    registry__path=CLASS, registry__data__strings=[DLL],
)  # fmt: skip
LOGON = seen(
    5, event__category=["authentication"], event__outcome="success", user__name="bob", host__name="ws5",
    source__ip="203.0.113.7", winlog__logon__id="0x77aa",
)  # fmt: skip
OPENED = seen(
    2, event__category=["network"], event__type=["connection"], host__name="ws5", process__entity_id="p1",
    source__ip="10.0.0.5", source__port=50000, destination__ip="203.0.113.7", destination__port=443,
    network__transport="tcp",
)  # fmt: skip
WIRE = peers(
    "10.0.0.5", "203.0.113.7", source__port=50000, destination__port=443, network__transport="tcp"
)
NAMED = seen(
    1, event__category=["network"], event__type=["connection"], host__name="ws5", process__entity_id="p9",
    network__direction="egress", source__ip="10.0.0.5", destination__ip="198.51.100.1",
)  # fmt: skip
HIT = alert("hit", 60, peers("203.0.113.7", "10.0.0.5"), "initial-access", "T1190")

JOINS: dict[str, tuple[str, Items]] = {
    "one process started the other": (
        "process",
        [started(1, "child", "p1"), alert("a", 5, on("ws5", "p1")), alert("b", 9, on("ws5", "child"))],
    ),
    "one logon session": (
        "session",
        [alert("a", 5, on("ws5", winlog__logon__id="0x77aa")), alert("b", 9, on("ws5", winlog__logon__id="0x77aa"))],
    ),
    "a remote logon and where it came from": (
        "address",
        [alert("a", 1, peers("203.0.113.7", "10.0.0.5"), "credential-access", "T1110"), LOGON,
         alert("b", 60, on("ws5", winlog__logon__id="0x77aa"))],
    ),
    "a connection that two sensors saw": (
        "flow",
        [alert("a", 5, peers("10.0.0.5", "203.0.113.7", **{"network.community_id": "1:x"})),
         alert("b", 9, {"host.name": "ws5", "network.community_id": "1:x"})],
    ),
    "a connection on the wire and the process that opened it": (
        "process",
        [OPENED, alert("a", 5, on("ws5", "p1")), alert("b", 9, WIRE)],
    ),
    "a file written, then run": (
        "file",
        [alert("a", 5, on("ws5", "p1", file__path="C:\\x.exe")),
         alert("b", 9, on("ws5", "p2", process__executable="C:\\x.exe"))],
    ),
    "a service made and used": (
        "service",
        [alert("a", 5, on("ws5", "p1", service__name="evil")), alert("b", 9, on("ws5", "p2", service__name="EVIL"))],
    ),
    "a scheduled task made and used": (
        "task",
        [alert("a", 5, on("ws5", "p1", **{"winlog.event_data.TaskName": "\\u"})),
         alert("b", 9, on("ws5", "p2", **{"winlog.event_data.TaskName": "\\U"}))],
    ),
    "a library registered, then loaded": (
        "process",
        [REGISTERED, alert("a", 5, on("ws5", "p1")), alert("b", 900, on("ws5", "p2", dll__path=DLL))],
    ),
    "credentials stolen, then used on another host": (
        "credential",
        [alert("a", 5, on("ws5", "p1", user__name="pia", user__domain="CORP"), *DUMP),
         alert("b", 900, on("srv1", "p2", user__name="pia", user__domain="corp.example.com"), "lateral-movement", "T1021")],
    ),
    "attestation lost after an attack": (
        "attestation",
        [HIT, alert("b", 90, {"host.ip": ["10.0.0.5"], "opsonin.attestation.result": "fail",
                              "opsonin.attestation.attester": "k"})],
    ),
    "an attack on an address that a host's connection told of": (
        "address",
        [NAMED, HIT, alert("b", 90, on("ws5", "p2"), "execution", "T1059")],
    ),
}  # fmt: skip

NEAR: dict[str, Items] = {
    "processes without a common ancestor": [
        alert("a", 5, on("ws5", "p1")), alert("b", 9, on("ws5", "p2")),
    ],
    "one session number on two hosts": [
        alert("a", 5, on("ws5", winlog__logon__id="0x77aa")), alert("b", 9, on("ws6", winlog__logon__id="0x77aa")),
    ],
    "the same peers by another connection": [
        OPENED, alert("a", 5, on("ws5", "p1")), alert("b", 9, {**WIRE, "source.port": 50001}),
    ],
    "a file run before it was written": [
        alert("a", 5, on("ws5", "p2", process__executable="C:\\x.exe")),
        alert("b", 90, on("ws5", "p1", file__path="C:\\x.exe")),
    ],
    "a library registered on another host": [
        REGISTERED, alert("a", 5, on("ws5", "p1")), alert("b", 900, on("ws6", "p2", dll__path=DLL)),
    ],
    "credentials guessed, then the account at work elsewhere": [
        alert("a", 5, on("ws5", user__name="pia", user__domain="corp"), "credential-access", "T1110.003"),
        alert("b", 900, on("srv1", "p2", user__name="pia", user__domain="corp")),
    ],
    "credentials stolen, and their owner at work on another host": [
        alert("a", 5, on("ws5", "p1", user__name="pia", user__domain="corp"), *DUMP),
        alert("b", 900, on("srv1", "p2", user__name="pia", user__domain="corp"), "discovery", "T1082"),
    ],
    "credentials stolen under another account": [
        alert("a", 5, on("ws5", "p1", user__name="eve", user__domain="corp"), *DUMP),
        alert("b", 900, on("srv1", "p2", user__name="pia", user__domain="corp")),
    ],
    "the account acts before the theft": [
        alert("a", 5, on("srv1", "p2", user__name="pia", user__domain="corp")),
        alert("b", 900, on("ws5", "p1", user__name="pia", user__domain="corp"), *DUMP),
    ],
    "the same account at work on the same host": [
        alert("a", 5, on("ws5", "p1", user__name="pia", user__domain="corp"), *DUMP),
        alert("b", 900, on("ws5", "p2", user__name="pia", user__domain="corp")),
    ],
    "an attack on the address that a connection went to": [
        seen(1, event__category=["network"], host__name="ws5", process__entity_id="p9",
             network__direction="ingress", source__ip="10.0.0.5", destination__ip="198.51.100.1"),
        HIT, alert("b", 90, on("ws5", "p2"), "execution", "T1059"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", JOINS)
def test_it_joins(case: str) -> None:
    edge, items = JOINS[case]
    assert joined(items) == edge


@pytest.mark.parametrize("case", NEAR)
def test_it_does_not_join(case: str) -> None:
    assert not joined(NEAR[case])


def test_an_account_that_all_use_joins_no_theft() -> None:
    items = JOINS["credentials stolen, then used on another host"][1]
    assert joined(items)
    assert not joined(items, hubs=(r"corp\pia",))


def test_an_account_whose_daily_work_looks_like_theft_joins_nothing_by_it() -> None:
    same = Rule(id="r-backup", name="reads the directory", level="medium")
    daily = [
        alert(f"d{n}", n, on(f"srv{n}", f"q{n}", user__name="pia", user__domain="corp"), *DUMP).model_copy(update={"rule": same})
        for n in range(20)
    ]  # fmt: skip
    logic = link((), LinkSettings()).open("default", {})
    last: dict[str, Chain] = {}
    later = alert("late", 900, on("ws9", "p2", user__name="pia", user__domain="corp"))
    for item in [*daily, later]:
        last |= {out.id: out for out in at_once(logic, item) if isinstance(out, Chain)}
    assert max(len(one.alerts) for one in last.values()) == 1
