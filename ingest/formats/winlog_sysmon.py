"""Readers of Sysmon's data: processes by GUID, hashes, libraries, registry values, DNS answers, rule names.

As in `ingest.formats.winlog_values`: each takes a field or its prefix and gives a function that is called
with the fields to add to and the datum. Source: Sysmon 4.90's manifest and documentation, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.file_path import base_name, path_fields
from ingest.formats.winlog_system import utc_text

Read: TypeAlias = Callable[[Fields, str], None]


def guid(field: str) -> Read:
    """A process GUID; the null GUID (a process that Sysmon did not know) is none.

    The EVTX dumpers write it in capitals without braces, Windows as `{lower case}`.
    """

    def read(fields: Fields, text: str) -> None:
        if text[:1] != "{":
            text = "{" + text.lower() + "}"
        if not text.startswith("{00000000-0000-0000-0000-0000"):
            fields[field] = text

    return read


def library(prefix: str) -> Read:
    """A loaded library is a file too: rules and joins over files must see it."""

    def read(fields: Fields, text: str) -> None:
        fields[prefix + ".path"] = text
        fields[prefix + ".name"] = base_name(text)
        path_fields(fields, "file", text)

    return read


_HASHES = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512", "SHA384": "sha384"}


def hashes(prefix: str) -> Read:
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


def library_hashes(prefix: str) -> Read:
    """Hashes of a loaded library, which is a file too."""
    own, file = hashes(prefix), hashes("file")

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


def registry(prefix: str) -> Read:
    """A registry path."""
    return registry_fields


_WORD_VALUE = re.compile(r"(DWORD|QWORD) \(0x([0-9a-fA-F]{1,8})(?:-0x([0-9a-fA-F]{1,8}))?\)$")


def registry_data(prefix: str) -> Read:
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


def dns_status(field: str) -> Read:
    """A Win32 error code of DNS, and the response code it stands for."""

    def read(fields: Fields, text: str) -> None:
        fields["sysmon.dns.status"] = text
        name = _DNS_STATUS.get(text)
        if name is not None:
            fields[field] = name

    return read


def dns_results(prefix: str) -> Read:
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


def sysmon_rule(field: str) -> Read:
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


def utc(field: str) -> Read:
    """A time of Sysmon's own clock, UTC."""

    def read(fields: Fields, text: str) -> None:
        value = utc_text(text)
        if value is not None:
            fields[field] = value

    return read
