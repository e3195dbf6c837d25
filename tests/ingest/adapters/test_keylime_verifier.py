"""Keylime's notices and statuses: what is believed and what is not, and the notices of real verifiers."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.ports import Context
from contract.timestamps import from_iso
from ingest.adapters.keylime_verifier import ADAPTER

NOTICES = (
    Path(__file__).parents[4]
    / "shared/data/ingest/dev/attestation/keylime_revocation_events/cases.jsonl"
)
RECEIVED = from_iso("2026-06-15T12:00:00Z")
NOW_S = RECEIVED // 1_000_000


def status(**given: Any) -> dict[str, Any]:
    body = {"agent_id": "a", "results": {"operational_state": "Get Quote", **given}}
    (fields,) = ADAPTER.parse(json.dumps(body).encode(), Context(RECEIVED))
    return fields


@pytest.mark.parametrize(
    ("given", "result", "reason"),
    [
        ({"attestation_status": "PASS", "last_successful_attestation": NOW_S - 5}, "pass", None),
        ({"last_successful_attestation": NOW_S - 5}, "pass", None),
        ({"attestation_status": "PASS"}, "unknown", "status.never_attested"),
        ({"attestation_status": "PASS", "last_successful_attestation": 0}, "unknown", "status.never_attested"),
        ({"attestation_status": "PASS", "last_successful_attestation": None}, "unknown", "status.never_attested"),
        ({"last_successful_attestation": NOW_S - 61, "maximum_attestation_interval": 60}, "unknown", "status.stale"),
        ({"last_successful_attestation": NOW_S - 59, "maximum_attestation_interval": 60}, "pass", None),
        ({"attestation_status": "FAIL", "last_successful_attestation": NOW_S - 5, "last_event_id": "ima.validation.tomtou"}, "fail", "ima.validation.tomtou"),
        ({"operational_state": 9, "last_event_id": "pcr_validation.x"}, "fail", "pcr_validation.x"),
        ({"operational_state": "Failed", "last_event_id": "internal.verifier.not_reachable"}, "unknown", "internal.verifier.not_reachable"),
        ({"attestation_status": "TIMEOUT", "last_successful_attestation": NOW_S - 5}, "unknown", None),
    ],
)  # fmt: skip
def test_only_a_recent_successful_attestation_is_a_pass(
    given: dict[str, Any], result: str, reason: str | None
) -> None:
    fields = status(**given)
    assert fields["opsonin.attestation.result"] == result
    assert fields.get("opsonin.attestation.reason") == ([reason] if reason else None)
    assert fields["event.kind"] == ("alert" if result == "fail" else "event")


def test_secrets_and_policies_do_not_become_fields() -> None:
    fields = status(
        v="key share", runtime_policy="large", mb_policy="large", last_successful_attestation=NOW_S
    )
    assert "key share" not in fields.values()
    assert "large" not in fields.values()


@pytest.mark.shared
def test_the_notices_of_real_verifiers_are_read() -> None:
    if not NOTICES.exists():
        pytest.skip("the shared notices are absent")
    for line in NOTICES.read_text().splitlines():
        case = json.loads(line)
        expected = case["expected"]
        (fields,) = ADAPTER.parse(case["input"].encode(), Context(RECEIVED))
        assert fields["opsonin.attestation.result"] == "fail", case["id"]
        assert fields["opsonin.attestation.attester"] == fields["host.id"] == expected["agent_id"]
        assert fields["opsonin.attestation.reason"] == [expected["event_id"]]
        assert fields["host.ip"] == [expected["ip"]]
        assert fields["log.level"] == expected["severity_label"]
        assert fields["opsonin.attestation.detail"] == expected["context"]["message"]
        assert fields["@timestamp"].startswith("2026-11-22T01:1")
