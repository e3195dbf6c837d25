"""The two sides of a flow: addresses told from names, as firewalls mix them in one field."""

from __future__ import annotations

from typing import Final

from contract.event import Fields
from ingest.formats.address import canonical_ip

_NAMES: Final = {
    side: (f"{side}.ip", f"{side}.domain")
    for side in ("source", "destination", "source.nat", "destination.nat", "server", "client")
}

_TOTALS: Final = (
    ("network.bytes", "source.bytes", "destination.bytes"),
    ("network.packets", "source.packets", "destination.packets"),
)


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
    """Set `network.bytes` and `network.packets` to the sum of both sides, where a side is known as a number."""
    for total, sent_name, received_name in _TOTALS:
        sent, received = fields.get(sent_name), fields.get(received_name)
        if sent is None and received is None:
            continue
        sent, received = 0 if sent is None else sent, 0 if received is None else received
        if type(sent) is int and type(received) is int:
            fields.setdefault(total, sent + received)
