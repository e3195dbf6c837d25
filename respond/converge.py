"""The enforcer that every device shares: compare desired with actual state, act, read back, say what was so.

An enforcement point that holds elements (addresses in a set, users on a list) only brings a `Device`: read, write,
close. Convergence, expiry, holders of the same element, the second asking of the guard and the wording of outcomes
are here, once. The device's clock may be coarse: expiries are compared with a tolerance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from contract.ids import derive_id
from contract.ports import Meter
from contract.records import Decision, Outcome, Result
from contract.timestamps import from_datetime, to_datetime
from respond.device import TOLERANCE_US, Changed, Device, Held, describe, is_same
from respond.guard import Guard, GuardSettings
from respond.ledger import Element, Key, Ledger, key_of


class Converger:
    """A `contract.ports.Enforcer` over a device.

    Args:
        point: the configured name.
        guard: guard rails of the installation, asked again here.
        clock: wall clock, microseconds.
    """

    def __init__(
        self,
        point: str,
        device: Device,
        guard: GuardSettings,
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        self._point = point
        self._device = device
        self._guard = Guard(guard)
        self._meter = meter
        self._clock = clock
        self._lock = asyncio.Lock()
        self._ledger = Ledger()
        self._verified: dict[Key, Element] = {}
        self._applied: dict[str, Decision] = {}
        self._faults: dict[str, int] = {}

    def refuses(self, decision: Decision) -> str | None:
        """See the port."""
        return self._device.refuses(decision)

    async def close(self) -> None:
        """See the port."""
        async with self._lock:
            await self._device.close()

    # -------------------------------------------------------------- some decisions

    async def apply(self, decisions: Sequence[Decision]) -> list[Outcome]:
        """See the port; cost follows the decisions given, not what the point holds."""
        async with self._lock:
            now_us = self._clock()
            outcomes: list[Outcome] = []
            taken: list[Decision] = []
            for decision in decisions:
                fault = self._fault(decision, now_us)
                if fault is not None:
                    outcomes.append(fault)
                elif self._device.refuses(decision) is not None:
                    continue  # the end of what could never begin here
                elif self._ledger.put(decision) or self._ledger.decision(decision.id) == decision:
                    taken.append(decision)
            wanted = {key: self._ledger.element(key, now_us) for key in map(key_of, taken)}
            if not wanted:
                return outcomes
            puts = [element for element in wanted.values() if element is not None]
            takes = [key for key, element in wanted.items() if element is None]
            done = await self._change(puts, takes)
            self._note(wanted, done.held)
            for decision in taken:
                key = key_of(decision)
                why = done.failures.get(key)
                outcomes.extend(
                    self._answer(decision, wanted[key], done.held.get(key), why, now_us)
                )
            return outcomes

    def _answer(
        self,
        decision: Decision,
        element: Element | None,
        held: Held | None,
        failure: str | None,
        now_us: int,
    ) -> Iterator[Outcome]:
        """Yield what is to be said of one decision after acting; nothing of what was never in force."""
        if _is_live(decision, now_us):
            if is_same(element, held):
                self._applied[decision.id] = decision
                yield self._outcome(decision, "applied", now_us)
            else:
                why = failure or f"read back: {describe(held)}"
                yield self._outcome(decision, "failed", now_us, why)
            return
        was_applied = self._applied.pop(decision.id, None) is not None
        if not was_applied and decision.state in ("proposed", "refused", "rejected"):
            return
        result: Result = "expired" if decision.state in ("approved", "expired") else "removed"
        if element is not None and is_same(element, held):
            detail = f"still held by decision {element.decision}"
            yield self._outcome(decision, result, now_us, detail)
        elif element is None and held is None:
            yield self._outcome(decision, result, now_us)
        else:
            why = failure or f"read back: {describe(held)}"
            yield self._outcome(decision, "failed", now_us, why)

    # -------------------------------------------------------------- the whole state

    async def converge(self, desired: Sequence[Decision]) -> list[Outcome]:
        """See the port; O(elements held and desired)."""
        async with self._lock:
            now_us = self._clock()
            outcomes = self._renew_ledger(desired, now_us)
            wanted = self._ledger.elements(now_us)
            before = await self._device.read()
            puts = [one for key, one in wanted.items() if not is_same(one, before.get(key))]
            takes = [key for key in before if key not in wanted]
            done = Changed()
            if puts or takes:
                done = await self._change(puts, takes)
            touched = {*takes, *(one.key for one in puts)}
            after = {key: held for key, held in before.items() if key not in touched} | done.held
            changed = {one.key for one in puts}
            for decision in self._ledger.decisions():
                if _is_live(decision, now_us):
                    key = key_of(decision)
                    found = before.get(key) if key in changed else None
                    outcomes.extend(
                        self._confirm(
                            decision, wanted[key], after.get(key), done.failures.get(key), now_us,
                            drift=key in changed and self._verified.get(key) == wanted[key],
                            found=found,
                        )
                    )  # fmt: skip
            outcomes.extend(self._gone(before, after, takes, now_us))
            self._note(dict(wanted), after, whole=True)
            return outcomes

    def _renew_ledger(self, desired: Sequence[Decision], now_us: int) -> list[Outcome]:
        """Make the ledger just what is desired; return what cannot or must not be done, said once a revision."""
        outcomes = []
        self._ledger = Ledger()
        for decision in desired:
            fault = self._fault(decision, now_us)
            if fault is None:
                self._ledger.put(decision)
            elif self._faults.get(decision.id) != decision.revision:
                self._faults[decision.id] = decision.revision
                outcomes.append(fault)
        self._faults = {one.id: one.revision for one in desired if one.id in self._faults}
        return outcomes

    def _confirm(
        self,
        decision: Decision,
        element: Element,
        held: Held | None,
        failure: str | None,
        now_us: int,
        *,
        drift: bool,
        found: Held | None,
    ) -> Iterator[Outcome]:
        """Yield what is new about a decision that must be in force."""
        if not is_same(element, held):
            self._applied.pop(decision.id, None)
            yield self._outcome(
                decision, "failed", now_us, failure or f"read back: {describe(held)}"
            )
            return
        known = self._applied.get(decision.id)
        self._applied[decision.id] = decision
        if known is None or known.revision != decision.revision:
            yield self._outcome(decision, "applied", now_us)
        elif drift:
            self._meter.add("point_drift_total", point=self._point)
            yield self._outcome(decision, "drifted", now_us, f"was {describe(found)}; put right")

    def _gone(
        self, before: dict[Key, Held], after: dict[Key, Held], takes: list[Key], now_us: int
    ) -> Iterator[Outcome]:
        """Yield the end of what was in force, and of what an earlier run of the engine left behind."""
        told: set[str] = set()
        for id, old in sorted(self._applied.items()):
            newest = self._ledger.decision(id) or old
            if _is_live(newest, now_us) and self._ledger.decision(id) is not None:
                continue
            held = after.get(key_of(old))
            if held is not None and held.decision == id:
                continue  # still there: the next turn tries again
            del self._applied[id]
            told.add(id)
            over = newest.state == "expired" or from_datetime(old.expires) <= now_us
            yield self._outcome(newest, "expired" if over else "removed", now_us)
        for key in takes:
            held = before[key]
            if not held.decision:
                self._meter.add("point_foreign_total", point=self._point)
            elif held.decision not in told and key not in after:
                over = held.expires_us is not None and held.expires_us <= now_us + TOLERANCE_US
                yield self._make(
                    held.decision, max(held.revision, 1), "expired" if over else "removed", now_us,
                    "was held, and nobody asks for it any more",
                )  # fmt: skip

    # -------------------------------------------------------------- shared

    def _fault(self, decision: Decision, now_us: int) -> Outcome | None:
        """Return the outcome of a decision that this point must not or cannot act on, or None."""
        if decision.state != "approved":
            return None
        why = self._device.refuses(decision)
        if why is not None:
            return self._outcome(decision, "unsupported", now_us, why)
        why = self._guard.refusal(decision.target)
        if why is not None:
            detail = f"refused by the guard of the point: {why}"
            return self._outcome(decision, "failed", now_us, detail)
        return None

    async def _change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        self._meter.add("point_writes_total", len(puts) + len(takes), point=self._point)
        done = await self._device.change(puts, takes)
        if done.failures:
            self._meter.add("point_failures_total", len(done.failures), point=self._point)
        return done

    def _note(
        self, wanted: dict[Key, Element | None], held: dict[Key, Held], *, whole: bool = False
    ) -> None:
        """Remember what was read back as wanted, so that a later difference is known to be others' doing."""
        if whole:
            self._verified = {}
        for key, element in wanted.items():
            if element is not None and is_same(element, held.get(key)):
                self._verified[key] = element
            else:
                self._verified.pop(key, None)
        self._meter.set("point_elements", len(self._verified), point=self._point)

    def _outcome(
        self, decision: Decision, result: Result, now_us: int, detail: str = ""
    ) -> Outcome:
        return self._make(decision.id, decision.revision, result, now_us, detail)

    def _make(
        self, decision: str, revision: int, result: Result, now_us: int, detail: str
    ) -> Outcome:
        causes = [self._point, decision, str(revision), result]
        if result in ("drifted", "failed"):
            causes.append(str(now_us))  # each time is news; the others are true once
        return Outcome(
            id=derive_id("outcome", *causes),
            decision=decision,
            revision=revision,
            point=self._point,
            result=result,
            time=to_datetime(now_us),
            detail=detail,
        )


def _is_live(decision: Decision, now_us: int) -> bool:
    return decision.state == "approved" and from_datetime(decision.expires) > now_us
