"""Packets of a capture in the classic pcap form, as tcpdump and pflogd write it.

Source: draft-ietf-opsawg-pcap (2024), link types of tcpdump.org. A file is a header of 24 bytes and packets, each behind 16 bytes
of its own; the writer's byte order is told by the magic number, as is the unit of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from contract.errors import ParseError
from ingest.formats.binary_reader import BinaryReader

HEADER_BYTES: Final = 24
PACKET_HEADER_BYTES: Final = 16
MAX_PACKET_BYTES: Final = 262_144
"""tcpdump's own largest snapshot."""
MAX_PACKETS: Final = 65_536
"""In one record."""
DLT_PFLOG: Final = 117

_MAGICS: Final[dict[bytes, tuple[Literal["little", "big"], int]]] = {
    bytes.fromhex("d4c3b2a1"): ("little", 1), bytes.fromhex("a1b2c3d4"): ("big", 1),
    bytes.fromhex("4d3cb2a1"): ("little", 1_000), bytes.fromhex("a1b23c4d"): ("big", 1_000),
}  # fmt: skip
_LINK_TYPE: Final = 0x03FFFFFF  # the bits above tell of frame check sequences


@dataclass(slots=True, frozen=True)
class Packet:
    """One captured packet.

    Attributes:
        time_us: when, microseconds since the epoch.
        link: its link type.
        data: as much of it as was captured.
        size: how long it was.
        order: byte order of the machine that wrote the file.
    """

    time_us: int
    link: int
    data: bytes
    size: int
    order: Literal["little", "big"]


def is_pcap(data: bytes) -> bool:
    """Whether the data begin as a capture."""
    return data[:4] in _MAGICS


def packet_bytes(header: bytes, head: bytes) -> int:
    """Return how many bytes of a packet follow its 16 bytes, in a file with this header.

    Raises:
        ParseError: no capture, or a length beyond the bound.
    """
    order, _ = _magic(header)
    size = int.from_bytes(head[8:12], order)
    if size > MAX_PACKET_BYTES:
        raise ParseError(f"packet of {size} bytes; the bound is {MAX_PACKET_BYTES}")
    return size


def packets(data: bytes) -> Iterator[Packet]:
    """Yield the packets of a capture.

    Raises:
        ParseError: no capture, an empty or a cut one, or past a bound.
    """
    order, divisor = _magic(data)
    reader = BinaryReader(data, order, "capture")
    reader.take(20)
    link = reader.number(4) & _LINK_TYPE
    if not reader.left:
        raise ParseError("a capture without a packet")
    count = 0
    while reader.left:
        count += 1
        if count > MAX_PACKETS:
            raise ParseError(f"more than {MAX_PACKETS} packets in one record")
        seconds, fraction = reader.number(4), reader.number(4)
        size, whole = reader.number(4), reader.number(4)
        if size > MAX_PACKET_BYTES:
            raise ParseError(f"packet of {size} bytes; the bound is {MAX_PACKET_BYTES}")
        time_us = seconds * 1_000_000 + fraction // divisor
        yield Packet(time_us, link, reader.take(size), whole, order)


def _magic(data: bytes) -> tuple[Literal["little", "big"], int]:
    found = _MAGICS.get(data[:4])
    if found is None:
        raise ParseError("no capture: expected the magic number of pcap")
    return found
