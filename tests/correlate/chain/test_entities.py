"""Entities named by flat ECS documents."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.records import Entity
from correlate.chain import canonical
from correlate.chain.entities import JOIN_FIELDS, MAX_ENTITIES, entities_of, flow_of, keep, names_of


def named(**fields: Any) -> set[tuple[str, str, str]]:
    document = {name.replace("__", "."): value for name, value in fields.items()}
    return {(one.type, one.value, one.role) for one in entities_of(document)}


def test_network_alert_names_both_ends_and_the_flow() -> None:
    found = named(
        source__ip="203.0.113.7", source__port=40001, destination__ip="::ffff:10.0.0.5",
        destination__port="80", network__transport="TCP",
    )  # fmt: skip
    flow = canonical.flow("tcp", "203.0.113.7", 40001, "10.0.0.5", 80)
    assert found == {
        ("ip", "203.0.113.7", "source"),
        ("ip", "10.0.0.5", "target"),
        ("flow", str(flow), "object"),
    }


def test_flow_hash_is_the_published_one_and_has_no_direction() -> None:
    # The example of the Community ID specification 1.0: 128.232.110.120:34855 > 66.35.250.204:80, TCP.
    expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
    assert canonical.flow("tcp", "128.232.110.120", 34855, "66.35.250.204", 80) == expected
    assert canonical.flow("6", "66.35.250.204", 80, "128.232.110.120", 34855) == expected


def test_flow_given_by_the_sensor_wins() -> None:
    assert flow_of({"network.community_id": "1:abc", "source.ip": "10.0.0.1"}) == "1:abc"


@pytest.mark.parametrize(
    "fields",
    [
        {"network.transport": "icmp", "source.ip": "10.0.0.1", "destination.ip": "10.0.0.2"},
        {"network.transport": "tcp", "source.ip": "10.0.0.1", "destination.ip": "10.0.0.2"},
        {"network.transport": "tcp", "source.ip": "x", "destination.ip": "10.0.0.2"},
        {
            "network.transport": "tcp",
            "source.ip": "10.0.0.1",
            "destination.ip": "fd00::1",
            "source.port": 1,
            "destination.port": 2,
        },
    ],
)
def test_what_is_no_flow_has_no_hash(fields: dict[str, Any]) -> None:
    assert flow_of(fields) is None


def test_windows_process_creation_names_host_account_session_and_lineage() -> None:
    found = named(
        host__name="WS5.Theshire.local.",
        user__name="pgustavo",
        user__domain="THESHIRE",
        winlog__logon__id="0x1A2B",
        process__entity_id="{860ba2e4-AAAA}",
        process__parent__entity_id="{860ba2e4-BBBB}",
        process__executable="C:/Windows/System32/CMD.exe",
    )
    assert found == {
        ("host", "ws5.theshire.local", "subject"),
        ("user", "theshire\\pgustavo", "subject"),
        ("session", "ws5.theshire.local|0x1a2b", "subject"),
        ("process", "ws5.theshire.local|860ba2e4-aaaa", "subject"),
        ("process", "ws5.theshire.local|860ba2e4-bbbb", "source"),
        ("file", "ws5.theshire.local|c:\\windows\\system32\\cmd.exe", "subject"),
    }


@pytest.mark.parametrize(
    ("name", "domain", "expected"),
    [
        ("root", "", "web\\root"),
        ("SYSTEM", "NT AUTHORITY", "web\\system"),
        ("Administrator", "WEB", "web\\administrator"),
        ("CORP\\alice", "", "corp\\alice"),
        ("Alice@Corp.Example", "ignored", "alice@corp.example"),
        ("-", "-", None),
    ],
)
def test_accounts_are_spelt_by_their_home(name: str, domain: str, expected: str | None) -> None:
    assert canonical.user(name, domain, "web") == expected


@pytest.mark.parametrize("logon", ["0x3e7", "0x3E4", "0", "4294967295", "-", ""])
def test_sessions_of_the_machine_itself_are_no_entities(logon: str) -> None:
    assert canonical.logon(logon) is None


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "0:0:0:0:0:0:0:0", "224.0.0.251", "255.255.255.255", "web"]
)
def test_addresses_that_name_no_peer_are_no_entities(text: str) -> None:
    assert canonical.ip(text) is None


def test_gateways_own_address_is_nobody_who_acts_and_a_proxy_only_passes_on() -> None:
    fields = {"source.ip": "10.0.0.5", "source.nat.ip": "198.51.100.1"}
    assert names_of(fields) == (("ip", "10.0.0.5", "source"),)
    for client in ("network.forwarded_ip", "client.ip"):
        both = names_of({"source.ip": "10.0.0.80", client: "203.0.113.7"})
        assert set(both) == {("ip", "10.0.0.80", "observer"), ("ip", "203.0.113.7", "source")}
    assert names_of({"source.ip": "10.0.0.5", "client.ip": "10.0.0.5"}) == (
        ("ip", "10.0.0.5", "source"),
    )


@pytest.mark.parametrize(
    "ip", ["169.254.3.4", "fe80::1%eth0", "::", "::ffff:127.0.0.1", "ff02::1", "224.0.0.251", "255.255.255.255"],
)  # fmt: skip
def test_addresses_that_mean_nobody_beyond_one_link_name_nobody(ip: str) -> None:
    assert not names_of({"source.ip": ip, "destination.ip": ip})


@pytest.mark.parametrize(
    "mac", ["01:00:5e:00:00:fb", "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "02:42:ac:11:00:02"]
)
def test_hardware_addresses_that_many_have_name_nobody(mac: str) -> None:
    assert not names_of({"source.mac": mac})


@pytest.mark.parametrize("text", ["WEB1", "web1.", "CORP\\WEB1$", "WEB1$", "\\\\web1"])
def test_host_is_one_under_all_spellings_of_its_short_name(text: str) -> None:
    assert names_of({"host.name": text}) == (("host", "web1", "subject"),)


def test_link_local_addresses_of_a_host_are_left_out() -> None:
    assert named(host__ip=["fe80::1%eth0", "10.0.0.5"]) == {("ip", "10.0.0.5", "subject")}


def test_process_without_lasting_id_is_known_by_its_number() -> None:
    assert ("process", "web|pid:77", "subject") in named(host__name="web", process__pid=77)
    assert named(process__pid=77) == set()


def test_observer_is_told_apart_from_the_host() -> None:
    assert named(observer__name="FW1", host__name="web") == {
        ("host", "web", "subject"),
        ("host", "fw1", "observer"),
    }


def test_long_values_are_cut_to_a_bound_and_stay_apart() -> None:
    one, two = (canonical.path("/" + "a" * 5000 + end) for end in "xy")
    assert one != two
    assert one is not None
    assert len(one) == canonical.MAX_VALUE


def test_document_that_names_too_many_is_cut_to_the_bound() -> None:
    fields = {
        "host.name": "web",
        **{f"{end}.ip": [f"10.0.{part}.{number}" for number in range(1, 9)]
           for part, end in enumerate(("source", "destination", "client", "server", "host"))},
    }  # fmt: skip
    assert len(entities_of(fields)) == MAX_ENTITIES


def test_only_join_fields_are_kept() -> None:
    assert keep({"source.ip": "10.0.0.1", "message": "x"}) == {"source.ip": "10.0.0.1"}


_values = st.one_of(
    st.text(max_size=40), st.integers(), st.none(), st.booleans(), st.floats(),
    st.lists(st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=12),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(JOIN_FIELDS)), _values, max_size=12))
def test_no_document_crashes_and_order_of_fields_does_not_matter(fields: dict[str, Any]) -> None:
    found = entities_of(fields)
    again = entities_of(dict(reversed(fields.items())))
    assert found == again
    assert len(found) <= MAX_ENTITIES
    assert all(isinstance(one, Entity) and one.value for one in found)


def test_one_account_is_one_whether_its_domain_is_written_short_or_long() -> None:
    assert canonical.user("Wanda", "CORP", "") == canonical.user("wanda", "corp.example.com", "")
    assert canonical.user("wanda", "WEB01", "web01.example.com") == "web01.example.com\\wanda"


def test_a_name_in_the_cloud_is_a_second_name_of_the_account() -> None:
    fields = {
        "user.name": "pia",
        "user.domain": "corp.example.com",
        "user.email": "Pia@example.com",
    }
    named = {one.value for one in entities_of(fields) if one.type == "user"}
    assert named == {"corp\\pia", "pia@example.com"}
    assert not entities_of({"user.email": "nobody"})


def test_equal_numbers_that_are_written_differently_stay_apart() -> None:
    for first, second in ((1, True), (1, 1.0), (True, 1)):
        told = [names_of({"host.name": "web1", "process.pid": pid}) for pid in (first, second)]
        assert told == [
            (("host", "web1", "subject"), ("process", f"web1|pid:{pid}", "subject"))
            for pid in (first, second)
        ]


def test_what_is_remembered_of_values_is_told_by_all_that_was_looked_at() -> None:
    there = {"host.name": "web1", "user.name": "alice"}
    assert ("user", "web1\\alice", "subject") in names_of(there)
    assert ("user", "web2\\alice", "subject") in names_of(there | {"host.name": "web2"})
    assert ("user", "corp\\alice", "subject") in names_of(there | {"user.domain": "CORP"})
    assert ("user", "web1\\alice", "subject") in names_of(there | {"host.name": ["web1", "web2"]})


@pytest.mark.parametrize("name", ["user.name", "process.executable", "url.full", "host.name"])
def test_long_values_are_named_and_do_not_fill_the_memory(name: str) -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            fields = {"observer.name": "web1", "host.name": "web1"}
            fields[name] = f"a{number}/{'x' * 100_000}"
            assert len(names_of(fields)) >= 2
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000  # all of them together are 20,000,000
