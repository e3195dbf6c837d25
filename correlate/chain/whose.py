"""Who is meant: for what an address, a short host name or an attester's key stands, at one time.

Bindings say which host an address was (`identity`); aliases say what stands behind a translated address, which whole name
a short one means, on which host an attester was (`aliases`). What stands for several at once joins nobody by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from contract.event import Fields
from correlate.chain import aliases as names
from correlate.chain.aliases import Aliases
from correlate.chain.hubs import Hubs
from correlate.chain.identity import Identity

SHARED_WEIGHT: Final = 0.4
"""What is left where a name stands for several at once: less than any edge that joins alone."""

HOSTED: Final = frozenset({"process", "session", "file", "service", "task", "registry", "command"})
"""Kinds of things whose value begins with the host that they are on."""


BEHIND: Final = {"a": names.translated, "v": names.served}
"""Which alias of an address says who is behind it, by the side that it is on."""


class Who(NamedTuple):
    """What a name stands for: key, share of the weight, how that is known, and when it was told."""

    key: str
    weight: float = 1.0
    via: str = ""
    told_us: int = 0


class Whose:
    """What is known of names on one site.

    Args:
        hubs: what makes no join.
        local: networks whose addresses mean something on one host only.
    """

    def __init__(self, hubs: Hubs, local: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        self.hubs = hubs
        self.identity = Identity()
        self.aliases = Aliases()
        self._local = Hubs(map(str, local))

    def learn(self, fields: Fields, time_us: int) -> Iterator[str]:
        """Take what a document says of names; yield the things (`type|value`) of which something is new."""
        for ip in self.identity.learn(fields, time_us):
            yield f"ip|{ip}"
        yield from self.note(names.told(fields), time_us)

    def note(self, said: Iterable[tuple[str, str]], time_us: int) -> Iterator[str]:
        """Take aliases that are told; yield the things of which something is new."""
        for name, value in said:
            if self.aliases.put(name, value, time_us):
                yield names.thing_of(name)

    def at(self, time_us: int, asked: set[str]) -> Asking:
        """Return who answers for one time; `asked` takes the names that somebody told something of."""
        return Asking(self, time_us, asked)

    def knows(self, ip: str, side: str) -> bool:
        """Tell whether an address may stand for anything but itself."""
        if self.identity.knows(ip):
            return True
        return bool(self.aliases) and side in BEHIND and self.aliases.knows(BEHIND[side](ip))

    def is_local(self, ip: str) -> bool:
        """Tell whether an address means something on one host only."""
        return self._local.is_address(ip)

    def forget(self, before_us: int) -> None:
        """Drop what was told before."""
        self.identity.forget(before_us)
        self.aliases.forget(before_us)

    def spellings(self, key: str) -> Iterator[str]:
        """Yield the keys under which runs may be found that ask for a thing of a host with a short name."""
        yield key
        kind, _, value = key.partition("|")
        if kind in HOSTED:
            host, _, rest = value.partition("|")
            if "." not in host:
                for whole in self.aliases.values(names.label(host)):
                    yield f"{kind}|{whole}|{rest}"


class Asking:
    """Answers for one time, each thought out once."""

    def __init__(self, whose: Whose, time_us: int, asked: set[str]) -> None:
        self._whose = whose
        self._aliases = whose.aliases
        self._time_us = time_us
        self._asked = asked
        self._whole: dict[str, tuple[str, int]] = {}

    def address(self, ip: str, side: str, host: str = "") -> Who:
        """Return what an address stands for.

        Args:
            ip: canonical.
            side: of the table of edges: who acts may be behind a gateway, who is acted on behind a published address.
            host: the only host that is named beside it, or empty.
        """
        if self._whose.hubs.is_address(ip):
            return Who(f"ip|{ip}")
        if self._whose.is_local(ip):
            return Who(f"ip|{ip} of {host}") if host else Who(f"ip|{ip}", SHARED_WEIGHT)
        behind = self._behind(ip, side)
        if behind is None:
            return self._bound(ip, host)
        if not behind.value:
            return Who(f"ip|{ip}", SHARED_WEIGHT) if side == "a" else self._bound(ip, host)
        inner = self._bound(behind.value, host)
        via = f"{ip} stood for {behind.value} (address translation)"
        via = f"{via}, {inner.via}" if inner.via else via
        return Who(inner.key, inner.weight, via, max(behind.told_us, inner.told_us))

    def _behind(self, ip: str, side: str) -> names.Standing | None:
        if not self._aliases or side not in BEHIND:
            return None
        if not self._aliases.knows(alias := BEHIND[side](ip)):
            return None
        self._asked.add(f"ip|{ip}")
        return self._aliases.at(alias, self._time_us)

    def _bound(self, ip: str, host: str) -> Who:
        identity = self._whose.identity
        if not identity.knows(ip):
            return Who(f"ip|{ip}")
        self._asked.add(f"ip|{ip}")
        bound = identity.host_at(ip, self._time_us)
        if bound is None:
            claimants = identity.claimants(ip, self._time_us)
            if len(claimants) < 2:  # noqa: PLR2004  nobody claims it any more
                return Who(f"ip|{ip}")
            whole, told_us = self.host(host)
            if any(_is_one(whole, one) for one in claimants):
                return Who(f"host|{whole}", via=f"{ip} was {whole}'s own", told_us=told_us)
            return Who(f"ip|{ip}", SHARED_WEIGHT)
        whole, told_us = self.host(bound.host)
        via = f"{ip} was {whole} ({bound.source})"
        return Who(f"host|{whole}", via=via, told_us=max(told_us, bound.time_us))

    def host(self, host: str, *, is_posted: bool = False) -> tuple[str, int]:
        """Return the whole name of a host and when it was told; 0 where it is the one given.

        Args:
            host: canonical.
            is_posted: who asks is found by the name as it is, so that it need not be kept in mind for it.
        """
        if "." in host or not host:
            return host, 0
        known = self._whole.get(host)
        if known is None:
            alias = names.label(host)
            if not is_posted or self._aliases.knows(alias):
                self._asked.add(alias)
            found = self._aliases.at(alias, self._time_us)
            self._whole[host] = known = host, 0
            if found and found.value:
                whole, told_us = self.host(
                    found.value
                )  # a hardware address has a name, which may be short
                self._whole[host] = known = whole, max(found.told_us, told_us)
        return known

    def key(self, key: str, *, is_posted: bool = False) -> Who:
        """Return a thing's key with the whole name of its host."""
        kind, _, value = key.partition("|")
        if kind == "host":
            host, rest = value, ""
        elif kind in HOSTED:
            host, _, rest = value.partition("|")
            rest = f"|{rest}"
        elif kind == "user":
            host, slash, rest = value.partition("\\")
            if not slash:
                return Who(key)
            rest = f"\\{rest}"
        else:
            return Who(key)
        whole, told_us = self.host(host, is_posted=is_posted)
        if whole == host:
            return Who(key)
        return Who(f"{kind}|{whole}{rest}", via=f"{host} is {whole}", told_us=told_us)

    def spellings(self, key: str) -> tuple[str, ...]:
        """Return the keys under which relations of a thing may have been told."""
        kind, _, value = key.partition("|")
        if kind not in HOSTED:
            return (key,)
        host, _, rest = value.partition("|")
        short, dot, _ = host.partition(".")
        if not dot or self.host(short)[0] != host:
            return (key,)
        return key, f"{kind}|{short}|{rest}"

    def attester(self, key: str, hosts: Iterable[str]) -> Who:
        """Return an attester's key with the host that it is on: enrolled elsewhere, it is another."""
        value = key.partition("|")[2]
        on = {self.host(one)[0] for one in hosts}
        if len(on) == 1:
            return Who(f"{key}|{on.pop()}")
        alias = names.enrolled(value)
        if not self._aliases.knows(alias):
            return Who(key)
        self._asked.add(alias)
        found = self._aliases.at(alias, self._time_us)
        if found is None:
            return Who(key)
        if not found.value:
            return Who(key, SHARED_WEIGHT)
        whole, told_us = self.host(found.value)
        return Who(
            f"{key}|{whole}", via=f"{value} was on {whole}", told_us=max(found.told_us, told_us)
        )


def _is_one(whole: str, claimant: str) -> bool:
    return bool(whole) and (whole == claimant or whole.startswith(f"{claimant}."))
