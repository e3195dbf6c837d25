from datetime import timedelta
from pathlib import Path

import pytest

from contract.errors import StoreError
from respond.claim import Answer, Claim, decision_id

V1 = Path(__file__).parents[1] / "data" / "claim" / "v1" / "claim.json"


def test_a_stored_claim_of_version_1_is_still_read_whole() -> None:
    claim = Claim.decode(V1.read_bytes())
    assert claim.decision.revision == 3
    assert claim.decision.state == "approved"
    assert claim.duration == timedelta(hours=1)
    assert claim.approved_us == (1_767_268_800_000_000,)
    assert (claim.settled, claim.heir) == (12.5, "4cd370aabbccddeeff001122")
    assert claim.answers == {"edge": Answer(revision=3, result="applied")}
    assert Claim.decode(claim.encode()) == claim


def test_a_claim_of_a_newer_version_is_refused() -> None:
    newer = V1.read_bytes().replace(b'"version":1', b'"version":2')
    with pytest.raises(StoreError, match="version"):
        Claim.decode(newer)


def test_the_id_follows_from_each_cause() -> None:
    target = Claim.decode(V1.read_bytes()).decision.target
    ids = {
        decision_id("a", "deny", target, "c1"),
        decision_id("b", "deny", target, "c1"),
        decision_id("a", "contain", target, "c1"),
        decision_id("a", "deny", target.model_copy(update={"value": "203.0.113.8"}), "c1"),
        decision_id("a", "deny", target, "c2"),
    }
    assert len(ids) == 5
    assert decision_id("a", "deny", target, "c1") in ids
