"""What kind of event a record of PAN-OS is, by ECS: from its log type, subtype, action and name.

Source: PAN-OS 8.1 to 11.2 "Syslog Field Descriptions"; ECS 9.4, `event.category` and `event.type`.
"""

from __future__ import annotations

from functools import lru_cache

from contract.event import Fields
from ingest.formats.panos import is_alert
from ingest.tables import paloalto_panos as table


@lru_cache(4096)
def classes(kind: str, subtype: str, action: str, category: str, event: str) -> Fields:
    """Return `event.kind`, category, type and outcome.

    Args:
        kind: the log type.
        subtype: the log's subtype, or type of threat.
        action: that was taken.
        category: of the threat.
        event: name of what happened, of the logs that name it; else the log type.
    """
    fields: Fields = {"event.kind": "event", "event.category": ["network"], "event.type": ["info"]}
    if kind in ("TRAFFIC", "TUNNEL", "GTP", "SCTP"):
        types = ["connection"]
        if subtype in ("start", "end"):
            types.append(subtype)
        types.append(
            "denied" if action in table.DENIED or subtype in ("drop", "deny") else "allowed"
        )
        fields |= {"event.type": types, "event.outcome": "success"}
    elif kind in ("THREAT", "DECRYPTION"):
        fields |= _threat_classes(subtype, action, category)
    elif kind in ("USERID", "AUTH", "AUTHENTICATION", "GLOBALPROTECT", "SYSTEM"):
        fields |= _logon_classes(kind, subtype, event.lower())
    elif kind == "CONFIG":
        fields |= {"event.category": ["configuration"], "event.type": ["change"]}
    elif kind == "CORRELATION":
        fields |= {"event.kind": "alert", "event.category": ["intrusion_detection"]}
    elif kind == "HIPMATCH":
        fields["event.category"] = ["host"]
    return fields


def _threat_classes(subtype: str, action: str, category: str) -> Fields:
    fields: Fields = {
        "event.type": ["info", "denied" if action in table.DENIED else "allowed"],
        "event.outcome": "success",
    }
    if is_alert(subtype, category):
        fields |= {"event.kind": "alert", "event.category": table.ALERTS[subtype]}
    elif subtype == "url":
        fields["event.category"] = ["network", "web"]
    elif subtype in ("file", "data"):
        fields["event.category"] = ["file", "network"]
    return fields


def _logon_classes(kind: str, subtype: str, event: str) -> Fields:
    if kind == "SYSTEM" and subtype not in ("auth", "globalprotect") and "auth" not in event:
        return {"event.category": ["host"] if subtype == "general" else ["network"]}
    words = f"{subtype} {event}".lower()
    fields: Fields = {"event.category": ["authentication"], "event.action": event}
    if kind == "GLOBALPROTECT" and not any(word in words for word in ("auth", "login", "logout")):
        fields["event.category"] = ["network", "session"]
    ended = "logout" in words
    fields["event.type"] = (
        ["end"] if ended else ["start"] if "log" in words or "auth" in words else ["info"]
    )
    failed = any(word in words for word in ("fail", "timeout", "invalid", "error"))
    fields["event.outcome"] = "failure" if failed else "success"
    return fields
