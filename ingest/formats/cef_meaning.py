"""What a record of CEF or LEEF means beyond the names of its keys: sides, people, files, categories.

Shared by `generic.cef`, `generic.leef` and the products whose CEF follows the standard.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from typing import Final

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.device import name
from ingest.formats.finish import finish
from ingest.formats.sides import add_totals, settle
from ingest.formats.time import any_us, zone_named
from ingest.formats.url import url_fields
from ingest.tables import cef as table
from ingest.tables.protocols import transport_fields

_HASH_NAMES: Final = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_WINDOWS_PATH = re.compile(r'"?[A-Za-z]:\\').match
_ALERT = re.compile(
    r"\b(?:virus|malware|trojan|ransomware|spyware|intrusion|ips|ids|exploit|malop|botnet|phishing)\b",
    re.IGNORECASE,
).search
_MALWARE = re.compile(r"virus|malware|trojan|ransom|spyware|malop|botnet", re.IGNORECASE).search


def read_times(fields: Fields, prefix: str, context: Context, keys: dict[str, str]) -> None:
    """Set times by their fields in `keys` (vendor's name to ECS), the first that is one of them as `@timestamp`."""
    zone = zone_named(fields.get("event.timezone", "")) or context.zone
    stamped = False
    for key, field in keys.items():
        text = fields.pop(prefix + key, "")
        if not text:
            continue
        at = _moment(text, zone, context.received_us)
        if at is None:
            fields[prefix + key] = text
            continue
        if not stamped:
            fields["@timestamp"] = at
            stamped = True
        if field:
            fields[field] = at


def _moment(text: str, zone: tzinfo, received_us: int) -> str | None:
    try:
        return iso(any_us(text, zone, received_us))
    except ValueError:
        return None


def mean(fields: Fields, prefix: str) -> None:
    """Complete a record whose keys are named, in place."""
    get = fields.get
    protocol = fields.pop(prefix + "proto", "")
    if protocol:
        known = transport_fields(protocol)
        fields.update(known or {"network.transport": protocol.lower()})
    if get("network.protocol"):
        fields["network.protocol"] = fields["network.protocol"].lower()
    for side in ("source", "destination"):
        if get(f"{side}.ip"):
            settle(fields, side)
        _account(fields, f"{side}.user")
    _account(fields, "user")
    account = get("source.user.name") or get("destination.user.name")
    if account and not get("user.name"):
        fields["user.name"] = account
    _content(fields, prefix)
    _machines(fields)
    add_totals(fields)
    _classify(fields, prefix)
    finish(fields)


def _machines(fields: Fields) -> None:
    """Name the device, and the machine apart where the product speaks of one."""
    get = fields.get
    if get("observer.ip") and canonical_ip(fields["observer.ip"]) is None:
        fields["observer.name"] = fields.pop("observer.ip")
    for field in ("observer.ip", "observer.mac", "host.ip"):
        if get(field):
            fields[field] = [fields[field]]
    machine = get("host.name")
    if get("observer.name"):
        name(fields, fields["observer.name"])
    if machine:
        fields["host.name"] = fields["host.hostname"] = machine


def _account(fields: Fields, who: str) -> None:
    account = fields.get(f"{who}.name")
    if account and "\\" in account:
        domain, _, user = account.rpartition("\\")
        if user:
            fields[f"{who}.name"] = user
            fields[f"{who}.domain"] = domain.rstrip("\\")


def _content(fields: Fields, prefix: str) -> None:
    url = fields.get("url.original")
    if url:
        if _WINDOWS_PATH(url):
            # Some products put a program's path where the standard wants a URL.
            fields[prefix + "request"] = fields.pop("url.original")
        else:
            fields.update(url_fields(url.strip('"')))
    path = fields.get("file.path")
    if path and not fields.get("file.name"):
        fields["file.name"] = re.split(r"[\\/]", path)[-1] or path
    digest = fields.get(prefix + "fileHash")
    if digest and len(digest) in _HASH_NAMES:
        fields[f"file.hash.{_HASH_NAMES[len(digest)]}"] = fields.pop(prefix + "fileHash").lower()


@lru_cache(4096)
def _classes(category: str, flow: bool) -> tuple[str, list[str], list[str]]:
    if _ALERT(category):
        kind = "malware" if _MALWARE(category) else "intrusion_detection"
        return "alert", [kind, "network"] if flow else [kind], ["info"]
    lower = category.lower()
    if "login" in lower or "logon" in lower or "authentication" in lower:
        return "event", ["authentication"], ["start"]
    if "logout" in lower or "logoff" in lower:
        return "event", ["authentication"], ["end"]
    return "event", *((["network"], ["connection"]) if flow else (["host"], ["info"]))


def _classify(fields: Fields, prefix: str) -> None:
    category = f"{fields.get(prefix + 'cat', '')} {fields.get('rule.name', '')}"
    action = str(fields.get("event.action", "")).lower()
    flow = bool(fields.get("source.ip") and fields.get("destination.ip"))
    fields["event.kind"], categories, types = _classes(category[:256], flow)
    if "network" in categories and action in table.DENIED:
        types = [*types, "denied"]
    elif "network" in categories and action in table.ALLOWED:
        types = [*types, "allowed"]
    fields["event.category"], fields["event.type"] = categories, types
    said = fields.pop(prefix + "outcome", "")
    if said:
        fields["event.outcome"] = table.OUTCOMES.get(said.lower(), "unknown")
        if said.lower() not in table.OUTCOMES:
            fields[prefix + "outcome"] = said
