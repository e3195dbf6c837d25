"""Linux netfilter log lines: iptables `LOG`, nftables `log`, and the front ends that write them.

Source: Linux 6.12 `net/ipv4/netfilter/nf_log_ipv4.c` and its IPv6, ARP and common siblings, which fix
the order and names of the words; prefixes are read by `ingest.formats.netfilter_prefix`.

Words that ECS has no field for are kept under `netfilter.*`. The packet that an ICMP error encloses
(in brackets) is not the packet logged; it is kept as `netfilter.inner`.
"""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import syslog
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.community_id import community_id
from ingest.formats.netfilter_prefix import prefix_fields
from ingest.formats.text import decode
from ingest.formats.time import any_us
from ingest.tables.protocols import transport_fields

_MAX_HEAD: Final = 1024
_STEP_US: Final = 600_000_000
"""Arrival rounded to ten minutes: only the year hangs on it, and heads of a second can be remembered."""

_CONSTANT: Final = {
    "event.kind": "event",
    "event.module": "netfilter",
    "event.dataset": "netfilter.log",
    "event.category": ["network"],
    "observer.vendor": "Linux",
    "observer.product": "netfilter",
    "observer.type": "firewall",
}
_MAC_LENGTH: Final = 41  # fourteen octets: destination, source, type
_TCP_FLAGS: Final = frozenset(("SYN", "ACK", "FIN", "RST", "PSH", "URG", "ECE", "CWR"))
_FRAGMENT_FLAGS: Final = frozenset(("DF", "MF", "CE"))
_KEPT: Final = {
    "LEN": "length", "TOS": "tos", "PREC": "precedence", "TTL": "ttl", "ID": "id", "TC": "traffic_class", "HOPLIMIT": "ttl",
    "FLOWLBL": "flow_label", "WINDOW": "tcp.window", "SEQ": "tcp.sequence", "ACK": "tcp.acknowledgment", "RES": "tcp.reserved",
    "URGP": "tcp.urgent_pointer", "TYPE": "icmp.type", "CODE": "icmp.code", "MARK": "mark", "PHYSIN": "bridge.ingress",
    "PHYSOUT": "bridge.egress", "MACPROTO": "ethertype", "SPI": "spi", "GATEWAY": "icmp.gateway", "MTU": "icmp.mtu",
    "PARAMETER": "icmp.parameter", "HTYPE": "arp.hardware_type", "PTYPE": "arp.protocol_type", "OPCODE": "arp.opcode",
    "INCOMPLETE": "incomplete",
}  # fmt: skip


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line, with any syslog header or none.

    Raises:
        ParseError: the line has no `IN=` or names no addresses.
    """
    text = decode(raw)
    at = _packet_at(text)
    head, uptime = _without_uptime(text[:at])
    if len(head) > _MAX_HEAD:
        raise ParseError(f"{len(head)} characters before IN=; the bound is {_MAX_HEAD}")
    packet, _, inner = text[at:].partition(" [")
    # Reversed, so that of equal words the first holds: LEN of IP before LEN of UDP.
    words = packet.split()[::-1]
    pairs = dict([word.split("=", 1) for word in words if "=" in word])
    fields = _head(head, context.received_us // _STEP_US, context.zone).copy()
    if uptime:
        fields["netfilter.uptime"] = uptime
    if inner:
        fields["netfilter.inner"] = inner.rpartition("]")[0] or inner
    _place(fields, pairs)
    flags = [word for word in words if "=" not in word]
    if flags:
        _flags(fields, flags[::-1])
    return [fields]


def _packet_at(text: str) -> int:
    """Return where `IN=` stands, not as the end of another word (`PHYSIN=`)."""
    at = text.find("IN=")
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at = text.find("IN=", at + 1)
    if at < 0:
        raise ParseError("expected a netfilter line with IN=")
    return at


def _without_uptime(head: str) -> tuple[str, str]:
    """Cut the kernel's own clock (`[12345.678901]`), which differs on every line, out of the head."""
    start = head.find("[")
    if start >= 0:
        end = head.find("]", start)
        clock = head[start + 1 : end].strip()
        if end > 0 and "." in clock and clock.replace(".", "", 1).isdecimal():
            return head[:start] + head[end + 1 :].lstrip(), clock
    return head, ""


@lru_cache(8192)
def _head(text: str, step: int, zone: tzinfo) -> Fields:
    """Read header and prefix to the fields that all lines with the same share. Not to be changed."""
    received_us = step * _STEP_US
    header = syslog.read(text, received_us, zone)
    fields: Fields = dict(_CONSTANT)
    prefix = header.message
    if header.time_us is None:
        header.time_us = _proxmox_us(prefix, zone, received_us)
    if header.time_us is not None:
        fields["@timestamp"] = iso(header.time_us)
    syslog.add_fields(fields, header)
    if header.host:
        fields["observer.name"] = fields["observer.hostname"] = header.host
    if header.app and header.app not in {"kernel", "ulogd"} and not header.pid:
        prefix = f"{header.app}: {prefix}"  # "DROP: IN=" looks like a tag to syslog
        fields.pop("log.syslog.appname", None)
    fields.update(prefix_fields(prefix))
    return fields


def _proxmox_us(prefix: str, zone: tzinfo, received_us: int) -> int | None:
    words = prefix.split(" ", 5)
    if len(words) > 4 and words[0].isdecimal() and "/" in words[3]:  # noqa: PLR2004 - vmid level chain time zone
        try:
            return any_us(f"{words[3]} {words[4]}", zone, received_us)
        except ValueError:
            return None
    return None


def _place(fields: Fields, pairs: dict[str, str]) -> None:
    """Place the words of the packet."""
    take = pairs.pop
    source, destination = take("SRC", ""), take("DST", "")
    if not source:
        source, destination = take("IPSRC", ""), take("IPDST", "")
    if not source or not destination:
        raise ParseError("expected a netfilter line with SRC= and DST=")
    source, destination = canonical_ip(source) or source, canonical_ip(destination) or destination
    fields["source.address"] = fields["source.ip"] = source
    fields["destination.address"] = fields["destination.ip"] = destination
    fields["related.ip"] = [source, destination] if source != destination else [source]
    fields["network.type"] = "ipv6" if ":" in source else "ipv4"
    _interfaces(fields, take("IN", ""), take("OUT", ""))
    _macs(fields, pairs)
    protocol = take("PROTO", "")
    if protocol:
        transport = transport_fields(protocol)
        fields.update(transport or {"network.transport": protocol.lower()})
        _ports(fields, pairs, transport.get("network.iana_number", ""), source, destination)
    length = pairs.get("LEN", "")
    if length.isdecimal():
        fields["source.bytes"] = fields["network.bytes"] = int(length)
    _rest(fields, pairs)


def _rest(fields: Fields, pairs: dict[str, str]) -> None:
    for name, field in (("UID", "user.id"), ("GID", "group.id"), ("VID", "network.vlan.id")):
        if name in pairs:
            fields[field] = pairs.pop(name)
    kept = _KEPT
    for name, value in pairs.items():
        if value:
            fields["netfilter." + (kept.get(name) or name.lower())] = value


def _interfaces(fields: Fields, ingress: str, egress: str) -> None:
    if ingress:
        fields["observer.ingress.interface.name"] = ingress
    if egress:
        fields["observer.egress.interface.name"] = egress
    if (not ingress or not egress) and (ingress or egress):
        # To or from the machine itself; a packet that is forwarded says nothing about the machine.
        fields["network.direction"] = "ingress" if ingress else "egress"
        if "observer.name" in fields:
            fields["host.name"] = fields["host.hostname"] = fields["observer.name"]


def _macs(fields: Fields, pairs: dict[str, str]) -> None:
    both = pairs.get("MAC", "")
    if len(both) == _MAC_LENGTH:
        del pairs["MAC"]
        sent, received = canonical_mac(both[18:35]), canonical_mac(both[:17])
    else:
        sent = canonical_mac(pairs.get("MACSRC", ""))
        received = canonical_mac(pairs.get("MACDST", ""))
        if sent is not None and received is not None:
            del pairs["MACSRC"], pairs["MACDST"]
    if sent is not None:
        fields["source.mac"] = sent
    if received is not None:
        fields["destination.mac"] = received


def _ports(
    fields: Fields, pairs: dict[str, str], number: str, source: str, destination: str
) -> None:
    """Place ports and the community id, where the protocol has them."""
    icmp = number in {"1", "58"}
    left, right = ("TYPE", "CODE") if icmp else ("SPT", "DPT")
    first, second = pairs.get(left, ""), pairs.get(right, "")
    ports = None
    if first.isdecimal() and second.isdecimal():
        ports = (int(first), int(second))
        if not icmp:
            fields["source.port"], fields["destination.port"] = ports
            del pairs["SPT"], pairs["DPT"]
    if number:
        flow = community_id(source, destination, int(number), ports)
        if flow is not None:
            fields["network.community_id"] = flow


def _flags(fields: Fields, words: list[str]) -> None:
    if tcp := [word for word in words if word in _TCP_FLAGS]:
        fields["netfilter.tcp.flags"] = tcp
    if fragment := [word for word in words if word in _FRAGMENT_FLAGS]:
        fields["netfilter.fragment_flags"] = fragment


ADAPTER = Adapter("linux.netfilter", parse)
