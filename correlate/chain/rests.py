"""Members of crowds at rest as rows, in groups of one kind and minute: held, and found by what one may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contract.records import Entity, Level
from correlate.chain.habits import Rarity
from correlate.chain.postings import Place
from correlate.chain.runs import Member

GROUP: Final = 256
"""Members that are stored as one part."""


class Kind(NamedTuple):
    """What members of a group have in common; stored as a list in this order.

    Attributes:
        place: their crowd's column.
        target: the address against which they go.
        rule: id, name and level.
        minute_us: in which they began.
    """

    place: Place
    target: str
    rule: tuple[str, str, Level]
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    minute_us: int


@dataclass(slots=True, eq=False)
class Rest:
    """One member: what its run is made of. `keys` are the things by which it can be asked for."""

    signature: str
    signing: tuple[Entity, ...]
    facts: dict[str, Any]
    member: Member
    keys: tuple[str, ...]
    group: Group


@dataclass(slots=True, eq=False)
class Group:
    """Members of one kind and minute; `is_ripe` once nothing that is late can change how unusual they are."""

    number: int
    kind: Kind
    rarity: Rarity
    is_ripe: bool = False
    rests: dict[str, Rest] = field(default_factory=dict)


class Rests:
    """All groups with their members.

    Attributes:
        changed: numbers of groups since the snapshot took them.
    """

    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}
        self._filling: dict[Kind, Group] = {}
        self._by_alert: dict[str, Rest] = {}
        self._by_signature: dict[str, Rest] = {}
        self._by_key: dict[str, Rest] = {}
        self._by_place: dict[Place, dict[Group, None]] = {}
        self._next = 1
        self.changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._by_alert)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    # -------------------------------------------------------------- come and go

    def filling(self, kind: Kind) -> Group | None:
        """Return the group that takes in the next member of a kind."""
        group = self._filling.get(kind)
        return group if group is not None and len(group.rests) < GROUP else None

    def begin(self, kind: Kind, rarity: Rarity) -> Group:
        """Return a new group, which takes in the next members of its kind."""
        group = Group(self._next, kind, rarity)
        self.hold(group)
        return group

    def hold(self, group: Group) -> None:
        """Take a group in, with its members."""
        self._groups[group.number] = self._filling[group.kind] = group
        self._next = max(self._next, group.number + 1)
        self._by_place.setdefault(group.kind.place, {})[group] = None
        for rest in group.rests.values():
            self._find(rest)

    def put(self, rest: Rest) -> None:
        """Take a member in."""
        rest.group.rests[rest.member.id] = rest
        self._find(rest)
        self.changed.add(rest.group.number)

    def _find(self, rest: Rest) -> None:
        self._by_alert[rest.member.id] = rest
        self._by_signature[rest.signature] = rest
        for key in rest.keys:
            self._by_key[key] = rest

    def take_out(self, rest: Rest) -> None:
        """Let go of a member, and of its group if that was the last."""
        group = rest.group
        del self._by_alert[rest.member.id]
        if self._by_signature.get(rest.signature) is rest:
            del self._by_signature[rest.signature]
        for key in rest.keys:
            if self._by_key.get(key) is rest:
                del self._by_key[key]
        del group.rests[rest.member.id]
        self.changed.add(group.number)
        if not group.rests:
            self._drop(group)

    def _drop(self, group: Group) -> None:
        del self._groups[group.number]
        if self._filling.get(group.kind) is group:
            del self._filling[group.kind]
        groups = self._by_place[group.kind.place]
        del groups[group]
        if not groups:
            del self._by_place[group.kind.place]

    # -------------------------------------------------------------- who is here

    def group(self, number: int) -> Group | None:
        """Return a group; None when it is gone."""
        return self._groups.get(number)

    def of_alert(self, alert: str) -> Rest | None:
        """Return the member that an alert is."""
        return self._by_alert.get(alert)

    def of_signature(self, signature: str) -> Rest | None:
        """Return the member that an alert of a signature may repeat."""
        return self._by_signature.get(signature)

    def of_key(self, key: str) -> Rest | None:
        """Return the member that names a thing."""
        return self._by_key.get(key)

    def at(self, place: Place) -> Iterator[Group]:
        """Yield the groups of a crowd."""
        yield from self._by_place.get(place, ())

    def oldest(self) -> Group | None:
        """Return the group that began first; None where none is. O(groups)."""
        return min(self, key=lambda one: (one.kind.minute_us, one.number), default=None)
