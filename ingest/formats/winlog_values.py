"""Readers of Windows event data: each makes the ECS fields of one datum.

`reader(name, field)` gives a function that is called with the fields to add to and the datum. Data come as
text; `-` and empty text never reach a reader. What a reader cannot read adds nothing: the datum stays in
`winlog.event_data.*` as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from contract.event import Fields
from ingest.formats.account import split_account
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.tables.protocols import transport_fields
from ingest.tables.windows_events import LOGON_TYPES

Read: TypeAlias = Callable[[Fields, str], None]
NOBODY: Final = frozenset(("S-1-0-0", "NULL SID"))
"""The null SID: nobody, not a user."""


def number_of(text: str) -> int | None:
    """Return a decimal or `0x` number, or None."""
    try:
        return int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    except ValueError:
        return None


def base_name(path: str) -> str:
    r"""Return what stands after the last `\` or `/`."""
    return path[max(path.rfind("\\"), path.rfind("/")) + 1 :]


def path_fields(fields: Fields, prefix: str, path: str) -> None:
    """Add `<prefix>.path`, `.name`, `.directory`, `.extension`."""
    name = base_name(path)
    fields[prefix + ".path"] = path
    if not name:
        return
    fields[prefix + ".name"] = name
    if len(name) < len(path):
        fields[prefix + ".directory"] = path[: -len(name) - 1]
    stem, point, extension = name.rpartition(".")
    if point and stem and ":" not in extension:
        fields[prefix + ".extension"] = extension.lower()


def _number(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        value = number_of(text)
        # Windows writes 0 where it knows none: no port, and the process of a network logon.
        if value is not None and value > 0:
            fields[field] = value

    return read


def _ip(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        address = canonical_ip(text)
        if address is not None:
            fields[field] = address

    return read


def _program(prefix: str) -> Read:
    executable, name = prefix + ".executable", prefix + ".name"

    def read(fields: Fields, text: str) -> None:
        fields[executable] = text
        fields[name] = text[max(text.rfind("\\"), text.rfind("/")) + 1 :]

    return read


def _path(prefix: str) -> Read:
    return lambda fields, text: path_fields(fields, prefix, text)


def _library(prefix: str) -> Read:
    """A loaded library is a file too: rules and joins over files must see it."""

    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".path"] = text
        fields[prefix + ".name"] = base_name(text)
        path_fields(fields, "file", text)

    return read


def _account(prefix: str) -> Read:
    user, domain = prefix + ".name", prefix + ".domain"

    def read(fields: Fields, text: str) -> None:
        name, place = split_account(text)
        fields[user] = name
        if place:
            fields[domain] = place

    return read


def _principal(prefix: str) -> Read:
    """A Kerberos principal, `name` or `name@REALM`; who asks is also the target of the ticket."""

    def read(fields: Fields, text: str) -> None:
        name, place = split_account(text)
        fields[prefix + ".name"] = fields[prefix + ".target.name"] = name
        if place:
            fields.setdefault(prefix + ".domain", place)

    return read


def _logon_user(prefix: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".name"] = fields[prefix + ".target.name"] = text

    return read


def _logon_domain(prefix: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".domain"] = fields[prefix + ".target.domain"] = text

    return read


def _effective_user(prefix: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".effective.name"] = fields[prefix + ".target.name"] = text

    return read


def _sid(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        if text not in NOBODY:
            fields[field] = text

    return read


def _distinguished(prefix: str) -> Read:
    r"""`CN=Name\, Given,CN=Users,DC=corp,DC=example` of a group's member."""

    def read(fields: Fields, text: str) -> None:
        parts = re.split(r"(?<!\\),", text)
        head, _, name = parts[0].partition("=")
        if head.strip().upper() not in ("CN", "UID") or not name:
            fields[prefix + ".name"] = text
            return
        fields[prefix + ".name"] = re.sub(r"\\(.)", r"\1", name)
        labels = [part.partition("=")[2] for part in parts if part.lstrip()[:3].upper() == "DC="]
        if labels:
            fields[prefix + ".domain"] = ".".join(labels)

    return read


def _logon_type(field: str) -> Read:
    return lambda fields, text: fields.__setitem__(field, LOGON_TYPES.get(text, text))


_DIRECTIONS = {
    "%%14592": "ingress",
    "%%14593": "egress",
    "Inbound": "ingress",
    "Outbound": "egress",
}


def _direction(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        direction = _DIRECTIONS.get(text)
        if direction is not None:
            fields[field] = direction

    return read


def _initiated(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        fields[field] = "egress" if text.lower() == "true" else "ingress"

    return read


def _protocol(prefix: str) -> Read:
    return lambda fields, text: fields.update(transport_fields(text))


def _station(prefix: str) -> Read:
    """RADIUS calling station: an address or, mostly, the MAC address of the supplicant."""

    def read(fields: Fields, text: str) -> None:
        address = canonical_ip(text)
        if address is not None:
            fields[prefix + ".ip"] = address
        elif (mac := canonical_mac(text)) is not None:
            fields[prefix + ".mac"] = mac

    return read


def _lower(field: str) -> Read:
    return lambda fields, text: fields.__setitem__(field, text.removeprefix("0x").lower())


def _flag(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        if text.lower() in ("true", "false"):
            fields[field] = text.lower() == "true"

    return read


def _guid(field: str) -> Read:
    """A process GUID; the null GUID (a process that Sysmon did not know) is none."""

    def read(fields: Fields, text: str) -> None:
        if not text.startswith("{00000000-0000-0000-0000-0000"):
            fields[field] = text

    return read


_COMMAND = re.compile(r'\s*(?:"([^"]+)"|(\S.*?\.(?:exe|sys|dll|com|bat|cmd|ps1|vbs)(?=\s|$)|\S+))', re.IGNORECASE)  # fmt: skip


def _command(prefix: str) -> Read:
    """A service's image path: the program alone, without quotes and arguments."""

    def read(fields: Fields, text: str) -> None:
        match = _COMMAND.match(text[:1024])
        if match is not None:
            path_fields(fields, prefix, match[1] or match[2])

    return read


_HASHES = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512", "SHA384": "sha384"}


def _hashes(prefix: str) -> Read:
    """`SHA1=…,MD5=…,SHA256=…,IMPHASH=…`, in lower case, so that sensors' hashes are equal."""

    def read(fields: Fields, text: str) -> None:
        for part in text.split(","):
            kind, _, value = part.partition("=")
            name = _HASHES.get(kind)
            if name is not None and value:
                fields[f"{prefix}.hash.{name}"] = value.lower()
            elif kind == "IMPHASH" and value:
                fields[prefix + ".pe.imphash"] = value.lower()

    return read


def _library_hashes(prefix: str) -> Read:
    own, file = _hashes(prefix), _hashes("file")

    def read(fields: Fields, text: str) -> None:
        own(fields, text)
        file(fields, text)

    return read


_HIVES = {
    "HKLM": "HKLM", "HKU": "HKU", "HKCR": "HKCR", "HKCU": "HKCU", "HKCC": "HKCC",
    "HKEY_LOCAL_MACHINE": "HKLM", "HKEY_USERS": "HKU", "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_USER": "HKCU", "MACHINE": "HKLM", "USER": "HKU",
}  # fmt: skip


def registry_fields(fields: Fields, path: str, value: str = "") -> None:
    r"""Add `registry.path`, `.hive`, `.key`, `.value` of a Sysmon or kernel (`\REGISTRY\MACHINE\…`) path."""
    fields["registry.path"] = path
    rest = path[10:] if path[:10].upper() == "\\REGISTRY\\" else path
    hive, _, key = rest.partition("\\")
    short = _HIVES.get(hive.upper())
    if short is not None:
        fields["registry.hive"] = short
        fields["registry.key"] = key
    fields["registry.value"] = value or base_name(path)


def _registry(prefix: str) -> Read:
    return registry_fields


_WORD_VALUE = re.compile(r"(DWORD|QWORD) \(0x([0-9a-fA-F]{1,8})(?:-0x([0-9a-fA-F]{1,8}))?\)$")


def _registry_data(prefix: str) -> Read:
    """Sysmon's `Details`: `DWORD (0x00000001)`, `Binary Data`, or the text."""

    def read(fields: Fields, text: str) -> None:
        match = _WORD_VALUE.match(text)
        if match is not None:
            digits = match[2] + (match[3] or "")
            fields[prefix + ".type"] = "REG_" + match[1]
            fields[prefix + ".strings"] = [str(int(digits, 16))]
        elif text == "Binary Data":
            fields[prefix + ".type"] = "REG_BINARY"
        else:
            fields[prefix + ".type"] = "REG_SZ"
            fields[prefix + ".strings"] = [text]

    return read


# Win32 error codes of DNS, learn.microsoft.com/windows/win32/debug/system-error-codes--9000-11999-
_DNS_STATUS = {
    "0": "NOERROR", "9001": "FORMERR", "9002": "SERVFAIL", "9003": "NXDOMAIN", "9004": "NOTIMP",
    "9005": "REFUSED", "9006": "YXDOMAIN", "9007": "YXRRSET", "9008": "NXRRSET", "9009": "NOTAUTH",
    "9010": "NOTZONE",
}  # fmt: skip
_DNS_TYPES = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "15": "MX", "16": "TXT", "28": "AAAA",
    "33": "SRV", "65": "HTTPS",
}  # fmt: skip
MAX_ANSWERS: Final = 64


def _dns_status(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        fields["sysmon.dns.status"] = text
        name = _DNS_STATUS.get(text)
        if name is not None:
            fields[field] = name

    return read


def _dns_results(prefix: str) -> Read:
    """Sysmon's `type:  5 name.example;::ffff:192.0.2.1;2001:db8::1;`."""

    def read(fields: Fields, text: str) -> None:
        answers = []
        addresses = []
        for part in text.split(";")[:MAX_ANSWERS]:
            value = part.strip()
            if not value:
                continue
            address = canonical_ip(value)
            if address is not None:
                addresses.append(address)
                answers.append({"type": "AAAA" if ":" in address else "A", "data": address})
            elif value.startswith("type:"):
                number, _, name = value[5:].strip().partition(" ")
                answers.append({"type": _DNS_TYPES.get(number, number), "data": name})
        if answers:
            fields[prefix + ".answers"] = answers
        if addresses:
            fields[prefix + ".resolved_ip"] = addresses

    return read


def _sysmon_rule(field: str) -> Read:
    """The configuration's rule name; `technique_id=T1059,technique_name=…` names the technique."""

    def read(fields: Fields, text: str) -> None:
        fields[field] = text
        if "technique_id=" not in text:
            return
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        technique = parts.get("technique_id", "").strip()
        if technique:
            fields["threat.framework"] = "MITRE ATT&CK"
            fields["threat.technique.id"] = [technique]
        name = parts.get("technique_name", "").strip()
        if name:
            fields["threat.technique.name"] = [name]

    return read


_UTC = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*Z?$")


def utc_text(text: str) -> str | None:
    """Return Sysmon's `2023-08-16 00:36:50.070` as ISO text in UTC, or None."""
    match = _UTC.match(text)
    return None if match is None else f"{match[1]}T{match[2]}Z"


def _utc(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        value = utc_text(text)
        if value is not None:
            fields[field] = value

    return read


def _defender_path(prefix: str) -> Read:
    r"""`file:_C:\x.exe; process:_pid:…`: the first file."""

    def read(fields: Fields, text: str) -> None:
        for part in text.split("; "):
            kind, found, path = part.partition(":_")
            if found and kind in ("file", "containerfile", "amsi"):
                path_fields(fields, prefix, path.partition("->")[0])
                return

    return read


_READERS: Final[dict[str, Callable[[str], Read]]] = {
    "number": _number, "port": _number, "ip": _ip, "program": _program, "path": _path,
    "library": _library, "account": _account, "principal": _principal, "logon_user": _logon_user,
    "logon_domain": _logon_domain, "effective_user": _effective_user, "sid": _sid,
    "distinguished": _distinguished, "logon_type": _logon_type, "direction": _direction,
    "initiated": _initiated, "protocol": _protocol, "station": _station, "lower": _lower, "flag": _flag,
    "guid": _guid, "command": _command, "hashes": _hashes, "library_hashes": _library_hashes,
    "registry": _registry, "registry_data": _registry_data, "dns_status": _dns_status,
    "dns_results": _dns_results, "sysmon_rule": _sysmon_rule, "utc": _utc,
    "defender_path": _defender_path,
}  # fmt: skip


def compile_plan(plan: dict[str, str]) -> dict[str, str | Read]:
    """Return the plan with its readers made; plain fields stay text, empty ones are left out.

    Raises:
        KeyError: a reader of that name does not exist.
    """
    made: dict[str, str | Read] = {}
    for name, target in plan.items():
        reader, found, field = target.partition(":")
        if target:
            made[name] = _READERS[reader](field) if found else target
    return made
