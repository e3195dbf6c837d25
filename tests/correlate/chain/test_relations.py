"""What events tell beside alerts: lineage, connections, files, logons, and who an address was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.event import Observation
from contract.records import Alert, Chain, Rule
from correlate.chain.baseline import OLD_DAYS, Baseline
from correlate.chain.causes import causes_of, command_path
from correlate.chain.entities import entities_of
from correlate.chain.identity import Identity, claims
from correlate.chain.relations import CHUNK, Relations
from correlate.chain.trust import FAILED, HALF_LIFE_US, PASSED, UNKNOWN, Trust
from correlate.link import link
from tests.correlate.at_once import at_once

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_US = 3_600_000_000


def alert(id: str, rule: str, at: float, fields: dict[str, Any], *tactics: str) -> Alert:
    time = START + timedelta(seconds=at)
    return Alert(
        id=id, revision=1, rule=Rule(id=rule, name=rule, level="high"), time=time, last=time,
        events=(f"e-{id}",), event_count=1, entities=entities_of(fields), fields=fields, tactics=tactics,
    )  # fmt: skip


def seen(at: float, **fields: Any) -> Observation:
    flat = {name.replace("__", "."): value for name, value in fields.items()}
    return Observation(f"o{at}", int(START.timestamp() * 1e6 + at * 1e6), flat)


def started(at: float, child: str, parent: str, parent_path: str = "C:\\a.exe") -> Observation:
    return seen(
        at, event__category=["process"], event__type=["start"], host__name="ws5",
        process__entity_id=child, process__parent__entity_id=parent,
        process__executable=f"C:\\{child}.exe", process__parent__executable=parent_path,
    )  # fmt: skip


def process(id: str, **more: Any) -> dict[str, Any]:
    return {"host.name": "ws5", "process.entity_id": id, **more}


def groups(items: Sequence[Alert | Observation]) -> set[frozenset[str]]:
    logic = link().open("default", {})
    last: dict[str, Chain] = {}
    for item in items:
        for out in at_once(logic, item):
            if isinstance(out, Chain):
                last[out.id] = out
    return {frozenset(one.alerts) for one in last.values() if one.alerts}


def evidence(items: Sequence[Alert | Observation]) -> str:
    logic = link().open("default", {})
    last = ""
    for item in items:
        for out in at_once(logic, item):
            if isinstance(out, Chain) and out.links:
                last = out.links[0].evidence
    return last


ONE = alert("a", "r1", 10, process("grandchild"))
TWO = alert("b", "r2", 20, process("other"))


def test_two_processes_with_one_ancestor_join_and_the_evidence_tells_the_path() -> None:
    items: list[Alert | Observation] = [
        started(1, "child", "top"),
        started(2, "grandchild", "child"),
        started(3, "other", "top"),
        ONE,
        TWO,
    ]
    assert groups(items) == {frozenset("ab")}
    said = evidence(items)
    assert "ws5|grandchild was started by" in said
    assert "ws5|top" in said


def test_observation_that_comes_late_joins_what_stood_apart() -> None:
    early: list[Alert | Observation] = [
        started(1, "child", "top"),
        started(2, "grandchild", "child"),
        started(3, "other", "top"),
    ]
    assert groups([ONE, TWO]) == {frozenset("a"), frozenset("b")}
    assert groups([ONE, TWO, *early]) == {frozenset("ab")}


def test_desktop_shell_that_started_everything_joins_nothing() -> None:
    shell = "C:\\Windows\\explorer.exe"
    items: list[Alert | Observation] = [
        started(1, "grandchild", "shell", shell),
        started(2, "other", "shell", shell),
        ONE,
        TWO,
    ]
    assert groups(items) == {frozenset("a"), frozenset("b")}


def test_network_alert_joins_the_process_that_opened_the_connection_hours_apart() -> None:
    flow = {"source.ip": "10.0.0.5", "source.port": 50000, "destination.ip": "203.0.113.7",
            "destination.port": 4433, "network.transport": "tcp"}  # fmt: skip
    opened = seen(11, event__category=["network"], host__name="ws5", process__entity_id="grandchild",
                  **{name.replace(".", "__"): value for name, value in flow.items()})  # fmt: skip
    far = alert("n", "r3", 18 * 3600, {**flow, "observer.name": "zeek"})
    assert groups([ONE, opened, far]) == {frozenset("an")}
    assert groups([ONE, far]) == {frozenset("a"), frozenset("n")}


def test_connection_is_known_again_behind_address_translation() -> None:
    inside = {"source__ip": "10.0.0.5", "source__port": 50000, "destination__ip": "203.0.113.7",
              "destination__port": 443, "network__transport": "tcp"}  # fmt: skip
    translated = seen(5, event__category=["network"], source__nat__ip="192.0.2.1",
                      source__nat__port=61000, **inside)  # fmt: skip
    flat = {name.replace("__", "."): value for name, value in inside.items()}
    one = alert("i", "r1", 6, {"host.name": "ws5", **flat})
    two = alert("o", "r2", 7, {**flat, "source.ip": "192.0.2.1", "source.port": 61000})
    assert groups([translated, one, two]) == {frozenset("io")}


def test_file_that_was_written_and_then_run_joins_writer_and_program() -> None:
    path = "C:\\Users\\a\\drop.exe"
    wrote = seen(1, event__category=["file"], event__type=["creation"], host__name="ws5",
                 process__entity_id="grandchild", file__path=path)  # fmt: skip
    ran = alert("c", "r3", 30, process("new", **{"process.executable": path}))
    assert groups([wrote, ONE, ran]) == {frozenset("ac")}


def test_session_joins_the_address_it_was_a_logon_from() -> None:
    guess = alert(
        "g",
        "r1",
        0,
        {"source.ip": "203.0.113.7", "destination.ip": "10.0.0.5"},
        "credential-access",
    )
    logon = seen(5, event__category=["authentication"], event__outcome="success", user__name="bob",
                 host__name="ws5", source__ip="203.0.113.7", winlog__logon__id="0x77aa")  # fmt: skip
    acts = alert(
        "s", "r2", 60, {"host.name": "ws5", "winlog.logon.id": "0x77aa", "user.name": "bob"}
    )
    assert groups([guess, logon, acts]) == {frozenset("gs")}
    assert groups([guess, acts]) == {frozenset("g"), frozenset("s")}


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ('"C:\\Program Files\\a b.exe" -k x', "C:\\Program Files\\a b.exe"),
        ("C:\\a b\\c.EXE -k", "C:\\a b\\c.EXE"),
        ("/usr/bin/x --y", "/usr/bin/x"),
        ("", ""),
    ],
)
def test_program_of_a_command_line(command: str, path: str) -> None:
    assert command_path(command) == path


def test_service_leads_from_its_program_to_the_process_that_made_it() -> None:
    fields = {"host.name": "ws5", "process.entity_id": "p", "service.name": "Evil",
              "winlog.event_data.ImagePath": "C:\\Temp\\x.exe -s"}  # fmt: skip
    assert {(one.key, one.cause, one.kind) for one in causes_of(fields, 1)} == {
        ("service|ws5|evil", "process|ws5|p", "made"),
        ("file|ws5|c:\\temp\\x.exe", "service|ws5|evil", "started"),
        ("command|ws5|c:\\temp\\x.exe -s", "service|ws5|evil", "started"),
    }


def test_relations_go_by_chunks_when_the_bound_is_met_and_are_counted() -> None:
    relations = Relations(CHUNK)
    for number in range(CHUNK + 1):
        relations.learn(started(number, f"c{number}", "top"))
    assert relations.lost == CHUNK
    assert list(relations.reach("process|ws5|c0", int(START.timestamp() * 1e6), HOUR_US)) == []
    assert (
        len(list(relations.reach(f"process|ws5|c{CHUNK}", int(START.timestamp() * 1e6), HOUR_US)))
        == 1
    )


# ------------------------------------------------------------------ who an address was


def test_address_used_again_is_another_host() -> None:
    identity = Identity()
    assert identity.bind("10.0.0.5", 0, "old", "lease")
    assert identity.bind("10.0.0.5", 10 * HOUR_US, "new", "lease")
    before, after = (
        identity.host_at("10.0.0.5", HOUR_US),
        identity.host_at("10.0.0.5", 11 * HOUR_US),
    )
    assert before is not None
    assert after is not None
    assert (before.host, after.host) == ("old", "new")


def test_lease_without_the_domain_means_the_host_that_says_its_whole_name() -> None:
    identity = Identity()
    identity.bind("10.0.0.5", HOUR_US, "ws5.corp.example.com", "connection")
    identity.bind("10.0.0.5", 2 * HOUR_US, "ws5", "lease")
    bound = identity.host_at("10.0.0.5", 3 * HOUR_US)
    assert bound is not None
    assert (bound.host, bound.source) == ("ws5.corp.example.com", "lease")
    identity.bind("10.0.0.5", 4 * HOUR_US, "ws6", "lease")
    bound = identity.host_at("10.0.0.5", 5 * HOUR_US)
    assert bound is not None
    assert bound.host == "ws6"


@pytest.mark.parametrize(
    ("named", "owner"),
    [({"source.domain": "WS5", "source.mac": "00-00-5E-00-53-23"}, "ws5"),
     ({"source.mac": "00-00-5E-00-53-23"}, "00-00-5e-00-53-23"), ({}, "")],
)  # fmt: skip
def test_lease_that_a_sensor_saw_binds_the_address_to_the_client(
    named: dict[str, str], owner: str
) -> None:
    fields = {
        "network.protocol": "dhcp",
        "dhcp.assigned_ip": "10.0.0.5",
        "destination.ip": "10.0.0.1",
    }
    assert list(claims(fields | named)) == ([("10.0.0.5", owner, "lease")] if owner else [])


def test_short_and_whole_name_of_one_host_are_no_dispute() -> None:
    identity = Identity()
    identity.bind("10.0.0.5", HOUR_US, "ws5.corp.example.com", "connection")
    identity.bind("10.0.0.5", HOUR_US + 1, "ws5", "host")
    bound = identity.host_at("10.0.0.5", HOUR_US + 2)
    assert bound is not None
    assert bound.host == "ws5.corp.example.com"


def test_address_that_two_hosts_claim_at_once_is_nobodys() -> None:
    identity = Identity()
    identity.bind("172.17.0.1", 0, "one", "host")
    identity.bind("172.17.0.1", 5, "two", "host")
    assert identity.host_at("172.17.0.1", 10) is None


def test_binding_learnt_soon_after_holds_for_before_and_an_old_one_ends() -> None:
    identity = Identity()
    identity.bind("10.0.0.5", HOUR_US, "web", "host")
    assert identity.host_at("10.0.0.5", HOUR_US // 2) is not None
    assert identity.host_at("10.0.0.5", 30 * HOUR_US) is None
    assert not identity.bind("10.0.0.5", HOUR_US + 5, "web", "host")


def test_a_connection_binds_an_address_only_where_the_host_tells_it_with_the_process() -> None:
    told = {
        "host.name": "ws5",
        "process.pid": 7,
        "network.direction": "egress",
        "source.ip": "10.0.0.5",
    }
    assert list(claims(told)) == [("10.0.0.5", "ws5", "connection")]
    assert list(claims({**told, "network.direction": "ingress", "destination.ip": "10.0.0.6"})) == [
        ("10.0.0.6", "ws5", "connection")
    ]
    for missing in ("host.name", "process.pid", "network.direction"):
        assert not list(claims({name: told[name] for name in told if name != missing}))
    assert not list(claims({**told, "source.ip": "fe80::1"}))


def test_host_alert_and_attack_on_its_address_join_by_the_binding() -> None:
    attack = alert(
        "n", "r1", 0, {"source.ip": "203.0.113.7", "destination.ip": "10.0.0.5"}, "initial-access"
    )
    inside = alert("h", "r2", 60, {"host.name": "ws5"})
    bound = seen(1, host__name="ws5", host__ip=["10.0.0.5"], event__category=["host"])
    assert groups([attack, inside]) == {frozenset("n"), frozenset("h")}
    assert groups([attack, bound, inside]) == {frozenset("nh")}


# ------------------------------------------------------------------ trust and habits


def test_trust_fades_towards_unknown_and_the_least_trusted_thing_counts() -> None:
    trust = Trust()
    trust.learn("host|web", 0, "pass")
    trust.learn("key|k", HALF_LIFE_US, "fail")
    assert trust.at(("host|web",), 0) == PASSED
    assert trust.at(("host|web",), HALF_LIFE_US) == pytest.approx((PASSED + UNKNOWN) / 2)
    assert trust.at(("host|web", "key|k"), HALF_LIFE_US) == FAILED
    assert trust.at(("host|other",), 5) == UNKNOWN
    assert not trust.learn("host|web", 1, "unknown")


def test_host_that_proved_its_state_weighs_less_than_one_that_failed() -> None:
    hit = alert(
        "a",
        "r",
        600,
        {"source.ip": "203.0.113.7", "destination.ip": "10.0.0.5", "host.ip": "10.0.0.5"},
    )
    scores = {}
    for result in ("pass", "fail"):
        logic = link().open("default", {})
        list(at_once(logic, seen(0, host__ip=["10.0.0.5"], opsonin__attestation__result=result)))
        (scores[result],) = [one.score for one in at_once(logic, hit) if isinstance(one, Chain)]
    assert scores["pass"] < scores["fail"]


def test_kind_becomes_common_with_use_and_a_new_one_stays_rare() -> None:
    baseline, day = Baseline(), 24 * HOUR_US
    baseline.start(0)
    for number in range(100):
        baseline.learn("web", "daily", number * day // 10)
    late = 10 * day
    assert baseline.learn("web", "daily", late).is_common
    fresh = baseline.learn("web", "never", late)
    assert (fresh.seen, fresh.is_common) == (0, False)
    assert fresh.factor > 2 * baseline.learn("web", "daily", late).factor


def test_rule_that_other_hosts_have_daily_is_no_wonder_on_a_new_host() -> None:
    baseline, day = Baseline(), 24 * HOUR_US
    baseline.start(0)
    for number in range(200):
        baseline.learn(f"h{number % 4}", "update", number * day // 20)
    everywhere = baseline.learn("new", "update", 10 * day).factor
    nowhere = baseline.learn("new", "exploit", 10 * day).factor
    assert everywhere < nowhere / 2


def test_a_host_that_was_forgotten_and_comes_again_is_learnt_as_before() -> None:
    """What it was expected to become a count at, before it was forgotten, holds up nothing afterwards."""
    baseline, old_us = Baseline(), round(OLD_DAYS * 24 * HOUR_US)
    baseline.learn("h", "r", 0)
    baseline.absorb(3 * HOUR_US)
    taken_back = baseline.learn("h", "r", old_us + HOUR_US)
    baseline.unlearn("h", "r", old_us + HOUR_US, taken_back)
    baseline.absorb(old_us + 3 * HOUR_US)
    assert not baseline.hosts, "its one run is too long ago"
    baseline.absorb(old_us + 9 * HOUR_US)
    baseline.learn("h", "r", old_us + 9 * HOUR_US)
    baseline.absorb(old_us + 18 * HOUR_US)
    assert baseline.hosts["h"].due_us() is None
