"""The header that pf puts before each packet it logs, and the packet behind it.

Sources: OpenBSD `sys/net/if_pflog.h` and `if_pflog.c` 1.99 (100 bytes: with what pf made of the addresses), FreeBSD 14 `sys/net/if_pflog.h`
(61 bytes, later 69 with the rule's identifier), read 2026-11. The first byte says how long it is, without padding to four. Numbers of
rules are in network order, those of users and processes in the writer's. The family is the writing system's own number, so
the packet itself is asked for its version.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from ingest.formats.binary_reader import BinaryReader
from ingest.formats.pcap import DLT_PFLOG, Packet
from ingest.tables.protocols import transport_fields

_OLD, _FREEBSD, _OPENBSD = 61, 69, 100
_ACTIONS: Final = (
    "pass", "block", "scrub", "nat", "nonat", "binat", "nobinat", "rdr", "nordr", "synproxy drop", "defer", "match",
    "divert", "route", "af-to",
)  # fmt: skip
_REASONS: Final = (
    "match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp", "congestion", "ip-option",
    "proto-cksum", "state-mismatch", "state-insert", "state-limit", "src-limit", "synproxy", "translate", "no-route",
)  # fmt: skip
_DENYING: Final = frozenset(("block", "synproxy drop"))
_WAYS: Final = {1: "in", 2: "out", 3: "forward"}
_VERSIONS: Final = {2: 4, 24: 6}
"""IP version by OpenBSD's number of the family."""
_NO_NUMBER: Final = 0xFFFFFFFF
_NO_PROCESS: Final = frozenset((0, 99_999, 100_000, 100_001))
"""NO_PID is one more than the largest process number of the system."""
_TCP_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_TCP, _UDP, _SCTP, _UDPLITE, _ICMP, _ICMP6 = 6, 17, 132, 136, 1, 58
_WITH_PORTS: Final = frozenset((_TCP, _UDP, _SCTP, _UDPLITE))
_OWN: Final = "openbsd.pf."


def read(packet: Packet) -> tuple[Fields, tuple[int, int] | None]:
    """Return the fields of a logged packet, and ICMP type and code.

    Raises:
        ParseError: another link type, or cut within pf's header or the addresses.
    """
    if packet.link != DLT_PFLOG:
        raise ParseError(f"capture of link type {packet.link}; expected pflog ({DLT_PFLOG})")
    length = packet.data[0] if packet.data else 0
    if length < _OLD:
        raise ParseError(f"pflog header of {length} bytes; expected at least {_OLD}")
    head = BinaryReader(packet.data, packet.order, "pflog header")
    fields = _header(head, length)
    size = (length + 3) & ~3
    head.at = 0
    head.take(size)
    addresses = _Addresses(packet.data[size:])
    _place(fields, addresses)
    if length >= _OPENBSD and packet.data[61]:
        _translated(fields, packet.data, addresses)
    fields["network.bytes"] = max(packet.size - size, 0)
    fields["network.packets"] = 1
    return fields, addresses.icmp


def _header(head: BinaryReader, length: int) -> Fields:
    head.take(2)
    action, reason = head.number(1), head.number(1)
    interface, ruleset = _text(head.take(16)), _text(head.take(16))
    rule, subrule = (int.from_bytes(head.take(4), "big") for _ in range(2))
    user, process, _, _ = (head.number(4) for _ in range(4))
    way = _WAYS.get(head.number(1), "in")
    action_name = _ACTIONS[action] if action < len(_ACTIONS) else str(action)
    denied = action_name in _DENYING
    fields: Fields = {
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "denied" if denied else "allowed"],
        "event.outcome": "success",
        "event.action": action_name,
        "event.reason": _REASONS[reason] if reason < len(_REASONS) else str(reason),
        "network.direction": "inbound" if way == "in" else "outbound",
        f"observer.{'ingress' if way == 'in' else 'egress'}.interface.name": interface,
        "rule.ruleset": ruleset,
    }
    if rule != _NO_NUMBER:
        fields["rule.id"] = str(rule)
    if subrule != _NO_NUMBER:
        fields[_OWN + "subrule"] = str(subrule)
    if length >= _FREEBSD and length < _OPENBSD:
        head.take(3)
        tracker = int.from_bytes(head.take(4), "big")
        if tracker:
            fields["rule.uuid"] = str(tracker)
    if process not in _NO_PROCESS and process < 1 << 31:
        fields["process.pid"] = process
        fields["user.id"] = str(user)
    return fields


class _Addresses:
    """What the packet's own headers say.

    Raises:
        ParseError: no IP, or cut within the addresses.
    """

    def __init__(self, data: bytes) -> None:
        version = data[0] >> 4 if data else 0
        if version not in (4, 6):
            raise ParseError(
                f"expected an IP packet behind the pflog header, came version {version}"
            )
        self.version = version
        self.source: IPv4Address | IPv6Address
        self.destination: IPv4Address | IPv6Address
        reader = BinaryReader(data, "big", "logged packet")
        if version == 4:  # noqa: PLR2004 - IPv4
            reader.take(20)
            self.protocol, self.ttl = data[9], data[8]
            self.source, self.destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
            at, offset = (data[0] & 0xF) * 4, int.from_bytes(data[6:8], "big") & 0x1FFF
            self.rest = b"" if offset else data[at:]
        else:
            reader.take(40)
            self.protocol, self.ttl = data[6], data[7]
            self.source, self.destination = IPv6Address(data[8:24]), IPv6Address(data[24:40])
            self.rest = self._behind_extensions(data)
        self.icmp: tuple[int, int] | None = None
        if self.protocol in (_ICMP, _ICMP6) and len(self.rest) > 1:
            self.icmp = (self.rest[0], self.rest[1])

    def _behind_extensions(self, data: bytes) -> bytes:
        """Pass over hop-by-hop, routing, destination and fragment headers (RFC 8200, 4)."""
        at = 40
        while self.protocol in (0, 43, 44, 60) and at + 8 <= len(data):
            is_fragment = self.protocol == 44  # noqa: PLR2004 - the fragment header
            size = 8 if is_fragment else (data[at + 1] + 1) * 8
            if is_fragment and int.from_bytes(data[at + 2 : at + 4], "big") >> 3:
                self.protocol = data[at]
                return b""
            self.protocol = data[at]
            at += size
        return data[at:]

    @property
    def ports(self) -> tuple[int, int] | None:
        """The ports, where the protocol has them and they were captured."""
        if self.protocol not in _WITH_PORTS or len(self.rest) < 4:  # noqa: PLR2004 - two ports
            return None
        return int.from_bytes(self.rest[:2], "big"), int.from_bytes(self.rest[2:4], "big")


def _place(fields: Fields, found: _Addresses) -> None:
    fields["network.type"] = f"ipv{found.version}"
    fields["source.ip"], fields["destination.ip"] = str(found.source), str(found.destination)
    fields.update(transport_fields(str(found.protocol)))
    fields[_OWN + "ttl"] = str(found.ttl)
    if found.ports is not None:
        fields["source.port"], fields["destination.port"] = found.ports
    if found.protocol == _TCP and len(found.rest) > 13:  # noqa: PLR2004 - the flags' place
        set_ = found.rest[13]
        fields[_OWN + "tcp.flags"] = [name for bit, name in enumerate(_TCP_FLAGS) if set_ >> bit & 1]  # fmt: skip
    if found.icmp is not None:
        fields[_OWN + "icmp.type"] = str(found.icmp[0])


def _translated(fields: Fields, data: bytes, found: _Addresses) -> None:
    """Place the ends before and after translation; only what differs is a translation.

    The packet stands as it came and the header has what it became. Where the packet is not of the family
    that the header calls its first, it was an older OpenBSD (if_pflog.c 1.70), which wrote the two the other way round.
    """
    came_first = found.version == _VERSIONS.get(data[1], found.version)
    is_four = (_VERSIONS.get(data[62 if came_first else 1]) or found.version) == 4  # noqa: PLR2004 - IPv4
    for side, at, port_at in (("source", 64, 96), ("destination", 80, 98)):
        in_packet = (fields[f"{side}.ip"], fields.get(f"{side}.port"))
        in_header = (
            str(IPv4Address(data[at : at + 4]) if is_four else IPv6Address(data[at : at + 16])),
            int.from_bytes(data[port_at : port_at + 2], "big"),
        )
        before, after = (in_packet, in_header) if came_first else (in_header, in_packet)
        fields[f"{side}.ip"] = before[0]
        if after[0] != before[0]:
            fields[f"{side}.nat.ip"] = after[0]
        if in_packet[1] is not None:
            fields[f"{side}.port"] = before[1]
            if after[1] != before[1]:
                fields[f"{side}.nat.port"] = after[1]


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
