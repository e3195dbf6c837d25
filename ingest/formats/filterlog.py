"""pf's filterlog CSV, as pfSense, OPNsense and FreeBSD write it: one packet a line.

Source: Netgate, "Raw Filter Log Format" (pfSense 2.7 documentation, grammar of the line); OPNsense
`filterlog.c`, which adds a rule label (its UUID) in place of the tracker.
"""

from __future__ import annotations

from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from ingest.formats.number import whole
from ingest.tables.protocols import transport_fields

HOLES: Final = {
    "type": ("8",),  # the version of IP, behind which columns differ
    "count": (
        ",4,11",
        ",4,12",
        ",4,17",
        ",4,22",
        ",4,26",
        ",6,11",
        ",6,14",
        ",6,19",
        ",6,23",
        "[",
    ),
    "port": (",4,20", ",4,21", ",6,17", ",6,18"),
    "digits": (",4,24", ",4,25", ",6,21", ",6,22"),
}
"""Columns that lines of one kind differ in, for the adapters of filterlog (`Adapter.holes`)."""

_COMMON: Final = 9
_IPV4: Final = ("tos", "ecn", "ttl", "id", "offset", "flags")
_IPV6: Final = ("class", "flow_label", "hop_limit")
_TCP: Final = ("tcp.flags", "tcp.seq", "tcp.ack", "tcp.window", "tcp.urg", "tcp.options")
_CARP: Final = (
    "carp.type",
    "carp.ttl",
    "carp.vhid",
    "carp.version",
    "carp.advbase",
    "carp.advskew",
)
_ECHO: Final = frozenset(("request", "reply", "tstamp", "tstampreply"))
_WITH_PORTS: Final = frozenset(("6", "17", "132", "136"))
# ICMP types by filterlog's words, for the community id; code 0 holds for all of these.
_ICMP_TYPES: Final = {"request": 8, "reply": 0, "tstamp": 13, "tstampreply": 14}
_ICMP6_TYPES: Final = {"request": 128, "reply": 129}
_DENYING: Final = frozenset(("block", "reject", "unkn(11)"))


def read(fields: Fields, values: list[str], prefix: str) -> tuple[int, int] | None:
    """Add what the columns of one line say to `fields`; vendor fields stand under `prefix`.

    Returns ICMP type and code, where the line names them, for `ingest.formats.finish`.

    Raises:
        ParseError: too few columns, or an unknown IP version.
    """
    if len(values) < _COMMON:
        raise ParseError(f"{len(values)} columns; filterlog has at least {_COMMON}")
    rule, subrule, anchor, tracker, interface, reason, action, direction, version = values[:_COMMON]
    if not action or version not in ("4", "6"):
        raise ParseError("expected an action and IP version 4 or 6 in columns 7 and 9")
    fields["event.action"] = action
    if reason:
        fields["event.reason"] = reason
    fields["event.kind"] = "event"
    fields["event.category"] = ["network"]
    fields["event.type"] = ["connection", "denied" if action in _DENYING else "allowed"]
    fields["event.outcome"] = "success"
    fields["network.direction"] = "inbound" if direction == "in" else "outbound"
    fields["network.type"] = "ipv" + version
    way = "ingress" if direction == "in" else "egress"
    said = {
        f"observer.{way}.interface.name": interface,
        "rule.id": rule,
        "rule.uuid": tracker,
        prefix + "subrule": subrule,
        "rule.ruleset": anchor,
    }
    fields.update({name: value for name, value in said.items() if value})
    return (_read_ipv4 if version == "4" else _read_ipv6)(fields, values, prefix)


def _read_ipv4(fields: Fields, values: list[str], prefix: str) -> tuple[int, int] | None:
    at = _COMMON + len(_IPV4)
    _name(fields, prefix, _IPV4, values[_COMMON:at])
    return _read_packet(fields, values, at, values[at : at + 1], prefix)


def _read_ipv6(fields: Fields, values: list[str], prefix: str) -> tuple[int, int] | None:
    at = _COMMON + len(_IPV6)
    _name(fields, prefix, _IPV6, values[_COMMON:at])
    # Protocol text before number, other than in IPv4.
    return _read_packet(fields, values, at, values[at + 1 : at + 2], prefix)


def _read_packet(
    fields: Fields, values: list[str], at: int, number: list[str], prefix: str
) -> tuple[int, int] | None:
    if len(values) < at + 5:
        raise ParseError(
            f"{len(values)} columns; expected length and addresses behind the protocol"
        )
    fields.update(transport_fields(number[0]))
    length, source, destination = values[at + 2 : at + 5]
    size = whole(length)
    if size is not None:
        fields["network.bytes"] = size
        fields["network.packets"] = 1
    for side, address in (("source.ip", source), ("destination.ip", destination)):
        if address:
            fields[side] = address
    rest = values[at + 5 :]
    icmp = None
    if number[0] in _WITH_PORTS:
        _read_ports(fields, rest, prefix)
    elif number[0] in ("1", "58"):
        icmp = _read_icmp(fields, rest, prefix, number[0])
    elif number[0] == "112":
        _name(fields, prefix, _CARP, rest)
    elif any(rest):
        fields[prefix + "data"] = ",".join(rest)
    return icmp


def _read_ports(fields: Fields, rest: list[str], prefix: str) -> None:
    for side, text in zip(("source.port", "destination.port"), rest, strict=False):
        port = whole(text)
        if port is not None:
            fields[side] = port
    _name(fields, prefix, ("data_length", *_TCP), rest[2:])


def _read_icmp(fields: Fields, rest: list[str], prefix: str, number: str) -> tuple[int, int] | None:
    kind = rest[0] if rest else ""
    if kind:
        fields[prefix + "icmp.type"] = kind
    if kind in _ECHO:
        _name(fields, prefix, ("icmp.id", "icmp.seq"), rest[1:])
    elif kind == "unreachport":
        _name(fields, prefix, ("icmp.destination", "icmp.protocol", "icmp.port"), rest[1:])
    elif kind == "unreachproto":
        _name(fields, prefix, ("icmp.destination", "icmp.protocol"), rest[1:])
    elif kind == "needfrag":
        _name(fields, prefix, ("icmp.destination", "icmp.mtu"), rest[1:])
    elif any(rest[1:]):
        fields["error.message"] = ",".join(rest[1:])
    known = (_ICMP_TYPES if number == "1" else _ICMP6_TYPES).get(kind)
    return None if known is None else (known, 0)


def _name(fields: Fields, prefix: str, names: tuple[str, ...], values: list[str]) -> None:
    for name, value in zip(names, values, strict=False):
        if value:
            fields[prefix + name] = value
