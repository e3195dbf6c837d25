"""Names that stand for something else for a while: short host names, translated addresses, keys of attesters.

A host is `web1` to one sensor and `web1.corp.example` to another; behind a gateway's address stand those that it translates
for; an attester's key is of the host that it was enrolled on. Such a name stands for what is told of it as long as that
is one thing alone, a day before to an hour after; where two are told it is ambiguous, and stands for none of them. Which was told
first never matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from contract.event import Fields
from contract.records import EntityType, Role
from correlate.chain import canonical
from correlate.chain.edges import DAY_US, HOUR_US
from correlate.chain.entities import host_of, text
from correlate.chain.identity import leased_to

MAX_ALIASES: Final = 50_000
"""Names known; the one that was told of first goes first."""
SLOT_US: Final = HOUR_US
"""Within one hour a thing is kept once, when it was first told."""
KEPT: Final = 3
"""Things kept of a name and hour, the first ones: of three at least two are not one by its short and its whole name, and so as ambiguous as a thousand."""
MANY: Final = "*"
"""What a name stands for that is told to stand for whoever comes: a proxy's address."""

_LABEL, _NAT, _SERVED, _KEY = "host|", "nat|", "served|", "key|"


class Standing(NamedTuple):
    """What a name stands for; `value` is empty where that is ambiguous."""

    value: str
    told_us: int


class Aliases:
    """What was told of names, by name and hour."""

    def __init__(self, bound: int = MAX_ALIASES) -> None:
        self._bound = bound
        self._rows: dict[str, dict[int, list[tuple[int, str]]]] = {}
        self.changed: set[str] = set()
        self.lost = 0

    def __bool__(self) -> bool:
        return bool(self._rows)

    def put(self, name: str, value: str, time_us: int) -> bool:
        """Note what a name stands for; tell whether that says something new."""
        slots = self._rows.get(name)
        if slots is None:
            if len(self._rows) >= self._bound:
                self.lost += 1
                first = next(iter(self._rows))
                del self._rows[first]
                self.changed.add(first)
            slots = self._rows[name] = {}
        held = slots.get(time_us // SLOT_US, [])
        if any(known == value and at <= time_us for at, known in held):
            return False
        told = sorted([*(row for row in held if row[1] != value), (time_us, value)])[:KEPT]
        if told == held:
            return False
        slots[time_us // SLOT_US] = told
        self.changed.add(name)
        return True

    def knows(self, name: str) -> bool:
        """Tell whether anything is told of a name."""
        return name in self._rows

    def values(self, name: str) -> set[str]:
        """Return all that a name ever stood for."""
        return {value for held in self._rows.get(name, {}).values() for _, value in held}

    def at(self, name: str, time_us: int) -> Standing | None:
        """Return what a name stands for at a time; None where nothing is told of it."""
        slots = self._rows.get(name)
        if slots is None:
            return None
        until_us = time_us + HOUR_US
        found: dict[str, int] = {}
        for slot in range((time_us - DAY_US) // SLOT_US, until_us // SLOT_US + 1):
            for at, value in slots.get(slot, ()):
                if at <= until_us:
                    found[value] = min(at, found.get(value, at))
        if not found:
            return None
        whole = {one for one in found if not any(other.startswith(f"{one}.") for other in found)}
        if len(whole) > 1 or MANY in whole:
            return Standing("", 0)
        return Standing(whole.pop(), min(found.values()))

    def forget(self, before_us: int) -> None:
        """Drop what was told before a time less a day."""
        limit = before_us // SLOT_US
        for name, slots in list(self._rows.items()):
            old = [slot for slot in slots if slot < limit]
            for slot in old:
                del slots[slot]
            if old:
                self.changed.add(name)
            if not slots:
                del self._rows[name]

    def part(self, name: str) -> list[tuple[int, str]] | None:
        """Return what is told of a name; None when it is gone."""
        slots = self._rows.get(name)
        return None if slots is None else [row for slot in sorted(slots) for row in slots[slot]]

    def restore(self, name: str, rows: list[list[Any]]) -> None:
        """Put back what `part` returned."""
        slots = self._rows.setdefault(name, {})
        for at, value in rows:
            slots.setdefault(at // SLOT_US, []).append((at, value))


# ------------------------------------------------------------------ names of names


def label(host: str) -> str:
    """Return the alias by which a short host name is known."""
    return f"{_LABEL}{host}"


def translated(ip: str) -> str:
    """Return the alias of an address that others use as theirs towards the outside."""
    return f"{_NAT}{ip}"


def served(ip: str) -> str:
    """Return the alias of an address under which an inner server is reached."""
    return f"{_SERVED}{ip}"


def enrolled(attester: str) -> str:
    """Return the alias of an attester's key."""
    return f"{_KEY}{attester}"


def thing_of(name: str) -> str:
    """Return the key (`type|value`) of the thing that an alias is a name of."""
    kind, _, value = name.partition("|")
    return f"ip|{value}" if kind in ("nat", "served") else name


# ------------------------------------------------------------------ who tells of them


def said_by(named: Sequence[tuple[Role, EntityType, str]]) -> tuple[tuple[str, str], ...]:
    """Return (alias, value) of what an alert's things say: the host's whole name, the host that an attester is on."""
    hosts = [value for role, kind, value in named if kind == "host" and role == "subject"]
    if len(hosts) != 1:
        return ()
    keys = [value for role, kind, value in named if kind == "key" and role == "subject"]
    return (*_whole(hosts[0]), *((enrolled(one), hosts[0]) for one in keys))


def told(fields: Fields) -> Iterator[tuple[str, str]]:
    """Yield (alias, value) of what a document says."""
    if host := host_of(fields):
        yield from _whole(host)
        if attester := text(fields.get("opsonin.attestation.attester")).strip().rstrip(".").lower():
            yield enrolled(canonical.bounded(attester)), host
    named, mac = leased_to(fields)
    if named and mac:
        yield label(mac.lower()), named
    for side, name, is_outer in _TRANSLATIONS:
        here, there = _ip(fields, f"{side}.ip"), _ip(fields, f"{side}.nat.ip")
        if here and there and here != there:
            yield (name(here), there) if is_outer else (name(there), here)
    proxy, client = _ip(fields, "source.ip"), _ip(fields, "network.forwarded_ip")
    if proxy and client and proxy != client:
        yield translated(proxy), MANY


_TRANSLATIONS: Final = (
    ("source", translated, False), ("client", translated, False),
    ("destination", served, True), ("server", served, True),
)  # fmt: skip
"""Side of a connection, its alias, and whether that is of the address before translation."""


def _whole(host: str) -> tuple[tuple[str, str], ...]:
    short, dot, _ = host.partition(".")
    return ((label(short), host),) if dot else ()


def _ip(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return canonical.ip(text(value)) if value is not None else None
