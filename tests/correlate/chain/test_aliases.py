"""Short and whole names, translated addresses, proxies, containers, attesters: who is one, and who is kept apart."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import permutations
from typing import Any

import pytest

from contract.event import Event, Observation
from contract.records import Alert, Chain, Rule
from contract.timestamps import from_datetime, microseconds
from correlate.chain.aliases import MANY, Aliases, Standing
from correlate.chain.edges import DAY_US, HOUR_US
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
from correlate.link import link
from correlate.observe import observe
from tests.correlate.at_once import at_once
from tests.correlate.chain.site import Item, Renamed, in_order, sequence, shuffled, told

START = datetime(2026, 1, 1, tzinfo=UTC)
Joined = set[frozenset[str]]


def seen(id: str, at: float, fields: dict[str, Any], *tactics: str) -> Iterator[Item]:
    """Yield an event as the engine's stages see it: what it tells, and the alert that a rule made of it, if tactics are given."""
    time = START + timedelta(seconds=at)
    observed = observe(
        Event.of(fields, id=f"e-{id}", time_us=from_datetime(time), source="made up")
    )
    if observed is not None:
        yield observed
    if tactics:
        yield Alert(
            id=id, revision=1, rule=Rule(id=f"r-{id}", name=id, level="high"), time=time, last=time,
            events=(f"e-{id}",), event_count=1, entities=entities_of(fields), fields=fields, tactics=tactics,
        )  # fmt: skip


def joined(*told: Iterator[Item], **chosen: Any) -> Joined:
    """Return what is held together, after asking for it in several orders."""
    events = [list(one) for one in told]
    found = [_joined(list(order), **chosen) for order in list(permutations(events))[:24]]
    assert all(one == found[0] for one in found)
    return found[0]


def _joined(events: list[list[Item]], **chosen: Any) -> Joined:
    logic = link((), LinkSettings(**chosen)).open("default", {})
    last: dict[str, Chain] = {}
    for event in events:
        for item in event:
            for out in at_once(logic, item):
                if isinstance(out, Chain):
                    last[out.id] = out
    return {frozenset(one.alerts) for one in last.values() if one.alerts}


def sets(*names: str) -> Joined:
    return {frozenset(one.split()) for one in names}


# ------------------------------------------------------------------ hosts

ATTACK = {"source.ip": "203.0.113.7", "destination.ip": "10.0.0.5"}


def test_a_short_name_means_the_only_whole_one() -> None:
    attack = list(seen("a", 0, ATTACK, "initial-access"))
    claim = {"host.name": "web1", "host.ip": ["10.0.0.5"], "event.category": ["host"],
             "opsonin.attestation.result": "pass"}  # fmt: skip
    shell = {"host.name": "WEB1.corp.example", "process.entity_id": "x"}
    other = {"host.name": "web1.dmz.example", "process.entity_id": "y"}
    bound = list(seen("c", 5, claim))
    inside = list(seen("b", 60, shell, "execution"))
    assert joined(iter(attack), iter(bound), iter(inside)) == sets("a b")
    # A second machine of that name: the short one may mean either, and so means neither.
    ambiguous = seen("d", 90, other, "discovery")
    assert joined(iter(attack), iter(bound), iter(inside), ambiguous) == sets("a", "b", "d")


def test_what_two_sensors_tell_of_one_hosts_processes_meets_under_both_its_names() -> None:
    start = {"event.category": ["process"], "event.type": ["start"]}
    assert joined(
        seen("a", 0, {"host.name": "web1", "process.pid": 7}, "execution"),
        seen("p", 1, start | {"host.name": "web1", "process.pid": 8, "process.parent.pid": 7}),
        seen("b", 9, {"host.name": "web1.corp.example", "process.pid": 8}, "discovery"),
    ) == sets("a b")


def test_an_account_is_one_by_its_realm_and_by_its_domain() -> None:
    names = [
        {"user.name": "pia", "user.domain": "CORP"},
        {"user.name": "pia", "user.domain": "corp.example"},
        {"user.name": "pia@CORP.EXAMPLE", "user.domain": "CORP.EXAMPLE"},
        {"user.name": "pia@corp.example", "host.name": "ws5.corp.example"},
        {"user.name": "CORP\\pia"},
    ]
    values = [[one.value for one in entities_of(name) if one.type == "user"] for name in names]
    assert values == [["corp\\pia"]] * len(names)
    # Elsewhere a realm is a cloud's, and a bare name the host's own.
    assert entities_of({"user.name": "pia@corp.example"})[0].value == "pia@corp.example"
    assert entities_of({"user.name": "pia", "host.name": "ws5"})[1].value == "ws5\\pia"


# ------------------------------------------------------------------ leases


def lease(
    id: str, at: float, kind: str, name: str = "", mac: str = "00-00-5E-00-53-23"
) -> Iterator[Item]:
    fields = {"network.protocol": "dhcp", "event.category": ["network"], "event.type": ["protocol", kind],
              "client.ip": "10.0.0.5", "client.mac": mac, "host.name": "gw", "process.pid": 8}  # fmt: skip
    return seen(id, at, fields | ({"client.domain": name} if name else {}))


def attacked_then_acts(at: float, host: str) -> tuple[list[Item], list[Item]]:
    return (
        list(seen("a", at, ATTACK, "initial-access")),
        list(seen("b", at + 60, {"host.name": host, "process.entity_id": "x"}, "execution")),
    )


def test_a_lease_says_whose_an_address_is_until_it_is_given_back() -> None:
    attack, act = attacked_then_acts(60, "ws5.corp.example")
    given = list(lease("l", 0, "start", "WS5"))
    assert joined(iter(given), iter(attack), iter(act)) == sets("a b")
    back = list(lease("r", 30, "end", "WS5"))
    assert joined(iter(given), iter(back), iter(attack), iter(act)) == sets("a", "b")
    again = lease("m", 90, "start", "WS5")
    assert joined(iter(given), iter(back), again, iter(attack), iter(act)) == sets("a", "b")
    other = list(lease("n", 45, "start", "ws6", "00-00-5E-00-53-24"))
    assert joined(iter(given), iter(back), iter(other), iter(attack), iter(act)) == sets("a", "b")
    attack, act = attacked_then_acts(60, "ws6")
    assert joined(iter(given), iter(back), iter(other), iter(attack), iter(act)) == sets("a b")


def test_a_lease_that_names_the_hardware_only_is_of_the_host_that_another_named() -> None:
    attack, act = attacked_then_acts(60, "ws5.corp.example")
    earlier = lease("l", -3000, "start", "ws5")
    assert joined(earlier, lease("m", 0, "start"), iter(attack), iter(act)) == sets("a b")


# ------------------------------------------------------------------ gateways

OUT = {"source.ip": "10.0.0.5", "source.port": 4000, "destination.ip": "203.0.113.9", "destination.port": 443,
       "network.transport": "tcp", "event.category": ["network"]}  # fmt: skip
NAT = {"source.nat.ip": "198.51.100.1", "source.nat.port": 61000}
OUTSIDE = OUT | {"source.ip": "198.51.100.1", "source.port": 61000}


def test_a_firewalls_alert_inside_and_another_sensors_outside_meet_in_the_connection() -> None:
    assert joined(
        seen("i", 0, OUT | NAT, "command-and-control"),
        seen("o", 5, OUTSIDE, "command-and-control"),
    ) == sets("i o")


def test_clients_of_one_gateway_are_not_joined_by_its_address() -> None:
    second = OUT | NAT | {"source.ip": "10.0.0.6", "source.nat.port": 61001, "destination.ip": "203.0.113.10"}  # fmt: skip
    elsewhere = OUTSIDE | {"source.port": 61009, "destination.ip": "203.0.113.11"}
    assert joined(
        seen("i", 0, OUT | NAT, "command-and-control"),
        seen("j", 2, second, "command-and-control"),
        seen("o", 5, OUTSIDE, "command-and-control"),
        seen("p", 8, elsewhere, "exfiltration"),
    ) == sets("i o", "j", "p")


def test_an_address_that_is_translated_for_one_host_alone_is_that_host() -> None:
    assert joined(
        seen("n", 0, OUT | NAT),
        seen("o", 5, OUTSIDE | {"source.port": 61007}, "command-and-control"),
        seen("i", 9, {"source.ip": "10.0.0.5", "destination.ip": "10.0.0.9"}, "lateral-movement"),
    ) == sets("o i")


def test_an_attack_on_a_published_address_meets_the_server_behind_it() -> None:
    published = {
        "source.ip": "203.0.113.7",
        "destination.ip": "198.51.100.2",
        "destination.port": 443,
    }
    served = published | {"destination.nat.ip": "10.1.0.5", "event.category": ["network"]}
    own = {"host.name": "web1", "event.category": ["host"], "opsonin.attestation.result": "pass"}
    told = [
        list(seen("a", 0, published, "initial-access")),
        list(seen("n", 1, served)),
        list(seen("h", 2, own | {"host.ip": ["10.1.0.5"]})),
        list(seen("b", 60, {"host.name": "web1", "process.entity_id": "x"}, "execution")),
    ]
    assert joined(*map(iter, told)) == sets("a b")
    second = seen("m", 3, served | {"destination.nat.ip": "10.1.0.6", "destination.port": 25})
    assert joined(*map(iter, told), second) == sets("a", "b")


def test_a_proxy_that_tells_whom_it_serves_joins_its_clients_neither_there_nor_behind_it() -> None:
    passed = {"source.ip": "10.0.0.80", "destination.ip": "10.1.0.1", "event.category": ["network"]}
    assert joined(
        seen("a", 0, passed | {"network.forwarded_ip": "203.0.113.1"}, "initial-access"),
        seen("b", 5, passed | {"network.forwarded_ip": "203.0.113.2"}, "initial-access"),
        seen("c", 9, passed | {"network.forwarded_ip": "203.0.113.1"}, "execution"),
        seen("d", 12, passed, "initial-access"),
        seen("e", 14, passed, "discovery"),
    ) == sets("a c", "b", "d", "e")


# ------------------------------------------------------------------ containers, attesters


def test_addresses_of_bridges_are_of_the_host_that_names_them() -> None:
    def act(id: str, at: float, host: str) -> Iterator[Item]:
        fields = {
            "host.name": host,
            "source.ip": "172.17.0.2",
            "destination.ip": f"10.0.0.{at:.0f}",
        }
        return seen(id, at, fields, "discovery")

    declared = {"host_networks": (ip_network("172.17.0.0/16"),)}
    assert joined(act("a", 1, "n1"), act("b", 5, "n2"), act("c", 9, "n1"), **declared) == sets(
        "a c", "b"
    )


def test_an_address_that_two_hosts_claim_is_each_ones_own_and_else_nobodys() -> None:
    def claim(id: str, at: float, host: str) -> Iterator[Item]:
        own = {"host.name": host, "host.ip": ["172.17.0.1"], "event.category": ["host"]}
        return seen(id, at, own | {"opsonin.attestation.result": "pass"})

    act = {"source.ip": "172.17.0.1", "destination.ip": "10.0.0.9"}
    assert joined(
        claim("p", 0, "n1"),
        claim("q", 1, "n2"),
        seen("a", 5, act | {"host.name": "n1"}, "discovery"),
        seen("b", 6, act | {"host.name": "n2"}, "discovery"),
    ) == sets("a", "b")
    assert joined(
        claim("p", 0, "n1"), claim("q", 1, "n2"), seen("c", 7, act, "discovery"), seen("d", 8, act, "execution")
    ) == sets("c", "d")  # fmt: skip


def failed(id: str, at: float, attester: str, host: str = "") -> Iterator[Item]:
    fields = {
        "opsonin.attestation.attester": attester,
        "opsonin.attestation.result": "fail",
        "event.category": ["host"],
    }
    return seen(id, at, fields | ({"host.name": host} if host else {}), "defense-evasion")


def test_an_attester_enrolled_on_another_host_is_another() -> None:
    assert joined(failed("a", 0, "k", "old"), failed("b", 9, "k", "new")) == sets("a", "b")
    assert joined(failed("a", 0, "k", "web"), failed("b", 9, "k")) == sets("a b")
    moved = joined(failed("a", 0, "k", "old"), failed("b", 5, "k", "new"), failed("c", 9, "k"))
    assert moved == sets("a", "b", "c")


def test_a_host_installed_anew_under_its_name_and_another_key_is_not_joined_by_either() -> None:
    # The name alone supports: the failure before and the failure after are two stories.
    assert joined(failed("a", 0, "k1", "web"), failed("b", 4000, "k2", "web")) == sets("a", "b")


# ------------------------------------------------------------------ order, bounds, state


def test_which_was_told_first_never_shows() -> None:
    rows = [("x", 5), ("y", HOUR_US // 2), ("x", 1), ("z.a", 3), ("z", 2), ("x", 2 * HOUR_US)]
    kept = []
    for seed in range(20):
        dice, told = random.Random(seed), Aliases()  # noqa: S311  not for secrets
        for value, at in dice.sample(rows, len(rows)):
            told.put("n", value, at)
        kept.append((told.part("n"), told.at("n", HOUR_US), told.at("n", 30 * HOUR_US)))
    assert all(one == kept[0] for one in kept)
    assert kept[0][1] == Standing("", 0)
    assert kept[0][2] is None


def test_a_name_stands_for_one_thing_as_long_as_it_is_told_of() -> None:
    told = Aliases()
    assert told.put("n", "web", 5 * HOUR_US)
    assert not told.put("n", "web", 5 * HOUR_US + 1)
    assert told.at("n", 4 * HOUR_US) == Standing("web", 5 * HOUR_US)
    assert told.at("n", 3 * HOUR_US) is None
    assert told.at("n", 5 * HOUR_US + DAY_US) is not None
    assert told.at("n", 7 * HOUR_US + DAY_US) is None
    assert told.put("n", "web.corp.example", 6 * HOUR_US)
    assert told.at("n", 6 * HOUR_US) == Standing("web.corp.example", 5 * HOUR_US)
    assert told.put("n", MANY, 7 * HOUR_US)
    assert told.at("n", 7 * HOUR_US) == Standing("", 0)


def test_names_are_bounded_counted_and_forgotten() -> None:
    told = Aliases(bound=2)
    for number, name in enumerate("abc"):
        told.put(name, "x", number * HOUR_US)
    assert told.lost == 1
    assert not told.knows("a")
    told.forget(2 * HOUR_US)
    assert told.part("b") is None
    assert told.part("c") == [(2 * HOUR_US, "x")]
    assert told.changed == {"a", "b", "c"}


def test_what_a_retracted_alert_says_of_names_holds_in_any_order() -> None:
    (shell,) = (
        one
        for one in seen("b", 60, {"host.name": "web1.corp.example"}, "execution")
        if isinstance(one, Alert)
    )
    assert not isinstance(shell, Observation)
    gone = shell.model_copy(update={"revision": 2, "retracted": True})
    attack = list(seen("a", 0, {"host.name": "web1", "process.pid": 4}, "initial-access"))
    later = list(seen("c", 70, {"host.name": "web1.corp.example", "process.pid": 4}, "discovery"))
    assert joined(iter(attack), iter([shell]), iter([gone]), iter(later)) == sets("a c")


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_names_give_the_same_chains_in_any_order_within_lateness_and_over_restarts(
    seed: int,
) -> None:
    items = Renamed(seed).items(110, days=(0.2, 1)[seed % 2])
    dice = random.Random(seed)  # noqa: S311  not for secrets
    lateness_us = microseconds(LinkSettings().lateness)
    assert sequence(items, dice) == sequence(items)
    expected = told(in_order(items))
    assert any(len(one["alerts"]) > 1 for one in expected.values())
    assert told(shuffled(items, dice, lateness_us), dice=dice) == expected
