"""One element of a set, straight from the kernel: a reading client of nfnetlink, for single addresses.

libnftables fetches every element of a set to answer `get element` (measured with 1.0.6: 80 ms at 10,000), and so
made reading back cost more than writing. The kernel answers for one in microseconds. Source: Linux
`include/uapi/linux/netfilter/nf_tables.h` and `nfnetlink.h`; libnftnl's `udata.h` for the comment.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from contract.errors import PointError

_NETFILTER = 12  # NETLINK_NETFILTER
_GETSETELEM = 10 << 8 | 13  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM
_NEWSETELEM = 10 << 8 | 12
_ERROR = 2  # NLMSG_ERROR; error number 0 acknowledges
_REQUEST_ACK = 1 | 4  # NLM_F_REQUEST | NLM_F_ACK
_INET = 1  # NFPROTO_INET
_NESTED = 0x8000
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS, _LIST_ELEM = 1, 2, 3, 1
_KEY, _EXPIRATION, _USERDATA, _DATA_VALUE = 1, 5, 6, 1
_COMMENT = 0  # NFTNL_UDATA_SET_ELEM_COMMENT
_PATIENCE_S = 5.0
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


class Found(NamedTuple):
    """An element as the kernel holds it; `expires_ms` from now, None: without end."""

    expires_ms: int | None
    comment: str


class Lookup:
    """A netlink socket of the network namespace that the making thread is in.

    Raises:
        PointError: no such socket can be had.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
            self._socket.bind((0, 0))
        except OSError as error:
            raise PointError(f"no nfnetlink socket: {error.strerror}") from error
        self._socket.settimeout(_PATIENCE_S)
        self._sequence = 0

    def find(self, table: str, set: str, key: bytes) -> Found | None:
        """Return the element of this key in a set of an `inet` table, or None when set or element is absent.

        Args:
            table: name.
            set: name of a set whose keys are as long as `key`.
            key: the address, packed.

        Raises:
            PointError: the kernel refuses, or does not answer.
        """
        self._sequence += 1
        try:
            self._socket.send(_request(self._sequence, table, set, key))
            return self._answer(self._sequence)
        except OSError as error:
            raise PointError(f"nfnetlink: {error.strerror or error}") from error

    def _answer(self, sequence: int) -> Found | None:
        found: Found | None = None
        while True:
            data = self._socket.recv(65_536)
            for kind, number, body in _messages(data):
                if number != sequence:
                    continue  # left over from a query that timed out
                if kind == _NEWSETELEM:
                    found = _element(body[4:])  # after nfgenmsg
                elif kind == _ERROR:
                    (code,) = struct.unpack_from("=i", body)
                    if code in (0, -errno.ENOENT):
                        return found
                    raise OSError(-code, os.strerror(-code))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _request(sequence: int, table: str, set: str, key: bytes) -> bytes:
    value = _attribute(_KEY | _NESTED, _attribute(_DATA_VALUE, key))
    element = _attribute(_LIST_ELEM | _NESTED, value)
    body = b"".join(
        (
            struct.pack("=BBH", _INET, 0, 0),
            _attribute(_LIST_TABLE, table.encode() + b"\0"),
            _attribute(_LIST_SET, set.encode() + b"\0"),
            _attribute(_LIST_ELEMENTS | _NESTED, element),
        )
    )
    return _MESSAGE.pack(_MESSAGE.size + len(body), _GETSETELEM, _REQUEST_ACK, sequence, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (type, sequence, body) of each netlink message."""
    at = 0
    while at + _MESSAGE.size <= len(data):
        length, kind, _, sequence, _ = _MESSAGE.unpack_from(data, at)
        if length < _MESSAGE.size:
            return
        yield kind, sequence, data[at + _MESSAGE.size : at + length]
        at += (length + 3) & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def _element(data: bytes) -> Found:
    listed = _attributes(_attributes(data).get(_LIST_ELEMENTS, b"")).get(_LIST_ELEM, b"")
    element = _attributes(listed)
    expiration = element.get(_EXPIRATION)
    expires_ms = None if expiration is None else int.from_bytes(expiration, "big")
    return Found(expires_ms, _comment(element.get(_USERDATA, b"")))


def _comment(userdata: bytes) -> str:
    at = 0
    while at + 2 <= len(userdata):
        kind, length = userdata[at], userdata[at + 1]
        if kind == _COMMENT:
            return userdata[at + 2 : at + 2 + length].rstrip(b"\0").decode("utf-8", "replace")
        at += 2 + length
    return ""
