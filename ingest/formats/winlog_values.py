"""Readers of Windows event data: each makes the ECS fields of one datum.

`reader(name, field)` gives a function that is called with the fields to add to and the datum. Data come as
text; `-` and empty text never reach a reader. What a reader cannot read adds nothing: the datum stays in
`winlog.event_data.*` as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from contract.event import Fields
from ingest.formats import winlog_sysmon, winlog_users
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.file_path import path_fields
from ingest.formats.winlog_users import Read
from ingest.tables.protocols import transport_fields
from ingest.tables.windows_events import LOGON_TYPES


def number_of(text: str) -> int | None:
    """Return a decimal or `0x` number, or None."""
    try:
        return int(text, 16) if text[:2] in ("0x", "0X") else int(text)
    except ValueError:
        return None


def _number(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        value = number_of(text)
        # Of a network logon Windows knows no process and writes 0, which is the idle process's number.
        if value is not None and value > 0:
            fields[field] = value

    return read


def _port(field: str) -> Read:
    def read(fields: Fields, text: str) -> None:
        value = number_of(text)
        if value is not None and value >= 0:
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


_COMMAND = re.compile(r'\s*(?:"([^"]+)"|(\S.*?\.(?:exe|sys|dll|com|bat|cmd|ps1|vbs)(?=\s|$)|\S+))', re.IGNORECASE)  # fmt: skip


def _command(prefix: str) -> Read:
    """A service's image path: the program alone, without quotes and arguments."""

    def read(fields: Fields, text: str) -> None:
        match = _COMMAND.match(text[:1024])
        if match is not None:
            path_fields(fields, prefix, match[1] or match[2])

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
    "number": _number, "port": _port, "ip": _ip, "program": _program, "path": _path,
    "library": winlog_sysmon.library, "account": winlog_users.account, "principal": winlog_users.principal, "logon_user": winlog_users.logon_user,
    "logon_domain": winlog_users.logon_domain, "effective_user": winlog_users.effective_user, "sid": winlog_users.sid,
    "distinguished": winlog_users.distinguished, "logon_type": _logon_type, "direction": _direction,
    "initiated": _initiated, "protocol": _protocol, "station": _station, "lower": _lower, "flag": _flag,
    "guid": winlog_sysmon.guid, "command": _command, "hashes": winlog_sysmon.hashes, "library_hashes": winlog_sysmon.library_hashes,
    "registry": winlog_sysmon.registry, "registry_data": winlog_sysmon.registry_data, "dns_status": winlog_sysmon.dns_status,
    "dns_results": winlog_sysmon.dns_results, "sysmon_rule": winlog_sysmon.sysmon_rule, "utc": winlog_sysmon.utc,
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
