"""What Snort's alerts share whatever their form: rule, verdict, protocol, the two ends."""

from __future__ import annotations

from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.flow import add_flow
from ingest.formats.number import port_of
from ingest.formats.snort_stamp import stamp_us
from ingest.tables.protocols import transport_fields

_DENIED: Final = frozenset(("drop", "block", "reset", "sdrop", "reject", "blocked", "denied"))


def begin() -> Fields:
    """Return the fields that every alert has."""
    return {
        "event.kind": "alert",
        "event.category": ["network", "intrusion_detection"],
        "event.type": ["allowed"],
        "event.action": "alert",
        "event.module": "snort",
        "event.dataset": "snort.log",
        "observer.vendor": "Snort",
        "observer.product": "Snort",
        "observer.type": "ids",
    }


def time_of(text: str, context: Context) -> str:
    """Return an alert's time as ISO text.

    Raises:
        ParseError: it is no time.
    """
    try:
        return iso(stamp_us(text, context.zone, context.received_us))
    except (ValueError, OverflowError) as error:
        raise ParseError(f"time of the alert: {error}") from None


def add_rule(fields: Fields, gid: str, sid: str, rev: str) -> None:
    """Add the rule's number, revision and generator."""
    fields["rule.id"] = sid
    if rev:
        fields["rule.version"] = rev
    if gid.isdecimal():
        fields["snort.gid"] = int(gid[:10])


def add_name(fields: Fields, text: str) -> None:
    """Add the rule's message."""
    name = text.strip('"')
    if name and name != "(null)":
        fields["rule.name"] = fields["message"] = name


def add_verdict(fields: Fields, text: str) -> None:
    """Add what was done with the packet; without a word it was let through."""
    word = text.strip().lower()
    if not word:
        return
    fields["event.action"] = word
    if word in _DENIED:
        fields["event.type"] = ["denied"]
        fields["observer.type"] = "ips"


def add_protocol(fields: Fields, text: str) -> None:
    """Add the transport by its name or number; `snort.protocol` where it is none that is known."""
    name = text.strip().removeprefix("PROTO:").lstrip("0") or "0"
    if not (found := transport_fields(name)):
        found = {"snort.protocol": name}
    fields |= found


def part(text: str, *, with_port: bool) -> tuple[str | None, str]:
    """Part address and port; an IPv6 address stands without brackets, its port behind the last colon."""
    if with_port:
        address, _, port = text.rpartition(":")
        found = canonical_ip(address)
        if found is not None and port.isdecimal():
            return found, port
    return canonical_ip(text), ""


def add_ends(fields: Fields, source: str, destination: str) -> None:
    """Add addresses and ports of both ends, of the form `address:port` or `address`, and what follows from them."""
    transport = fields.get("network.transport")
    with_port = transport in ("tcp", "udp", "sctp") or (
        transport is None and ":" in source and "." in source
    )
    for side, text in (("source", source), ("destination", destination)):
        address, port = part(text, with_port=with_port)
        if address is None:
            address, port = part(text, with_port=True)
            port = port if with_port else ""
        if address is not None:
            fields[side + ".ip"] = address
        elif text:
            fields[f"snort.{side}"] = text
        if (number := port_of(port)) is not None:
            fields[side + ".port"] = number
    add_flow(fields)
