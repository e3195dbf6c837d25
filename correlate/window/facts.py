"""What is kept of an event: the fields that joining and telling need, as small as they can be.

Events of one kind have the same fields, so the names are kept once, as a *shape*, and each event's values as a JSON
array. A million entries are held this way, and finding the kept fields costs one lookup an event.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from contract.event import Event, Fields

Shape: TypeAlias = tuple[str, ...]

MAX_SHAPES = 65_536
"""Shapes told apart; facts of a further one bear their names themselves."""

MAX_REMEMBERED = 8_192
"""Lists of an event's field names whose shape is remembered."""

NAMED = 0
"""The shape of facts that bear their names: a JSON object."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Facts:
    """What all groups share: the shapes of facts, and how much is held.

    It remembers the last event's facts, since one event often matches several rules in a row.

    Attributes:
        names: of the fields kept.
        shapes: names by number of shape.
        groups: how many groups hold something now.
        held: how many entries all groups hold now.
        most: bound of `held`.
        now: the latest watermark that a group was woken with; tells late events, and is not kept in snapshots.
    """

    __slots__ = (
        "_event",
        "_facts",
        "_known",
        "_numbers",
        "groups",
        "held",
        "most",
        "names",
        "now",
        "shapes",
    )

    def __init__(self, names: frozenset[str], most: int) -> None:
        self.names = names
        self.most = most
        self.groups = 0
        self.now = 0
        self.held = 0
        self.shapes: list[Shape] = [()]
        self._numbers: dict[Shape, int] = {}
        self._known: dict[Shape, tuple[Callable[[Fields], Any], int]] = {}
        self._event: Event | None = None
        self._facts = (b"", NAMED)

    def of(self, event: Event) -> tuple[bytes, int]:
        """Return the kept fields of an event, and their shape."""
        if event is not self._event:
            fields = event.fields
            known = self._known.get(tuple(fields))
            self._facts = (
                self.of_fields(fields) if known is None else (_encode(known[0](fields)), known[1])
            )
            self._event = event
        return self._facts

    def of_fields(self, fields: Fields) -> tuple[bytes, int]:
        """Return what is kept of fields, and their shape."""
        all_names = tuple(fields)
        known = self._known.get(all_names)
        if known is None:
            known = self._learn(all_names)
        values, shape = known
        return _encode(values(fields)), shape

    def _learn(self, all_names: Shape) -> tuple[Callable[[Fields], Any], int]:
        kept = tuple(name for name in all_names if name in self.names)
        shape = self.shape(kept)
        found: tuple[Callable[[Fields], Any], int]
        if shape == NAMED:
            found = (lambda fields: {name: fields[name] for name in kept}), NAMED
        elif len(kept) == 1:
            found = (lambda fields: (fields[kept[0]],)), shape
        else:
            found = itemgetter(*kept), shape
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[all_names] = found
        return found

    def shape(self, names: Shape) -> int:
        """Return the number of a shape; `NAMED` when it has no names or there are too many."""
        number = self._numbers.get(names, NAMED)
        if number == NAMED and names and len(self.shapes) < MAX_SHAPES:
            number = self._numbers[names] = len(self.shapes)
            self.shapes.append(names)
        return number

    def named(self, facts: bytes, names: Shape) -> tuple[bytes, int]:
        """Return facts that were kept elsewhere, with names of their own or as an object, as kept here."""
        shape = self.shape(names)
        if shape == NAMED and names:
            return _encode(dict(zip(names, _decode(facts), strict=True))), NAMED
        return facts, shape

    def read(self, facts: bytes, shape: int) -> Fields:
        """Return the fields of facts."""
        return read(facts, self.shapes[shape])


def read(facts: bytes, names: Shape) -> Fields:
    """Return the fields of facts of a shape; without names they bear them themselves."""
    values: Any = _decode(facts)
    return dict(zip(names, values, strict=True)) if names else values
