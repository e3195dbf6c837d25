"""Readers of Zeek's columns: each makes the ECS fields of one typed value.

`compile_column(target)` gives a plain field name, or a function that is called with the fields to add to
and the value, which is text, a number, a boolean or a list as the log's format says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from contract.event import Fields
from contract.timestamps import MAX_US, iso
from ingest.formats.address import canonical_mac
from ingest.formats.time import iso_us

Read: TypeAlias = Callable[[Fields, Any], None]
_NANOSECONDS: Final = 1_000_000_000
_PROTOCOLS: Final = {
    "ssl": "tls", "krb": "kerberos", "krb_tcp": "kerberos", "gssapi": "gssapi", "dce-rpc": "dce_rpc",
    "smb1": "smb", "smb2": "smb", "smb3": "smb",
}  # fmt: skip


def time_text(value: Any) -> str | None:
    """Return a Zeek time as ISO text: seconds as text or number, milliseconds, or ISO; None when none."""
    if type(value) is str:
        seconds, point, decimals = value.partition(".")
        if seconds.isdecimal() and len(seconds) < 12 and (not point or decimals.isdecimal()):  # noqa: PLR2004 - seconds until the year 5138
            return iso(int(seconds) * 1_000_000 + int(decimals[:6].ljust(6, "0")))
        try:
            return iso(iso_us(value))
        except (ValueError, OverflowError):
            return None
    if type(value) not in (int, float) or not 0 <= value < 1e14:  # noqa: PLR2004 - also refuses NaN
        return None
    micros = round(value * (1_000 if value > 1e11 else 1_000_000))  # noqa: PLR2004 - JSON::TS_MILLIS
    return iso(micros) if micros <= MAX_US else None


def seconds_of(value: Any) -> float | None:
    """Return an interval as seconds, or None."""
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            return None
    return value if type(value) in (int, float) and 0 <= value < 1e9 else None  # noqa: PLR2004 - 30 years


def _text(field: str) -> Read:
    return lambda fields, value: fields.__setitem__(field, str(value))


def _upper(field: str) -> Read:
    return lambda fields, value: fields.__setitem__(field, str(value).upper())


def _first(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        item = value[0] if type(value) is list and value else value
        if item and field not in fields and type(item) is not list:
            fields[field] = item

    return read


def _list(field: str) -> Read:
    return lambda fields, value: fields.__setitem__(
        field, value if type(value) is list else [value]
    )


def _number(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        if type(value) is int or (type(value) is str and value.isdecimal() and len(value) < 19):  # noqa: PLR2004 - 64 bits
            fields[field] = int(value)

    return read


def _interval(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        seconds = seconds_of(value)
        if seconds is not None:
            fields[field] = round(seconds * _NANOSECONDS)

    return read


def _time(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        text = time_text(value)
        if text is not None:
            fields[field] = text

    return read


def _mac(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        mac = canonical_mac(value) if type(value) is str else None
        if mac is not None:
            fields[field] = mac

    return read


def _services(field: str) -> Read:
    """`ssl`, `gssapi,smb`: one protocol, or a list of those that stood in one connection."""

    def read(fields: Fields, value: Any) -> None:
        parts = value if type(value) is list else str(value).split(",")
        names = [_PROTOCOLS.get(part.lower(), part.lower()) for part in parts if type(part) is str]
        fields[field] = names[0] if len(names) == 1 else names

    return read


def _outcome(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        if type(value) is bool:
            fields[field] = "success" if value else "failure"

    return read


def _dns_class(field: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        fields[field] = "IN" if value == "C_INTERNET" else str(value).removeprefix("C_")

    return read


def _principal(prefix: str) -> Read:
    """`name/REALM`."""

    def read(fields: Fields, value: Any) -> None:
        name, _, realm = str(value).rpartition("/")
        if name:
            fields[prefix + ".name"], fields[prefix + ".domain"] = name, realm
        else:
            fields[prefix + ".name"] = realm

    return read


_DIGESTS: Final = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def _digest(prefix: str) -> Read:
    def read(fields: Fields, value: Any) -> None:
        name = _DIGESTS.get(len(value)) if type(value) is str else None
        if name is not None:
            fields[f"{prefix}.hash.{name}" if not prefix.endswith(".hash") else f"{prefix}.{name}"] = value  # fmt: skip

    return read


def _path(prefix: str) -> Read:
    r"""A file's name as the protocol gave it, with or without directories of either kind."""

    def read(fields: Fields, value: Any) -> None:
        text = str(value)
        name = text[max(text.rfind("\\"), text.rfind("/")) + 1 :]
        if name:
            fields[prefix + ".name"] = name
        if len(name) < len(text):
            fields[prefix + ".path"] = text

    return read


_READERS: Final[dict[str, Callable[[str], Read]]] = {
    "text": _text, "upper": _upper, "first": _first, "list": _list, "number": _number,
    "interval": _interval, "time": _time, "mac": _mac, "services": _services, "outcome": _outcome,
    "dns_class": _dns_class, "principal": _principal, "digest": _digest, "path": _path,
}  # fmt: skip


def compile_column(target: str) -> str | Read:
    """Return the field, or the reader made for it.

    Raises:
        KeyError: a reader of that name does not exist.
    """
    reader, found, field = target.partition(":")
    return _READERS[reader](field) if found else target
