"""What everybody shares: known hubs support a join and never make one.

Some are known by their office (`relations.ROOTS`: processes that start everything), some only the site knows: these
stand in the settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from correlate.chain import canonical


class Hubs:
    r"""The hubs that the settings name.

    Args:
        names: addresses, networks in CIDR form, host names, accounts (`domain\name`); case does not count.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: set[str] = set()
        for name in names:
            try:
                self._networks.append(ip_network(name.strip(), strict=False))
            except ValueError:
                self._names.add(name.strip().lower())
        self.is_address = lru_cache(maxsize=65_536)(self._is_address)

    def _is_address(self, ip: str) -> bool:
        """Tell whether a canonical address is a hub."""
        if not self._networks:
            return False
        address = ip_address(ip)
        return any(address in network for network in self._networks)

    def holds(self, key: str) -> bool:
        """Tell whether a thing (`type|value`) is a hub."""
        if not self._networks and not self._names:
            return False
        kind, _, value = key.partition("|")
        if kind == "ip":
            return canonical.ip(value) is not None and self.is_address(value)
        return kind in ("host", "user", "domain", "workload") and value in self._names
