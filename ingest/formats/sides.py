"""The two sides of a flow: addresses told from names, as firewalls mix them in one field."""

from __future__ import annotations

from typing import Final

from contract.event import Fields
from ingest.formats.address import canonical_ip

_NAMES: Final = {
    side: (f"{side}.ip", f"{side}.domain")
    for side in ("source", "destination", "source.nat", "destination.nat", "server", "client")
}


def place(fields: Fields, side: str, text: str) -> None:
    """Put an address or a name where it belongs: `<side>.ip`, or `<side>.domain` when it is a name."""
    ip, domain = _NAMES[side]
    if canonical_ip(text) is None:
        fields[domain] = text
    else:
        fields[ip] = text


def settle(fields: Fields, side: str) -> None:
    """Move a name that stands in `<side>.ip` to `<side>.domain`, unless that is taken."""
    ip, domain = _NAMES[side]
    text = fields.get(ip)
    if text is not None and canonical_ip(text) is None:
        del fields[ip]
        fields.setdefault(domain, text)


def add_totals(fields: Fields) -> None:
    """Set `network.bytes` and `network.packets` to the sum of both sides, where a side is known."""
    sent, received = fields.get("source.bytes"), fields.get("destination.bytes")
    if (sent is not None or received is not None) and "network.bytes" not in fields:
        fields["network.bytes"] = (sent or 0) + (received or 0)
    sent, received = fields.get("source.packets"), fields.get("destination.packets")
    if (sent is not None or received is not None) and "network.packets" not in fields:
        fields["network.packets"] = (sent or 0) + (received or 0)
