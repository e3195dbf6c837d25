"""Guard rails: what no decision may touch, and how much may be decided at once. Pure; asked twice.

`decide` asks before a decision is made, and every enforcement point asks again before it acts, so that neither a
faulty playbook nor a forged decision can lock anyone out. A *refusal* is final: not even a person's approval passes
it. A *cap* only hands the decision to a person, who may know better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contract.records import Target
from contract.timespan import Timespan
from respond.target import Network, canonical, network, network_of

ALWAYS: tuple[tuple[str, Network], ...] = tuple(
    (kind, ip_network(text))
    for kind, text in (
        ("unspecified", "0.0.0.0/8"),
        ("loopback", "127.0.0.0/8"),
        ("link-local", "169.254.0.0/16"),
        ("multicast", "224.0.0.0/4"),
        ("broadcast", "255.255.255.255/32"),
        ("unspecified", "::/128"),
        ("loopback", "::1/128"),
        ("link-local", "fe80::/10"),
        ("multicast", "ff00::/8"),
    )
)
"""Refused whatever the settings say. Sources: RFC 6890 and the IANA special-purpose registries (2024)."""


_REMEMBERED = 32_768
"""Targets whose refusal is remembered."""


def _to_network(value: Any) -> Any:
    return network(value) if isinstance(value, str) else value


NetworkSetting = Annotated[Network, BeforeValidator(_to_network)]
"""A pydantic field: an address or a network in CIDR form."""


class GuardSettings(BaseModel):
    """The `[guard]` table.

    Attributes:
        admin_networks: from where people administer; never denied, whoever spoofs them.
        never_touch: other addresses and networks that must stay reachable.
        never_names: users and hosts (any case) that no decision may be about.
        min_prefix_v4: the widest IPv4 network that may be denied; 24 is 256 addresses.
        min_prefix_v6: the widest IPv6 network that may be denied; a site's customer holds a /64.
        rate: decisions that the engine may approve by itself per `rate_window` of event time.
        rate_window: see `rate`.
        live: targets that may be denied at the same time by the engine's own approval.
        shares: of a network's addresses, how great a part may be denied at once; networks not named are free.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    admin_networks: tuple[NetworkSetting, ...] = ()
    never_touch: tuple[NetworkSetting, ...] = ()
    never_names: tuple[str, ...] = ()
    min_prefix_v4: Annotated[int, Field(ge=1, le=32)] = 24
    min_prefix_v6: Annotated[int, Field(ge=1, le=128)] = 64
    rate: Annotated[int, Field(ge=0)] = 30
    rate_window: Annotated[Timespan, Field(gt=timedelta(0))] = timedelta(minutes=10)
    live: Annotated[int, Field(ge=0)] = 1_000
    shares: dict[NetworkSetting, Annotated[float, Field(ge=0, le=1)]] = {}


class Guard:
    """The guard rails of one installation.

    Args:
        settings: what people wrote.
        detected: what the runtime found, by what it is (`own address`, `gateway`, `resolver`, `broker`), as
            addresses or networks; texts that are neither raise.

    Raises:
        ValueError: a detected text is no address.
    """

    def __init__(
        self, settings: GuardSettings, detected: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self.settings = settings
        named: list[tuple[str, Network]] = []
        named.extend(("admin network", net) for net in settings.admin_networks)
        named.extend(("never-touch list", net) for net in settings.never_touch)
        for kind, texts in sorted((detected or {}).items()):
            named.extend((kind, network(text)) for text in texts)
        self._named = tuple(named)
        self._names = frozenset(name.casefold() for name in settings.never_names)
        # Converging asks the same of every live target again and again.
        self._remembered = lru_cache(_REMEMBERED)(self._refusal)

    @property
    def never_touch(self) -> tuple[Network, ...]:
        """Every network of the never-touch list, detected ones included; enforcement points get this."""
        return tuple(sorted({net for _, net in self._named}, key=lambda n: (n.version, n)))

    def refusal(self, target: Target) -> str | None:
        """Return why nothing may be done to this target, or None. O(never-touch list), once a target."""
        return self._remembered(target)

    def _refusal(self, target: Target) -> str | None:
        if target.type in ("user", "host") and target.value.casefold() in self._names:
            return f"{target.type} {target.value} is on the list of names never to touch"
        try:
            net = network_of(target)
        except ValueError as error:
            return f"the target is malformed: {error}"
        if net is None:
            return None
        return self._wide(net) or untouchable(net, self._named)

    def _wide(self, net: Network) -> str | None:
        least = (
            self.settings.min_prefix_v4
            if isinstance(net, IPv4Network)
            else self.settings.min_prefix_v6
        )
        if net.prefixlen >= least:
            return None
        return f"{canonical(net)} is wider than /{least}, the widest network that may be denied"

    def caps(self, target: Target, live: Sequence[Target], recent: int) -> list[str]:
        """Return which caps one more decision on `target` would pass; a person may still approve. O(live).

        Args:
            target: not among `live`; a target already denied passes no cap by being denied for longer.
            live: the distinct targets denied now.
            recent: how many decisions the engine approved by itself in the window that ends now.
        """
        found = []
        given = self.settings
        if recent >= given.rate:
            span = given.rate_window.total_seconds()
            found.append(f"{recent} decisions within {span:g} s, the cap is {given.rate}")
        if len(live) >= given.live:
            found.append(f"{len(live)} targets are denied already, the cap is {given.live}")
        net = network_of(target)
        if net is not None:
            found.extend(self._shares(net, live))
        return found

    def _shares(self, net: Network, live: Sequence[Target]) -> Iterable[str]:
        for zone, share in self.settings.shares.items():
            if not _overlap(net, zone):
                continue
            denied = sum(_common(zone, other) for one in live if (other := network_of(one)))
            if denied + _common(zone, net) > share * zone.num_addresses:
                yield f"more than {share:.2%} of {canonical(zone)} would be denied at once"


def untouchable(net: Network, named: Iterable[tuple[str, Network]]) -> str | None:
    """Return why `net` must never be denied: it meets an always refused or a named network; else None."""
    for kind, other in (*ALWAYS, *named):
        if not _overlap(net, other):
            continue
        words = kind if (kind, other) in ALWAYS else _named(kind)
        if net == other:
            return f"{canonical(net)} is {words}"
        relation = "holds" if net.prefixlen < other.prefixlen else "lies in"
        return f"{canonical(net)} {relation} {canonical(other)}, {words}"
    return None


def _named(kind: str) -> str:
    return f"on the {kind}" if kind.endswith("list") else f"the {kind}"


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _common(one: Network, other: Network) -> int:
    return min(one.num_addresses, other.num_addresses) if _overlap(one, other) else 0
