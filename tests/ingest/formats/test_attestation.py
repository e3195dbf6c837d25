"""The shared fields of attestation results."""

from __future__ import annotations

import pytest

from ingest.formats.attestation import LEVEL, PCR, REASON, attestation_fields, pcr_text


def test_a_failed_result_is_an_alert_named_by_its_first_reason() -> None:
    fields = attestation_fields(
        attester="a1", evidence="tpm_quote", result="fail", reasons=["signature", "nonce", "nonce"]
    )
    assert fields["event.kind"] == "alert"
    assert fields["rule.id"] == "attestation.tpm_quote.signature"
    assert fields[REASON] == ["signature", "nonce"]
    assert fields["event.outcome"] == "failure"
    assert fields[LEVEL] == "contraindicated"


@pytest.mark.parametrize(
    ("result", "outcome", "level"),
    [("pass", "success", "affirming"), ("unknown", "unknown", "none")],
)
def test_other_results_are_plain_events_without_a_rule(
    result: str, outcome: str, level: str
) -> None:
    fields = attestation_fields(attester="a1", evidence="ima", result=result)  # type: ignore[arg-type]
    assert fields["event.kind"] == "event"
    assert fields["event.outcome"] == outcome
    assert fields[LEVEL] == level
    assert "rule.id" not in fields
    assert REASON not in fields
    assert PCR not in fields


def test_a_pcr_is_bank_index_and_lower_case_hex() -> None:
    assert pcr_text("sha256", 10, b"\xab\x01") == "sha256:10:ab01"
