"""The claims of a site with the indexes that deciding needs: by chain, by heir, by due time, and the ledger. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from heapq import heapify, heappop, heappush
from typing import Final

from contract.ports import Parts
from contract.timestamps import from_datetime, microseconds
from respond.claim import Claim
from respond.ledger import Key, Ledger
from respond.verdict import DecideSettings

CLAIM: Final = "claim/"
"""Begins the name of a claim's part; the decision's id follows."""


class Claims:
    """See the module; `parts` are what earlier snapshots left.

    Raises:
        contract.errors.StoreError: a part cannot be read.
    """

    def __init__(
        self, settings: DecideSettings, window: timedelta, parts: Mapping[str, bytes]
    ) -> None:
        self._memory_us = microseconds(settings.memory)
        self._max = settings.max_claims
        self._window_us = microseconds(window)
        self.ledger = Ledger()
        self._claims: dict[str, Claim] = {}
        self._by_chain: defaultdict[str, set[str]] = defaultdict(set)
        self._by_heir: defaultdict[str, set[str]] = defaultdict(set)
        self._live: defaultdict[str, set[str]] = defaultdict(set)
        self._approved_us: list[int] = []
        self._due: list[tuple[int, str]] = []
        self._changed: set[str] = set()
        for name, data in sorted(parts.items()):
            if name.startswith(CLAIM):
                self.keep(Claim.decode(data))
        self._changed.clear()

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(list(self._claims.values()))

    def __contains__(self, id: object) -> bool:
        return id in self._claims

    def get(self, id: str) -> Claim | None:
        """Return the claim of a decision's id."""
        return self._claims.get(id)

    def of_chain(self, chain: str) -> list[Claim]:
        """Return a chain's claims in order of their ids."""
        return [self._claims[id] for id in sorted(self._by_chain.get(chain, ()))]

    def of_heir(self, chain: str) -> list[Claim]:
        """Return the claims of the chains merged into this one, in order of their ids."""
        return [self._claims[id] for id in sorted(self._by_heir.get(chain, ()))]

    def no_to(self, chain: str, key: Key) -> float | None:
        """Return the greatest score at which a person said no to this for a chain; None: nobody did."""
        own = self.of_chain(chain)
        return max(
            (one.settled for one in own if one.settled is not None and one.key == key), default=None
        )

    def live_of(self, playbook: str) -> int:
        """Return how many decisions of a playbook are in force."""
        return len(self._live.get(playbook, ()))

    # -------------------------------------------------------------- changes

    def keep(self, claim: Claim) -> None:
        """Put a claim in the place of its earlier state. O(log claims)."""
        id = claim.decision.id
        old = self._claims.get(id)
        if old == claim:
            return
        if old is not None:
            self._unindex(id, old)
        self._claims[id] = claim
        self._by_chain[claim.decision.chain].add(id)
        if claim.heir:
            self._by_heir[claim.heir].add(id)
        if claim.decision.state == "approved":
            self._live[claim.decision.playbook].add(id)
        for at_us in claim.approved_us:
            insort(self._approved_us, at_us)
        self.ledger.put(claim.decision)
        if old is None or self._due_of(old) != self._due_of(claim):
            heappush(self._due, (self._due_of(claim), id))
        self._changed.add(id)

    def forget(self, id: str) -> None:
        """Drop a claim for good."""
        claim = self._claims.pop(id)
        self._unindex(id, claim)
        self.ledger.forget(id)
        self._changed.add(id)

    def _unindex(self, id: str, claim: Claim) -> None:
        for index, name in (
            (self._by_chain, claim.decision.chain),
            (self._by_heir, claim.heir),
            (self._live, claim.decision.playbook),
        ):
            held = index.get(name)
            if held is not None:
                held.discard(id)
                if not held:
                    del index[name]
        for at_us in claim.approved_us:
            del self._approved_us[bisect_left(self._approved_us, at_us)]

    def make_room(self) -> bool:
        """Forget, if there are too many, the claim that is over for longest; False when all are open. O(claims)."""
        if len(self._claims) < self._max:
            return True
        over = [(self._due_of(one), id) for id, one in self._claims.items() if not one.is_open]
        if not over:
            return False
        self.forget(min(over)[1])
        return True

    # -------------------------------------------------------------- time

    def _due_of(self, claim: Claim) -> int:
        expires_us = from_datetime(claim.decision.expires)
        if claim.is_open:
            return expires_us
        return max(expires_us, claim.basis_us) + self._memory_us

    def next_due(self) -> int | None:
        """Return when a claim next expires or is to be forgotten. Amortised O(log claims)."""
        due = self._due
        if len(due) > 64 + 4 * len(self._claims):
            self._due = due = [(self._due_of(one), id) for id, one in self._claims.items()]
            heapify(due)
        while due:
            at_us, id = due[0]
            claim = self._claims.get(id)
            if claim is not None and self._due_of(claim) == at_us:
                return at_us
            heappop(due)
        return None

    def due(self, now_us: int) -> Iterator[Claim]:
        """Yield the claims whose time has come, by time and id; the caller changes or forgets each."""
        while (at_us := self.next_due()) is not None and at_us <= now_us:
            _, id = heappop(self._due)
            yield self._claims[id]

    def recent(self, at_us: int) -> int:
        """Return how many of the engine's own approvals lie in the rate window that ends at `at_us`."""
        newest = bisect_right(self._approved_us, at_us)
        return newest - bisect_right(self._approved_us, at_us - self._window_us)

    def within_window(self, times_us: tuple[int, ...]) -> tuple[int, ...]:
        """Return those of the times that lie in the rate window that ends with the last of them."""
        last = max(times_us)
        return tuple(at_us for at_us in sorted(times_us) if at_us > last - self._window_us)

    # -------------------------------------------------------------- state

    def snapshot(self) -> Parts:
        """Return the parts that changed since the last call; None for those forgotten."""
        parts = {
            f"{CLAIM}{id}": self._claims[id].encode() if id in self._claims else None
            for id in sorted(self._changed)
        }
        self._changed.clear()
        return parts
