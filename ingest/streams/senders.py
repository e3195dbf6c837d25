"""Who may send, and how much: an allow-list of networks and a rate per sender.

A store of tokens a sender, filled by the clock, holding one second's worth; bounded in number, the longest silent
sender is forgotten first (and so begins with a full store again). What goes beyond is left out where the transport
cannot wait (`taken`), and held up where it can (`delay_s`).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

MAX_SENDERS: Final = 10_000
_SECOND_US: Final = 1_000_000


class Senders:
    """Decides how many records of a sender are taken.

    Args:
        networks: senders outside are not heard; none: all are.
        max_per_s: records a second and sender; None: any number.
    """

    def __init__(
        self, networks: tuple[IPv4Network | IPv6Network, ...], max_per_s: int | None
    ) -> None:
        self._networks = networks
        self._max_per_s = max_per_s
        # Of each sender: micro-tokens left (a record costs a million) and when they were counted.
        self._stores: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self.is_known = lru_cache(MAX_SENDERS)(self._look_up)

    @property
    def is_open(self) -> bool:
        """Whether every record of every sender is taken."""
        return not self._networks and self._max_per_s is None

    def taken(self, sender: str, count: int, now_us: int) -> int:
        """Return how many of a sender's next `count` records are taken."""
        if not self.is_known(sender):
            return 0
        if self._max_per_s is None:
            return count
        left, now_us = self._left(sender, self._max_per_s, now_us)
        taken = min(count, left // _SECOND_US)
        self._keep(sender, left - taken * _SECOND_US, now_us)
        return taken

    def delay_s(self, sender: str, count: int, now_us: int) -> float:
        """Take all `count` records; return for how long no more of this sender should be read."""
        rate = self._max_per_s
        if rate is None:
            return 0.0
        left, now_us = self._left(sender, rate, now_us)
        left -= count * _SECOND_US
        self._keep(sender, left, now_us)
        return max(0, -left) / rate / _SECOND_US

    def _left(self, sender: str, rate: int, now_us: int) -> tuple[int, int]:
        """Return what is left, and as of when: a clock that went back gives nothing."""
        full = rate * _SECOND_US
        left, at = self._stores.pop(sender, (full, now_us))
        return min(full, left + max(0, now_us - at) * rate), max(now_us, at)

    def _keep(self, sender: str, left: int, now_us: int) -> None:
        self._stores[sender] = (left, now_us)
        if len(self._stores) > MAX_SENDERS:
            self._stores.popitem(last=False)

    def _look_up(self, sender: str) -> bool:
        """Whether a sender's address is in one of the networks."""
        if not self._networks:
            return True
        try:
            address = ip_address(sender.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
