"""Linux netfilter log lines: iptables `LOG`, nftables `log`, the front ends that write them, and ulogd.

Source: Linux 6.12 `net/netfilter/nf_log_syslog.c`, which fixes the order and names of the words;
prefixes are read by `ingest.formats.netfilter_prefix`, words by `ingest.formats.netfilter_words`.

Words that ECS has no field for are kept under `netfilter.*`; what is no pair of word and value is taken
out first by `ingest.formats.netfilter_asides`.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import syslog, ulogd
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.community_id import community_id
from ingest.formats.netfilter_asides import take_asides
from ingest.formats.netfilter_prefix import prefix_fields
from ingest.formats.netfilter_words import WORDS, Plan
from ingest.formats.shapes import Values
from ingest.formats.text import decode
from ingest.formats.time import any_us
from ingest.tables.protocols import transport_fields

_MAX_HEAD: Final = 1024
_GLUED: Final = re.compile(r"IN=\S{0,64} OUT=").match
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
_COLONS: Final = ":" * 13
_LARGEST_PORT: Final = 65_535
_LONG_DIGITS: Final = 18

_transport = lru_cache(1024)(transport_fields)
_prefix = lru_cache(8192)(prefix_fields)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line, with any syslog header or none, or one of ulogd's JSON records.

    Raises:
        ParseError: the line has no `IN=` or `OUT=`, or names no addresses.
    """
    if raw[:1] == b"{":
        return [_CONSTANT | ulogd.read(raw, context.received_us, context.zone)]
    text = decode(raw)
    at = _packet_at(text)
    if at > _MAX_HEAD:
        raise ParseError(f"{at} characters before the packet; the bound is {_MAX_HEAD}")
    step = context.received_us // _STEP_US
    # The kernel's own clock, "[12345.678901]", differs on every line; what stands around it repeats.
    start = text.find("[", 0, at)
    end = text.find("]", start, at) if start >= 0 else -1
    clock = text[start + 1 : end].strip() if end > 0 else ""
    if clock[-7:-6] == "." and clock.replace(".", "", 1).isdecimal():
        fields = _header(text[:start], step, context.zone).copy()
        fields["netfilter.uptime"] = clock
        fields.update(_prefix(text[end + 1 : at]))
    else:
        fields = _head(text[:at], step, context.zone).copy()
    words = text[at:]
    if " [" in words or " OPT (" in words or " FRAG:" in words:
        words = take_asides(fields, words)
    plan, values = WORDS.read(words)
    _place(fields, plan, values)
    return [fields]


def _packet_at(text: str) -> int:
    """Return where `IN=` stands, not as the end of another word (`PHYSIN=`); where it is left out, `OUT=`.

    A prefix may run into it (`droppedIN=eth0 OUT=`), since the kernel puts nothing between.
    """
    for mark in ("IN=", "OUT="):
        at = text.find(mark)
        if at > 0 and _GLUED(text, at):
            return at
        while at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_"):
            at = text.find(mark, at + 1)
        if at >= 0:
            return at
    raise ParseError("expected a netfilter line with IN= or OUT=")


@lru_cache(8192)
def _header(text: str, step: int, zone: tzinfo) -> Fields:
    """Read a header that the kernel's clock ended. Not to be changed."""
    return _of_header(syslog.read(text, step * _STEP_US, zone))


@lru_cache(8192)
def _head(text: str, step: int, zone: tzinfo) -> Fields:
    """Read header and prefix together, which only the header's form can tell apart. Not to be changed."""
    received_us = step * _STEP_US
    header = syslog.read(text, received_us, zone)
    prefix = header.message
    if header.time_us is None:
        header.time_us = _proxmox_us(prefix, zone, received_us)
    if header.app and header.app not in {"kernel", "ulogd"} and not header.pid:
        prefix = f"{header.app}: {prefix}"  # "DROP: IN=" looks like a tag to syslog
        header.app = ""
    return _of_header(header) | _prefix(prefix)


def _of_header(header: syslog.Header) -> Fields:
    fields: Fields = dict(_CONSTANT)
    if header.time_us is not None:
        fields["@timestamp"] = iso(header.time_us)
    syslog.add_fields(fields, header)
    if header.host:
        fields["observer.name"] = fields["observer.hostname"] = header.host
    return fields


def _proxmox_us(prefix: str, zone: tzinfo, received_us: int) -> int | None:
    words = prefix.split(" ", 5)
    if len(words) > 4 and words[0].isdecimal() and "/" in words[3]:  # noqa: PLR2004 - vmid level chain time zone
        try:
            return any_us(f"{words[3]} {words[4]}", zone, received_us)
        except ValueError:
            return None
    return None


def _place(fields: Fields, plan: Plan, values: Values) -> None:
    """Place the words of the packet."""
    source, destination, ingress, egress, macs, length, protocol, first, second, *others = (
        plan.placed((*values, ""))
    )
    source, destination = source or others[0], destination or others[1]
    if source and destination:
        _addresses(fields, source, destination)
    else:
        _without_addresses(plan, source + destination, macs + others[2])
    if ingress:
        fields["observer.ingress.interface.name"] = ingress
    if egress:
        fields["observer.egress.interface.name"] = egress
    if not ingress or not egress:
        _local(fields, ingress, egress)
    if macs or others[2]:
        _macs(fields, macs, others)
    if length.isdecimal() and len(length) <= _LONG_DIGITS:
        fields["source.bytes"] = fields["network.bytes"] = int(length)
    elif length:
        fields["netfilter.length"] = length
    plan.keep(fields, values)
    fields.update(plan.constant)
    if protocol:
        transport = _transport(protocol)
        fields.update(transport or {"network.transport": protocol.lower()})
        _ports(fields, transport.get("network.iana_number", ""), first, second)


def _without_addresses(plan: Plan, one: str, macs: str) -> None:
    """Accept a frame that is no IP packet, of which the kernel writes the Ethernet addresses; refuse a line cut short."""
    if one or not (macs or "network.type" in plan.constant):
        raise ParseError("expected a netfilter line with SRC= and DST=")


def _addresses(fields: Fields, source: str, destination: str) -> None:
    first, second = canonical_ip(source), canonical_ip(destination)
    related = []
    if first is not None:
        fields["source.ip"] = source = first
        related.append(first)
    if second is not None:
        fields["destination.ip"] = destination = second
        if second != first:
            related.append(second)
    fields["source.address"], fields["destination.address"] = source, destination
    if related:
        fields["related.ip"] = related
    fields["network.type"] = "ipv6" if ":" in source else "ipv4"


def _local(fields: Fields, ingress: str, egress: str) -> None:
    """Say which way a packet to or from the machine itself goes; one forwarded says nothing about the machine."""
    if ingress or egress:
        fields["network.direction"] = "ingress" if ingress else "egress"
        if "observer.name" in fields:
            fields["host.name"] = fields["host.hostname"] = fields["observer.name"]


def _macs(fields: Fields, both: str, others: list[str]) -> None:
    """Place `destination:source:type` of an Ethernet header; other headers are kept as they are."""
    tunnel = others[4]
    if tunnel:  # the octets are those of the outer IP header
        fields["netfilter.tunnel"] = tunnel
    elif not both:
        _mac_words(fields, others[2], others[3])
        return
    elif len(both) == _MAC_LENGTH and both[2::3] == _COLONS:
        try:
            bytes.fromhex(both.replace(":", ""))
        except ValueError:
            pass
        else:
            upper = both.upper().replace(":", "-")
            fields["destination.mac"], fields["source.mac"] = upper[:17], upper[18:35]
            return
    fields["netfilter.mac"] = both


def _mac_words(fields: Fields, sent: str, received: str) -> None:
    for side, text in (("source", sent), ("destination", received)):
        mac = canonical_mac(text)
        if mac is not None:
            fields[side + ".mac"] = mac
        elif text:
            fields[f"netfilter.mac_{side}"] = text


def _ports(fields: Fields, number: str, first: str, second: str) -> None:
    """Place ports and the community id, where the protocol has them."""
    ports = None
    if first.isdecimal() and second.isdecimal():
        ports = (int(first[:9]), int(second[:9]))
        if max(ports) <= _LARGEST_PORT:
            fields["source.port"], fields["destination.port"] = ports
        else:
            _odd_ports(fields, first, second)
    elif first or second:
        _odd_ports(fields, first, second)
    elif number in {"1", "58"}:
        kind, code = fields.get("netfilter.icmp.type", ""), fields.get("netfilter.icmp.code", "")
        if kind.isdecimal() and code.isdecimal():
            ports = (int(kind[:9]), int(code[:9]))
    if number and "source.ip" in fields and "destination.ip" in fields:
        flow = community_id(fields["source.ip"], fields["destination.ip"], int(number), ports)
        if flow is not None:
            fields["network.community_id"] = flow


def _odd_ports(fields: Fields, first: str, second: str) -> None:
    for side, text in (("source", first), ("destination", second)):
        if text:
            fields[f"netfilter.{side}_port"] = text


_HOLES: Final = {
    "port": ("SPT=", "DPT="),
    "count": ("LEN=", "TTL=", "ID=", "WINDOW=", "SEQ=", "HOPLIMIT=", "FLOWLBL="),
}

ADAPTER = Adapter("linux.netfilter", parse, typed=True, holes=_HOLES)
