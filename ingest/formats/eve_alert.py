"""The alert of an EVE record: rule, verdict, and the ATT&CK techniques in its metadata.

Source: Suricata 7.0 user guide, "Eve JSON Format: Alert"; metadata keys as in Emerging Threats' rules
(https://community.emergingthreats.net, "Metadata tags", read 2026-11).
"""

from __future__ import annotations

import re
from typing import Any, Final

from contract.event import Fields
from ingest.ecs_types import is_long

_CVE = re.compile(r"CVE[_-](\d{4})[_-](\d{4,7})$", re.IGNORECASE).match
_FRAMEWORK: Final = "MITRE ATT&CK"


def read_alert(fields: Fields, alert: dict[str, Any]) -> None:
    """Place the alert's own fields; what stays in `alert` has no place in ECS."""
    fields["event.kind"] = "alert"
    fields["event.category"] = ["network", "intrusion_detection"]
    take = alert.pop
    action = take("action", None)
    if type(action) is str and action:
        fields["event.action"] = action
        fields["event.type"] = ["denied" if action == "blocked" else "allowed"]
    name = take("signature", None)
    if type(name) is str and name:
        fields["rule.name"] = fields["message"] = name
    category = take("category", None)
    if type(category) is str and category:
        fields["rule.category"] = category
    if "signature_id" in alert:
        fields["rule.id"] = str(take("signature_id"))
    if "rev" in alert:
        fields["rule.version"] = str(take("rev"))
    if is_long(alert.get("severity")):
        fields["event.severity"] = take("severity")
    metadata = alert.get("metadata")
    if type(metadata) is dict and metadata:
        _metadata(fields, metadata)


def _metadata(fields: Fields, metadata: dict[str, Any]) -> None:
    tactics, techniques = (
        _texts(metadata, "mitre_tactic_id"),
        _texts(metadata, "mitre_technique_id"),
    )
    if tactics or techniques:
        fields["threat.framework"] = _FRAMEWORK
    if tactics:
        fields["threat.tactic.id"] = tactics
    if techniques:
        fields["threat.technique.id"] = list(
            dict.fromkeys(one.partition(".")[0] for one in techniques)
        )
        if finer := [one for one in techniques if "." in one]:
            fields["threat.technique.subtechnique.id"] = finer
    for key, field in (
        ("mitre_tactic_name", "threat.tactic.name"),
        ("mitre_technique_name", "threat.technique.name"),
    ):
        if names := _texts(metadata, key):
            fields[field] = [name.replace("_", " ") for name in names]
    texts = _texts(metadata, "cve")
    if found := [match for text in texts if (match := _CVE(text))]:
        fields["vulnerability.id"] = [f"CVE-{match[1]}-{match[2]}" for match in found]
        fields["vulnerability.enumeration"] = "CVE"
    if len(found) < len(texts):
        metadata["cve"] = texts
    if families := _texts(metadata, "malware_family"):
        fields["threat.software.name"] = families if len(families) > 1 else families[0]


def _texts(metadata: dict[str, Any], key: str) -> list[str]:
    """Take a key's values out, if they are text; each once."""
    value = metadata.get(key)
    if type(value) is str:
        value = [value]
    if type(value) is not list or not all(type(item) is str for item in value):
        return []
    del metadata[key]
    return list(dict.fromkeys(filter(None, value)))
