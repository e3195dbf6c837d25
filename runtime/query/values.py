"""What types make of texts: addresses, numbers, times, words. The same for both backends, so that both answer alike.

Source: Elasticsearch 9.4's field types: addresses compare as 128 bits, dates by the millisecond, `float` by 32 bits, text by the words of
its standard analyzer (Unicode's word boundaries, UAX #29, in lower case).
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import Any, Final, TypeAlias

import regex  # type: ignore[import-untyped]  # no stubs in the lock

from contract.errors import QueryError
from contract.timestamps import EPOCH, from_datetime, from_iso

Span: TypeAlias = tuple[int, int]
"""First and last of an interval, both included."""

_WORDS: Final = regex.compile(r"(?w)\b", regex.V1)
_HAS_CONTENT: Final = re.compile(r"\w")
_LONGEST_WORD: Final = 255
_NOW: Final = re.compile(r"now(?:([+-])(\d+)([smhdw]))?$")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PARTIAL: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$")
_TO_MINUTE: Final = re.compile(r".*T\d\d(?::(\d\d))?(?:Z|[+-]\d\d:?\d\d)?$")
_MAPPED: Final = 0xFFFF << 32
_V4_BITS, _V6_BITS = 32, 128


def words(text: str) -> list[str]:
    """Return the words of a text as Elasticsearch's standard analyzer cuts them."""
    found = []
    for part in _WORDS.split(text.lower()):
        if _HAS_CONTENT.search(part):
            found += [part[at : at + _LONGEST_WORD] for at in range(0, len(part), _LONGEST_WORD)]
    return found


def text_of(value: Any) -> str:
    """Return a scalar as a keyword holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def single(value: float) -> float:
    """Return a number as 32 bits hold it."""
    try:
        found: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return found


def address_number(value: Any) -> int | None:
    """Return an address as 128 bits, IPv4 mapped into IPv6; None when it is none."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    return int(address) | _MAPPED if address.version == 4 else int(address)  # noqa: PLR2004


def address_span(field: str, text: str) -> Span:
    """Return what an address or network covers.

    Raises:
        QueryError: it is neither.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise QueryError(f"{field} holds addresses; expected one, or a network as 10.0.0.0/8, came {text!r}") from error  # fmt: skip
    first, last = int(network.network_address), int(network.broadcast_address)
    return (first | _MAPPED, last | _MAPPED) if network.version == 4 else (first, last)  # noqa: PLR2004


def number(field: str, text: str) -> int | float:
    """Return the number that a text says.

    Raises:
        QueryError: it is none.
    """
    found = number_of(text)
    if found is None:
        raise QueryError(f"{field} holds numbers; expected one, came {text!r}")
    return found


def number_of(value: Any) -> int | float | None:
    """Return the number of a JSON value, text read as Elasticsearch does; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return int(value)
    except (ValueError, TypeError):
        pass
    try:
        found = float(value)
    except (ValueError, TypeError):
        return None
    return found if found - found == 0 else None


def milliseconds_of(value: Any) -> int | None:
    """Return the time of a JSON value in milliseconds, cut; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    try:
        return from_iso(value) // 1_000
    except (ValueError, TypeError):
        return None


def time_span(field: str, text: str, now_us: int) -> Span:
    """Return the milliseconds that a time covers: `2026-01` a month, `2026-01-01T12:30` a minute, `now-24h` a moment.

    Raises:
        QueryError: it is none of these.
    """
    found = _NOW.match(text)
    if found:
        sign, amount, unit = found.groups()
        away = int(amount) * _UNIT_MS[unit] if amount else 0
        at = now_us // 1_000 + (-away if sign == "-" else away)
        return at, at
    try:
        partial = _PARTIAL.match(text)
        if partial:
            return _calendar(*partial.groups())
        at = from_iso(text) // 1_000
    except (ValueError, OverflowError) as error:
        raise QueryError(
            f'{field} holds times; expected one as "2026-01-31T12:00:00Z" or now-24h, came {text!r}'
        ) from error
    coarse = _TO_MINUTE.match(text)
    if coarse:
        return at, at + (59_999 if coarse[1] else 3_599_999)
    return at, at + (0 if "." in text else 999)


def _calendar(year: str, month: str | None, day: str | None) -> Span:
    first = EPOCH.replace(year=int(year), month=int(month or 1), day=int(day or 1))
    if day:
        return from_datetime(first) // 1_000, from_datetime(first) // 1_000 + 86_399_999
    if month:
        wraps = first.month == 12  # noqa: PLR2004 - December
        after = first.replace(year=first.year + wraps, month=first.month % 12 + 1)
    else:
        after = first.replace(year=first.year + 1)
    return from_datetime(first) // 1_000, from_datetime(after) // 1_000 - 1
