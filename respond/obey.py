"""A person's command on a claim: approve, reject, revert. Pure."""

from __future__ import annotations

from contract.event import Notice
from contract.records import Command
from respond.claim import Claim, until
from respond.verdict import Rails


def obey(command: Command, claim: Claim | None, rails: Rails) -> Claim | Notice:
    """Return the claim as the command leaves it, or why the command does not fit.

    The guard is asked again: not even a person passes a refusal, which becomes the decision's state.
    """
    if claim is None:
        return _unfit(command, "no such decision is remembered")
    state = claim.decision.state
    note = f": {command.note}" if command.note else ""
    if command.verb == "approve" and state == "proposed":
        return _approve(command, claim, note, rails)
    if (command.verb, state) in (("reject", "proposed"), ("revert", "approved")):
        word = "rejected" if command.verb == "reject" else "reverted"
        reason = f"{word} by {command.by}{note}"
        revised = claim.revise(state=word, by=command.by, reason=reason)
        return revised.model_copy(update={"settled": claim.score})
    return _unfit(command, f"the decision is {state}")


def _approve(command: Command, claim: Claim, note: str, rails: Rails) -> Claim | Notice:
    if rails.settings.mode == "observe":
        return _unfit(command, "the mode is observe; set mode to approve or enforce")
    refusal = rails.guard.refusal(claim.decision.target)
    if refusal is not None:
        return claim.revise(state="refused", reason=f"refused: {refusal}", by="")
    start = max(command.time, claim.decision.made)
    why = claim.decision.reason.partition("; waits for")[0]
    revised = claim.revise(
        state="approved",
        by=command.by,
        expires=until(start, claim.duration),
        reason=f"{why}; approved by {command.by}{note}",
    )
    return revised.model_copy(update={"settled": None})


def _unfit(command: Command, why: str) -> Notice:
    text = f"cannot {command.verb} decision {command.decision} for {command.by}: {why}"
    return Notice("decide_commands_refused_total", 1, command.verb, text)
