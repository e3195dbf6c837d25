"""Lines as tcpdump prints them of pf's log, by OpenBSD's and tcpdump.org's programs."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from contract.ports import Context
from ingest.adapters.openbsd_pf import ADAPTER

NOW = 1_781_524_800_000_000


def fields_of(line: str) -> dict[str, Any]:
    (fields,) = ADAPTER.parse(line.encode(), Context(NOW, UTC))
    return fields


def test_an_anchor_names_its_rule_even_without_a_number_or_with_a_slash() -> None:
    fields = fields_of("rule 4.ftp-proxy.def/(match) block in on em0: 10.0.0.1 > 10.0.0.2: icmp: echo request")  # fmt: skip
    assert fields["rule.id"] == "4"
    assert (fields["rule.ruleset"], fields["openbsd.pf.subrule"]) == ("ftp-proxy", "def")
    fields = fields_of("rule 77.tftp-proxy/*.0/0(match): block in on em0: IP 10.0.0.1 > 10.0.0.2: ICMP echo request")  # fmt: skip
    assert fields["rule.ruleset"] == "tftp-proxy/*"


def test_with_v_the_socket_and_the_translation_are_read_and_the_rule_s_maker_is_not_the_user() -> (
    None
):
    fields = fields_of(
        "rule 4/(match) [uid 0, pid 99] pass out on em0: [uid 1000, pid 77] "
        "[rewritten: src 198.51.100.1:5000, dst 192.0.2.1:443] "
        "10.0.0.2.4000 > 192.0.2.1.443: S [tcp sum ok] 1:1(0) win 65535 (DF) (ttl 64, id 7, len 60)"
    )
    assert (fields["user.id"], fields["process.pid"]) == ("1000", 77)
    assert (fields["source.ip"], fields["source.nat.ip"]) == ("10.0.0.2", "198.51.100.1")
    assert (fields["source.port"], fields["source.nat.port"]) == (4000, 5000)
    assert "destination.nat.ip" not in fields
    assert (fields["network.transport"], fields["network.bytes"]) == ("tcp", 60)


def test_a_socket_that_nobody_has_names_no_user() -> None:
    fields = fields_of("rule 4/(match) [uid 0, pid 99] pass in on em0: [uid 4294967295, pid 100000] 10.0.0.1.53 > 10.0.0.2.5000: udp 40")  # fmt: skip
    assert "user.id" not in fields
    assert "process.pid" not in fields


@pytest.mark.parametrize(
    ("packet", "transport"),
    [
        ("esp 10.0.0.1 > 10.0.0.2 spi 0x00001001 seq 1 len 84", "esp"),
        ("carp 10.0.0.1 > 224.0.0.18: CARPv2-advertise 36: vhid=1 advbase=1", "vrrp"),
        ("IP 10.0.0.1 > 10.0.0.2: ESP(spi=0x00001001,seq=0x1), length 84", "esp"),
        ("IP 10.0.0.1 > 224.0.0.5: OSPFv2, Hello, length 44", "ospf"),
        ("10.0.0.1 > 224.0.0.5: OSPFv2-hello  44: rtrid 10.0.0.1", "ospf"),
        ("IP 10.0.0.1 > 224.0.0.22: igmp v3 report, 1 group record(s)", "igmp"),
        ("IP 10.0.0.1 > 10.0.0.2: GREv1, call 1, length 36", "gre"),
        ("IP 10.0.0.1 > 10.0.0.2: ip-proto-103 20", "pim"),
        ("IP 10.0.0.1.5000 > 10.0.0.2.80: sctp (1) [INIT] [init tag: 1]", "sctp"),
        ("10.0.0.1.5000 > 10.0.0.2.80: R [bad tcp cksum 12! -> 13] 1:1(0) ack 1 win 0", "tcp"),
        ("10.0.0.1.53 > 10.0.0.2.5353: 1234* 1/0/0 A 192.0.2.1 (40)", "udp"),
        ("fe80::1 > ff02::1:ff00:1: icmp6: neighbor sol: who has fe80::2", "ipv6-icmp"),
        (
            "IP6 (hlim 64, next-header UDP (17) payload length: 12) 2001:db8::9.53 > 2001:db8::5.53: [udp sum ok] 1",
            "udp",
        ),
        (
            "IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto TCP (6), length 40) 10.0.0.1.1 > 10.0.0.2.2: Flags [S], seq 1",
            "tcp",
        ),
    ],
)
def test_the_transport_is_read_of_what_tcpdump_says(packet: str, transport: str) -> None:
    fields = fields_of(f"rule 4/0(match): block in on em0: {packet}")
    assert fields["network.transport"] == transport
    assert fields["source.ip"]
    assert fields["destination.ip"]


def test_a_line_cut_after_the_words_of_v_still_says_the_transport() -> None:
    fields = fields_of("rule 4/0(match): block in on em0: IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto TCP (6), length 40)")  # fmt: skip
    assert fields["network.transport"] == "tcp"
    assert "source.ip" not in fields


def test_actions_and_reasons_without_a_name_are_kept() -> None:
    fields = fields_of("rule 4/(unkn 20) match in on em0: 10.0.0.1 > 10.0.0.2: icmp: echo request")
    assert fields["event.reason"] == "unkn 20"
    fields = fields_of("rule 4/0(match): unkn(33) in on em0: IP 10.0.0.1 > 10.0.0.2: ICMP")
    assert fields["event.action"] == "unkn(33)"
    fields = fields_of("rule 4/0(match): synproxy-drop in on em0: IP 10.0.0.1 > 10.0.0.2: ICMP")
    assert fields["event.type"] == ["connection", "denied"]


@pytest.mark.parametrize("stamp", ["Jun 15 11:00:00.5", "2026-06-15 11:00:00.5", "1781521200.5"])
def test_each_absolute_stamp_of_tcpdump_is_the_event_s_time(stamp: str) -> None:
    fields = fields_of(f"{stamp} rule 4/(match) block in on em0: 10.0.0.1 > 10.0.0.2: icmp")
    assert fields["@timestamp"] == "2026-06-15T11:00:00.500000Z"
