"""What FortiOS records mean, once their keys are named: time, sides, rules, classes.

Source: FortiOS Log Message Reference 7.6. Each step is run only for records that hold one of its fields.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.account import user_fields
from ingest.formats.address import canonical_ip
from ingest.formats.device import name
from ingest.formats.keytable import Step
from ingest.formats.number import whole
from ingest.formats.time import epoch_us, iso_us, zone_named
from ingest.formats.url import url_fields
from ingest.tables import fortinet_fortigate as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_EVENTTIME, _DATE, _CLOCK, _ZONE = _OWN + "eventtime", _OWN + "date", _OWN + "time", _OWN + "tz"
_PROTO, _DURATION, _UI, _SUBTYPE = _OWN + "proto", _OWN + "duration", _OWN + "ui", _OWN + "subtype"
_KIND: Final = _OWN + "type"
_FROM, _TO = _OWN + "srcintfrole", _OWN + "dstintfrole"
_COUNTRIES = ("source.geo.country_name", "destination.geo.country_name")
_REMEMBERED = 4096
_NANOSECONDS_DIGITS = 19

_WEB_PORTS = {"http": 80, "https": 443}
_TLS_VERSION = re.compile(r"(tls|ssl)v?[\s\-]?(\d)(?:[._](\d))?$", re.IGNORECASE).match
_PLACES = {"lan": "inside", "dmz": "inside", "wan": "outside"}
_DIRECTIONS = {
    ("inside", "outside"): "outbound",
    ("outside", "inside"): "inbound",
    ("inside", "inside"): "internal",
    ("outside", "outside"): "external",
}
_IN_PARENTHESES = re.compile(r"\(([0-9A-Fa-f:.]{3,45})\)").search
_IN_BRACKETS = re.compile(r"([^\s\[]*)\s?\[([0-9A-Fa-f:.]{3,45})\]").fullmatch
_ATTACHMENT = re.compile(
    r"Attachment file \(([^)]*)\) has (md5|sha1|sha256) hash value: ([0-9A-Fa-f]*)"
).match


def read_time(fields: Fields, context: Context) -> None:
    """Set `@timestamp` from `eventtime` (s, ms, µs or ns), else from date, time and zone, else leave the header's."""
    pop = fields.pop
    stamp = pop(_EVENTTIME, "")
    date, clock, zone = pop(_DATE, ""), pop(_CLOCK, ""), pop(_ZONE, "")
    if zone:
        fields["event.timezone"] = zone
    if len(stamp) == _NANOSECONDS_DIGITS and stamp.isdecimal():
        fields["@timestamp"] = iso(int(stamp) // 1000)
        return
    for count in (stamp, fields.get(_OWN + "itime", ""), fields.get(_OWN + "timestamp", "")):
        if count.isdecimal():
            try:
                fields["@timestamp"] = iso(epoch_us(count))
            except ValueError:
                continue
            return
    if date and clock:
        try:
            at = iso_us(_padded(date, clock), zone_named(zone) or context.zone, context.received_us)
        except ValueError:
            fields[_DATE], fields[_CLOCK] = date, clock
        else:
            fields["@timestamp"] = iso(at)


def _padded(date: str, clock: str) -> str:
    """Return `2016-1-29` and `6:09:59` as an ISO text."""
    return "-".join(part.zfill(2) for part in date.split("-")) + "T" + clock.zfill(8)


def _protocol(fields: Fields) -> None:
    said = fields.get(_PROTO)
    if said:
        known = transport_fields(said)
        if known:
            del fields[_PROTO]
            fields.update(known)


def _service(fields: Fields) -> None:
    if "network.protocol" in fields:
        fields["network.protocol"] = fields["network.protocol"].lower()


def _deltas(fields: Fields) -> None:
    """Count what this record adds to a long session; keep the session's totals beside it."""
    for side, sent in (("source", "sent"), ("destination", "rcvd")):
        for unit, short, full in (("bytes", "", "byte"), ("packets", "pkt", "pkt")):
            delta = fields.get(f"{_OWN}{sent}{short}delta")
            count = whole(delta) if delta else None
            if count is not None:
                total = fields.get(f"{side}.{unit}")
                if total is not None:
                    fields[f"{_OWN}{sent}{full}"] = total
                fields[f"{side}.{unit}"] = count


def _duration(fields: Fields) -> None:
    seconds = fields.get(_DURATION, "")
    try:
        fields["event.duration"] = int(float(seconds) * 1_000_000_000)
    except (ValueError, OverflowError):
        return
    del fields[_DURATION]


def _account(fields: Fields) -> None:
    account = fields.get("source.user.name")
    if account:
        # An LDAP user may carry the rest of its distinguished name.
        account = account.partition(",cn=")[0]
        fields.update(user_fields("source.user", account))
        fields.update(user_fields("user", account))


def _target_account(fields: Fields) -> None:
    account = fields.get("destination.user.name")
    if account:
        fields.update(user_fields("destination.user", account))


def _group(fields: Fields) -> None:
    group = fields.get("source.user.group.name")
    if group:
        fields["group.name"] = group


def _console(fields: Fields) -> None:
    """Take the administrator's address out of `GUI(192.0.2.1)`."""
    place = fields.get(_UI, "")
    found = _IN_PARENTHESES(place)
    address = found[1] if found else place
    if not fields.get("source.ip") and canonical_ip(address) is not None:
        fields["source.ip"] = address


def _source(fields: Fields) -> None:
    address = fields.get("source.ip")
    if not address:
        return
    if address[-1] == "]" and (found := _IN_BRACKETS(address)):
        fields["source.ip"] = found[2]
        if found[1]:
            fields["source.domain"] = found[1]


def _forwarded(fields: Fields) -> None:
    address = fields["network.forwarded_ip"] if fields.get("network.forwarded_ip") else ""
    host, colon, port = address.rpartition(":")
    if colon and "." in host and port.isdecimal():
        fields["network.forwarded_ip"] = host


def _countries(fields: Fields) -> None:
    for country in _COUNTRIES:
        if fields.get(country) == "Reserved":
            del fields[country]


def _direction(fields: Fields) -> None:
    roles = _PLACES.get(fields.get(_FROM, ""), ""), _PLACES.get(fields.get(_TO, ""), "")
    direction = _DIRECTIONS.get(roles)
    if direction is not None:
        fields["network.direction"] = direction


def _ruleset(fields: Fields) -> None:
    get = fields.get
    ruleset = get(_OWN + "applist") or get("rule.ruleset") or get(_OWN + "profile")
    if ruleset:
        fields["rule.ruleset"] = ruleset


def _signature(fields: Fields) -> None:
    """Let an alert's rule be its signature; the policy that let the sensor look stands beside it."""
    if fields.get(_SUBTYPE) not in table.ALERTS:
        return
    for field, own in (("rule.id", "policyid"), ("rule.name", "policyname")):
        if field in fields:
            fields[_OWN + own] = fields.pop(field)
    for field, keys in (
        ("rule.id", ("attackid", "virusid", "signature_id")),
        ("rule.name", ("attack", "virus", "signature_subclass")),
    ):
        for key in keys:
            if fields.get(_OWN + key):
                fields[field] = fields[_OWN + key]
                break


def _url(fields: Fields) -> None:
    url = fields.get("url.original")
    if url:
        fields.update(url_fields(url))
        host = fields.get("destination.domain")
        if host:
            fields.setdefault("url.domain", host)
        scheme = fields.get(_OWN + "scheme") or fields.get("network.protocol")
        if host and url[0] == "/" and scheme in _WEB_PORTS:
            # The two halves of one URL: "whether this field is reconstructed or present in the event source" (ECS).
            port = fields.get("destination.port")
            place = (
                host if port in (None, "", _WEB_PORTS[scheme]) or ":" in host else f"{host}:{port}"
            )
            fields["url.full"] = f"{scheme}://{place}{url}"
            fields["url.scheme"] = scheme


def _dns(fields: Fields) -> None:
    question, resolved = fields.get("dns.question.name"), fields.get("dns.resolved_ip")
    if question:
        fields["dns.question.name"] = question.strip("[]")
    if resolved:
        fields["dns.resolved_ip"] = [part.strip() for part in resolved.split(",") if part.strip()]
    fields["dns.type"] = "answer" if resolved else "query"
    fields["network.protocol"] = "dns"


def _message(fields: Fields) -> None:
    message = fields.get("message")
    if not message:
        return
    if found := _ATTACHMENT(message):
        fields["file.name"] = found[1]
        if found[3]:
            fields[f"file.hash.{found[2]}"] = found[3].lower()


def _host(fields: Fields) -> None:
    host = fields.get("destination.domain")
    if host and fields.get(_KIND) == "utm":
        fields.setdefault("url.domain", host)


def _tls(fields: Fields) -> None:
    if found := _TLS_VERSION(fields.get("tls.version") or ""):
        fields["tls.version_protocol"] = found[1].lower()
        fields["tls.version"] = f"{found[2]}.{found[3] or 0}"


def _lease(fields: Fields) -> None:
    """Read a DHCP event: its address, hardware address and host name are the client's."""
    for own, field in (("ip", "source.ip"), ("mac", "source.mac")):
        if fields.get(_OWN + own):
            fields.setdefault(field, fields.pop(_OWN + own))
    if "destination.domain" in fields:
        fields.setdefault("source.domain", fields.pop("destination.domain"))


def _call(fields: Fields) -> None:
    """Read a call: the names of its ends are no mail addresses."""
    for end, field in (("from", "email.from.address"), ("to", "email.to.address")):
        if field in fields:
            fields[f"{_OWN}{end}"] = fields.pop(field)
    if said := fields.get(_OWN + "voip_proto"):
        fields.setdefault("network.protocol", str(said).lower())


def _name(fields: Fields) -> None:
    if fields.get("observer.name"):
        name(fields, fields["observer.name"])


STEPS: Final[tuple[Step, ...]] = (
    ((_PROTO,), _protocol),
    (("network.protocol",), _service),
    ((_OWN + "sentdelta", _OWN + "rcvddelta"), _deltas),
    ((_DURATION,), _duration),
    (("source.user.name",), _account),
    (("destination.user.name",), _target_account),
    (("source.user.group.name",), _group),
    ((_UI,), _console),
    (("source.ip",), _source),
    (("network.forwarded_ip",), _forwarded),
    (_COUNTRIES, _countries),
    ((_FROM,), _direction),
    ((_OWN + "applist", _OWN + "profile"), _ruleset),
    (
        tuple(_OWN + key for key in ("attackid", "virusid", "signature_id", "attack", "virus")),
        _signature,
    ),
    (("url.original",), _url),
    (("destination.domain",), _host),
    (("dns.question.name", "dns.resolved_ip"), _dns),
    (("tls.version",), _tls),
    ((_OWN + "dhcp_msg",), _lease),
    ((_OWN + "voip_proto",), _call),
    (("message",), _message),
    (("observer.name",), _name),
)


@lru_cache(_REMEMBERED)
def classes(
    kind: str, subtype: str, action: str, level: str, status: str, description: str
) -> Fields:
    """Return kind, category, type, outcome and severity of a record, not to be changed."""
    fields: Fields = {"event.kind": "alert" if subtype in table.ALERTS else "event"}
    if level in table.LEVELS:
        fields["event.severity"] = table.LEVELS[level]
    # Of traffic: whether the firewall did what its policy says, not whether the traffic passed.
    fields["event.outcome"] = table.OUTCOMES.get(status.lower(), "unknown") if status else "success"
    if kind == "event":
        _event_classes(fields, subtype, action, status, description)
        return fields
    fields["event.category"] = table.ALERT_CATEGORIES.get(subtype, ["network"])
    if subtype in table.WEB_SUBTYPES:
        fields["event.category"] = ["network", "web"]
    types = ["connection"] if kind == "traffic" else ["info"]
    if action in table.DENIED:
        types.append("denied")
    elif action:
        types.append("allowed")
        if action in table.ENDED and kind == "traffic":
            types.append("end")
    fields["event.type"] = types
    return fields


def _event_classes(
    fields: Fields, subtype: str, action: str, status: str, description: str
) -> None:
    words = f"{action} {description}".lower()
    logon = any(word in words for word in ("login", "logon", "authentication", "ssl-new-con"))
    ended = any(word in words for word in ("logout", "logoff", "tunnel-down"))
    category = table.EVENT_CATEGORIES.get(subtype, ["network"])
    if logon or (ended and category != ["network", "session"]):
        category = ["authentication"]
    fields["event.category"] = category
    fields["event.type"] = (
        ["start"] if logon else ["end"] if ended and category != ["configuration"] else ["info"]
    )
    if category == ["configuration"] and action in ("Edit", "Add", "Delete", "Move"):
        fields["event.type"] = [
            "creation" if action == "Add" else "deletion" if action == "Delete" else "change"
        ]
    if not status and any(word in words for word in ("fail", "denied", "error")):
        fields["event.outcome"] = "failure"
