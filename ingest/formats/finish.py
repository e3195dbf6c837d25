"""The last hand on a network record: types, community id and `related.*`, planned once for a sequence of names.

ECS: `related.*` "pivot on" an address, a user, a host or a hash wherever it stands in the record. After
this hand every value is in its ECS type's own form, so that the normalizer need not look again.
"""

from __future__ import annotations

from typing import Final

from contract.event import Fields
from ingest.ecs_types import MISFIT, Plan, check_of
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
_LOWER: Final = ("network.protocol", "network.application")
_RELATED: Final = (
    ("related.ip", _IPS),
    ("related.user", _USERS),
    ("related.hosts", _HOSTS),
    ("related.hash", _HASHES),
)
_NAMES: Final = {f"{side}.ip": f"{side}.domain" for side in ("source", "destination")}
_ICMP: Final = frozenset(("1", "58"))
_SAY_NONE: Final = frozenset(("0.0.0.0", "::"))  # noqa: S104 - addresses that stand for none
MAX_SHAPES: Final = 8192
"""Sequences of names whose plan is remembered; when full, all are forgotten at once."""


class _Shape:
    """What is to be done for records with one sequence of names."""

    __slots__ = ("is_flow", "lower", "macs", "related", "types")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.types = Plan(names)
        self.lower = tuple(name for name in _LOWER if name in names)
        self.macs = tuple(name for name in _MACS if name in names)
        self.is_flow = "network.community_id" not in names and {
            "source.ip",
            "destination.ip",
            "network.iana_number",
        }.issubset(names)
        self.related = tuple(
            (target, present)
            for target, parts in _RELATED
            if (present := tuple(name for name in parts if name in names))
        )


_shapes: dict[tuple[str, ...], _Shape] = {}


def finish(fields: Fields, icmp: tuple[int, int] | None = None) -> None:
    """Complete a record in place; nothing may be changed after.

    A value that is not of its field's type moves to `labels.*`, as text.

    Args:
        fields: changed in place; empty texts are taken out.
        icmp: type and code, where the record names them.
    """
    if "" in fields.values():
        for name in [name for name, value in fields.items() if value == ""]:
            del fields[name]
    shape = _shape_of(tuple(fields))
    if slow := shape.types.misfits(fields):
        _fit(fields, slow)
        shape = _shape_of(tuple(fields))
    for name in shape.lower:
        fields[name] = fields[name].lower()
    for name in shape.macs:
        address = fields[name]
        fields[name] = canonical_mac(address) or address
    if shape.is_flow:
        _identify(fields, icmp)
    _relate(fields, shape)


def _relate(fields: Fields, shape: _Shape) -> None:
    for target, parts in shape.related:
        found: list[str] = []
        for part in parts:
            value = fields[part]
            if value not in found and value not in _SAY_NONE:
                found.append(value)
        if found:
            fields[target] = found


def _shape_of(names: tuple[str, ...]) -> _Shape:
    shape = _shapes.get(names)
    if shape is None:
        if len(_shapes) >= MAX_SHAPES:
            _shapes.clear()
        shape = _shapes[names] = _Shape(names)
    return shape


def _identify(fields: Fields, icmp: tuple[int, int] | None) -> None:
    number = fields["network.iana_number"]
    if number in _ICMP:
        ports = icmp
    else:
        left, right = fields.get("source.port"), fields.get("destination.port")
        ports = (left, right) if left is not None and right is not None else None
    flow = community_id(fields["source.ip"], fields["destination.ip"], int(number), ports)
    if flow is not None:
        fields["network.community_id"] = flow


def _fit(fields: Fields, names: list[str]) -> None:
    """Bring values to their type's own form, or move them aside."""
    for name in names:
        check = check_of(name)
        value = fields[name]
        good = check(value) if check is not None else value
        if good is not MISFIT and not (type(good) is int and good < 0):
            fields[name] = good
            continue
        del fields[name]
        if name in _NAMES and type(value) is str:
            # Firewalls write names where they resolve addresses.
            fields.setdefault(_NAMES[name], value)
            continue
        if isinstance(value, list):
            fits = [
                part for item in value if (part := check(item) if check else item) is not MISFIT
            ]
            if fits:
                fields[name] = fits
            value = " ".join(str(item) for item in value)
        if value != "":
            fields["labels." + name.replace(".", "_")] = str(value)
