"""Targets and the entities and networks behind them: one canonical text for each thing acted on.

Source: OpenC2 Language Specification 2.0, section 3.4.1 (`ipv4_net`, `ipv6_net`: CIDR notation, the length left
out for a single address). IPv4-mapped IPv6 addresses are the IPv4 address: enforcement points see only that.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from contract.records import Entity, EntityType, Target

Network: TypeAlias = IPv4Network | IPv6Network

_TEXT_TARGETS: dict[EntityType, str] = {
    "user": "user", "host": "host", "file": "file", "process": "process", "key": "key",
}  # fmt: skip
TARGETABLE: frozenset[EntityType] = frozenset({"ip", *_TEXT_TARGETS})
"""Entity types that an action can be about."""

NEVER_WIDENED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
    )
)
"""Where a wider network is not the attacker's but everyone's: private and shared addresses (a whole LAN), NAT64 (all of
IPv4 in one /64), Teredo (all clients of a server). Source: IANA special-purpose registries (2024)."""

_MAPPED = IPv6Network("::ffff:0:0/96")


@lru_cache(maxsize=16_384)
def network(text: str) -> Network:
    """Return the network of an address or CIDR text; a single address has its full length.

    Raises:
        ValueError: no address or network, host bits set, or a zone (`%eth0`), which means nothing elsewhere.
    """
    found = ip_network(text)
    if isinstance(found, IPv6Network):
        if "%" in text:
            raise ValueError(f"{text!r} names a zone")
        if found.subnet_of(_MAPPED):
            last = int(found.network_address) & 0xFFFF_FFFF
            return IPv4Network((last, found.prefixlen - 96))
    return found


def canonical(net: Network) -> str:
    """Return the text of a network: RFC 5952, without length for a single address."""
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def of_network(net: Network) -> Target:
    """Return the target that a network is."""
    return Target(
        type="ipv4_net" if isinstance(net, IPv4Network) else "ipv6_net", value=canonical(net)
    )


def network_of(target: Target) -> Network | None:
    """Return the network of an address target; None for any other kind.

    Raises:
        ValueError: the value is no address or network of the target's kind.
    """
    if target.type not in ("ipv4_net", "ipv6_net"):
        return None
    found = network(target.value)
    if isinstance(found, IPv4Network) != (target.type == "ipv4_net"):
        raise ValueError(f"{target.value!r} is no {target.type}")
    return found


def of_entity(entity: Entity, prefix_v4: int = 32, prefix_v6: int = 128) -> Target:
    """Return what acting on this entity is about; addresses widen to the given lengths, save `NEVER_WIDENED`.

    Raises:
        ValueError: no action can be about such an entity, or its value is malformed.
    """
    if entity.type == "ip":
        address = ip_address(entity.value)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise ValueError(f"{entity.value!r} names a zone")
        length = prefix_v4 if isinstance(address, IPv4Address) else prefix_v6
        if any(address in net for net in NEVER_WIDENED):
            length = address.max_prefixlen
        return of_network(ip_network((address, length), strict=False))
    kind = _TEXT_TARGETS.get(entity.type)
    if kind is None or not entity.value:
        raise ValueError(f"no action can be about {entity.type} {entity.value!r}")
    return Target.model_validate({"type": kind, "value": entity.value})
