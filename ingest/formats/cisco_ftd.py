"""Events 430001 to 430005 of Secure Firewall Threat Defense: connections, intrusions, files, malware, as `Name: value` pairs.

Source: Threat Defense Syslog Messages 7.4, "Security Event Syslog Messages". Some names are of several words, and
values may hold commas and colons, so a name is known by its form or by the list below.
"""

from __future__ import annotations

import re
from typing import Final

from contract.event import Fields
from contract.timestamps import iso
from ingest.formats.account import user_fields
from ingest.formats.keytable import KeyTable
from ingest.formats.number import whole
from ingest.formats.sides import add_totals, settle
from ingest.formats.time import iso_us
from ingest.formats.url import url_fields
from ingest.tables import cisco_asa as table
from ingest.tables.protocols import transport_fields

EVENTS: Final = frozenset(("430001", "430002", "430003", "430004", "430005"))

_OWN: Final = table.PREFIX
_SECOND_NS = 1_000_000_000
_PAIR = re.compile(
    r"(?:^|, )([A-Z]\w*|Prefilter Policy|Tunnel or Prefilter Rule|Endpoint Profile|Security Group"
    r"|(?:Source|Destination) Security Group(?: Tag| Type)?|originalClientSrcIP): "
)
_NAMES = KeyTable(
    _OWN, table.FTD_NAMES, ("Unknown", "N/A", "No Authentication Required", "Not Found", "No Code")
)
_CLASSES: Final[dict[str, Fields]] = {
    "430001": {
        "event.action": "intrusion-detected",
        "event.kind": "alert",
        "event.category": ["intrusion_detection", "network"],
        "event.type": ["info"],
    },
    "430002": {"event.action": "connection-started", "event.type": ["connection", "start"]},
    "430003": {"event.action": "connection-finished", "event.type": ["connection", "end"]},
    "430004": {
        "event.action": "file-detected",
        "event.category": ["file", "network"],
        "event.type": ["info"],
    },
    "430005": {
        "event.action": "malware-detected",
        "event.kind": "alert",
        "event.category": ["malware", "network"],
        "event.type": ["info"],
    },
}
_STOPPED = re.compile(r"(?:block|drop|reset|malware block)", re.IGNORECASE).match
_TLS_VERSION = re.compile(r"(TLS|SSL)v?(\d(?:\.\d)?)$").match
_ICMP_TYPES: Final = {
    "echo reply": 0,
    "destination unreachable": 3,
    "redirect": 5,
    "echo request": 8,
    "time exceeded": 11,
}


def read_ftd(fields: Fields, code: str, message: str) -> tuple[int, int] | None:
    """Add what an event's pairs say; return ICMP type and code, where it names them.

    Args:
        fields: changed in place.
        code: one of `EVENTS`.
        message: the pairs.
    """
    parts = _PAIR.split(message)
    keys, values = parts[1::2], parts[2::2]
    pairs = _NAMES.fill(_NAMES.plan(keys), values, {})
    verdict = pairs.pop("event.action", "")
    fields |= pairs | _CLASSES[code]
    _judge(fields, str(verdict))
    said = fields.pop(_OWN + "Protocol", None)
    if said is not None:
        fields.update(transport_fields(said) or {"network.protocol": said.lower()})
    if "network.protocol" in fields:
        fields["network.protocol"] = fields["network.protocol"].lower()
    _content(fields)
    _times(fields)
    for side in ("source", "destination"):
        settle(fields, side)
    add_totals(fields)
    return _icmp(fields)


def _judge(fields: Fields, verdict: str) -> None:
    """Say whether the firewall let it pass: the access rule's action, the inline result, the file rule's action."""
    types = fields["event.type"]
    if verdict:
        fields[_OWN + "AccessControlRuleAction"] = verdict
    said = verdict.removeprefix("<br/>").strip()
    stopped = said or str(
        fields.get(_OWN + "InlineResult") or fields.get(_OWN + "FileAction") or ""
    )
    if "connection" in types:
        fields["event.type"] = [*types, "denied" if _STOPPED(stopped) else "allowed"]
        fields["event.outcome"] = "success"
    elif _STOPPED(stopped):
        fields["event.type"] = [*types, "denied"]


def _content(fields: Fields) -> None:
    for name, words in (
        ("dns.question.type", table.DNS_TYPES),
        ("dns.response_code", table.DNS_CODES),
    ):
        told = fields.get(name)
        if told is not None:
            fields[name] = words.get(told.lower(), told)
    if found := _TLS_VERSION(fields.get("tls.version", "")):
        fields["tls.version_protocol"] = found[1].lower()
        fields["tls.version"] = found[2] if "." in found[2] else found[2] + ".0"
    if (client := fields.get(_OWN + "Client")) and "network.application" not in fields:
        fields["network.application"] = client
    if "url.original" in fields:
        fields.update(url_fields(fields["url.original"]))
    if (account := fields.get("user.name")) is not None:
        fields.update(user_fields("user", account))
        fields.update(user_fields("source.user", account))
    title = fields.get("rule.name", "")
    if len(title) > 1 and title[0] == title[-1] == '"':
        fields["rule.name"] = title[1:-1]
    if "file.hash.sha256" in fields:
        fields["file.hash.sha256"] = fields["file.hash.sha256"].lower()


def _times(fields: Fields) -> None:
    seconds = whole(fields.get(_OWN + "ConnectionDuration", ""))
    if seconds is not None:
        fields["event.duration"] = seconds * _SECOND_NS
    first = fields.get(_OWN + "FirstPacketSecond", "")
    try:
        fields["event.start"] = iso(iso_us(first))
    except ValueError:
        return
    del fields[_OWN + "FirstPacketSecond"]


def _icmp(fields: Fields) -> tuple[int, int] | None:
    said = str(fields.get(_OWN + "icmp_type", ""))
    kind = whole(said) if said.isdecimal() else _ICMP_TYPES.get(said.lower())
    if kind is None:
        return None
    return kind, whole(str(fields.get(_OWN + "icmp_code", "0"))) or 0
