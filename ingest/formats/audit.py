"""Linux audit records: the head of a line, and what stands encoded in them.

Sources: "audit-userspace" 4.0 `auparse/interpret.c` behaviour as documented in audit.rules(7), ausearch(8)
and auparse(3), and the kernel's `audit_log_untrustedstring`; read 2026-11. Read are the raw and the enriched
log, `ausearch --raw` and `-i`, the dispatcher's and the kernel's syslog forms.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from contract.timestamps import MAX_US
from ingest.formats.time import local_us
from ingest.tables.audit_numbers import TYPES

HEAD: Final = re.compile(
    r"(?:node=(\S{1,255}) )?type=([\w\[\]]{1,64}) (?:msg=)?audit\(([\d/:. ]{1,40}):(\d{1,20})\) ?: ?"
)
_HEX = re.compile(r"(?:[0-9A-F]{2})+$")
_STAMP = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$")
NOTHING: Final = frozenset(("", "?", "(null)", "(none)", "none"))


@lru_cache(1024)
def type_name(text: str) -> str:
    """Return the name of a record type; the kernel's own log has its number, libraries `UNKNOWN[n]`."""
    if text.isdecimal():
        return TYPES.get(text, f"UNKNOWN[{text}]")
    if text.startswith("UNKNOWN["):
        return TYPES.get(text[8:-1], text)
    return text


def stamp_us(text: str, zone: tzinfo) -> int:
    """Return the microseconds of `1492752520.441`, or of ausearch's `04/21/2017 05:28:40.441`.

    Raises:
        ValueError: neither.
    """
    match = _STAMP.match(text)
    if match is None:
        seconds, _, decimals = text.partition(".")
        if not seconds.isdecimal() or not (decimals == "" or decimals.isdecimal()):
            raise ValueError(f"expected seconds since 1970, came {text!r}")
        micros = int(seconds) * 1_000_000 + int(decimals[:6].ljust(6, "0") or 0)
        if micros > MAX_US:
            raise ValueError(f"expected seconds since 1970, came {text!r}")
        return micros
    month, day, year, hour, minute, second, fraction = match.groups()
    whole = int(year) + (2000 if len(year) == 2 else 0)  # noqa: PLR2004 - strftime %y
    micros = int((fraction or "").ljust(6, "0"))
    return local_us(
        (whole, int(month), int(day)), (int(hour), int(minute), int(second)), micros, zone
    )


def meant(value: str | None) -> str | None:
    """Return a value that says something; `?`, `(null)`, `(none)` and empty text give None."""
    return None if value is None or value in NOTHING else value


def decode_hex(text: str) -> str:
    r"""Return what hexadecimal text stands for; NULs become blanks, other bytes than UTF-8 `\xNN`."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return text
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")


def arguments(pairs: dict[str, str], raw: str) -> list[str]:
    """Return the arguments of an EXECVE record, long ones put together from their parts (`a1[0]=…`).

    `raw` is the record's body: only there is an argument in quotes told from one in hexadecimal.
    """
    quoted = set(re.findall(r'\b(a\d{1,5})="', raw))
    found: dict[int, str] = {}
    for name, value in pairs.items():
        if name[:1] != "a" or name == "argc" or not name[1:2].isdigit():
            continue
        number, bracket, _ = name[1:].partition("[")
        if not number.isdecimal():
            continue
        text = value
        if bracket:
            found[int(number)] = found.get(int(number), "") + value
            continue
        if name not in quoted and _HEX.match(value):
            text = decode_hex(value)
        found[int(number)] = text
    for index, text in found.items():
        if f"a{index}" not in pairs and _HEX.match(text):
            found[index] = decode_hex(text)
    return [found[index] for index in sorted(found)]


def socket_address(text: str) -> dict[str, str]:
    """Return family, address and port, or path, of a `saddr`: hexadecimal, or interpreted in braces."""
    if text[:1] == "{":
        pairs = dict(part.partition("=")[::2] for part in text.strip("{} ").split())
        family = pairs.get("saddr_fam") or pairs.get("fam") or ""
        found = {"family": {"inet": "ipv4", "inet6": "ipv6", "local": "unix"}.get(family, family)}
        for name, key in (("laddr", "ip"), ("lport", "port"), ("path", "path")):
            if name in pairs:
                found[key] = pairs[name]
        return found
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return {}
    return _sockaddr(raw)


_INET, _INET6, _UNIX, _NETLINK, _PACKET = 2, 10, 1, 16, 17


def _sockaddr(raw: bytes) -> dict[str, str]:
    if len(raw) < 2:  # noqa: PLR2004 - the family's two bytes
        return {}
    # The family is in the machine's order; those that keep an audit trail are little-endian, save s390x.
    family = int.from_bytes(raw[:2], "little")
    if family > 255:  # noqa: PLR2004 - families are below 50
        family = int.from_bytes(raw[:2], "big")
    if family == _INET and len(raw) >= 8:  # noqa: PLR2004 - family, port, address
        return {
            "family": "ipv4",
            "port": str(int.from_bytes(raw[2:4], "big")),
            "ip": ".".join(str(part) for part in raw[4:8]),
        }
    if family == _INET6 and len(raw) >= 24:  # noqa: PLR2004 - family, port, flow, address
        address = IPv6Address(raw[8:24])
        return {
            "family": "ipv6",
            "port": str(int.from_bytes(raw[2:4], "big")),
            "ip": str(address.ipv4_mapped or address),
        }
    if family == _UNIX:
        path = raw[2:]
        name = path[1:].split(b"\0")[0] if path[:1] == b"\0" else path.split(b"\0")[0]
        text = name.decode("utf-8", "backslashreplace")
        return {"family": "unix", "path": "@" + text if path[:1] == b"\0" and text else text}
    return {"family": {_NETLINK: "netlink", _PACKET: "packet"}.get(family, str(family))}
