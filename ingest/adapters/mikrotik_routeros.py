"""MikroTik RouterOS: packets that firewall rules log, logons, changes of configuration, leases; the rest as text.

Source: MikroTik, RouterOS manual, "Log" (topics, remote format with and without `bsd-syslog`), "Filter", property `log`, and
"Packet Flow in RouterOS" (lines of versions 6 and 7), read 2026-11. A line is the topics, a blank, and the text; of a packet
the rule's `log-prefix` stands before the chain. RouterOS does not log what a rule did; where the prefix names a verdict it is taken.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.device import MAX_HEAD, Device
from ingest.formats.finish import finish
from ingest.formats.netfilter_prefix import prefix_fields
from ingest.formats.number import whole
from ingest.formats.text import decode
from ingest.tables.protocols import transport_fields

_OWN: Final = "mikrotik.routeros."
_DEVICE = Device(
    {
        "event.kind": "event",
        "event.module": "mikrotik",
        "event.dataset": "mikrotik.routeros",
        "observer.vendor": "MikroTik",
        "observer.product": "RouterOS",
        "observer.type": "router",
    }
)
# Each rule of `/system logging` has a severity among its topics.
_TOPICS = re.compile(
    r"(?<![^\s>:])((?:[a-z][a-z0-9\-]{0,31},){0,8}(?:info|error|warning|critical|debug)(?:,[a-z][a-z0-9\-]{0,31}){0,8}) "
).search
_FLOW = re.compile(
    r"([\w.+\-]{1,32})(?: \(([^()]{0,64})\))?, (\S{1,80}?)->([^\s,]{1,80})(.*)", re.DOTALL
).fullmatch
_NAT = re.compile(r", NAT (?:\(([^()\s]*)\)|([^()\s]*?))->(?:\(([^()\s]*)\)|([^()\s,]*))").search
_ICMP = re.compile(r"type (\d{1,3}), code (\d{1,3})").fullmatch
_LENGTH = re.compile(r", len (\d{1,18})\b").search
_CLOCK = re.compile(r"(?:[a-z]{3}/\d\d(?:/\d{4})? )?\d\d:\d\d:\d\d ?").fullmatch
"""Of `/log print`, whose day is not told, and whose months have small letters."""
_NONE: Final = "(unknown 0)"
_LOGON = re.compile(
    r"user (?P<user>\S{1,128}) (?P<in>logged in|logged out)(?: from (?P<ip>\S{1,64}))?(?: via (?P<via>[\w\-]{1,32}))?|"
    r"login failure for user (?P<failed>.{0,128}?)(?: from (?P<from>\S{1,64}))?(?: via (?P<by>[\w\-]{1,32}))?"
).fullmatch
_CHANGE = re.compile(
    r"(.{1,128}) (added|changed|removed|moved|enabled|disabled) by (\S{1,128})"
).match
_LEASE = re.compile(
    r"(\S{1,64}) (assigned|deassigned) ([0-9A-Fa-f.:]{2,45}) (?:to|for|from) ([0-9A-Fa-f:]{17})(?: (.{1,255}))?"
).fullmatch


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line.

    Raises:
        ParseError: neither topics nor a packet.
    """
    text = decode(raw).strip()
    topics = _TOPICS(text[: MAX_HEAD + 256])
    body = text[topics.end() :] if topics else text
    before, is_packet, rest = body.partition(": in:")
    if topics is not None:
        head = text[: topics.start()]
    elif is_packet and " out:" in rest:
        start = before.rfind(" ", 0, before.rfind(": ") if ": " in before else len(before)) + 1
        head, before = before[:start], before[start:]
    else:
        raise ParseError(
            "expected RouterOS topics such as firewall,info, or a packet: CHAIN: in:… out:…"
        )
    fields = dict(_DEVICE.start(head, context))
    if _CLOCK(head):
        fields[_OWN + "clock"] = head.strip()
    if topics is not None:
        fields[_OWN + "topics"] = topics[1].split(",")
        fields["log.level"] = next(one for one in topics[1].split(",")[::-1] if one in _LEVELS)
    icmp = None
    if is_packet and " out:" in rest:
        icmp = _packet(fields, before, rest)
    else:
        _words(fields, body)
    finish(fields, icmp)
    return [fields]


_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


def _packet(fields: Fields, before: str, rest: str) -> tuple[int, int] | None:
    """Add a packet; return type and code of ICMP."""
    fields |= {"event.category": ["network"], "event.type": ["connection"]}
    prefix, _, chain = before.rpartition(" ")
    fields[_OWN + "chain"] = chain
    fields["message"] = f"{before}: in:{rest}"
    if prefix:
        fields |= prefix_fields(prefix)
        fields[_OWN + "prefix"] = prefix.rstrip(": ")
    ingress, _, rest = rest.partition(" out:")
    egress, _, rest = rest.partition(",")
    for name, interface in (("ingress", ingress), ("egress", egress)):
        if interface != _NONE:
            fields[f"observer.{name}.interface.name"] = interface
    state, _, flow = rest.partition("proto ")
    _state(fields, state)
    found = _FLOW(flow)
    if found is None:
        raise ParseError("a packet without proto NAME, SOURCE->DESTINATION")
    protocol, detail, source, destination, rest = found.groups()
    fields |= transport_fields(protocol)
    if "network.transport" not in fields:
        fields[_OWN + "protocol"] = protocol
    _endpoint(fields, "source", source)
    _endpoint(fields, "destination", destination)
    _translation(fields, rest)
    if length := _LENGTH(rest):
        fields["network.bytes"] = int(length[1])
    if detail is None:
        return None
    if kind := _ICMP(detail):
        fields[_OWN + "icmp.type"], fields[_OWN + "icmp.code"] = int(kind[1]), int(kind[2])
        return int(kind[1]), int(kind[2])
    fields[_OWN + "tcp.flags"] = detail.split(",")
    return None


def _state(fields: Fields, text: str) -> None:
    """Add `connection-state:new,snat src-mac 02:00:5e:10:00:01,` and marks."""
    words = iter(text.replace(", ", " ").rstrip(", ").split())
    for word in words:
        name, colon, value = word.partition(":")
        if name in {"src-mac", "dst-mac"}:
            fields["source.mac" if name == "src-mac" else "destination.mac"] = next(words, "")
        elif colon and name == "connection-state":
            fields[_OWN + "connection_state"] = value.split(",")
        elif colon:
            fields[_OWN + name.replace("-", "_").replace(".", "_")] = value


def _endpoint(fields: Fields, side: str, text: str) -> None:
    """Add `192.0.2.1:80`, `[2001:db8::1]:80` or an address alone."""
    address, port = _parts(text)
    fields[side + ".ip"] = address
    if port is not None:
        fields[side + ".port"] = port


def _parts(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
        return address.rstrip("]"), whole(port)
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, whole(port)
    return text, None


def _translation(fields: Fields, text: str) -> None:
    """Add what NAT made of a side: of `(A->B)->C` the source B, of `A->(B->C)` the destination C."""
    if (found := _NAT(text)) is None:
        return
    for side, inside in (("source", found[1]), ("destination", found[3])):
        if inside:
            address, port = _parts(inside.rpartition("->")[2])
            fields[side + ".nat.ip"] = address
            if port is not None:
                fields[side + ".nat.port"] = port


def _words(fields: Fields, text: str) -> None:
    """Add what a text of the system says."""
    fields |= {"event.category": ["host"], "event.type": ["info"], "message": text}
    if found := _LOGON(text):
        is_out = found["in"] == "logged out"
        good = found["failed"] is None
        fields |= {
            "event.category": ["authentication"],
            "event.type": ["end" if is_out else "start"],
            "event.action": "logout" if is_out else "login",
            "event.outcome": "success" if good else "failure",
            "user.name": found["user"] if good else found["failed"],
            "source.ip": (found["ip"] if good else found["from"]) or "",
            _OWN + "via": (found["via"] if good else found["by"]) or "",
        }
    elif found := _CHANGE(text):
        fields |= {
            "event.category": ["configuration"],
            "event.type": [_CHANGES.get(found[2], "change")],
            "event.action": found[2],
            _OWN + "item": found[1],
        }
        _who(fields, found[3])
    elif found := _LEASE(text):
        fields |= {
            "event.category": ["network"],
            "event.type": ["protocol", "start" if found[2] == "assigned" else "end"],
            "event.action": found[2],
            "network.protocol": "dhcp",
            "client.ip": found[3],
            "client.mac": found[4].replace(":", "-").upper(),
            _OWN + "dhcp.server": found[1],
            _OWN + "dhcp.hostname": found[5] or "",
        }


def _who(fields: Fields, text: str) -> None:
    """Add `admin`, or, of newer versions, `tcp-msg(winbox):admin@192.0.2.1`."""
    who, _, address = text.partition("@")
    via, _, user = who.rpartition(":")
    fields |= {"user.name": user, "source.ip": address, _OWN + "via": via}


_CHANGES: Final = {"added": "creation", "removed": "deletion"}

_HOLES = {"count": ("len ",)}

ADAPTER = Adapter(name="mikrotik.routeros", parse=parse, typed=True, holes=_HOLES)
