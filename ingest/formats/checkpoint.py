"""What Check Point records mean, once their keys are named: time, sides, rules, classes; and Harmony Email alerts.

Source: Check Point "Description of fields in Check Point logs" (sk144192).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.account import user_fields
from ingest.formats.address import canonical_ip
from ingest.formats.device import name
from ingest.formats.finish import finish
from ingest.formats.json import flatten
from ingest.formats.number import whole
from ingest.formats.sides import add_totals, settle
from ingest.formats.time import any_us
from ingest.formats.url import url_fields
from ingest.tables import checkpoint_firewall as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_DIRECTIONS = {"inbound": "inbound", "0": "inbound", "outbound": "outbound", "1": "outbound"}
_SECOND_NS = 1_000_000_000
_LONG_NUMBER = 3  # severities have one digit, or two
_CONSOLES = frozenset(("smartconsole", "wep_console", "system monitor", "cpmi client"))
_LONGEST_KEPT = 256  # of Harmony's texts; the longer ones repeat the message itself


def complete(fields: Fields, context: Context) -> Fields:
    """Complete a record in place and return it."""
    pop = fields.pop
    _time(fields, context)
    protocol = pop(_OWN + "proto", "")
    if protocol:
        fields.update(transport_fields(protocol) or {_OWN + "proto": protocol})
    _way(fields)
    for side in ("source", "destination"):
        if fields.get(f"{side}.ip"):
            settle(fields, side)
    service = pop(_OWN + "destination_port", "")
    if service:
        fields[_OWN + "service"] = service
    _people(fields)
    _device(fields)
    url = fields.get("url.original")
    if url:
        fields.update(url_fields(url))
    if fields.get("network.protocol"):
        fields["network.protocol"] = fields["network.protocol"].lower()
    add_totals(fields)
    _rule(fields)
    product = fields.get(_OWN + "product", "").lower()
    if product in _CONSOLES and (operation := fields.pop(_OWN + "operation", "")):
        # Of an audit record `action` says only that the server took it.
        fields[_OWN + "action"], fields["event.action"] = fields.get("event.action", ""), operation
    fields.update(
        _classes(
            product,
            fields.get("event.action", "").lower(),
            str(fields.get(_OWN + "severity") or fields.get(_OWN + "cp_severity") or "").lower(),
        )
    )
    if fields.get(_OWN + "audit_status"):
        fields["event.outcome"] = (
            "success" if fields[_OWN + "audit_status"].lower() == "success" else "failure"
        )
    kind = whole(fields.get(_OWN + "icmp_type", ""))
    code = whole(fields.get(_OWN + "icmp_code", "0"))
    finish(fields, None if kind is None or code is None else (kind, code))
    return fields


def _device(fields: Fields) -> None:
    origin = fields.get(_OWN + "hostname") or fields.get(_OWN + "origin")
    if origin:
        name(fields, origin)
        if canonical_ip(origin) is not None:
            fields["observer.ip"] = [origin]
    elapsed = whole(fields.get(_OWN + "duration", ""))
    if elapsed is not None:
        del fields[_OWN + "duration"]
        fields["event.duration"] = elapsed * _SECOND_NS


def _time(fields: Fields, context: Context) -> None:
    text = fields.get(_OWN + "time", "")
    if text:
        try:
            fields["@timestamp"] = iso(any_us(text, context.zone, context.received_us))
        except ValueError:
            return
        del fields[_OWN + "time"]


_NAMED = re.compile(r"(.{1,256}) \(([^()\s]{1,128})\)$").match
"""How Identity Awareness writes a person: `John Doe (jdoe)`."""


def _way(fields: Fields) -> None:
    """Place the interface: of an outgoing packet it is the one it leaves by."""
    direction = _DIRECTIONS.get(fields.pop(_OWN + "ifdir", ""))
    if direction is not None:
        fields["network.direction"] = direction
    interface = fields.pop(_OWN + "ifname", "")
    if interface:
        way = "egress" if direction == "outbound" else "ingress"
        fields[f"observer.{way}.interface.name"] = interface


def _people(fields: Fields) -> None:
    for who in ("user", "source.user", "destination.user"):
        account = fields.get(f"{who}.name")
        if account and (named := _NAMED(account)):
            fields[f"{who}.full_name"], account = named.groups()
            fields[f"{who}.name"] = account
        if account and "\\" in account:
            fields.update(user_fields(who, account))
    account = fields.get("source.user.name")
    if account:
        fields.setdefault("user.name", account)
    if _OWN + "identity_src" in fields and "dns.question.name" in fields:
        # A logon's `domain_name` is the directory, not a name that was asked for.
        fields["user.domain"] = fields.pop("dns.question.name")


def _rule(fields: Fields) -> None:
    """Let a protection be the rule of what it found; the policy's rule keeps its uuid and stands as the ruleset."""
    get = fields.get
    protection, title = (
        get(_OWN + "protection_id"),
        get(_OWN + "protection_name") or get(_OWN + "attack"),
    )
    if get(_OWN + "product", "").lower() in table.ALERTS and (protection or title):
        if get("rule.name"):
            fields["rule.ruleset"] = fields.pop("rule.name")
        if protection:
            fields["rule.id"] = protection
        if title:
            fields["rule.name"] = title


@lru_cache(4096)
def _classes(product: str, action: str, severity: str) -> Fields:
    fields: Fields = {
        "event.kind": "event",
        "event.category": ["network"],
        "event.outcome": "success",
    }
    short = severity.isdecimal() and len(severity) < _LONG_NUMBER
    number = int(severity) if short else table.SEVERITIES.get(severity)
    if number is not None:
        fields["event.severity"] = number
    verdict = "denied" if action in table.DENIED else "allowed"
    if product in table.ALERTS:
        return fields | {
            "event.kind": "alert",
            "event.category": table.ALERTS[product],
            "event.type": ["info", verdict],
        }
    if action in ("log in", "log out", "failed log in", "authcrypt", "update"):
        kind = "end" if action == "log out" else "start" if "log in" in action else "info"
        outcome = "failure" if action == "failed log in" else "success"
        return fields | {
            "event.category": ["authentication"],
            "event.type": [kind],
            "event.outcome": outcome,
        }
    if action in ("key install", "encrypt", "decrypt"):
        return fields | {"event.type": ["connection", "info"]}
    if product in _CONSOLES:
        return fields | {"event.category": ["configuration"], "event.type": ["change"]}
    if product in ("url filtering", "application control"):
        fields["event.category"] = ["network", "web"]
    return fields | {"event.type": ["connection", verdict] if action else ["info"]}


def of_harmony(record: dict[str, Any]) -> Fields:
    """Return the fields of a Harmony Email & Collaboration security event."""
    event = flatten(record)
    get = event.get
    payload, mail = "security_event.entity_payload.", "entity.entity_payload."
    actions = get("security_event.security_event_action")
    first = (
        actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    )
    said = {
        "message": get(payload + "description_text"),
        "event.severity": get(payload + "severity"),
        "event.action": first.get("action_type"),
        "event.provider": get(payload + "matched_security_tool"),
        "rule.id": get(payload + "policy_rule_id"),
        "rule.category": get(payload + "category"),
        "source.domain": get(mail + "from_domain"),
        "source.ip": get(mail + "sender_client_ip"),
        "source.user.email": get(mail + "from_email"),
        "source.user.full_name": get(mail + "from_name"),
        "email.from.address": get(mail + "from_email"),
        "email.to.address": get(mail + "to"),
        "email.subject": get(mail + "subject"),
        "email.message_id": get(mail + "internet_message_id"),
        "observer.name": get("entity.entity_info.entity_reporter"),
    }
    fields: Fields = {key: value for key, value in said.items() if value not in (None, "", [])}
    if "rule.id" in fields:
        fields["rule.id"] = str(fields["rule.id"])
    time = get("security_event.time")
    if isinstance(time, str):
        fields["@timestamp"] = time
    malware = "malware" in str(get(payload + "category"))
    fields |= {
        "observer.product": "Harmony Email & Collaboration",
        "event.kind": "alert",
        "event.category": ["email", "malware" if malware else "intrusion_detection"],
        "event.type": ["info"],
    }
    for key, value in event.items():
        if isinstance(value, str | int) and len(str(value)) <= _LONGEST_KEPT:
            fields[f"{_OWN}harmony.{key}"] = value
    finish(fields)
    return fields
