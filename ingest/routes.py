"""Which of a source's records are read otherwise: by the sender's address, or by the host and program of the syslog header.

The first route that holds decides; a record that none holds for is read as the source itself says. Conditions of different
kinds must all hold, of one kind any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from ingest.formats import syslog
from ingest.lanes import MAX_SENDERS, LaneSettings
from ingest.streams.senders import Senders

_HEAD_BYTES: Final = 1_024
"""A header is shorter; what follows is not looked at."""


@dataclass(slots=True, frozen=True)
class Route:
    """One route.

    Attributes:
        settings: how its records are read.
        senders: networks of addresses; none: any.
        hosts: patterns (`*`, `?`) of the host in the syslog header, in lower case; none: any.
        programs: patterns of the program (tag, APP-NAME) there, in lower case; none: any.
    """

    settings: LaneSettings
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    hosts: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


class Router:
    """Chooses among routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        known = [Senders(one.senders, None) for one in routes]
        # Of each sender, the routes that its address does not rule out.
        self._of_sender: Callable[[str], tuple[int, ...]] = lru_cache(MAX_SENDERS)(
            lambda sender: tuple(number for number, one in enumerate(known) if one.is_known(sender))
        )

    def choose(self, raw: bytes, sender: str, received_us: int) -> int | None:
        """Return the number of the first route that holds for a record, or None. Reads the header only where one asks."""
        header: tuple[str, str] | None = None
        for number in self._of_sender(sender):
            route = self._routes[number]
            if not route.hosts and not route.programs:
                return number
            header = header or _header(raw, received_us)
            if _fits(header[0], route.hosts) and _fits(header[1], route.programs):
                return number
        return None


def _header(raw: bytes, received_us: int) -> tuple[str, str]:
    text = raw[:_HEAD_BYTES].decode("utf-8", "replace")
    found = syslog.read(text, received_us, UTC)
    return found.host.lower(), found.app.lower()


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(text, one) for one in patterns)
