"""Lines as Linux 6.12 `nf_log_syslog.c` builds them, in its rarer forms."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from contract.errors import ParseError
from contract.ports import Context
from ingest.adapters.linux_netfilter import ADAPTER

ENDS = "SRC=192.0.2.1 DST=192.0.2.2 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1"
INNER = "SRC=192.0.2.2 DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=2 DF PROTO=TCP SPT=80 DPT=5000 WINDOW=100 RES=0x00 SYN URGP=0"  # fmt: skip


def fields_of(packet: str, prefix: str = "[1.5] ", ways: str = "IN=eth0 OUT= ") -> dict[str, Any]:
    line = f"Jun 15 11:00:00 gw kernel: {prefix}{ways}{packet}"
    (fields,) = ADAPTER.parse(line.encode(), Context(1_781_524_800_000_000, UTC))
    return fields


def test_words_after_the_packet_that_an_error_encloses_are_the_error_s_own() -> None:
    fields = fields_of(f"{ENDS} PROTO=ICMP TYPE=3 CODE=4 [{INNER} ] MTU=1400 UID=0 GID=0 MARK=0x1 ")
    assert fields["netfilter.inner"] == INNER
    assert fields["netfilter.icmp.mtu"] == "1400"
    assert (fields["user.id"], fields["netfilter.mark"]) == ("0", "0x1")
    assert "source.port" not in fields


def test_a_cut_enclosed_packet_does_not_hide_what_follows() -> None:
    inner = "SRC=192.0.2.2 DST=192.0.2.1 LEN=60 PROTO=TCP INCOMPLETE [4 bytes]"
    fields = fields_of(f"{ENDS} PROTO=ICMP TYPE=11 CODE=0 [{inner} ] MARK=0x2 ")
    assert fields["netfilter.inner"] == inner
    assert fields["netfilter.mark"] == "0x2"
    fields = fields_of(f"{ENDS} PROTO=ICMP TYPE=11 CODE=0 [SRC=192.0.2.2 DST=19")
    assert fields["netfilter.inner"] == "SRC=192.0.2.2 DST=19"


def test_an_incomplete_header_is_no_enclosed_packet() -> None:
    fields = fields_of(f"{ENDS} PROTO=TCP INCOMPLETE [4 bytes] MARK=0x2 ")
    assert fields["netfilter.incomplete_bytes"] == "4"
    assert fields["netfilter.flags"] == ["INCOMPLETE"]
    assert fields["netfilter.mark"] == "0x2"
    assert "netfilter.inner" not in fields


def test_options_of_both_layers_are_kept_apart() -> None:
    tcp = "PROTO=TCP SPT=1 DPT=2 SEQ=5 ACK=0 WINDOW=3 RES=0x00 AE SYN URGP=0 OPT (020405B4)"
    fields = fields_of(f"{ENDS} DF OPT (94040000) {tcp} MARK=0x3 ")
    assert fields["netfilter.ip.options"] == "94040000"
    assert fields["netfilter.tcp.options"] == "020405b4"
    assert fields["netfilter.tcp.flags"] == ["AE", "SYN"]
    assert fields["netfilter.tcp.sequence"] == "5"
    assert fields["netfilter.mark"] == "0x3"


def test_fragments_say_where_they_stand() -> None:
    fields = fields_of(f"{ENDS} MF FRAG:185 PROTO=UDP ")
    assert fields["netfilter.fragment_offset"] == "185"
    assert fields["netfilter.fragment_flags"] == ["MF"]
    six = "SRC=2001:db8::1 DST=2001:db8::2 LEN=60 TC=0 HOPLIMIT=255 FLOWLBL=0"
    fields = fields_of(f"{six} OPT ( FRAG:0 INCOMPLETE ID:0000abcd ) PROTO=UDP SPT=1 DPT=2 LEN=20 ")
    assert fields["netfilter.fragment_id"] == "0000abcd"
    assert fields["destination.port"] == 2
    fields = fields_of(f"{six} OPT ( AH SPI=0x12 ) PROTO=TCP SPT=1 DPT=2 WINDOW=3 RES=0x00 SYN ")
    assert fields["netfilter.spi"] == "0x12"
    assert fields["netfilter.flags"] == ["AH"]


def test_a_tunnel_s_octets_are_no_ethernet_addresses() -> None:
    fields = fields_of(f"MAC=45:00:00:28:00:00:40:00:40:29:7c:1d:0a:00 TUNNEL=192.0.2.9->192.0.2.8 {ENDS} PROTO=59 ", ways="IN=sit1 OUT= ")  # fmt: skip
    assert "source.mac" not in fields
    assert fields["netfilter.mac"].startswith("45:00")
    assert fields["netfilter.tunnel"] == "192.0.2.9->192.0.2.8"


@pytest.mark.parametrize(
    "frame",
    [
        "MAC=ff:ff:ff:ff:ff:ff:00:00:5e:00:53:02:88:cc ",
        "MACSRC=00:00:5e:00:53:02 MACDST=ff:ff:ff:ff:ff:ff MACPROTO=88cc ",
    ],
)
def test_a_frame_that_is_no_ip_packet_has_its_ethernet_addresses(frame: str) -> None:
    fields = fields_of(frame)
    assert fields["source.mac"] == "00-00-5E-00-53-02"
    assert "source.ip" not in fields


def test_arp_is_told_from_ip() -> None:
    fields = fields_of("ARP HTYPE=1 PTYPE=0x0800 OPCODE=1 MACSRC=00:00:5e:00:53:02 IPSRC=192.0.2.1 MACDST=00:00:00:00:00:00 IPDST=192.0.2.2")  # fmt: skip
    assert (fields["network.type"], fields["source.ip"]) == ("arp", "192.0.2.1")
    fields = fields_of("ARP HTYPE=6 PTYPE=0x0800 OPCODE=1")
    assert fields["network.type"] == "arp"


@pytest.mark.parametrize("packet", ["SRC=192.0.2.1 ", "MAC=00 DST=192.0.2.1", "", "nothing more"])
def test_a_line_cut_within_the_addresses_is_refused(packet: str) -> None:
    with pytest.raises(ParseError, match="SRC= and DST="):
        fields_of(packet)


def test_a_prefix_may_run_into_the_packet() -> None:
    fields = fields_of(f"{ENDS} PROTO=TCP SPT=1 DPT=2 ", prefix="iptables-dropped")
    assert (fields["rule.name"], fields["event.action"]) == ("iptables-dropped", "drop")
    assert fields["observer.ingress.interface.name"] == "eth0"
    bridged = fields_of(f"PHYSIN=eth1 {ENDS} PROTO=47 ", ways="OUT=br0 ")
    assert bridged["observer.egress.interface.name"] == "br0"
    assert bridged["netfilter.bridge.ingress"] == "eth1"


def test_ports_and_lengths_that_are_none_are_kept_as_they_stand() -> None:
    fields = fields_of("SRC=192.0.2.1 DST=192.0.2.2 LEN=x PROTO=TCP SPT=70000 DPT=y ")
    assert fields["netfilter.length"] == "x"
    assert fields["netfilter.source_port"] == "70000"
    assert fields["netfilter.destination_port"] == "y"


def test_firewalld_s_quoted_prefix_names_rule_and_zone() -> None:
    fields = fields_of(f"{ENDS} PROTO=47 ", prefix='"filter_IN_public_DROP: "')
    assert fields["rule.name"] == "filter_IN_public_DROP"
    assert fields["observer.ingress.zone"] == "public"
