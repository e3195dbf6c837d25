"""Firewalls: facts that their samples alone would not show, and no line that takes long."""

import contextlib
import random
import re
import time
from typing import Any

import pytest

from contract.errors import ParseError
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.formats.cisco_flow import STEPS
from ingest.formats.cisco_template import compile_template
from ingest.tables import cisco_asa, cisco_ios, paloalto_panos

NAMES = [
    "pfsense.filterlog", "openbsd.pf", "cisco.asa", "cisco.ios", "paloalto.panos", "fortinet.fortigate",
    "checkpoint.firewall", "juniper.srx", "sophos.firewall", "sonicwall.firewall", "generic.cef", "generic.leef",
]  # fmt: skip


def read(name: str, line: str, received: str = "2026-06-15T12:00:00Z") -> dict[str, Any]:
    adapter = load_named("ingest.adapters", name, "ADAPTER", Adapter)
    (fields,) = adapter.parse(line.encode(), Context(received_us=from_iso(received)))
    return fields


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize("code", sorted(cisco_asa.TEMPLATES))
def test_every_template_compiles(code: str) -> None:
    sources = cisco_asa.TEMPLATES[code]
    for source in (sources,) if isinstance(sources, str) else sources:
        template = compile_template(source, cisco_asa.PLACES, cisco_asa.PREFIX, STEPS)
        assert len(template.names) == len(template.swapped)


def test_ids_that_share_a_template_name_one_that_exists() -> None:
    assert set(cisco_asa.SAME.values()) | set(cisco_asa.FAMILIES.values()) <= set(
        cisco_asa.TEMPLATES
    )
    assert not set(cisco_asa.SAME) & set(cisco_asa.TEMPLATES)


def test_column_names_stand_once_in_a_log_type() -> None:
    for kind, columns in paloalto_panos.COLUMNS.items():
        names = [name for name in columns.split() if name != "-"]
        assert len(names) == len(set(names)), kind


def test_every_place_of_a_pattern_has_a_field() -> None:
    for pattern in [*cisco_ios.PATTERNS.values(), *(found for _, found in cisco_ios.FINDERS)]:
        assert set(re.compile(pattern).groupindex) <= set(cisco_ios.FIELDS)


# ------------------------------------------------------------------ Cisco ASA


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("430003: AccessControlRuleAction: Block, SrcIP: 192.0.2.7", ["connection", "end", "denied"]),
        ("430002: AccessControlRuleAction: Trust, SrcIP: 192.0.2.7", ["connection", "start", "allowed"]),
        ("430003: AccessControlRuleAction: <br/>Block with reset, Protocol: tcp", ["connection", "end", "denied"]),
        ("430001: SrcIP: 192.0.2.7, InlineResult: Blocked", ["info", "denied"]),
        ("430001: SrcIP: 192.0.2.7, InlineResult: Would have blocked", ["info"]),
        ("430005: SrcIP: 192.0.2.7, FileAction: Malware Block", ["info", "denied"]),
    ],
)  # fmt: skip
def test_a_threat_defense_event_says_what_was_stopped(said: str, expected: list[str]) -> None:
    assert read("cisco.asa", f"%FTD-1-{said}")["event.type"] == expected


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0:01:30", 90), ("3d04h", 273_600), ("1h:02m:03s", 3723), ("1d 10h:22m:01s", 123_721), ("5", 5)],
)  # fmt: skip
def test_a_duration_is_read_by_its_units(said: str, seconds: int) -> None:
    line = f"%ASA-4-113019: Group = G, Username = u, IP = 192.0.2.7, Session disconnected. Session Type: x, Duration: {said}, Bytes xmt: 1, Bytes rcv: 2, Reason: r"
    assert read("cisco.asa", line)["event.duration"] == seconds * 1_000_000_000


def test_names_of_several_words_end_the_value_before_them() -> None:
    line = "%FTD-1-430002: AccessControlRuleName: r1, Prefilter Policy: p, User: Not Found, UserAgent: a (b, c)"
    fields = read("cisco.asa", line)
    assert fields["rule.name"] == "r1"
    assert fields["user_agent.original"] == "a (b, c)"
    assert "user.name" not in fields


def test_the_second_end_of_an_outbound_connection_began_it() -> None:
    line = "%ASA-6-302013: Built {} TCP connection 1 for outside:198.51.100.1/80 (198.51.100.1/80) to inside:192.0.2.1/4000 (192.0.2.1/4000)"
    assert read("cisco.asa", line.format("outbound"))["source.ip"] == "192.0.2.1"
    assert read("cisco.asa", line.format("inbound"))["source.ip"] == "198.51.100.1"


def test_an_unknown_id_still_gives_code_severity_and_addresses() -> None:
    fields = read(
        "cisco.asa", "%ASA-3-987654: Oddity at dmz:192.0.2.1/99 towards 2001:db8::1, user = bob"
    )
    assert fields["event.code"] == "987654"
    assert fields["event.severity"] == 3
    assert (fields["source.ip"], fields["source.port"]) == ("192.0.2.1", 99)
    assert fields["destination.ip"] == "2001:db8::1"
    assert fields["user.name"] == "bob"


def test_an_address_where_a_user_would_stand_is_no_person() -> None:
    fields = read(
        "cisco.asa",
        "%ASA-6-302017: Built inbound GRE connection 9 from outside:198.51.100.1 (198.51.100.1) to inside:192.0.2.1/0 (192.0.2.1/0)",
    )
    assert fields["source.ip"] == "198.51.100.1"
    assert not [name for name in fields if "user" in name]


def test_a_translation_that_failed_translated_nothing() -> None:
    fields = read(
        "cisco.asa",
        "%ASA-3-305006: portmap translation creation failed for udp src inside:192.0.2.1/53 dst outside:198.51.100.1/53",
    )
    assert fields["event.type"] == ["connection", "denied"]
    assert "source.nat.ip" not in fields
    assert fields["destination.ip"] == "198.51.100.1"


def test_a_name_in_place_of_an_address_is_a_domain() -> None:
    fields = read(
        "cisco.asa",
        '%ASA-4-106023: Deny tcp src a:server1/1 dst b:192.0.2.1/2 by access-group "x" [0x0, 0x0]',
    )
    assert fields["source.domain"] == "server1"
    assert "source.ip" not in fields


# ------------------------------------------------------------------ PAN-OS


def test_a_line_of_an_older_or_a_newer_release_is_read() -> None:
    names = paloalto_panos.COLUMNS["TRAFFIC"].split()
    said = {
        "LogType": "TRAFFIC",
        "TimeGenerated": "2026/06/15 10:00:00",
        "SourceAddress": "192.0.2.1",
        "Action": "allow",
    }
    values = [said.get(name, "") for name in names]
    assert read("paloalto.panos", ",".join(values[:40]))["source.ip"] == "192.0.2.1"
    assert read("paloalto.panos", ",".join([*values, "new"]))["paloalto.panos.more"] == ["new"]


def test_a_benign_verdict_is_no_alert() -> None:
    names = paloalto_panos.COLUMNS["THREAT"].split()
    said = {"LogType": "THREAT", "Subtype": "wildfire", "ThreatID": "x(1)"}
    for category, kind in (("benign", "event"), ("malicious", "alert")):
        values = [(said | {"URLCategory": category}).get(name, "") for name in names]
        assert read("paloalto.panos", ",".join(values))["event.kind"] == kind


# ------------------------------------------------------------------ FortiGate


def test_an_interim_record_counts_what_it_adds() -> None:
    fields = read(
        "fortinet.fortigate",
        'logid="0000000020" type="traffic" srcip=192.0.2.1 sentbyte=1000 sentdelta=10',
    )
    assert fields["source.bytes"] == 10
    assert fields["fortinet.fortigate.sentbyte"] == 1000


@pytest.mark.parametrize(
    "stamp",
    [
        "eventtime=1781517601",
        "eventtime=1781517601000000000",
        'date=2026-06-15 time=12:00:01 tz="+0200"',
    ],
)
def test_times_in_all_units(stamp: str) -> None:
    fields = read("fortinet.fortigate", f'{stamp} logid="1" type="traffic" srcip=192.0.2.1')
    assert fields["@timestamp"] == "2026-06-15T10:00:01.000000Z"


# ------------------------------------------------------------------ Juniper SRX


def test_plain_and_structured_logs_give_the_same_flow() -> None:
    plain = read(
        "juniper.srx",
        "RT_FLOW: RT_FLOW_SESSION_CREATE: session created 192.0.2.1/1->198.51.100.1/80 0x0 junos-http 203.0.113.1/2->198.51.100.1/80 "
        "0x0 source rule r1 N/A N/A 6 p1 trust untrust 77 N/A(N/A) ge-0/0/1.0 UNKNOWN UNKNOWN UNKNOWN",
    )
    structured = read(
        "juniper.srx",
        'RT_FLOW_SESSION_CREATE [junos@2636.1.1.1.2.1 source-address="192.0.2.1" source-port="1" destination-address="198.51.100.1" '
        'destination-port="80" service-name="junos-http" nat-source-address="203.0.113.1" nat-source-port="2" '
        'nat-destination-address="198.51.100.1" nat-destination-port="80" protocol-id="6" policy-name="p1" '
        'source-zone-name="trust" destination-zone-name="untrust" session-id="77" packet-incoming-interface="ge-0/0/1.0"]',
    )
    assert {name: plain[name] for name in structured} == structured


# ------------------------------------------------------------------ all


@pytest.mark.parametrize("name", [*NAMES, "suricata.eve", "snort.alert", "linux.auth"])
def test_no_line_takes_long(name: str) -> None:
    adapter = load_named("ingest.adapters", name, "ADAPTER", Adapter)
    context = Context(received_us=from_iso("2026-06-15T12:00:00Z"))
    chance = random.Random(name)  # noqa: S311 - repeatable noise
    starts = [
        "", "<134>", "%ASA-6-302013: ", "%ASA-4-113019: ", "%SYS-5-CONFIG_I: ", "CEF:0|a|b|c|d|e|f|", "LEEF:2.0|a|b|c|d|", "[junos@1 ",
        'logid="1" ', "id=firewall ", 'device="SFW" ', "1,2026/06/15 10:00:00,1,SYSTEM,auth,1,,", "rule 4/(match) block in on em0: ",
        'syslog[action:"', "CEF:0|Check Point|", "2026:06:15-10:00:00 host aua: ", "date=2026-06-15,time=11:00:00,",
        "Jun 15 11:00:00 web sshd[1]: Failed password for ",
        '{"timestamp":"2026-06-15T11:00:00.000000+0000","event_type":"smtp","smtp":{"mail_from":"',
    ]  # fmt: skip
    fillings = [
        "9",
        "a",
        " ",
        "=",
        "a=",
        '"',
        "|",
        ",",
        ":",
        ", Username = ",
        " from ",
        " User ",
        "(",
        "\\",
        "::",
        "a.b.c ",
        "->",
        "[",
        "src=",
        "A_",
        "a@",
    ]
    for start in starts:
        for filling in fillings:
            line = (
                start
                + filling * (20_000 // len(filling))
                + (
                    '"}}'
                    if start[:1] == "{"
                    else '"z'
                    if start[:5] == "date="
                    else chance.choice(["", "x", "\x00", '"', "]"])
                )
            )
            before = time.process_time()
            with contextlib.suppress(ParseError):
                adapter.parse(line.encode(), context)
            # What is not linear would take seconds here; a busy machine must not fail the test.
            assert time.process_time() - before < 1, (start, filling)
