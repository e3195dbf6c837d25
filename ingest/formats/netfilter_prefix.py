"""What stands before the packet in a netfilter log line: the prefix that a rule's author or a front end chose.

Sources: ufw 0.36 (`[UFW BLOCK] `), shorewall 5.2 LOGFORMAT (`Shorewall:net2fw:DROP:`), firewalld 2
(`filter_IN_public_REJECT: `), Ubiquiti and Vyatta (`[WAN_LOCAL-2000-D]`), OpenWrt fw3/fw4
(`DROP wan in: `), SuSEfirewall2 (`SFW2-INext-ACC-TCP `), Proxmox (`0 3 PVEFW-HOST-IN 20/Jun/2022:13:09:14 +0200 policy DROP: `).
A prefix is free text; the verdict is read from it only where a word says it.
"""

from __future__ import annotations

import re
from typing import Final

from contract.event import Fields

_WORDS = re.compile(r"[A-Za-z]+").findall
_SHOREWALL = re.compile(r"Shorewall6?:([^:\s]+):([^:\s]+):?").search
_ZONES = re.compile(r"([A-Za-z]\w{0,15}?)(?:2|-)([A-Za-z]\w{0,15})$").match
_ZONE_PAIR = re.compile(r"([A-Za-z]\w{0,15})-([A-Za-z]\w{0,15})").fullmatch
_VYATTA = re.compile(r"\[?([\w\-]+)-(\d{1,5}|default)-([ADR])\]?$").match
_FIREWALLD = re.compile(r"(?:filter_)?(IN|FWDI|FWDO|OUT|FWD)_(\w+?)_(?:[A-Z_]+)$").match
_PROXMOX = re.compile(r"\d+ \d ([\w\-]+) (?:\S+ [+-]\d{4} )?(.*)").match
_VERDICTS: Final = {
    "drop": "drop", "dropped": "drop", "deny": "drop", "denied": "drop", "block": "drop", "blocked": "drop",
    "dpt": "", "reject": "reject", "rejected": "reject", "accept": "accept", "accepted": "accept",
    "allow": "accept", "allowed": "accept", "pass": "accept", "passed": "accept", "permit": "accept",
    "acc": "accept",
}  # fmt: skip
_LETTERS: Final = {"A": "accept", "D": "drop", "R": "reject"}


def prefix_fields(prefix: str) -> Fields:
    """Return what a prefix says: verdict, rule, rule set, zones. O(length)."""
    text = prefix.strip(' "').rstrip(":").strip(' "')
    fields: Fields = {}
    if not text:
        return _with_verdict(fields, "")
    if found := _PROXMOX(text):
        fields["rule.ruleset"] = found[1]
        text = found[2] or found[1]
    fields["rule.name"] = text
    if found := _SHOREWALL(text):
        fields["rule.ruleset"] = found[1]
        if zones := _ZONES(found[1]):
            fields["observer.ingress.zone"], fields["observer.egress.zone"] = zones[1], zones[2]
        return _with_verdict(fields, _verdict(found[2]))
    if found := _VYATTA(text):
        # A rule has a number only; what people know it by is the name of its set, as Elastic's package says too.
        fields["rule.name"] = fields["rule.ruleset"] = found[1]
        fields["rule.id"] = found[2]
        if zones := _ZONE_PAIR(found[1]):
            fields["observer.ingress.zone"], fields["observer.egress.zone"] = zones[1], zones[2]
        return _with_verdict(fields, _LETTERS[found[3]])
    if (found := _FIREWALLD(text)) and found[1] in {"IN", "FWDI"}:
        fields["observer.ingress.zone"] = found[2]
    return _with_verdict(fields, _verdict(text))


def _verdict(text: str) -> str:
    """Return what the last word that is a verdict says."""
    for word in reversed(_WORDS(text)):
        if verdict := _VERDICTS.get(word.lower()):
            return verdict
    return ""


def _with_verdict(fields: Fields, verdict: str) -> Fields:
    if verdict:
        fields["event.action"] = verdict
        fields["event.type"] = ["connection", "allowed" if verdict == "accept" else "denied"]
        # ECS: a firewall that blocks as it should has succeeded.
        fields["event.outcome"] = "success"
    else:
        fields["event.type"] = ["connection"]
    return fields
