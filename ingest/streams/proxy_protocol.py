"""The PROXY protocol: a load balancer's word on who is really connected.

Source: haproxy "The PROXY protocol", versions 1 and 2 (2020/03/05). Believed only from the proxies that the settings name,
since anyone can write such a header.
"""

from __future__ import annotations

import re
import struct
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from contract.errors import ParseError
from ingest.formats.address import canonical_ip

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_V1: Final = 107
_LONGEST_V2: Final = 16 + 2048
_V2: Final = struct.Struct("!BBH")
_V1 = re.compile(rb"PROXY (?:UNKNOWN[^\r\n]*|TCP[46] (\S+) \S+ \d{1,5} \d{1,5})\r\n").match
_ADDRESSES: Final = {1: (AF_INET, 4), 2: (AF_INET6, 16)}


def read_header(data: bytes) -> tuple[str, int] | None:
    """Return the real peer's address (empty: the proxy speaks for itself) and where the stream begins.

    None: more bytes are needed.

    Raises:
        ParseError: no such header.
    """
    if data.startswith(_SIGNATURE):
        return _read_v2(data)
    if _SIGNATURE.startswith(data):
        return None
    if data.startswith(b"PROXY ") or b"PROXY ".startswith(data):
        if match := _V1(data):
            text = match[1].decode("ascii", "replace") if match[1] else ""
            if text and canonical_ip(text) is None:
                raise ParseError("PROXY header without an address")
            return canonical_ip(text) or "", match.end()
        if len(data) < _LONGEST_V1 and b"\n" not in data:
            return None
    raise ParseError("expected a PROXY header")


def wanted(data: bytes) -> int:
    """Return how many bytes more may be read of a stream that begins so, without passing the header's end."""
    start = len(_SIGNATURE)
    if len(data) < start:
        return start - len(data)
    if not data.startswith(_SIGNATURE):
        return 1
    if len(data) < start + _V2.size:
        return start + _V2.size - len(data)
    return start + _V2.size + int(_V2.unpack_from(data, start)[2]) - len(data)


def _read_v2(data: bytes) -> tuple[str, int] | None:
    start = len(_SIGNATURE)
    if len(data) < start + _V2.size:
        return None
    version, family, length = _V2.unpack_from(data, start)
    end = start + _V2.size + length
    if version >> 4 != 2 or end > _LONGEST_V2:  # noqa: PLR2004 - the version
        raise ParseError("a PROXY header of an unknown version, or too long")
    if len(data) < end:
        return None
    known = _ADDRESSES.get(family >> 4)
    if (
        version & 0xF == 0 or known is None or length < known[1]
    ):  # LOCAL: a health check of the proxy
        return "", end
    at = start + _V2.size
    return canonical_ip(inet_ntop(known[0], data[at : at + known[1]])) or "", end
