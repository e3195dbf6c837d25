"""A growing capture, cut into its packets: each becomes a capture of one packet, readable by itself."""

from __future__ import annotations

from contract.errors import ParseError
from ingest.formats.pcap import HEADER_BYTES, PACKET_HEADER_BYTES, is_pcap, packet_bytes


class PcapCutter:
    """Cuts one stream; holds at most one packet and one chunk.

    Args:
        header: the capture's own, where the stream begins behind it.

    Attributes:
        cut: stays 0: no packet is cut; one beyond the bound ends the stream.
        taken: bytes that the packets given and the header took.
    """

    def __init__(self, header: bytes = b"") -> None:
        self.cut = 0
        self.taken = 0
        self._header = header
        self._held = bytearray()

    @property
    def held(self) -> int:
        """How many bytes of an unfinished packet are held."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the packets that they complete, each behind the capture's header.

        Raises:
            ParseError: no capture, or a packet beyond the bound; nothing behind it can be found.
        """
        self._held += data
        if not self._header:
            if len(self._held) < HEADER_BYTES:
                return []
            self._header = bytes(self._held[:HEADER_BYTES])
            if not is_pcap(self._header):
                raise ParseError("no capture: expected the magic number of pcap")
            self._take(HEADER_BYTES)
        return self._packets()

    def end(self) -> list[bytes]:
        """Return what stands after the last complete packet, behind the header; it will be refused as cut."""
        rest = bytes(self._held)
        self._take(len(rest))
        return [self._header + rest] if rest else []

    def _packets(self) -> list[bytes]:
        found, at, held = [], 0, bytes(self._held)
        while len(held) - at >= PACKET_HEADER_BYTES:
            end = at + PACKET_HEADER_BYTES
            end += packet_bytes(self._header, held[at:end])
            if end > len(held):
                break
            found.append(self._header + held[at:end])
            at = end
        self._take(at)
        return found

    def _take(self, size: int) -> None:
        del self._held[:size]
        self.taken += size
