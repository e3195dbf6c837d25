"""Drafts: the decision that a request would get now, with all that is in force weighed. Pure; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from contract.records import Chain, Decision
from contract.timestamps import from_datetime
from respond.claim import Claim, until
from respond.claims import Claims
from respond.request import Request
from respond.verdict import Point, Rails, Situation, grounds, judge, points_of


class Drafting:
    """Makes drafts from what an installation allows and what its claims hold."""

    def __init__(self, claims: Claims, points: Sequence[Point], rails: Rails) -> None:
        self._claims = claims
        self._points = points
        self._rails = rails

    def draft(self, chain: Chain, request: Request, old: Claim | None, no: float | None) -> Claim:
        """Return the next state of a request's claim, at its next revision.

        Args:
            chain: that asks.
            request: one of those it makes.
            old: the claim's present state; None: there is none yet.
            no: the score at which a person said no to the same; it then waits for a person.
        """
        playbook, at_us = request.playbook, from_datetime(chain.last)
        points = points_of(playbook, self._points)
        situation = self._situation(request, at_us, settled=no is not None)
        verdict = judge(playbook, request.target, points, situation, self._rails)
        is_approved = verdict.state == "approved"
        span = playbook.duration if is_approved else self._rails.settings.patience
        decision = Decision(
            id=request.id,
            revision=old.decision.revision + 1 if old is not None else 1,
            chain=chain.id,
            playbook=playbook.name,
            action=playbook.action,
            target=request.target,
            points=points,
            made=chain.last,
            expires=until(chain.last, span),
            state=verdict.state,
            reason=f"{grounds(playbook, chain)}; {verdict.reason}",
        )
        approved_us = old.approved_us if old is not None else ()
        if is_approved:
            approved_us = self._claims.within_window((*approved_us, at_us))
        return Claim(
            decision=decision,
            duration=playbook.duration,
            high=playbook.impact == "high",
            score=chain.score,
            seen=chain.revision,
            basis_us=at_us,
            approved_us=approved_us,
            settled=no,
        )

    def _situation(self, request: Request, at_us: int, *, settled: bool) -> Situation:
        return Situation(
            live=self._claims.ledger.targets(),
            live_of_playbook=self._claims.live_of(request.playbook.name),
            recent=self._claims.recent(at_us),
            held=request.key in self._claims.ledger,
            is_sure=request.is_sure,
            settled=settled,
        )
