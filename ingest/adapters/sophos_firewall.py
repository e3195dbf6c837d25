"""Sophos Firewall (SFOS, XG, XGS) and Sophos UTM: key=value logs of every log type, and UTM's syslog.

Source: Sophos Firewall syslog guide 20.0; Sophos UTM 9 log files. UTM writes `2024:01:29-06:09:59 host
program[pid]: id="…" …`, and some of its programs plain words.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.account import split_account
from ingest.formats.device import Device, name
from ingest.formats.finish import finish
from ingest.formats.keytable import KeyTable, Plan, Step, holes_of
from ingest.formats.shapes import QUOTED, Shapes
from ingest.formats.sides import add_totals, settle
from ingest.formats.text import decode
from ingest.formats.time import iso_us, zone_named
from ingest.formats.url import url_fields
from ingest.tables import sophos_firewall as table
from ingest.tables.protocols import transport_fields

_OWN = table.PREFIX
_TYPE, _SUBTYPE, _STATUS = _OWN + "log_type", _OWN + "log_subtype", _OWN + "status"
_PROTOCOL, _SIGNATURE, _TITLE = _OWN + "protocol", _OWN + "signature_id", _OWN + "signature_msg"
_SECOND_NS = 1_000_000_000
_FEWEST = 2
_DEVICE = Device(
    {
        "event.module": "sophos",
        "event.dataset": "sophos.firewall",
        "observer.vendor": "Sophos",
        "observer.product": "Firewall",
        "observer.type": "firewall",
    }
)
_UTM = re.compile(
    r"(?:<\d{1,3}>)?(\d{4}):(\d{1,2}):(\d{1,2})-(\d{1,2}:\d\d:\d\d) (\S{1,255}) ([\w\-./]{1,64})(?:\[(\d{1,9})\])?: "
).match
_PID_WITHIN = re.compile(r"\[pid (\d{1,9})").search
_SSH = re.compile(
    r"(Accepted|Failed) \S+ for (?:invalid user )?(\S+) from ([0-9A-Fa-f.:]{3,45}) port (\d{1,5})\b"
).match
_RULE = re.compile(
    r"(?:^|[\s>])(?:device|device_name|id|timestamp|log_id|log_type|messageid)="
).search


def _flow(fields: Fields) -> None:
    said = fields.get(_PROTOCOL)
    known = transport_fields(said) if said else None
    if known:
        del fields[_PROTOCOL]
        fields.update(known)
    elif said and said[:5].upper() == "HTTP/":
        fields["http.version"], fields["network.protocol"] = fields.pop(_PROTOCOL)[5:], "http"
    elif said:
        fields["network.protocol"] = fields.pop(_PROTOCOL).lower()


_PASSED = frozenset(("allow", "allowed", "detect", "detected", "alert", "pass", "log", "monitor"))
_LOGON = re.compile(r".*\b(?:logged (?:in|out)|login|log in|logout)\b", re.IGNORECASE).match


def _sides(fields: Fields) -> None:
    for side in ("source", "destination"):
        if fields.get(f"{side}.ip"):
            settle(fields, side)
    add_totals(fields)


def _who(fields: Fields) -> None:
    account = fields.get("source.user.name")
    if account:
        if "\\" in account:
            fields["source.user.name"], fields["source.user.domain"] = split_account(account)
        fields.setdefault("user.name", fields["source.user.name"])
    if fields.get("source.user.group.name"):
        fields["user.group.name"] = fields["source.user.group.name"]


def _url(fields: Fields) -> None:
    url = fields.get("url.original")
    if url:
        stated = {key: fields[key] for key in ("url.domain", "url.query") if fields.get(key)}
        fields.update(url_fields(url) | stated)
        query = fields.get("url.query", "")
        if query.removeprefix("?"):
            fields["url.query"] = query.removeprefix("?")
    if fields.get("url.domain"):
        fields.setdefault("destination.domain", fields["url.domain"])


def _http(fields: Fields) -> None:
    """ECS wants the version alone; what the firewall writes names the protocol too."""
    said = fields.get("http.version", "")
    if said.upper().startswith("HTTP/"):
        fields["http.version"] = said[5:]
        fields["network.protocol"] = "http"


def _signature(fields: Fields) -> None:
    """Let an alert's rule be its signature; the firewall's rule stands beside it."""
    if "rule.id" in fields:
        fields[_OWN + "fw_rule_id"] = fields.pop("rule.id")
    if fields.get(_SIGNATURE):
        fields["rule.id"] = fields.pop(_SIGNATURE)
    if fields.get(_TITLE):
        fields["rule.name"] = fields.pop(_TITLE)


def _malware(fields: Fields) -> None:
    """Let the rule of an alert be what was found; the firewall's rule only let the sensor look."""
    found = fields.get("threat.software.name")
    if not found:
        return
    if "rule.id" in fields:
        fields[_OWN + "fw_rule_id"] = fields.pop("rule.id")
    if policy := fields.pop("rule.name", None):
        fields["rule.ruleset"] = policy
    fields["rule.name"] = found


def _duration(fields: Fields) -> None:
    seconds = fields.get("event.duration")
    if type(seconds) is int:
        fields["event.duration"] = seconds * _SECOND_NS


_STEPS: tuple[Step, ...] = (
    ((_PROTOCOL,), _flow),
    (("source.ip", "destination.ip"), _sides),
    (("source.user.name",), _who),
    (("url.original", "url.domain"), _url),
    (("http.version",), _http),
    (("threat.software.name",), _malware),
    ((_SIGNATURE, _TITLE), _signature),
    (("event.duration",), _duration),
)
_TABLE = KeyTable(_OWN, table.NAMES, ("-", "N/A"), _STEPS)
_LINES: Shapes[Plan] = Shapes(QUOTED, _TABLE.plan)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither key=value pairs of Sophos nor a UTM syslog line.
    """
    text = decode(raw)
    utm = _UTM(text)
    if utm is not None:
        return [_of_utm(text, utm, context)]
    found = _RULE(text, 0, 1024)
    if found is None:
        raise ParseError("none of Sophos' keys stands in the record")
    start = found.start() if text[found.start()] not in " >\t" else found.start() + 1
    plan, values = _LINES.read(text, start)
    if plan.known < _FEWEST:
        raise ParseError("none of Sophos' keys stands in the record")
    fields = _TABLE.fill(plan, values, _DEVICE.start(text[:start], context))
    return [_complete(fields, plan, context)]


def _of_utm(text: str, utm: re.Match[str], context: Context) -> Fields:
    year, month, day, clock, host, program, pid = utm.groups()
    fields = _DEVICE.start("", context) | {"observer.product": "UTM", "process.name": program}
    try:
        at = iso_us(f"{year}-{month:0>2}-{day:0>2} {clock:0>8}", context.zone, context.received_us)
    except ValueError:
        fields[_OWN + "time"] = text[: utm.end()]
    else:
        fields["@timestamp"] = iso(at)
    name(fields, host)
    message = text[utm.end() :]
    inner = _PID_WITHIN(message[:256])
    if pid or inner:
        fields["process.pid"] = int(pid or (inner[1] if inner else 0))
    plan, values = _LINES.read(message)
    fields["event.provider"] = program
    if plan.known < _FEWEST:
        if found := _SSH(message[:512]):
            passed, account, address, port = found.groups()
            fields |= {
                "user.name": account,
                "source.ip": address,
                "source.port": int(port),
                "message": message,
            } | _classes(
                "event", "login", "failed" if passed == "Failed" else "accepted", "", "auth"
            )
            finish(fields)
            return fields
        fields |= {"event.kind": "event", "event.category": ["host"], "event.type": ["info"]}
        if message:
            fields["message"] = message
        finish(fields)
        return fields
    return _complete(_TABLE.fill(plan, values, fields), plan, context)


def _complete(fields: Fields, plan: Plan, context: Context) -> Fields:
    _time(fields, context)
    for step in plan.steps:
        step(fields)
    get = fields.get
    device = get("observer.name")
    if device:
        name(fields, device)
    status = get(_STATUS) or get(_SUBTYPE) or get(_OWN + "action") or ""
    fields.update(
        _classes(
            get(_TYPE, "").lower() or table.UTM_TYPES.get(get(_OWN + "sub", ""), ""),
            (get(_SUBTYPE) or get(_OWN + "action") or get(_OWN + "name") or "").lower(),
            status.lower(),
            get("log.level", "").lower(),
            "admin"
            if get(_TYPE) == "Event" and _LOGON(str(get("message", ""))[:256])
            else (get(_OWN + "log_component") or get(_OWN + "sub") or "").lower(),
        )
    )
    code = get("http.response.status_code")
    if get(_TYPE, "").lower() == "waf" and type(code) is int:
        denied = code >= 400  # noqa: PLR2004 - client and server errors of HTTP
        fields["event.type"] = ["access", "denied" if denied else "allowed"]
    finish(fields)
    return fields


def _time(fields: Fields, context: Context) -> None:
    pop = fields.pop
    stamp, date, clock = pop(_OWN + "timestamp", ""), pop(_OWN + "date", ""), pop(_OWN + "time", "")
    zone = pop(_OWN + "timezone", "")
    if zone:
        fields["event.timezone"] = zone
    text = stamp or (f"{date} {clock}" if date and clock else "")
    if not text:
        return
    at = _moment(text, zone, context)
    if at is None:
        fields[_OWN + "time"] = text
    else:
        fields["@timestamp"] = at


def _moment(text: str, zone: str, context: Context) -> str | None:
    place = (zone_named(zone) if zone else None) or context.zone
    try:
        return iso(iso_us(text, place, context.received_us))
    except ValueError:
        return None


@lru_cache(4096)
def _classes(log_type: str, subtype: str, status: str, level: str, component: str) -> Fields:
    kind, categories, types = table.CLASSES.get(log_type, ("event", "network", "info"))
    if "authentication" in component or component in ("auth", "admin") or "login" in subtype:
        kind, categories, types = "event", "authentication", "start"
    fields: Fields = {
        "event.kind": kind,
        "event.category": categories.split(),
        "event.type": types.split(),
    }
    if level in table.LEVELS:
        fields["event.severity"] = table.LEVELS[level]
    denied = status in table.DENIED or subtype in table.DENIED
    failed = "fail" in status or "fail" in subtype
    if subtype:
        fields["event.action"] = subtype
    if "network" in categories and (status or subtype) and kind == "event" and "info" not in types:
        fields["event.type"] = [*fields["event.type"], "denied" if denied else "allowed"]
    elif kind == "alert":
        # `Virus` and the like say what was found, not whether it got through.
        passed = not denied and {status, subtype} & _PASSED
        fields["event.type"] = ["info", *(["denied"] if denied else ["allowed"] if passed else [])]
    fields["event.outcome"] = "failure" if failed else "success"
    return fields


_HOLES = holes_of(
    table.NAMES,
    count="duration con_id connid size con_duration",
    date="date",
    clock="time",
    name="user_name user",
    other="*",
    fixed="log_id messageid id signature_id rule sid classification",
)

ADAPTER = Adapter(name="sophos.firewall", parse=parse, typed=True, holes=_HOLES)
