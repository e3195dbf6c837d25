"""An independent witness of nft sets: says when the kernel announced an element, whoever added it.

It subscribes to the kernel's own nftables notifications (nfnetlink group 7, linux/netfilter/nf_tables.h), which
are sent when a transaction is committed, and takes the wall clock at their receipt; a waking process adds its
own delay, so times are late rather than early. Run in the router's namespace: one line an element,
`nanoseconds since 1970, table, set, address`.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator

_NETLINK_NETFILTER, _GROUP_NFTABLES = 12, 7
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_NEW_ELEMENT = 10 << 8 | 12  # NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWSETELEM
_BUFFER_BYTES = 8 * 1024 * 1024
_IPV4_BYTES = 4

Attributes = list[tuple[int, bytes]]


def attributes(data: bytes) -> Attributes:
    """Return the netlink attributes (type, payload) of one level; a cut one ends the list."""
    found, at = [], 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > len(data):  # noqa: PLR2004 - the header's own length
            break
        found.append((kind & 0x3FFF, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the netlink messages (type, payload) of one datagram."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:  # noqa: PLR2004 - the header's own length
            return
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def elements(payload: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield (table, set, address) of a NEWSETELEM message whose keys are IPv4 addresses."""
    top = dict(attributes(payload[4:]))  # after struct nfgenmsg
    table, name = (top.get(kind, b"").rstrip(b"\0").decode() for kind in (1, 2))
    for _, element in attributes(top.get(3, b"")):
        key = dict(attributes(dict(attributes(element)).get(1, b""))).get(1, b"")
        if len(key) == _IPV4_BYTES:
            yield table, name, socket.inet_ntoa(key)


def main() -> int:
    """Watch until ended."""
    watch = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    watch.bind((0, 0))
    watch.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NFTABLES)
    print("watching", flush=True)
    while True:
        data = watch.recv(65536)
        now = time.time_ns()
        for kind, payload in messages(data):
            if kind == _NEW_ELEMENT:
                for element in elements(payload):
                    print(now, *element, flush=True)


if __name__ == "__main__":
    sys.exit(main())
