"""Keylime's notices and statuses: what is believed and what is not, and the notices of real verifiers."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import ParseError
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
        ({"last_successful_attestation": NOW_S - 11, "maximum_attestation_interval": "10s"}, "unknown", "status.stale"),
        ({"last_successful_attestation": NOW_S - 9, "maximum_attestation_interval": "10s"}, "pass", None),
        ({"last_successful_attestation": NOW_S - 61, "maximum_attestation_interval": "1m"}, "unknown", "status.stale"),
        ({"last_successful_attestation": NOW_S - 59, "maximum_attestation_interval": "soon"}, "pass", None),
        ({"last_successful_attestation": str(NOW_S - 5)}, "pass", None),
        ({"last_successful_attestation": 1e300}, "unknown", "status.never_attested"),
        ({"operational_state": "Terminated", "last_successful_attestation": NOW_S - 5}, "unknown", "status.not_attesting"),
        ({"operational_state": 8, "attestation_status": "PASS", "last_successful_attestation": NOW_S - 5}, "unknown", "status.not_attesting"),
        ({"accept_attestations": False, "attestation_status": "PASS", "last_successful_attestation": NOW_S - 5}, "unknown", "status.not_attesting"),
        ({"operational_state": None, "ip": None, "attestation_status": "PASS", "last_successful_attestation": NOW_S - 5, "maximum_attestation_interval": "10s"}, "pass", None),
        ({"attestation_status": "PENDING", "last_successful_attestation": 0}, "unknown", "status.never_attested"),
        ({"attestation_status": [], "last_successful_attestation": NOW_S - 5}, "unknown", None),
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


def test_a_pass_older_than_the_source_allows_is_unknown() -> None:
    body = {"agent_id": "a", "results": {"operational_state": 3, "last_successful_attestation": NOW_S - 61}}  # fmt: skip
    for bound, expected in ((60, "unknown"), (62, "pass")):
        context = Context(RECEIVED, options={"max_age_s": bound})
        (fields,) = ADAPTER.parse(json.dumps(body).encode(), context)
        assert fields["opsonin.attestation.result"] == expected


@pytest.mark.parametrize(
    "odd",
    [
        {"severity_label": []},
        {"severity_label": {}},
        {"event_time": "yesterday"},
        {"event_time": "2026-99-99T00:00:00Z"},
        {"context": [1]},
        {"meta_data": "{"},
        {"ip": {"a": 1}},
    ],
)
def test_a_failed_appraisal_is_not_lost_for_an_odd_member(odd: dict[str, Any]) -> None:
    notice = {"type": "revocation", "agent_id": "a", "event_id": "ima.validation.x"} | odd
    raw = json.dumps({"msg": json.dumps(notice), "signature": {"a": 1}}).encode()
    (fields,) = ADAPTER.parse(raw, Context(RECEIVED))
    assert fields["opsonin.attestation.result"] == "fail"
    assert not any(isinstance(value, dict) for value in fields.values())


def test_a_notice_whose_type_is_no_text_is_refused() -> None:
    notice = {"type": {}, "agent_id": "a", "event_id": "x"}
    with pytest.raises(ParseError):
        ADAPTER.parse(json.dumps({"msg": notice}).encode(), Context(RECEIVED))


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
