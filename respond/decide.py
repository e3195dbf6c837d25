"""The stage `decide`: chains in, decisions out; people's commands and points' outcomes in. Pure, event time only.

One logic serves a site, since the caps and the ledger speak of all that is in force. A decision belongs to one chain,
one playbook, one target; decisions of several chains on the same target are one element of the ledger. Whatever an
outcome says, it makes no decision, so an answer can never cause what it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from contract.event import Notice
from contract.ports import Logic, Parts, Stage
from contract.records import Chain, Command, Decision, Outcome
from contract.timestamps import from_datetime
from respond.claim import Answer, Claim, until
from respond.claims import Claims
from respond.draft import Drafting
from respond.guard import Guard
from respond.inherit import inherit
from respond.obey import obey
from respond.playbook import Playbook
from respond.request import Request, released, requests_of, still_asks
from respond.verdict import DecideSettings, Point, Rails

KEY = "site"
_LEAST_STEP = timedelta(seconds=1)

In: TypeAlias = Chain | Outcome | Command
Out: TypeAlias = Decision | Notice


def decide(
    playbooks: Sequence[Playbook],
    guard: Guard,
    points: Sequence[Point],
    settings: DecideSettings,
) -> Stage[In, Out]:
    """Return the stage; `playbooks` in the order in which they are asked (`respond.playbook.load` sorts them)."""

    def open(key: str, parts: Mapping[str, bytes]) -> Logic[In, Out]:
        return Decider(tuple(playbooks), guard, tuple(points), settings, parts)

    def renew(_: str, logic: Logic[In, Out]) -> Logic[In, Out]:
        if isinstance(logic, Decider):
            logic.renew(tuple(playbooks))
        return logic

    return Stage("decide", lambda _: (KEY,), open, renew)


class Decider:
    """The `contract.ports.Logic` of `decide`."""

    def __init__(
        self,
        playbooks: tuple[Playbook, ...],
        guard: Guard,
        points: tuple[Point, ...],
        settings: DecideSettings,
        parts: Mapping[str, bytes],
    ) -> None:
        self._playbooks = playbooks
        self._guard = guard
        self._settings = settings
        self._rails = Rails(guard, settings)
        self._claims = Claims(settings, guard.settings.rate_window, parts)
        self._drafting = Drafting(self._claims, points, self._rails)
        # A never-touch list that grew while the engine was down also binds what was approved before.
        self._forbidden = sorted(
            claim.decision.id
            for claim in self._claims
            if claim.is_open and guard.refusal(claim.decision.target) is not None
        )

    def renew(self, playbooks: tuple[Playbook, ...]) -> None:
        """Go on with other playbooks; decisions made by the earlier ones stand until they expire or are taken back."""
        self._playbooks = playbooks

    # -------------------------------------------------------------- the port

    def on_item(self, item: In) -> Iterable[Out]:
        """Take a chain's revision, a command or an outcome."""
        if isinstance(item, Chain):
            return self._chain(item)
        if isinstance(item, Command):
            return self._command(item)
        return self._outcome(item)

    def on_time(self, now_us: int) -> Iterable[Out]:
        """Expire what is due, forget what was over long ago, refuse what a new guard forbids."""
        for id in self._forbidden:
            claim = self._claims.get(id)
            if claim is not None and claim.is_open:
                why = self._guard.refusal(claim.decision.target)
                yield self._emit(claim.revise(state="refused", reason=f"refused: {why}", by=""))
        self._forbidden = []
        for claim in self._claims.due(now_us):
            if claim.is_open:
                was = "waited in vain" if claim.decision.state == "proposed" else "its time is over"
                yield self._emit(claim.revise(state="expired", reason=f"expired: {was}", by=""))
            else:
                self._claims.forget(claim.decision.id)

    def wake_at(self) -> int | None:
        """Return when the next decision expires or is forgotten."""
        return 0 if self._forbidden else self._claims.next_due()

    def snapshot(self) -> Parts:
        """Return the claims that changed, each as a part."""
        return self._claims.snapshot()

    def is_empty(self) -> bool:
        """Tell whether nothing is in force, waiting or remembered."""
        return len(self._claims) == 0

    # -------------------------------------------------------------- chains

    def _chain(self, chain: Chain) -> Iterator[Out]:
        own = self._claims.of_chain(chain.id)
        if any(claim.seen >= chain.revision for claim in own):
            return  # an older revision, or the same again after a restart
        if chain.merged_into is not None:
            yield from self._merge(chain, chain.merged_into, own)
            return
        for claim in released(chain, self._playbooks, (*own, *self._claims.of_heir(chain.id))):
            reason = "released: the target has regained trust"
            yield self._emit(claim.revise(state="reverted", reason=reason, by=""))
        requests: dict[str, Request] = {}
        for found in requests_of(chain, self._playbooks, self._claims):
            if isinstance(found, Notice):
                yield found
            else:
                requests[found.id] = found
        for request in requests.values():
            yield from self._ask(chain, request)
        keys = {request.key for request in requests.values()}
        for claim in self._claims.of_chain(chain.id):
            if claim.decision.id not in requests:
                yield from self._unask(chain, claim, taken=claim.key in keys)

    def _ask(self, chain: Chain, request: Request) -> Iterator[Out]:
        claim = self._claims.get(request.id)
        no = self._claims.no_to(chain.id, request.key)
        said_no = no is not None and chain.score < no * self._settings.again
        if claim is None:
            if said_no:
                return  # when another playbook asked
            if not self._claims.make_room():
                yield Notice("decide_claims_full_total", 1, "", "too many decisions are open")
                return
        else:
            claim = claim.model_copy(
                update={"seen": chain.revision, "score": chain.score, "heir": ""}
            )
            self._claims.keep(claim)
            if claim.decision.state == "approved":
                yield from self._renew(chain, claim)
                return
            if not claim.is_open and (said_no or not self._may_ask_again(chain, claim)):
                return
        draft = self._drafting.draft(chain, request, claim, no)
        if claim is None or not claim.is_open:
            yield from self._settle(draft, fresh=True)
        elif draft.decision.state != "proposed":
            yield self._emit(draft)
        else:
            expires = self._renewed_expiry(chain, claim, self._settings.patience)
            if expires > claim.decision.expires:
                yield self._emit(claim.revise(expires=expires))

    def _may_ask_again(self, chain: Chain, claim: Claim) -> bool:
        """Tell whether what is over, and no person's no stands against, may be asked anew."""
        if claim.settled is not None:
            return True  # the score has grown since a person said no
        decision = claim.decision
        if decision.state == "refused":
            return self._guard.refusal(decision.target) is None
        if decision.state == "expired":
            return from_datetime(chain.last) > claim.basis_us and (
                until(chain.last, claim.duration) > decision.expires
            )
        return True  # the engine itself took it back

    def _renew(self, chain: Chain, claim: Claim) -> Iterator[Out]:
        """Let what is in force last as the chain goes on; what a person alone may approve is not renewed."""
        expires = self._renewed_expiry(chain, claim, claim.duration)
        if claim.high or expires <= claim.decision.expires:
            return
        if not claim.decision.by and self._settings.mode != "enforce":
            return  # approved by the engine before the mode changed
        reason = f"{claim.decision.reason.partition('; renewed')[0]}; renewed: the chain goes on"
        later = claim.revise(expires=expires, reason=reason)
        yield self._emit(later.model_copy(update={"basis_us": from_datetime(chain.last)}))

    def _renewed_expiry(self, chain: Chain, claim: Claim, span: timedelta) -> datetime:
        """Return the expiry that the chain's last activity gives, in steps of `renew_ratio` from the first.

        Steps, not distances from the current expiry: then it does not matter which revisions of the chain came by.
        """
        step = max(span * self._settings.renew_ratio, _LEAST_STEP)
        made = claim.decision.made
        return until(made, span + (chain.last - made) // step * step)

    def _unask(self, chain: Chain, claim: Claim, *, taken: bool) -> Iterator[Out]:
        """Take back what the chain no longer asks for; a person's approval stands until its expiry or release."""
        claim = claim.model_copy(update={"seen": chain.revision, "score": chain.score, "heir": ""})
        self._claims.keep(claim)
        decision = claim.decision
        if not claim.is_open or (decision.state == "approved" and decision.by):
            return
        ratio = self._settings.release_ratio
        if not taken and still_asks(chain, self._playbooks, claim, ratio):
            return
        why = "another playbook asks the same" if taken else "the chain no longer asks for it"
        yield self._emit(claim.revise(state="reverted", reason=f"withdrawn: {why}", by=""))

    # -------------------------------------------------------------- merged chains

    def _merge(self, chain: Chain, heir: str, own: list[Claim]) -> Iterator[Out]:
        """Hand a chain's claims to the chain that took it in; what is in force stays in force."""
        for claim in own:
            self._claims.keep(claim.model_copy(update={"seen": chain.revision, "heir": heir}))
        for claim in self._claims.of_heir(chain.id):
            self._claims.keep(claim.model_copy(update={"heir": heir}))
        for claim in self._claims.of_heir(heir):
            takers = [
                one for one in self._claims.of_chain(heir) if one.is_open and one.key == claim.key
            ]
            if takers:
                yield from self._settle(takers[0], fresh=False)
            elif claim.decision.state == "proposed":
                yield self._emit(
                    claim.revise(state="reverted", reason=f"withdrawn: merged into chain {heir}")
                )

    def _settle(self, taker: Claim, *, fresh: bool) -> Iterator[Out]:
        """Apply to `taker` what was said of the same target for chains merged into its own; emit what changed.

        A fresh taker was not emitted yet.
        """
        heirs = [
            claim for claim in self._claims.of_heir(taker.decision.chain) if claim.key == taker.key
        ]
        now = taker
        for claim in heirs:
            now = inherit(now, claim, self._settings.again, fresh=fresh)
        if fresh:
            yield self._emit(now)
        elif now is not taker:
            yield self._emit(now.revise())
        for claim in heirs:
            done = claim.decision.state == "approved" and now.decision.state == "approved"
            if done or claim.decision.state == "proposed":
                reason = (
                    f"withdrawn: decision {now.decision.id} of chain {now.decision.chain} holds it"
                )
                yield self._emit(claim.revise(state="reverted", reason=reason, by=""))

    # -------------------------------------------------------------- people and points

    def _command(self, command: Command) -> Iterator[Out]:
        after = obey(command, self._claims.get(command.decision), self._rails)
        if isinstance(after, Notice):
            yield after
            return
        yield self._emit(after)
        if after.settled is None:
            return
        for claim in self._claims.of_heir(after.decision.chain):
            # What the engine approved for a merged chain runs on beside the claim; a person's no ends it too.
            if claim.key == after.key and claim.decision.state == "approved":
                reason = f"as for decision {after.decision.id}"
                yield self._emit(claim.revise(state="reverted", reason=reason, by=command.by))

    def _outcome(self, outcome: Outcome) -> Iterator[Out]:
        claim = self._claims.get(outcome.decision)
        if claim is None or outcome.point not in claim.decision.points:
            yield Notice("decide_outcomes_unknown_total", 1, outcome.point)
            return
        answer = Answer(revision=outcome.revision, result=outcome.result)
        known = claim.answers.get(outcome.point)
        if known == answer or (known is not None and known.revision > answer.revision):
            return
        answers = {**claim.answers, outcome.point: answer}
        self._claims.keep(claim.model_copy(update={"answers": dict(sorted(answers.items()))}))
        if outcome.result in ("failed", "unsupported") and claim.decision.state == "approved":
            text = f"{outcome.point} answers {outcome.result}: {outcome.detail}"
            yield Notice("decide_unenforced_total", 1, outcome.point, text)

    def _emit(self, claim: Claim) -> Decision:
        self._claims.keep(claim)
        return claim.decision
