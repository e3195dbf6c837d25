"""A person's word carried from the decisions of a merged chain to those of the chain that took it in. Pure."""

from __future__ import annotations

from typing import Any

from respond.claim import Claim


def inherit(taker: Claim, old: Claim, again: float, *, fresh: bool) -> Claim:
    """Return `taker`, at the same revision, with what was said of `old` applied; the same object when nothing is.

    A person's word on `taker` itself stands above. A no to `old` holds until the score has grown `again` times;
    what is in force for `old` stays in force for `taker`, as long at least. What the engine approved by itself is no
    approval of a `taker` of high impact, which a person alone may give: then `old` runs on by itself.

    Args:
        taker: of the chain that took the other in.
        old: of a chain that was taken in.
        again: see `respond.verdict.DecideSettings`.
        fresh: `taker` was not emitted yet, so it can be rejected but not taken back.
    """
    mine, theirs = taker.decision, old.decision
    if not taker.is_open or mine.by:
        return taker
    if old.settled is not None and taker.score < old.settled * again:
        state = "rejected" if fresh or mine.state == "proposed" else "reverted"
        changes: dict[str, Any] = {"state": state, "reason": f"as for decision {theirs.id}"}
        decision = mine.model_copy(update=changes | {"by": theirs.by})
        return taker.model_copy(update={"decision": decision, "settled": old.settled})
    if theirs.state == "approved" and (theirs.by or (mine.state == "proposed" and not taker.high)):
        lasts = theirs.expires if mine.state == "proposed" else max(theirs.expires, mine.expires)
        reason = f"{mine.reason.partition('; waits for')[0]}; approved as decision {theirs.id} was"
        changes = {"state": "approved", "by": theirs.by, "expires": lasts, "reason": reason}
        return taker.model_copy(update={"decision": mine.model_copy(update=changes)})
    return taker
