"""Intrusions that pass from one place to another: from a network into a server, from a directory into a cloud.

The data stand beside the checkout (OTRF Security Datasets, MIT) and are never part of it. For what has no adapter the rows are
put into ECS here, field by field, as a shipper does; nothing that a row does not say is added.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from struct import unpack_from
from typing import Any

import pytest

from contract.event import Event, Fields
from contract.ids import derive_id
from contract.ports import Context
from contract.records import Chain
from contract.timestamps import from_iso, iso
from correlate.chain.why import without
from ingest.adapters.windows_eventlog import ADAPTER as WINDOWS
from ingest.normalize import Normalizer
from tests.correlate.chain.playing import RECEIVED_US, SETS, Play, events

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not SETS.is_dir(), reason="the recorded campaigns are not beside the checkout"
    ),
]


def unpacked(name: str, pattern: str) -> Iterator[bytes]:
    """Yield the content of the files in the archives of a set."""
    for path in sorted((SETS / name).glob(pattern)):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                yield archive.read(member)


def rows(name: str, pattern: str) -> Iterator[dict[str, Any]]:
    for content in unpacked(name, pattern):
        for line in content.splitlines():
            if line.strip():
                yield json.loads(line)


def event(time: str, fields: Fields) -> Event:
    known = {key: value for key, value in fields.items() if value not in (None, "")}
    id = derive_id("event", json.dumps(known, sort_keys=True), time)
    stamp = iso(from_iso(time))
    complete = {**known, "@timestamp": stamp, "event.id": id, "ecs.version": "9.4.0"}
    return Event.of(complete, id=id, time_us=from_iso(time), source="test")


def named(play: Play, chain: Chain) -> dict[str, str]:
    """Return the rule of each alert of a chain."""
    return {one: play.alerts[one].rule.name for one in chain.alerts}


# ------------------------------------------------------------------ Golden SAML: from the directory into the cloud

SAML = "GoldenSAMLADFSMailAccess"


def directory() -> Iterator[Event]:
    """Windows' own records, as Log Analytics exports them."""
    for content in unpacked(SAML, "WindowsEvents.Zip"):
        yield from events(WINDOWS, iter(content.splitlines()))


def defender() -> Iterator[Event]:
    for row in rows(SAML, "Microsoft365DefenderEvents.Zip"):
        if row["ActionType"] != "Directory Services replication":
            continue
        yield event(
            row["Timestamp"],
            {
                "event.kind": "event", "event.module": "m365_defender", "event.category": ["iam"],
                "event.action": row["ActionType"], "source.ip": row["IPAddress"],
                "destination.ip": row["DestinationIPAddress"], "destination.domain": row["DestinationDeviceName"],
                "user.name": row["AccountName"], "user.domain": row["AccountDomain"],
                "user.email": row["AccountUpn"],
            },
        )  # fmt: skip


def cloud() -> Iterator[Event]:
    for row in rows(SAML, "AADAuditEvents.Zip"):
        user = json.loads(row["InitiatedBy"])["user"]
        yield event(
            row["TimeGenerated"],
            {
                "event.kind": "event", "event.module": "azure", "event.dataset": "azure.auditlogs",
                "event.category": ["iam"], "event.action": row["OperationName"],
                "properties.message": row["OperationName"].strip(), "user.email": user["userPrincipalName"],
            },
        )  # fmt: skip
    for row in rows(SAML, "OfficeActivityEvents.Zip"):
        yield event(
            row["TimeGenerated"],
            {
                "event.kind": "event", "event.module": "o365", "event.category": ["email"],
                "event.action": row["Operation"], "user.email": row["UserId"],
                "o365.audit.ClientInfoString": row["ClientInfoString"], "source.ip": row["Client_IPAddress"],
            },
        )  # fmt: skip


def saml() -> Play:
    found = [*directory(), *defender(), *cloud()]
    return Play().run(sorted(found, key=lambda one: one.time_us))


def test_a_stolen_signing_key_and_the_mail_it_opened_are_one_chain() -> None:
    play = saml()
    top, *others = play.ranked()
    rules = set(named(play, top).values())
    assert {
        "Key of the federation server read from the directory",
        "Directory replication asked for by a person's account",
        "Added Credentials to Existing Application",
        "Delegated Permissions Granted For All Users",
        "Mail read through an application",
    } <= rules
    tactics = {stage.tactic for stage in top.stages}
    assert {"credential-access", "persistence", "collection"} <= tactics
    assert all(top.score > 4 * other.score for other in others)


def test_directory_and_cloud_are_joined_by_the_account_whose_credentials_were_taken() -> None:
    play = saml()
    top = play.ranked()[0]
    rules = named(play, top)
    bridges = [
        one
        for one in top.links
        if rules[one.from_].startswith("Directory replication") and one.edge == "credential"
    ]
    assert bridges
    assert all("pgustavo" in one.evidence for one in bridges)
    crossing = [one for one in top.links if "connection" in one.evidence or "logon" in one.evidence]
    assert any("was a logon from 192.168.2.5" in one.evidence for one in crossing)
    parts = without(top, bridges[0])
    assert len(parts) == 2


# ------------------------------------------------------------------ Log4Shell: from the network into the server

SHELL = "Log4Shell"


def requests() -> Iterator[Event]:
    """The web requests on the wire, each as a web server or a network sensor tells of it."""
    for capture in unpacked(SHELL, "pcap_*_jndi_reference.zip"):
        at = 24
        while at + 16 <= len(capture):
            seconds, micros, kept, _ = unpack_from("<IIII", capture, at)
            frame = capture[at + 16 : at + 16 + kept]
            at += 16 + kept
            request = _request(frame)
            if request:
                yield event(iso(seconds * 1_000_000 + micros), request)


def _request(frame: bytes) -> Fields:
    """Return the HTTP request that an Ethernet frame of IPv4 and TCP begins; else nothing."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return {}
    ip = frame[14:]
    tcp = ip[(ip[0] & 15) * 4 :]
    lines = tcp[(tcp[12] >> 4) * 4 :].decode("latin-1").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    path, _, version = rest.partition(" ")
    if not version.startswith("HTTP/"):
        return {}
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    source_port, target_port = unpack_from(">HH", tcp)
    return {
        "event.kind": "event", "event.category": ["network", "web"], "network.protocol": "http",
        "network.transport": "tcp", "source.ip": ".".join(map(str, ip[12:16])), "source.port": source_port,
        "destination.ip": ".".join(map(str, ip[16:20])), "destination.port": target_port,
        "http.request.method": method, "url.original": path, "user_agent.original": headers.get("user-agent"),
    }  # fmt: skip


def server() -> Iterator[Event]:
    """Sysmon for Linux, in syslog; one record of the set is cut short and becomes a dead letter."""
    normalizer, context = Normalizer(WINDOWS, "sysmon"), Context(received_us=RECEIVED_US)
    for row in rows(SHELL, "syslog_sysmon_*_jndi_reference.zip"):
        for one in normalizer.take(row["SyslogMessage"].encode(), context):
            if isinstance(one, Event):
                yield one


def test_a_lookup_sent_over_the_network_and_the_shell_on_the_server_are_one_chain() -> None:
    found = sorted([*requests(), *server()], key=lambda one: one.time_us)
    play = Play().run(found)
    top, *others = play.ranked()
    rules = named(play, top)
    assert {"JNDI lookup in a web request", "Linux Reverse Shell Indicator"} <= set(rules.values())
    entry = next(one for one, rule in rules.items() if rule.startswith("JNDI"))
    joins = [one for one in top.links if one.from_ == entry and one.edge != "repeat"]
    assert joins
    assert all("ubuntu5 (connection)" in one.evidence for one in joins)
    assert {"initial-access", "execution", "discovery"} <= {one.tactic for one in top.stages}
    named_here = {(one.type, one.value) for one in top.entities}
    assert {("ip", "192.168.2.6"), ("host", "ubuntu5")} <= named_here
    assert all(top.score > 4 * other.score for other in others)
