"""The ledger: desired state at enforcement points, element by element, from the decisions that hold each. Pure.

Several decisions may ask for the same thing of the same target. They are one *element*, which lasts as long as the
longest of them; taking one back leaves what the others hold. Taking back the last restores exactly what was before,
which `fingerprint` proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from contract.ids import derive_id
from contract.records import ActionName, Decision, Target
from contract.timestamps import from_datetime


class Key(NamedTuple):
    """What makes two decisions ask for the same thing."""

    action: ActionName
    type: str
    value: str


@dataclass(slots=True, frozen=True)
class Element:
    """One thing that must be true, until a time.

    Attributes:
        decision: id of the decision that lasts longest (the greatest id among equals): the owner.
        revision: of the owner.
        expires_us: the owner's expiry.
    """

    key: Key
    target: Target
    decision: str
    revision: int
    expires_us: int


def key_of(decision: Decision) -> Key:
    """Return the key of the element that a decision asks for."""
    return Key(decision.action, decision.target.type, decision.target.value)


class Ledger:
    """The newest revision of each decision, and the elements that the approved ones hold."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._known: dict[str, Decision] = {}
        self._holders: dict[Key, dict[str, Decision]] = {}
        for decision in decisions:
            self.put(decision)

    def __len__(self) -> int:
        return len(self._holders)

    def __contains__(self, key: Key) -> bool:
        return key in self._holders

    def put(self, decision: Decision) -> bool:
        """Take a decision; return False when this or a newer revision of it is known already.

        Order does not matter: the greatest revision wins.
        """
        known = self._known.get(decision.id)
        if known is not None and known.revision >= decision.revision:
            return False
        self._known[decision.id] = decision
        key = key_of(decision)
        if decision.state == "approved":
            self._holders.setdefault(key, {})[decision.id] = decision
        else:
            self._release(key, decision.id)
        return True

    def forget(self, decision: str) -> None:
        """Drop a decision as if it had never been made; unknown ids are passed over."""
        known = self._known.pop(decision, None)
        if known is not None:
            self._release(key_of(known), decision)

    def _release(self, key: Key, decision: str) -> None:
        holders = self._holders.get(key)
        if holders is None:
            return
        holders.pop(decision, None)
        if not holders:
            del self._holders[key]

    def decision(self, id: str) -> Decision | None:
        """Return the newest known revision of a decision."""
        return self._known.get(id)

    def decisions(self) -> Iterator[Decision]:
        """Yield the newest revision of every known decision, in order of their ids."""
        for _, decision in sorted(self._known.items()):
            yield decision

    def holders(self, key: Key) -> list[Decision]:
        """Return the approved decisions that hold an element, in order of their ids."""
        return [decision for _, decision in sorted(self._holders.get(key, {}).items())]

    def element(self, key: Key, now_us: int) -> Element | None:
        """Return what must be true of a key at a time, or None when nothing must. O(holders)."""
        live = [
            (from_datetime(one.expires), one.id, one) for one in self._holders.get(key, {}).values()
        ]
        if not live:
            return None
        expires_us, _, owner = max(live, key=lambda row: row[:2])
        if expires_us <= now_us:
            return None
        return Element(key, owner.target, owner.id, owner.revision, expires_us)

    def elements(self, now_us: int) -> dict[Key, Element]:
        """Return all that must be true at a time, in order of the keys."""
        found = {}
        for key in sorted(self._holders):
            element = self.element(key, now_us)
            if element is not None:
                found[key] = element
        return found

    def targets(self) -> list[Target]:
        """Return the distinct targets that approved decisions hold, in order."""
        found = {key[1:]: next(iter(held.values())).target for key, held in self._holders.items()}
        return [target for _, target in sorted(found.items())]

    def fingerprint(self, now_us: int) -> str:
        """Return the revision of the whole desired state at a time: equal states, equal texts."""
        causes = [
            f"{'|'.join(key)}|{one.decision}|{one.revision}|{one.expires_us}"
            for key, one in self.elements(now_us).items()
        ]
        return derive_id("ledger", *causes)
