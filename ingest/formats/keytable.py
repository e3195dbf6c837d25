"""A vendor's keys to ECS names, planned once for a sequence of keys and then applied at the cost of a `zip`.

What a table does not name is kept under the vendor's own prefix, so that no key is lost. A key that
stands several times gives its first value to its field, and all of them, as a list, to the vendor's
name with `_all` behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from contract.event import Fields
from ingest.tables.ecs_integers import INTEGERS

Step: TypeAlias = tuple[Collection[str], Callable[[Fields], None]]
"""Fields of which one must be planned, and what is then to be done with a record."""

MAX_KEY = 128
"""Longer vendor keys are cut: they would be field names in an index."""
_LARGEST_EXACT = 2**53  # of a float's whole numbers

_UNFIT = re.compile(r"[^\w\-]+").sub


_HOLE_KINDS = {"port": "port", "bytes": "count", "packets": "count"}


def holes_of(
    names: Mapping[str, str], marks: Collection[str] = ("=",), **more: str
) -> dict[str, list[str]]:
    """Return an adapter's holes: a table's keys of ports, bytes and packets, and `more` keys by kind, each before each mark.

    Where other keys are given a kind (`other`, `trailing`), those of the table that have none stay as they are: they may mean something.
    """
    keys: dict[str, list[str]] = {kind: said.split() for kind, said in more.items()}
    for key, field in names.items():
        kind = _HOLE_KINDS.get(field.rpartition(".")[2])
        if kind is not None:
            keys.setdefault(kind, []).append(key)
    if "other" in keys or "trailing" in keys:
        known = {*names, *keys.pop("fixed", ())}
        keys["fixed"] = sorted(known.difference(*keys.values()))
    return {kind: [key + mark for key in said for mark in marks] for kind, said in keys.items()}


@dataclass(slots=True, frozen=True)
class Plan:
    """Where the values of one sequence of keys belong.

    Attributes:
        names: field of each value, in the order of the keys.
        integers: those among `names` whose ECS type is a whole number.
        repeated: by vendor's name and `_all`, the places of a key that stands several times.
        seconds: (field, field of the vendor's own) of keys that mean what another key before them means too.
        known: how many of the keys the table names.
        steps: those of the table's steps that concern these fields, in the table's order.
    """

    names: tuple[str, ...]
    integers: tuple[str, ...]
    repeated: tuple[tuple[str, tuple[int, ...]], ...]
    seconds: tuple[tuple[str, str], ...]
    known: int
    steps: tuple[Callable[[Fields], None], ...]


class KeyTable:
    """One product's keys.

    Args:
        prefix: `<vendor>.<product>.`, of keys that `names` lacks.
        names: field by key; a field may also be under `prefix`, for a step to take up.
        nulls: values that say nothing, beside the empty text; they are left out.
        steps: what records need that hold certain fields.
    """

    def __init__(
        self,
        prefix: str,
        names: Mapping[str, str],
        nulls: Collection[str] = ("N/A",),
        steps: Iterable[Step] = (),
    ) -> None:
        self.prefix = prefix
        self._names = names
        self._nulls = frozenset(nulls) | {""}
        self._steps = tuple((frozenset(wanted), step) for wanted, step in steps)

    def own(self, key: str) -> str:
        """Return the field of a key under the vendor's prefix."""
        return self.prefix + _UNFIT("_", key)[:MAX_KEY]

    def plan(self, keys: Sequence[str]) -> Plan:
        """Return the plan of a sequence of keys. O(keys)."""
        names: list[str] = []
        places: dict[str, list[int]] = {}
        taken: set[str] = set()
        seconds: list[tuple[str, str]] = []
        for place, key in enumerate(keys):
            places.setdefault(key, []).append(place)
            name = self._names.get(key) or self.own(key)
            if name in taken:
                own = self.own(key)
                if own != name and len(places[key]) == 1:
                    seconds.append((name, own))
                name = own
            taken.add(name)
            names.append(name)
        repeated = tuple(
            (self.own(key) + "_all", tuple(at)) for key, at in places.items() if len(at) > 1
        )
        for name, at in repeated:
            for place in at[1:]:
                names[place] = name
        return Plan(
            tuple(names),
            tuple(dict.fromkeys(name for name in names if name in INTEGERS)),
            repeated,
            tuple(seconds),
            sum(key in self._names for key in keys),
            tuple(step for wanted, step in self._steps if not wanted.isdisjoint(names)),
        )

    def fill(self, plan: Plan, values: Sequence[str], start: Fields) -> Fields:
        """Return a new record: `start`, then the values; whole numbers as such.

        A value that should be a whole number and is none moves to `<prefix><name with _ for .>`.

        Args:
            plan: of the keys.
            values: in the order of the keys.
            start: not changed.
        """
        fields = start.copy()
        fields.update(zip(plan.names, values, strict=True))
        if not self._nulls.isdisjoint(values):
            self._drop(fields, plan.names, values)
            for name, own in plan.seconds:
                if name not in fields and own in fields:  # the first of the two said nothing
                    fields[name] = fields.pop(own)
        try:
            for name in plan.integers:
                fields[name] = int(fields[name])
        except (KeyError, ValueError):
            for name in plan.integers:
                if name in fields:
                    self._count(fields, name)
        for name, at in plan.repeated:
            said = [
                values[place] for place in at if values[place] and values[place] not in self._nulls
            ]
            if len(said) > 1:
                fields[name] = said
        return fields

    def _count(self, fields: Fields, name: str) -> None:
        try:
            fields[name] = int(fields[name])
        except ValueError:
            self._move(fields, name)

    def _drop(self, fields: Fields, names: Sequence[str], values: Sequence[str]) -> None:
        nulls = self._nulls
        for name, value in zip(names, values, strict=True):
            if value in nulls and fields.get(name) in nulls:
                del fields[name]

    def _move(self, fields: Fields, name: str) -> None:
        value = fields.pop(name)
        try:
            # Some products write counts with decimals ("14.0").
            number = float(value)
        except ValueError:
            number = float("nan")
        if number.is_integer() and abs(number) < _LARGEST_EXACT:
            fields[name] = int(number)
        else:
            fields[self.own(name.replace(".", "_"))] = value
