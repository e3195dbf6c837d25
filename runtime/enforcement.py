"""Drives the enforcement points: each has a worker that applies what changed and converges at start and on a timer.

Source: desired-state reconciliation as in NIST SP 800-207's decision and enforcement points; an acknowledgement is
a read-back, done by the enforcer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from contract.errors import PointError
from contract.event import Event
from contract.ids import derive_id
from contract.ports import Enforcer, Meter
from contract.records import Decision, Outcome
from contract.timestamps import from_datetime, to_datetime
from respond.feedback import fields_of
from runtime.settings import Settings

log = structlog.get_logger()

SOURCE = "opsonin.enforcement"
"""Source name of the events that enforcement points' answers become."""
_RETRY_FIRST_S = 1.0


@dataclass(slots=True)
class _Point:
    name: str
    enforcer: Enforcer
    desired: dict[str, Decision] = field(default_factory=dict)
    changed: dict[str, Decision] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    retry_s: float = _RETRY_FIRST_S


class Enforcement:
    """All configured points.

    Args:
        settings: checked.
        meter: counts applies and failures by point.
        clock: wall clock, microseconds.
        report: is given each outcome, in this loop.
    """

    def __init__(
        self,
        settings: Settings,
        meter: Meter,
        clock: Callable[[], int],
        report: Callable[[Outcome], None],
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._report = report
        self._every_s = settings.engine.converge_every.total_seconds()
        self._points = {
            one.name: _Point(one.name, one.type.open(one.name, one.settings, meter, clock))
            for one in settings.points
        }
        self._decisions: dict[str, Decision] = {}
        self._workers: list[asyncio.Task[None]] = []

    async def start(self, approved: list[Decision]) -> None:
        """Begin with what a store says is desired: every point converges to it."""
        for decision in approved:
            self._want(decision)
        for point in self._points.values():
            point.changed.clear()
            self._workers.append(asyncio.create_task(self._work(point), name=f"point {point.name}"))

    def submit(self, decisions: list[Decision]) -> None:
        """Take new revisions; each point that they name gets to work."""
        for decision in decisions:
            self._want(decision)

    def event_of(self, outcome: Outcome) -> Event | None:
        """Return the ECS event that an outcome becomes, or None when its decision is not known any more."""
        decision = self._decisions.get(outcome.decision)
        if decision is None:
            return None
        time_us = from_datetime(outcome.time)
        fields = fields_of(outcome, decision)
        return Event.of(fields, id=fields["event.id"], time_us=time_us, source=SOURCE)

    async def close(self) -> None:
        """Stop the workers; the points keep their state."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for point in self._points.values():
            await point.enforcer.close()

    def _want(self, decision: Decision) -> None:
        known = self._decisions.get(decision.id)
        if known is not None and known.revision >= decision.revision:
            return
        if decision.state in ("proposed", "refused") and known is None:
            return
        self._decisions[decision.id] = decision
        for name in decision.points:
            point = self._points.get(name)
            if point is None:
                continue
            if decision.state == "approved":
                point.desired[decision.id] = decision
            else:
                point.desired.pop(decision.id, None)
            point.changed[decision.id] = decision
            point.wake.set()

    async def _work(self, point: _Point) -> None:
        is_converging = True
        while True:
            changed = list(point.changed.values())
            point.changed.clear()
            point.wake.clear()
            wait_s = self._every_s
            has_failed = False
            try:
                if is_converging:
                    self._drop_expired(point)
                    outcomes = await point.enforcer.converge(list(point.desired.values()))
                else:
                    outcomes = await point.enforcer.apply(changed)
                point.retry_s = _RETRY_FIRST_S
            except PointError as error:
                outcomes = [self._failure(point, one, str(error)) for one in changed]
                has_failed = True
                wait_s = point.retry_s
                point.retry_s = min(self._every_s, point.retry_s * 2)
                log.warning("point.failed", point=point.name, error=str(error), retry_s=wait_s)
            for outcome in outcomes:
                self._meter.add("point_outcomes_total", point=point.name, result=outcome.result)
                self._report(outcome)
            # After a failure nothing is known of what was asked meanwhile: whatever wakes us, all is compared.
            is_converging = not await _set_within(point.wake, wait_s) or has_failed

    def _drop_expired(self, point: _Point) -> None:
        now = self._clock()
        for id in [id for id, one in point.desired.items() if from_datetime(one.expires) <= now]:
            del point.desired[id]

    def _failure(self, point: _Point, decision: Decision, reason: str) -> Outcome:
        now = self._clock()
        return Outcome(
            id=derive_id(
                "outcome", decision.id, str(decision.revision), point.name, "failed", str(now)
            ),
            decision=decision.id,
            revision=decision.revision,
            point=point.name,
            result="failed",
            time=to_datetime(now),
            detail=reason,
        )


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
