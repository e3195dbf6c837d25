"""The types of ECS fields, as far as a wrong one would spoil joins or be refused by an index.

Source: ECS 9.4.0 field list. Types follow from the last part of a name under an ECS root, with the
exceptions named here; a test compares with the published list. Text fields need no check: any
scalar can be indexed as a keyword.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeGuard

from contract.event import Fields
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.time import canonical_us, is_canonical

MISFIT: Final = object()
"""What a check answers for a value that is not of the type."""

Check: TypeAlias = Callable[[Any], Any]
"""Returns the value in the type's own form, or `MISFIT`."""


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


ROOTS: Final = _words(
    """agent as client cloud container data_stream destination device dll dns ecs email entity error event faas
    file gen_ai group hash host http labels log message network observer orchestrator organization package process
    registry related rule server service source span tags threat tls trace transaction url user user_agent volume
    vulnerability"""
)
_LONG: Final = _words(
    """args_count bytes chi2 columns count duration entropy entrypoint exit_code go_imports_names_entropy
    go_imports_names_var_entropy imports_names_entropy imports_names_var_entropy input_tokens length line major
    max_tokens minor number offset output_tokens packets physical_size pid priority public_key_exponent public_key_size
    rows scanner_stats seed sequence sightings size status_code total_bytes_captured total_bytes_skipped ttl uptime
    var_entropy virtual_address virtual_size vpid"""
)
_LONG_NAMES: Final = _words(
    """event.severity log.syslog.facility.code log.syslog.severity.code process.parent.thread.id
    process.thread.id"""
)
_FLOAT: Final = _words(
    """base calculated_score calculated_score_norm environmental frequency_penalty presence_penalty risk_score
    risk_score_norm static_score static_score_norm temperature temporal top_k top_p usage"""
)
_BOOLEAN: Final = _words(
    """coldstart established exists go_stripped interactive managed max_bytes_per_process_exceeded mfa_enabled
    privileged removable resumed same_as_process trusted valid writable"""
)
_DATE: Final = _words(
    """accessed created creation_date ctime delivery_timestamp end first_seen ingested installed last_activity
    last_seen last_seen_timestamp modified_at mtime not_after not_before occurred origination_timestamp start
    timestamp"""
)
_IP: Final = _words("ip resolved_ip forwarded_ip")
_TEXT_NAMES: Final = _words("network.inner labels tags")
_LARGEST_LONG: Final = 2**63 - 1
_LARGEST_PORT: Final = 65_535


def check_of(name: str) -> Check | None:
    """Return the check of the field's type, or None where any scalar does."""
    root, _, rest = name.partition(".")
    if root not in ROOTS or root == "labels" or name in _TEXT_NAMES:
        return None
    if rest.startswith("syslog.structured_data.") or rest.endswith("data.bytes"):
        return None  # the latter are a registry value's bytes, as text
    return as_long if name in _LONG_NAMES else _BY_LEAF.get(rest.rpartition(".")[2])


def is_long(value: Any) -> TypeGuard[int]:
    """Whether a value is a count as it should be: whole, not negative, of 64 bits."""
    return type(value) is int and 0 <= value <= _LARGEST_LONG


def is_port(value: Any) -> TypeGuard[int]:
    """Whether a value is a port as it should be."""
    return type(value) is int and 0 <= value <= _LARGEST_PORT


def as_ip(value: Any) -> Any:
    """An address in canonical form, or a list of such, as it came."""
    if type(value) is str:
        return canonical_ip(value) or MISFIT
    if type(value) is list:
        for item in value:
            if type(item) is not str or canonical_ip(item) != item:
                return MISFIT
        return value
    return MISFIT


def as_long(value: Any) -> Any:
    """A whole number of 64 bits with sign; decimal text is read, hexadecimal after `0x` too."""
    if type(value) is str:
        try:
            value = int(value, 16 if value[:2] in {"0x", "0X"} else 10)
        except ValueError:
            return MISFIT
    elif type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not -_LARGEST_LONG - 1 <= value <= _LARGEST_LONG:
        return MISFIT
    return value


def as_port(value: Any) -> Any:
    """A number from 0 to 65535."""
    number = value if type(value) is int else as_long(value)
    return number if number is not MISFIT and 0 <= number <= _LARGEST_PORT else MISFIT


def as_float(value: Any) -> Any:
    """A finite number; decimal text is read."""
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            return MISFIT
    if type(value) is int:
        return value
    return value if type(value) is float and value - value == 0 else MISFIT


def as_boolean(value: Any) -> Any:
    """True or false; their lower-case names are read."""
    if type(value) is bool:
        return value
    return {"true": True, "false": False}.get(value, MISFIT) if type(value) is str else MISFIT


def as_date(value: Any) -> Any:
    """An ISO 8601 time in UTC, in the one form of all times here."""
    try:
        time_us = canonical_us(value)
        return value if is_canonical(value) else iso(time_us)  # the same text, not a copy
    except (ValueError, TypeError, OverflowError):
        return MISFIT


_BY_LEAF: Final[dict[str, Check]] = {
    "port": as_port,
    **dict.fromkeys(_IP, as_ip),
    **dict.fromkeys(_LONG, as_long),
    **dict.fromkeys(_DATE, as_date),
    **dict.fromkeys(_FLOAT, as_float),
    **dict.fromkeys(_BOOLEAN, as_boolean),
}


class Plan:
    """What is to be checked in events with the same sequence of field names: worked out once."""

    __slots__ = ("_addresses", "_longs", "_others", "_ports")

    def __init__(self, shape: tuple[str, ...]) -> None:
        checks = [(name, check_of(name)) for name in shape if name != "@timestamp"]
        self._addresses = tuple(name for name, check in checks if check is as_ip)
        self._longs = tuple(name for name, check in checks if check is as_long)
        self._ports = tuple(name for name, check in checks if check is as_port)
        quick = (as_ip, as_long, as_port)
        self._others = tuple(
            (name, check) for name, check in checks if check and check not in quick
        )

    def misfits(self, fields: Fields) -> list[str]:
        """Return the names whose values are not yet in their type's own form, in the order of the shape."""
        found: list[str] = []
        for names, largest in ((self._longs, _LARGEST_LONG), (self._ports, _LARGEST_PORT)):
            for name in names:
                value = fields[name]
                if type(value) is not int or not 0 <= value <= largest:
                    found.append(name)
        for name in self._addresses:
            value = fields[name]
            if canonical_ip(value) != value if type(value) is str else as_ip(value) is MISFIT:
                found.append(name)
        for name, check in self._others:
            value = fields[name]
            if check(value) is not value:
                found.append(name)
        return found
