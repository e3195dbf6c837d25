"""What Junos records mean, once their keys are named: sides, applications, rules, classes; and system messages.

Source: Juniper Junos OS System Log Explorer, Junos 23.4.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.finish import finish
from ingest.formats.number import whole
from ingest.formats.sides import add_totals, settle
from ingest.formats.url import url_fields
from ingest.tables import juniper_srx as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_PROTOCOL, _ELAPSED, _APPLICATION = (
    _OWN + "protocol-id",
    _OWN + "elapsed-time",
    _OWN + "application",
)
_SECOND_NS = 1_000_000_000
_PREDEFINED = re.compile(r"^junos-(.+?)(?:-(?:tcp|udp))?$").sub  # `junos-dns-udp`
_SSH_ENDS = re.compile(r"(\S{3,45}) (\d{1,5}) (\S{3,45}) (\d{1,5})$").match


def complete(fields: Fields, tag: str) -> Fields:
    """Complete a security log in place and return it."""
    get, pop = fields.get, fields.pop
    protocol = pop(_PROTOCOL, "") or table.TRANSPORTS.get(tag, "")
    if protocol:
        fields.update(transport_fields(protocol) or {_PROTOCOL: protocol})
    service = get("network.protocol")
    if service and service.startswith("SERVICE_"):
        fields[_OWN + "service-name"] = pop("network.protocol")
    elif service:
        fields["network.protocol"] = _PREDEFINED(r"\1", service).lower()
    application = get(_APPLICATION)
    if application and not get("network.application"):
        fields["network.application"] = pop(_APPLICATION)
    _ssh(fields)
    _ends(fields)
    add_totals(fields)
    _rule(fields, tag)
    fields.update(_classes(tag, get("event.action", ""), get(_OWN + "threat-severity", "")))
    icmp = whole(get(_OWN + "icmp-type", ""))
    code = whole(get(_OWN + "icmp-code", ""))
    finish(fields, None if icmp is None else (icmp, code or 0))
    return fields


def _ssh(fields: Fields) -> None:
    """Place the ends of an SSH connection, `address port address port`."""
    said = fields.get(_OWN + "ssh-connection")
    found = _SSH_ENDS(said) if said else None
    if found and canonical_ip(found[1]) and canonical_ip(found[3]):
        del fields[_OWN + "ssh-connection"]
        fields["source.ip"], fields["source.port"] = found[1], int(found[2])
        fields["destination.ip"], fields["destination.port"] = found[3], int(found[4])


def _ends(fields: Fields) -> None:
    elapsed = whole(fields.get(_ELAPSED, ""))
    if elapsed is not None:
        del fields[_ELAPSED]
        fields["event.duration"] = elapsed * _SECOND_NS
    for side in ("source", "destination"):
        if fields.get(f"{side}.ip"):
            settle(fields, side)
    if fields.get("source.user.name"):
        fields["user.name"] = fields["source.user.name"]
    roles = fields.get("user.roles")
    if roles:
        fields["user.roles"] = [role.strip() for role in roles.split(",")]
    if fields.get("url.original"):
        fields.update(url_fields(fields["url.original"]))
        if fields.get("destination.domain"):
            fields.setdefault("url.domain", fields["destination.domain"])
    path, asked, query = fields.get("url.path", "").partition("?")
    if path and asked:  # `obj` is all that stands behind the host
        fields["url.path"] = path
        if query:
            fields["url.query"] = query


def _rule(fields: Fields, tag: str) -> None:
    """Let an alert's rule be what was found; the policy then is the ruleset."""
    found = fields.pop(_OWN + "attack-name", "")
    if tag.startswith("IDP_") and (found or fields.get(_OWN + "name")):
        policy = fields.get("rule.name")
        if policy and found:
            fields["rule.ruleset"] = policy
        fields["rule.name"] = found or fields["rule.name"]
    elif tag.startswith("RT_SCREEN_"):
        fields["rule.name"] = found or fields.get("rule.name") or tag
    elif tag.startswith("AV_") and fields.get(_OWN + "name"):
        fields["rule.name"] = fields["threat.software.name"] = fields[_OWN + "name"]


@lru_cache(4096)
def _classes(tag: str, action: str, severity: str) -> Fields:
    kind, categories, types = table.CLASSES.get(tag, ("event", "network", "info"))
    if tag.startswith("RT_SCREEN_"):
        kind, categories, types = table.SCREEN
    fields: Fields = {
        "event.kind": kind,
        "event.category": categories.split(),
        "event.type": types.split(),
        "event.outcome": "failure" if "FAILED" in tag else "success",
    }
    if tag:
        fields["event.code"] = tag
    verdict = action.lower()
    if "network" in categories and "info" in types and verdict:
        if verdict in table.DENIED:
            fields["event.type"] = [*fields["event.type"], "denied"]
        elif verdict in table.ALLOWED:
            fields["event.type"] = [*fields["event.type"], "allowed"]
    if not action and tag:
        fields["event.action"] = tag.lower()
    if severity.upper() in table.SEVERITIES:
        fields["event.severity"] = table.SEVERITIES[severity.upper()]
    return fields


# ------------------------------------------------------------------ system messages

_FINDERS = tuple(
    re.compile(pattern).search
    for pattern in (
        r"[Uu]ser '(?P<user>[^']{1,128})'",
        r"^User (?P<user>[\w.\-]{1,64}) logged in\b",
        r"^BGP peer (?P<address>[0-9A-Fa-f:.]{3,45})\b",
        r"command '(?P<command>.*)'\s*$",
        r"\((?P<user>[\w.\-]{1,64})\) CMD \(\s*(?P<command>.*)\)\s*$",
        r"^(?P<user>[\w.\-]{1,64})@(?P<address>[0-9A-Fa-f:.]{3,45}) as [\w.\-]{1,64}: cmd='(?P<command>.*)'",
        r"(?:password|publickey|keyboard-interactive/pam) for (?:invalid user )?(?P<user>\S{1,128}) from (?P<address>[0-9A-Fa-f:.]{3,45}) port (?P<port>\d{1,5})",
        r"[Ll]ogin failed for user '?(?P<user>[^'\s]{1,128})'? from host '?(?P<address>[0-9A-Fa-f:.]{3,45})",
        r"ssh-connection '(?P<address>[0-9A-Fa-f:.]{3,45}) (?P<port>\d{1,5}) ",
        r"Local: (?P<local>[0-9A-Fa-f:.]{3,45})/(?P<local_port>\d{1,5}), Remote: (?P<address>[0-9A-Fa-f:.]{3,45})/(?P<port>\d{1,5})",
        r"(?:from host|from) '?\[?(?P<address>[0-9A-Fa-f:.]{3,45})\b",
    )
)
_NAMES = {
    "user": "user.name",
    "command": "process.command_line",
    "address": "source.ip",
    "port": "source.port",
    "local": "destination.ip",
    "local_port": "destination.port",
}
_MOST_TEXT = 2048
_INTERFACE = re.compile(
    r"(?<![\w/])((?:ge|xe|et|fe|ae|reth|st|lo|irb|vlan|em|fxp|me)-?\d[\d/]*(?:\.\d+)?)(?![\w/])"
).search


def complete_system(fields: Fields, tag: str, message: str) -> Fields:
    """Complete a system message of Junos in place and return it."""
    text = message[:_MOST_TEXT].rstrip("\r\n")
    if message:
        fields["message"] = message
    for search in _FINDERS:
        found = search(text)
        if found is None:
            continue
        for part, value in found.groupdict().items():
            if value and (part not in ("address", "local") or canonical_ip(value)):
                fields.setdefault(_NAMES[part], value)
    if interface := _INTERFACE(text):
        fields["observer.ingress.interface.name"] = interface[1]
    for port in ("source.port", "destination.port"):
        if port in fields:
            fields[port] = int(fields[port])
    _system_classes(fields, tag, text.lower())
    if tag:
        fields["event.code"] = tag
        fields["event.action"] = tag.lower()
    finish(fields)
    return fields


def _system_classes(fields: Fields, tag: str, lower: str) -> None:
    kind, categories, types = table.CLASSES.get(tag, ("event", "host", "info"))
    failed = "fail" in lower or "denied" in lower or "FAILED" in tag
    if not tag and (
        "password for" in lower or "authentication" in lower or lower[:9] == "accepted "
    ):
        categories, types = "authentication", "start"
    elif not tag and "process.command_line" in fields:
        categories, types = "process", "info"
    fields |= {
        "event.kind": kind,
        "event.category": categories.split(),
        "event.type": types.split(),
    }
    if categories == "authentication":
        fields["event.outcome"] = "failure" if failed else "success"
