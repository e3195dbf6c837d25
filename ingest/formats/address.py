"""Addresses in their one canonical spelling, so that two sensors' words for one host are equal.

Sources: RFC 5952 for IPv6; ECS 9.4 for MAC addresses (upper case, hyphens; RFC 7042).
"""

from __future__ import annotations

import re
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

_MAC_DIGITS = re.compile(r"[0-9A-Fa-f]{12}$").match


def canonical_ip(text: str) -> str | None:
    """Return the address in canonical form, or None where `text` is none.

    Brackets and an interface (`%eth0`) are cut; an IPv4 address mapped into IPv6 becomes IPv4.
    """
    if ":" in text:
        return _canonical_ip6(text)
    try:
        inet_pton(AF_INET, text)  # asking costs less than remembering
    except (OSError, ValueError):  # ValueError: a NUL in the text
        return None
    return text


@lru_cache(16_384)
def _canonical_ip6(text: str) -> str | None:
    try:
        packed = inet_pton(AF_INET6, text.strip("[]").partition("%")[0])
    except (OSError, ValueError):
        return None
    if packed[:12] == b"\0\0\0\0\0\0\0\0\0\0\xff\xff":
        return inet_ntop(AF_INET, packed[12:])
    return inet_ntop(AF_INET6, packed)


@lru_cache(16_384)
def canonical_mac(text: str) -> str | None:
    """Return a 48-bit MAC address as `00-00-5E-00-53-23`, or None where `text` is none.

    Reads colons, hyphens, dots (Cisco) and bare digits.
    """
    digits = text.replace(":", "").replace("-", "").replace(".", "")
    if len(digits) != 12 or not _MAC_DIGITS(digits):  # noqa: PLR2004 - 48 bits in hexadecimal
        return None
    upper = digits.upper()
    return "-".join(upper[at : at + 2] for at in range(0, 12, 2))
