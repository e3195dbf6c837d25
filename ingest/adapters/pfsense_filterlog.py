"""pfSense and OPNsense: the packet filter's filterlog, and what else the device says over syslog.

Source: Netgate "Raw Filter Log Format" and "System Logs" (pfSense 2.7); OPNsense 24.7. Both number rules
anew on every reload; the tracker (OPNsense: the rule's UUID) is what stays, so it is `rule.id`.
"""

from __future__ import annotations

import re

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats import filterlog
from ingest.formats.device import Device
from ingest.formats.finish import finish
from ingest.formats.text import decode

_OWN = "pfsense.filterlog."
_DEVICE = Device(
    {
        "event.module": "pfsense",
        "event.dataset": "pfsense.filterlog",
        "observer.vendor": "Netgate",
        "observer.product": "pfSense",
        "observer.type": "firewall",
    }
)
_SYSLOG = re.compile(r"[^,]{0,400}?\b([\w\-./]{1,64})(?:\[(\d{1,9})\])?: ").match
_SYSLOG_5424 = re.compile(r"<\d{1,3}>\d \S+ \S+ ([^\s-]\S*) (\S+) \S+ (?:-|\[[^\]]*\]) ").match
_LOGON = re.compile(
    r"(?P<result>Successful login|authentication error|webConfigurator authentication error|"
    r"Invalid credentials|User logged out) for (?:user )?'?(?P<user>[^'\s]{1,128})'? "
    r"(?:from:? |on )?'?(?P<ip>[0-9A-Fa-f:.]{3,45})?"
).search

_FEWEST = 8  # commas of the common columns
_FAR = 4096


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither filterlog columns nor a syslog line of another program of the device.
    """
    text = decode(raw)
    comma = text.find(",")
    start = max(text.rfind(" ", 0, comma), text.rfind(">", 0, comma)) + 1 if comma >= 0 else -1
    placed = start == 0 or (start > 0 and text[:start].endswith((": ", "- ", ">", "] ")))
    if placed and text.count(",", start, start + _FAR) >= _FEWEST:
        return [_packet(text, start, context)]
    match = _SYSLOG_5424(text) or _SYSLOG(text)
    if match is None:
        raise ParseError("neither filterlog columns nor a syslog tag")
    return [_other(text, match, context)]


def _packet(text: str, start: int, context: Context) -> Fields:
    fields = dict(_DEVICE.start(text[:start], context))
    icmp = filterlog.read(fields, text[start:].split(","), _OWN)
    number, tracker = fields.get("rule.id"), fields.pop("rule.uuid", None)
    if number is not None:
        fields[_OWN + "rule_number"] = number
    if tracker is not None:
        fields["rule.id"] = tracker
    finish(fields, icmp)
    return fields


def _other(text: str, match: re.Match[str], context: Context) -> Fields:
    fields = dict(_DEVICE.start(text[: match.end()], context))
    message = text[match.end() :]
    fields |= {
        "event.kind": "event",
        "event.category": ["host"],
        "event.type": ["info"],
        "process.name": match[1],
        "message": message,
    }
    if found := _LOGON(message[:1024]):
        ended = found["result"] == "User logged out"
        fields["event.category"] = ["authentication"]
        fields["event.type"] = ["end" if ended else "start"]
        fields["event.action"] = "logout" if ended else "login"
        good = ended or found["result"] == "Successful login"
        fields["event.outcome"] = "success" if good else "failure"
        fields["user.name"] = found["user"]
        if found["ip"]:
            fields["source.ip"] = found["ip"]
    if not message:
        del fields["message"]
    finish(fields)
    return fields


ADAPTER = Adapter(name="pfsense.filterlog", parse=parse, typed=True, holes=filterlog.HOLES)
