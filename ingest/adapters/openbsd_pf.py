"""pf: captures of the pflog interface, what tcpdump prints of it, and filterlog columns.

Sources: OpenBSD 7.6 and FreeBSD 14 tcpdump(8) with `-e` on pflog(4) (`rule 4/(match) [uid 0, pid 1]
block in on em0: …`), captures as in `ingest.formats.pflog`, filterlog as in `ingest.formats.filterlog`. Addresses and ports are parted by the
last dot (`192.0.2.1.443`), names of ports only where tcpdump ran without `-n`.
"""

from __future__ import annotations

import re

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import filterlog, pflog
from ingest.formats.address import canonical_ip
from ingest.formats.device import Device
from ingest.formats.finish import finish
from ingest.formats.number import whole
from ingest.formats.pcap import Packet, is_pcap, packets
from ingest.formats.text import decode
from ingest.formats.time import any_us
from ingest.tables.protocols import transport_fields

_OWN = "openbsd.pf."
_DEVICE = Device(
    {
        "event.module": "openbsd",
        "event.dataset": "openbsd.pf",
        "observer.vendor": "OpenBSD",
        "observer.product": "pf",
        "observer.type": "firewall",
    }
)
_PFLOG = re.compile(
    r"rule (?P<rule>\d+|def)(?:\.(?P<anchor>[^\s/]+)\.(?P<subrule>\d+))?/"
    r"(?:(?P<code>\d+))?\s?\((?P<reason>[\w\-]+)\):?\s(?:\[[^\]]{0,200}\]:?\s)?"
    r"(?P<action>pass|block|scrub|nat|binat|rdr|match|synproxy drop|defer)\s(?P<way>in|out) on (?P<interface>[^\s:]+):\s"
).search
_ENDS = re.compile(
    r"(?:\([^)]*\)\s?)?(?:IP6? )?(?P<source>[^\s>]{1,300}) > (?P<destination>[^\s>]{1,300}):(?:\s|$)(?P<rest>.*)",
    re.DOTALL,
).match
_STAMP = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?) $"
).search
_TCP = re.compile(r"(?:Flags \[[^\]]*\]|[SFRPEWU.]{1,8} (?:\d|ack|win))").match
_ICMP = re.compile(r"(?:ICMP6?|icmp6?)[:,]? ").match
_LENGTH = re.compile(r"(?:, length:? |udp |\(ttl \d{1,3}, id \d{1,5}, len )(\d{1,6})").search
_ICMP_TYPES = {"echo request": (8, 0), "echo reply": (0, 0)}


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line, or a capture with all its packets.

    Raises:
        ParseError: neither a capture of pflog, nor a line of tcpdump on it, nor filterlog columns.
    """
    if is_pcap(raw):
        return [_of_packet(packet, context) for packet in packets(raw)]
    text = decode(raw)
    match = _PFLOG(text, 0, 1024)
    if match is not None:
        return [_of_text(text, match, context)]
    comma = text.find(",")
    if comma < 0:
        raise ParseError("neither tcpdump's words of pflog nor filterlog columns")
    start = max(text.rfind(" ", 0, comma), text.rfind(">", 0, comma)) + 1
    fields = dict(_DEVICE.start(text[:start], context))
    icmp = filterlog.read(fields, text[start:].split(","), _OWN)
    finish(fields, icmp)
    return [fields]


def _of_packet(packet: Packet, context: Context) -> Fields:
    said, icmp = pflog.read(packet)
    fields = _DEVICE.start("", context) | said
    fields["@timestamp"] = iso(packet.time_us)
    finish(fields, icmp)
    return fields


def _of_text(text: str, match: re.Match[str], context: Context) -> Fields:
    head = text[: match.start()]
    fields = dict(_DEVICE.start(head, context))
    if stamp := _STAMP(head):
        try:
            fields["@timestamp"] = iso(any_us(stamp[1], context.zone, context.received_us))
        except ValueError:
            fields[_OWN + "time"] = stamp[1]
    action, inward = match["action"], match["way"] == "in"
    fields |= {
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": [
            "connection",
            "denied" if action in ("block", "synproxy drop") else "allowed",
        ],
        "event.outcome": "success",
        "event.action": action,
        "event.reason": match["reason"],
        "network.direction": "inbound" if inward else "outbound",
        f"observer.{'ingress' if inward else 'egress'}.interface.name": match["interface"],
        "rule.id": match["rule"],
    }
    if match["anchor"]:
        fields["rule.ruleset"] = match["anchor"]
        fields[_OWN + "subrule"] = match["subrule"]
    ends = _ENDS(text, match.end())
    if ends is None:
        if match.end() < len(text):
            fields["message"] = text[match.end() :]
        finish(fields)
        return fields
    rest = ends["rest"]
    ports = [
        _end(fields, "source", ends["source"]),
        _end(fields, "destination", ends["destination"]),
    ]
    fields["network.type"] = "ipv6" if ":" in ends["source"] else "ipv4"
    icmp = _protocol(fields, rest, with_ports=all(ports))
    if length := _LENGTH(rest):
        fields["network.bytes"] = int(length[1])
    if rest:
        fields[_OWN + "packet"] = rest
    finish(fields, icmp)
    return fields


def _end(fields: Fields, side: str, text: str) -> bool:
    """Place an end of a packet; tell whether it has a port."""
    host, dot, port = text.rpartition(".")
    if canonical_ip(text) is None and dot and canonical_ip(host) is not None:
        fields[f"{side}.ip"] = host
        number = whole(port)
        if number is None:
            fields[_OWN + f"{side}_service"] = port
        else:
            fields[f"{side}.port"] = number
        return True
    fields[f"{side}.ip"] = text
    return False


def _protocol(fields: Fields, rest: str, *, with_ports: bool) -> tuple[int, int] | None:
    lower = rest[:200].lower()
    if _ICMP(rest):
        name = "ipv6-icmp" if lower.startswith("icmp6") else "icmp"
        fields.update(transport_fields(name))
        return (
            next((pair for words, pair in _ICMP_TYPES.items() if words in lower), None)
            if name == "icmp"
            else None
        )
    if with_ports:
        fields.update(transport_fields("tcp" if _TCP(rest) else "udp"))
        return None
    word = lower.partition(" ")[0].strip(":,-")
    fields.update(transport_fields(word))
    return None


_HOLES = filterlog.HOLES | {
    "count": (*filterlog.HOLES["count"], "pid ", "seq ", "ack ", "win ", "length ", "id ", "len ")
}

ADAPTER = Adapter(name="openbsd.pf", parse=parse, typed=True, holes=_HOLES)
