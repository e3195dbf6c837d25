"""The ids under which chains were published: what goes on as what, and what may come back to life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from contract.records import Chain
from contract.timestamps import to_datetime

_MAX_HOPS: Final = 64
"""Merges followed from an old id to the chain that goes on."""


class Name(NamedTuple):
    """An id under which a chain was published; stored as a list in this order.

    Attributes:
        anchor: its first alert then.
        revision: its last.
        last_us: of its alerts.
        merged_into: the id that goes on instead.
        shown: digest of what was last published; empty when it holds nothing.
    """

    anchor: str
    revision: int
    last_us: int
    merged_into: str = ""
    shown: str = ""


class Names:
    """All ids that are remembered.

    Attributes:
        changed: since the snapshot took them.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Name] = {}
        self.changed: set[str] = set()

    def __getitem__(self, one: str) -> Name:
        return self._by_id[one]

    def get(self, one: str) -> Name | None:
        """Return what is known of an id."""
        return self._by_id.get(one)

    def put(self, one: str, name: Name) -> None:
        """Note what was published under an id."""
        self._by_id[one] = name
        self.changed.add(one)

    def merge(self, one: str, into: str, chain: Chain) -> Chain:
        """Return the last revision of a chain that goes on as another."""
        name = self._by_id[one]
        self.put(one, name._replace(revision=name.revision + 1, merged_into=into, shown=""))
        return Chain(
            id=one, revision=name.revision + 1, score=0.0, first=chain.first, last=chain.last,
            alerts=(), merged_into=into,
        )  # fmt: skip

    def withdraw(self, one: str) -> Chain:
        """Return the last revision of a chain whose alerts were all retracted."""
        name = self._by_id[one]
        self.put(one, name._replace(revision=name.revision + 1, shown=""))
        at = to_datetime(name.last_us)
        return Chain(id=one, revision=name.revision + 1, score=0.0, first=at, last=at, alerts=())

    def follow(self, one: str) -> tuple[str, Name] | None:
        """Return the id that an id, or what it was merged into, goes on under; None: it is not known."""
        for _ in range(_MAX_HOPS):
            name = self._by_id.get(one)
            if name is None or not name.merged_into:
                return None if name is None else (one, name)
            one = name.merged_into
        return None

    def forget(self, before_us: int, held: set[str], bound: int) -> int:
        """Drop ids that are older and not held, and the oldest beyond the bound; return how many of these."""
        free = {one: name for one, name in self._by_id.items() if one not in held}
        gone = [one for one, name in free.items() if name.last_us < before_us]
        over = max(0, len(self._by_id) - len(gone) - bound)
        if over:
            for one in gone:
                del free[one]
            rest = sorted((name.last_us, one) for one, name in free.items())
            gone.extend(one for _, one in rest[:over])
        for one in gone:
            del self._by_id[one]
            self.changed.add(one)
        return over

    def parts(self) -> Iterator[tuple[str, Name | None]]:
        """Yield (id, row of the state) of what changed since the last call; None: it is gone."""
        for one in sorted(self.changed):
            yield one, self._by_id.get(one)
        self.changed.clear()

    def restore(self, one: str, row: list[Any]) -> None:
        """Put back what `parts` yielded."""
        self._by_id[one] = Name(*row)
