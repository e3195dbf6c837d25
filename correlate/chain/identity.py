"""Which host an address was, and when: bindings with a time and a source.

An address is only a name for a while. What names host and address together (a host's own events, a lease, a logon to
it) binds them from then on; a later binding to another host ends the first, so an address used again is a new entity, and so
does a lease given back or run out: the address is nobody's until it is bound again. An
address that several hosts claim at once (container bridges, shared service addresses) is nobody's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from contract.event import Fields
from correlate.chain import canonical
from correlate.chain.edges import DAY_US, HOUR_US, MINUTE_US
from correlate.chain.entities import host_of, text, texts

MAX_ADDRESSES: Final = 50_000
"""Addresses known; the one that was not bound for longest goes first."""
MAX_ROWS: Final = 64
"""Bindings kept of one address."""
FRESH_US: Final = HOUR_US
"""A binding that only repeats the last is kept once in this time."""
LEASE_US: Final = MINUTE_US
"""A lease that only repeats the last, so soon: within an hour an address may be given back and given again."""
NOBODY: Final = ""
"""Whose an address is that was given back."""
VALID_US: Final = DAY_US
"""How long a binding holds after it was last seen, and claims of two hosts count as one dispute an hour apart."""


class Binding(NamedTuple):
    """From when on an address was a host's, and who said so."""

    time_us: int
    host: str
    source: str


class Identity:
    """Bindings by address."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Binding]] = {}
        self.changed: set[str] = set()
        self.lost = 0

    def learn(self, fields: Fields, time_us: int) -> list[str]:
        """Take what a document says of hosts' addresses; return the addresses about which something is new."""
        return [ip for ip, host, source in claims(fields) if self.bind(ip, time_us, host, source)]

    def bind(self, ip: str, time_us: int, host: str, source: str) -> bool:
        """Note a binding; tell whether it says something new."""
        rows = self._rows.get(ip)
        if rows is None:
            if len(self._rows) >= MAX_ADDRESSES:
                self.lost += 1
                oldest = min(self._rows, key=lambda one: self._rows[one][-1].time_us)
                del self._rows[oldest]
                self.changed.add(oldest)
            rows = self._rows[ip] = []
        is_lease = source == "lease"
        span_us = LEASE_US if is_lease else FRESH_US
        slot_us = time_us // span_us * span_us
        at = bisect_left(rows, (slot_us, "", ""))
        while at < len(rows) and rows[at].time_us < slot_us + span_us:
            if rows[at].host == host and (rows[at].source == "lease") == is_lease:
                if rows[at].time_us <= time_us:
                    return False
                del rows[at]  # of one hour's equal claims the first is kept, whatever came first
                break
            at += 1
        insort(rows, Binding(time_us, host, source))
        del rows[:-MAX_ROWS]
        self.changed.add(ip)
        return True

    def knows(self, ip: str) -> bool:
        """Tell whether anybody ever claimed an address."""
        return ip in self._rows

    def claimants(self, ip: str, time_us: int) -> set[str]:
        """Return the hosts that claim an address near a time, each under its fullest name; two or more dispute it."""
        near = {
            row.host
            for row in self._rows.get(ip, ())
            if abs(row.time_us - time_us) <= FRESH_US and row.source != "lease"
        }
        return {_full(one, near) for one in near} if len(near) > 1 else near

    def host_at(self, ip: str, time_us: int) -> Binding | None:
        """Return the binding that held at a time, else the first within an hour after; None when disputed."""
        rows = self._rows.get(ip)
        if not rows:
            return None
        at = bisect_right(rows, (time_us, "~", "~"))
        if len(self.claimants(ip, time_us)) > 1:
            return None
        if at and time_us - rows[at - 1].time_us <= VALID_US:
            held = rows[at - 1]
        elif at < len(rows) and rows[at].time_us - time_us <= FRESH_US:
            held = rows[at]
        else:
            return None
        return _named_in_full(held, rows) if held.host != NOBODY else None

    def forget(self, before_us: int) -> None:
        """Drop addresses that were not bound since."""
        for ip in [ip for ip, rows in self._rows.items() if rows[-1].time_us < before_us]:
            del self._rows[ip]
            self.changed.add(ip)

    def part(self, ip: str) -> list[Binding] | None:
        """Return the bindings of an address; None when it is gone."""
        return self._rows.get(ip)

    def restore(self, ip: str, rows: list[list[Any]]) -> None:
        """Put back what `part` returned."""
        self._rows[ip] = [Binding(*row) for row in rows]


def _full(host: str, others: Iterable[str]) -> str:
    """Return the name with its domain under which others know a host, else the one given: leases and logons name it without."""
    if "." in host:
        return host
    return min((one for one in others if one.startswith(f"{host}.")), default=host)


def _named_in_full(binding: Binding, rows: Iterable[Binding]) -> Binding:
    """Return a binding with the host's name as the host itself says it, where it ever had the address."""
    return binding._replace(host=_full(binding.host, (row.host for row in rows)))


_OWN_END: Final = {
    "egress": "source.ip", "outbound": "source.ip", "ingress": "destination.ip", "inbound": "destination.ip",
}  # fmt: skip


def _own_end(fields: Fields, host: str) -> Iterator[tuple[str, str, str]]:
    """A connection that a host tells of with the process at its end: that end is the host."""
    if not host or ("process.entity_id" not in fields and "process.pid" not in fields):
        return
    end = _OWN_END.get(text(fields.get("network.direction")))
    if end and (ip := canonical.ip(text(fields.get(end)))) and not canonical.is_link_local(ip):
        yield ip, host, "connection"


_NAMES: Final = ("client.domain", "source.domain")
_MACS: Final = ("client.mac", "source.mac")
"""Who was given a lease, as servers and sensors of it name the client; the host of such a record is the server."""


def leased_to(fields: Fields) -> tuple[str, str | None]:
    """Return the name and the hardware address of whom a lease is told of; empty where it is none, or not told."""
    if fields.get("network.protocol") != "dhcp":
        return "", None
    names = (canonical.host(text(fields.get(key))) for key in _NAMES)
    macs = (canonical.mac(text(fields.get(key))) for key in _MACS)
    return next(filter(None, names), ""), next(filter(None, macs), None)


def _leases(fields: Fields) -> Iterator[tuple[str, str, str]]:
    if fields.get("network.protocol") != "dhcp":
        return
    leased = canonical.ip(text(fields.get("dhcp.assigned_ip") or fields.get("client.ip")))
    if leased and "end" in texts(fields.get("event.type")):
        yield leased, NOBODY, "lease"
    elif leased:
        name, mac = leased_to(fields)
        if owner := name or (mac or "").lower():
            yield leased, owner, "lease"


def claims(fields: Fields) -> Iterator[tuple[str, str, str]]:
    """Yield (address, host, source) of each binding that a document states."""
    host = host_of(fields)
    if host and (value := fields.get("host.ip")) is not None:
        for one in texts(value):
            if (ip := canonical.ip(one)) and not canonical.is_link_local(ip):
                yield ip, host, "host"
    yield from _own_end(fields, host)
    yield from _leases(fields)
