"""The last hand on a network record: community id and `related.*`, from what the record holds.

ECS: `related.*` "pivot on" an address, a user, a host or a hash wherever it stands in the record.
"""

from __future__ import annotations

from typing import Final

from contract.event import Fields
from ingest.formats.address import canonical_mac
from ingest.formats.community_id import community_id

_IPS: Final = (
    "source.ip", "destination.ip", "source.nat.ip", "destination.nat.ip", "network.forwarded_ip",
)  # fmt: skip
_USERS: Final = ("user.name", "source.user.name", "destination.user.name", "user.target.name")
_HOSTS: Final = (
    "host.name",
    "source.domain",
    "destination.domain",
    "url.domain",
    "dns.question.name",
)
_HASHES: Final = ("file.hash.sha256", "file.hash.sha1", "file.hash.md5")
_MACS: Final = ("source.mac", "destination.mac")
_ICMP: Final = {"1": 1, "58": 58}
_UNSPECIFIED: Final = frozenset(("0.0.0.0", "::"))  # noqa: S104 - the address that says "none"


def finish(fields: Fields, icmp: tuple[int, int] | None = None) -> None:
    """Complete a record in place.

    Args:
        fields: ports must be numbers by now.
        icmp: type and code, where the record names them.
    """
    get = fields.get
    source, destination = get("source.ip"), get("destination.ip")
    number = get("network.iana_number")
    if source and destination and number and "network.community_id" not in fields:
        if number in _ICMP:
            ports = icmp
        else:
            left, right = get("source.port"), get("destination.port")
            ports = (left, right) if type(left) is int and type(right) is int else None
        flow = community_id(source, destination, int(number), ports)
        if flow is not None:
            fields["network.community_id"] = flow
    if source or destination:
        ips = [source] if source else []
        for name in _IPS[1:]:
            ip = get(name)
            if ip and ip not in ips and ip not in _UNSPECIFIED:
                ips.append(ip)
        fields["related.ip"] = ips
    for side in _MACS:
        address = get(side)
        if address:
            fields[side] = canonical_mac(address) or address
    _relate(fields, "related.user", _USERS)
    _relate(fields, "related.hosts", _HOSTS)
    _relate(fields, "related.hash", _HASHES)


def _relate(fields: Fields, name: str, parts: tuple[str, ...]) -> None:
    found: list[str] = []
    for part in parts:
        value = fields.get(part)
        if value and value not in found:
            found.append(value)
    if found:
        fields[name] = found
