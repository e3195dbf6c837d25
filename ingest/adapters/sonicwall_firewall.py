"""SonicWall SonicOS: default, enhanced and ArcSight (CEF) syslog.

Source: SonicOS 7.1 Log Events Reference Guide. An end of a flow is `address:port:interface:name`, of which
the later parts may be absent; `proto` is `transport/service`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import cef
from ingest.formats.address import canonical_ip
from ingest.formats.device import Device, name
from ingest.formats.finish import finish
from ingest.formats.keytable import KeyTable, Plan, Step, holes_of
from ingest.formats.number import whole
from ingest.formats.shapes import QUOTED, TRAILING, Shapes
from ingest.formats.sides import add_totals, place
from ingest.formats.text import decode
from ingest.formats.time import iso_us, zone_named
from ingest.formats.url import url_fields
from ingest.tables import sonicwall_firewall as table
from ingest.tables.protocols import transport_fields

_OWN = table.PREFIX
_SECOND_NS, _MILLISECOND_NS = 1_000_000_000, 1_000_000
_FEWEST = 2
_DEVICE = Device(
    {
        "event.module": "sonicwall",
        "event.dataset": "sonicwall.firewall",
        "observer.vendor": "SonicWall",
        "observer.product": "SonicOS",
        "observer.type": "firewall",
    }
)
_START = re.compile(r"(?:^|[\s>])(?:id|sn|time|fw|pri|c|m)=").search
_SINGLE = re.compile(r"='([^'\"]*)'(?=\s|$)").sub  # `appName='General DNS'` of SonicOS 6
_GAP = re.compile(r"= {1,4}(?=[\"\d\[])")
_FILE = re.compile(r"[Ff]ilename: ?([^\s\"]{1,255}?)\.?(?:\s|$)").search
# Not every name of an IP protocol means one here: `rdp` is Remote Desktop, not protocol 27.
_TRANSPORTS = frozenset(
    "tcp udp icmp icmpv6 ipv6-icmp igmp gre esp ah sctp ospf pim vrrp eigrp ipv6 ipip l2tp".split()  # noqa: SIM905 - words
)


def _end(fields: Fields, key: str, side: str, way: str) -> None:
    said = fields.pop(_OWN + key, "")
    if not said:
        return
    address, _, rest = said.partition(":")
    if canonical_ip(address) is None and canonical_ip(said) is not None:
        fields[f"{side}.ip"] = said
        return
    place(fields, side, address)
    port, _, rest = rest.partition(":")
    interface, _, host = rest.partition(":")
    number = whole(port)
    if number is not None:
        fields[f"{side}.port"] = number
    if interface:
        fields[f"observer.{way}.interface.name"] = interface
    if host and ":" not in host:
        fields[f"{side}.domain"] = host


_LOGON = re.compile(r"User (login|logout|logon) ?(success|fail|denied|)", re.IGNORECASE).match


def _source(fields: Fields) -> None:
    _end(fields, "src", "source", "ingress")


def _destination(fields: Fields) -> None:
    _end(fields, "dst", "destination", "egress")


def _translated(fields: Fields) -> None:
    for key, side in (("natSrc", "source"), ("natDst", "destination")):
        address, _, port = fields.pop(_OWN + key, "").partition(":")
        if address:
            fields[f"{side}.nat.ip"] = address
            number = whole(port)
            if number is not None:
                fields[f"{side}.nat.port"] = number


def _protocol(fields: Fields) -> None:
    first, _, service = fields.pop(_OWN + "proto", "").partition("/")
    known = transport_fields(first) if first.lower() in _TRANSPORTS else {}
    fields.update(known)
    if service and not service.isdecimal():
        fields["network.protocol"] = service.lower()
    elif first and not known:
        fields["network.protocol"] = first.lower()


def _message(fields: Fields) -> None:
    message = fields.get("message")
    if message and "ilename" in message and (found := _FILE(message[:1024])):
        fields.setdefault("file.name", found[1])


def _signature(fields: Fields) -> None:
    sid = fields.get(_OWN + "sid")
    if sid and fields.get("event.code") in table.ALERTS:
        fields["rule.id"] = sid
        fields["rule.name"] = fields.get("message", "")


def _device(fields: Fields) -> None:
    address = fields.get("observer.ip")
    if address:
        fields["observer.ip"] = [address]
        fields.setdefault("observer.name", address)


def _operation(fields: Fields) -> None:
    said = fields.pop(_OWN + "op", "")
    if said:
        fields["http.request.method"] = table.HTTP_METHODS.get(said, said)


def _duration(fields: Fields) -> None:
    for key, unit in (("cdur", _MILLISECOND_NS), ("dur", _SECOND_NS)):
        said = whole(fields.get(_OWN + key, ""))
        if said is not None:
            del fields[_OWN + key]
            fields["event.duration"] = said * unit


_STEPS: tuple[Step, ...] = (
    ((_OWN + "src",), _source),
    ((_OWN + "dst",), _destination),
    ((_OWN + "natSrc", _OWN + "natDst"), _translated),
    ((_OWN + "proto",), _protocol),
    (("message",), _message),
    ((_OWN + "sid",), _signature),
    (("observer.ip",), _device),
    ((_OWN + "op",), _operation),
    ((_OWN + "cdur", _OWN + "dur"), _duration),
)
_TABLE = KeyTable(_OWN, table.NAMES | table.CEF_FIELDS, ("NA", "N/A"), _STEPS)
_LINES: Shapes[Plan] = Shapes(QUOTED, _TABLE.plan)
_CEF: Shapes[Plan] = Shapes(
    TRAILING, lambda keys: _TABLE.plan([table.CEF_NAMES.get(key, key) for key in keys])
)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither SonicOS key=value pairs nor CEF of SonicWall.
    """
    text = decode(raw)
    if "|SonicWall|" in text[:512]:
        header = cef.read(text)
        if header is not None:
            return [_of_cef(text, header, context)]
    found = _START(text, 0, 1024)
    if found is None:
        raise ParseError("none of SonicOS's keys stands in the record")
    start = found.start() + (text[found.start()] in " >\t")
    if "= " in text:
        text = text[:start] + _GAP.sub("=", text[start:])
    if "='" in text:
        text = text[:start] + _SINGLE(r'="\1"', text[start:])
    plan, values = _LINES.read(text, start)
    if plan.known < _FEWEST:
        raise ParseError("none of SonicOS's keys stands in the record")
    fields = _TABLE.fill(plan, values, _DEVICE.start(text[:start], context))
    return [_complete(fields, plan, context)]


def _of_cef(text: str, header: cef.Cef, context: Context) -> Fields:
    plan, values = _CEF.read(text, header.extension)
    cleaned = [cef.unescape(value.strip()).strip('"') for value in values]
    fields = _TABLE.fill(plan, cleaned, _DEVICE.start(text[: header.start], context))
    fields |= {
        "observer.product": header.product,
        "observer.version": header.version,
        "event.code": header.event_class,
        _OWN + "event_name": header.name,
    }
    severity = cef.severity_number(header.severity)
    if severity is not None:
        fields["event.severity"] = severity
    return _complete(fields, plan, context)


def _complete(fields: Fields, plan: Plan, context: Context) -> Fields:
    _time(fields, context)
    for step in plan.steps:
        step(fields)
    get = fields.get
    device = get("observer.name")
    if device and "host.name" not in fields:
        name(fields, device)
    account = get("user.name")
    if account:
        fields["source.user.name"] = account
    if get("url.path") and get("destination.domain"):
        url = fields["destination.domain"] + fields["url.path"]
        fields.update(url_fields(url), **{"url.domain": fields["destination.domain"]})
        fields["url.original"] = url
    add_totals(fields)
    code, action = get("event.code", ""), get("event.action", "")
    fields.update(_classes(code, action.lower(), get(_OWN + "c", "")))
    if get(_OWN + "id") == "sslvpn" and (logon := _LOGON(get("message", ""))):
        # An SMA counts its messages for itself; their text tells a logon.
        fields["event.category"] = ["authentication"]
        fields["event.type"] = ["end" if logon[1].lower() == "logout" else "start"]
        fields["event.outcome"] = "failure" if logon[2].lower() in ("fail", "denied") else "success"
    kind, detail = whole(get(_OWN + "icmp_type", "")), whole(get(_OWN + "icmp_code", "0"))
    finish(fields, None if kind is None or detail is None else (kind, detail))
    return fields


def _time(fields: Fields, context: Context) -> None:
    text = fields.get(_OWN + "time", "")
    if not text:
        return
    # Firmware versions differ: slashes or hyphens, padded or not, with the word UTC or without.
    date, _, clock = text.replace("/", "-").partition(" ")
    clock, _, zone = clock.partition(" ")
    padded = "-".join(part.zfill(2) for part in date.split("-")) + " " + clock.zfill(8)
    try:
        at = iso_us(padded, zone_named(zone) or context.zone, context.received_us)
    except ValueError:
        return
    fields["@timestamp"] = iso(at)
    del fields[_OWN + "time"]


@lru_cache(4096)
def _classes(code: str, action: str, category: str) -> Fields:
    fields: Fields = {"event.kind": "event", "event.category": ["network"]}
    denied = action in ("drop", "deny", "block", "reject", "reset") or code in table.DROPPED
    verdict = "denied" if denied else "allowed"
    if code in table.LOGINS and code not in table.OPENED | table.CLOSED:
        # SonicOS counts a refused logon among attacks (`c=32`); what was tried is a logon.
        fields |= {
            "event.category": ["authentication"],
            "event.type": ["start"],
            "event.outcome": table.LOGINS[code],
        }
    elif code in table.ALERTS or category == "32":
        kind = "malware" if code in table.MALWARE else "intrusion_detection"
        fields |= {
            "event.kind": "alert",
            "event.category": [kind, "network"],
            "event.type": ["info", verdict] if action else ["info"],
        }
    elif code in table.CLOSED or code in table.OPENED:
        fields["event.type"] = ["connection", "end" if code in table.CLOSED else "start", verdict]
    elif code in table.LOGOUTS:
        fields |= {"event.category": ["authentication"], "event.type": ["end"]}
    elif code in table.CONFIGURED:
        fields |= {
            "event.category": ["configuration"],
            "event.type": ["change"],
            "event.outcome": table.CONFIGURED[code],
        }
    else:
        fields["event.type"] = ["connection", verdict] if action or denied else ["info"]
    return fields


_HOLES = holes_of(
    table.NAMES | table.CEF_FIELDS,
    port="spt dpt",
    count="n sess cdur dur cn1Label cn2Label cn3Label",
    name="usr suser duser",
    other="*",
    fixed="m c app id sid gcat cat pri msg rule",
)

ADAPTER = Adapter(name="sonicwall.firewall", parse=parse, typed=True, holes=_HOLES)
