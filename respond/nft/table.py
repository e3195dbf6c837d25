"""The text of our table and its elements, both ways. Pure.

Single addresses live in hash sets, networks in interval sets (adding to an interval set slows down with its size);
each element carries the decision's id and revision in its comment. Our chains stand before the usual `filter`
priority, so that a later `ct established accept` does not save a denied flow; what never may be touched is excluded
in the rule itself. Source: nft(8) 1.0.6; libnftables-json(5) 1.0.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Network,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Any, Literal, NamedTuple

from respond.ledger import Element
from respond.target import Network, canonical, network

_COMMENT = re.compile(r"opsonin:([0-9a-f]{1,64}):(\d{1,9})")

SETS = ("deny4", "deny6", "net4", "net6")
_TYPES = {"4": "ipv4_addr", "6": "ipv6_addr"}
_DIRECTIONS = {"input": ("saddr",), "forward": ("saddr", "daddr"), "output": ("daddr",)}


@dataclass(slots=True, frozen=True)
class Layout:
    """What our table looks like; see `respond.enforcers.nftables.NftablesSettings` for the words."""

    table: str
    hooks: tuple[str, ...]
    priority: int
    counters: bool
    log_group: int | None
    max_elements: int
    never_touch: tuple[Network, ...]


class Entry(NamedTuple):
    """An element as nft shows it; `expires_ms` from now, None: without end."""

    net: Network
    decision: str
    revision: int
    expires_ms: int | None


@dataclass(slots=True, frozen=True)
class Listing:
    """A table as nft lists it: its entries, and its shape (sets, chains and rules without handles and counts)."""

    entries: Mapping[Network, Entry]
    shape: str


def set_of(net: Network) -> str:
    """Return the name of the set that holds a network."""
    kind = "deny" if net.prefixlen == net.max_prefixlen else "net"
    return f"{kind}{net.version}"


# ------------------------------------------------------------------ to nft


def build(layout: Layout) -> str:
    """Return the commands that put our table, empty of elements, in the place of any other of its name."""
    name = f"inet {layout.table}"
    lines = [f"add table {name}", f"delete table {name}", f"table {name} {{"]
    for one in SETS:
        flags = "interval, timeout" if one.startswith("net") else "timeout"
        counter = " counter;" if layout.counters else ""
        size = f" size {layout.max_elements};"
        lines.append(f" set {one} {{ type {_TYPES[one[-1]]}; flags {flags};{size}{counter} }}")
    for version, kind in (("4", IPv4Network), ("6", IPv6Network)):
        nets = _collapsed(layout.never_touch, kind)
        held = f" elements = {{ {', '.join(nets)} }}" if nets else ""
        lines.append(f" set never{version} {{ type {_TYPES[version]}; flags interval;{held} }}")
    for hook in layout.hooks:
        lines.append(f" chain {hook} {{")
        lines.append(f"  type filter hook {hook} priority {layout.priority}; policy accept;")
        lines.extend(f"  {rule}" for rule in _rules(layout, hook))
        lines.append(" }")
    lines.append("}")
    return "\n".join(lines)


def _rules(layout: Layout, hook: str) -> Iterable[str]:
    for version, word in (("4", "ip"), ("6", "ip6")):
        for direction in _DIRECTIONS[hook]:
            for one in (f"deny{version}", f"net{version}"):
                field = f"{word} {direction}"
                match = f"{field} @{one} {field} != @never{version}"
                if layout.log_group is not None:
                    log = f'log prefix "opsonin-{one} " group {layout.log_group}'
                    yield f"{match} limit rate 20/second burst 20 packets {log}"
                yield f"{match} counter drop"


def _collapsed(nets: Sequence[Network], kind: type[IPv4Network | IPv6Network]) -> list[str]:
    if kind is IPv4Network:
        return [
            str(net) for net in collapse_addresses(n for n in nets if isinstance(n, IPv4Network))
        ]
    return [str(net) for net in collapse_addresses(n for n in nets if isinstance(n, IPv6Network))]


def add(
    layout: Layout,
    elements: Iterable[tuple[Network, Element]],
    now_us: int,
    verb: Literal["add", "create"] = "add",
) -> str:
    """Return the command lines that add elements with what remains of their time.

    `create` fails when one is there already; `add` leaves such a one as it is.
    """
    rows: dict[str, list[str]] = {}
    for net, one in elements:
        remaining_ms = max((one.expires_us - now_us) // 1_000, 1)
        comment = f"opsonin:{one.decision}:{one.revision}"
        row = f'{canonical(net)} timeout {remaining_ms}ms comment "{comment}"'
        rows.setdefault(set_of(net), []).append(row)
    return _elements(verb, layout, rows)


def bare(verb: str, layout: Layout, nets: Iterable[Network]) -> str:
    """Return the command lines that add or delete networks without more."""
    rows: dict[str, list[str]] = {}
    for net in nets:
        rows.setdefault(set_of(net), []).append(canonical(net))
    return _elements(verb, layout, rows)


def _elements(verb: str, layout: Layout, rows: Mapping[str, list[str]]) -> str:
    return "".join(
        f"{verb} element inet {layout.table} {name} {{ {', '.join(held)} }}\n"
        for name, held in rows.items()
    )


# ------------------------------------------------------------------ from nft


def from_json(text: str) -> Listing:
    """Read what `list table` or `list set` prints as JSON."""
    entries: dict[Network, Entry] = {}
    shape: list[Any] = []
    for item in json.loads(text)["nftables"]:
        ((kind, body),) = item.items()
        if kind == "metainfo":
            continue
        elements = body.pop("elem", [])
        if kind == "set" and body["name"] in SETS:
            for element in elements:
                for entry in _entries(element):
                    entries[entry.net] = entry
        elif kind == "set":
            nets = [net for element in elements for net in _nets(_value(element)[0])]
            shape.append(_collapsed(nets, IPv4Network) + _collapsed(nets, IPv6Network))
        shape.append([kind, _bare(body)])
    return Listing(entries, json.dumps(shape, sort_keys=True))


def _entries(element: Any) -> Iterable[Entry]:
    value, more = _value(element)
    expires = more.get("expires")
    decision, revision = owner(more.get("comment", ""))
    for net in _nets(value):
        yield Entry(net, decision, revision, None if expires is None else int(expires) * 1_000)


def _value(element: Any) -> tuple[Any, dict[str, Any]]:
    if isinstance(element, dict) and "elem" in element:
        return element["elem"]["val"], element["elem"]
    return element, {}


def _nets(value: Any) -> list[Network]:
    if isinstance(value, str):
        return [network(value)]
    if "prefix" in value:
        return [ip_network((value["prefix"]["addr"], value["prefix"]["len"]))]
    first, last = (ip_address(text) for text in value["range"])
    return list(summarize_address_range(first, last))


def owner(comment: str) -> tuple[str, int]:
    """Return the decision and revision that an element's comment names; empty and 0 for others' comments."""
    form = _COMMENT.fullmatch(comment)
    return (form[1], int(form[2])) if form else ("", 0)


def _bare(body: Any) -> Any:
    """Return a listed object without what changes by itself: handles and counts."""
    if isinstance(body, dict):
        return {
            key: _bare(value)
            for key, value in body.items()
            if key not in ("handle", "packets", "bytes")
        }
    if isinstance(body, list):
        return [_bare(value) for value in body]
    return body
