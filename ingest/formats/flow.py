"""What follows from the ends of a flow: the network's type and the Community ID."""

from __future__ import annotations

from contract.event import Fields
from ingest.formats.community_id import community_id


def add_flow(fields: Fields) -> None:
    """Add `network.type`, and `network.community_id` where addresses, ports and protocol are known.

    Not for ICMP, whose id needs type and code; and not in place of an id that the sensor gave.
    """
    source, destination = fields.get("source.ip"), fields.get("destination.ip")
    if type(source) is not str:
        return
    fields["network.type"] = "ipv6" if ":" in source else "ipv4"
    ports = fields.get("source.port"), fields.get("destination.port")
    number = fields.get("network.iana_number")
    if (
        type(destination) is str
        and type(ports[0]) is int
        and type(ports[1]) is int
        and type(number) is str
        and "network.community_id" not in fields
    ):
        value = community_id(source, destination, int(number), (ports[0], ports[1]))
        if value is not None:
            fields["network.community_id"] = value
