"""The fields that every attestation result shares, whoever appraised it.

Vocabulary: RFC 9334 (attester, verifier, attestation result) and AR4SI, draft-ietf-rats-ar4si-08
(the four trust tiers), read 2026-11. ECS 9.4 has no fields for attestation, so the facts stand under
`opsonin.attestation.*`:

    attester    id of what was appraised: agent UUID, UEID, or `key:` and the key's fingerprint
    verifier    who appraised it; `opsonin` when the adapter itself did
    evidence    `tpm_quote`, `ima`, `tcg_eventlog`, `keylime`, `ear`
    result      `pass`, `fail`, or `unknown` (nothing was appraised: unreachable is not compromised)
    level       trust tier: `affirming`, `warning`, `contraindicated`, `none`
    reason      list of codes, most grave first, dotted, stable: rules and chains compare them
    detail      the verifier's own words
    pcr         list of `bank:index:hex`, lower case, e.g. `sha256:10:5f3a...`
    submodule   which part of the attester the result is about, where it has several
    boot        TPM reset and restart counts, `reset.restart`: tells two boots apart
    last_pass   ISO time of the last appraisal that passed, where the verifier says so
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from contract.event import Fields

Result: TypeAlias = Literal["pass", "fail", "unknown"]
TrustTier: TypeAlias = Literal["affirming", "warning", "contraindicated", "none"]

ATTESTER = "opsonin.attestation.attester"
VERIFIER = "opsonin.attestation.verifier"
EVIDENCE = "opsonin.attestation.evidence"
RESULT = "opsonin.attestation.result"
LEVEL = "opsonin.attestation.level"
REASON = "opsonin.attestation.reason"
DETAIL = "opsonin.attestation.detail"
PCR = "opsonin.attestation.pcr"
SUBMODULE = "opsonin.attestation.submodule"
BOOT = "opsonin.attestation.boot"
LAST_PASS = "opsonin.attestation.last_pass"  # noqa: S105 - no password

UNQUOTED = "unquoted"
"""Why a log's pass is a warning: no TPM signed the values that it leads to."""

_OUTCOME = {"pass": "success", "fail": "failure", "unknown": "unknown"}
_DEFAULT_LEVEL: dict[str, TrustTier] = {
    "pass": "affirming",
    "fail": "contraindicated",
    "unknown": "none",
}


def attestation_fields(
    *,
    attester: str,
    evidence: str,
    result: Result,
    reasons: Iterable[str] = (),
    detail: str = "",
    verifier: str = "opsonin",
    level: TrustTier | None = None,
    pcrs: Iterable[str] = (),
) -> Fields:
    """Return the shared fields of one attestation result; the caller adds time, host and its own.

    A failed result is the sensor's own alert: `event.kind: alert`, with `rule.id` of the form
    `attestation.<evidence>.<first reason>`; the others are plain events. `level` None takes the tier
    that goes with the result.
    """
    codes = list(dict.fromkeys(reasons))
    failed = result == "fail"
    fields: Fields = {
        "event.kind": "alert" if failed else "event",
        "event.category": ["host", "intrusion_detection"] if failed else ["host"],
        "event.type": ["info"],
        "event.action": f"attestation-{result}",
        "event.outcome": _OUTCOME[result],
        ATTESTER: attester,
        VERIFIER: verifier,
        EVIDENCE: evidence,
        RESULT: result,
        LEVEL: level or _DEFAULT_LEVEL[result],
    }
    if codes:
        fields[REASON] = codes
    if detail:
        fields[DETAIL] = detail
    values = list(pcrs)
    if values:
        fields[PCR] = values
    if failed:
        code = codes[0] if codes else "failed"
        fields["rule.id"] = f"attestation.{evidence}.{code}"
        fields["rule.name"] = f"Attestation failed: {code}"
        fields["rule.category"] = "attestation"
    return fields


def pcr_text(bank: str, index: int, value: bytes) -> str:
    """Return one entry of `opsonin.attestation.pcr`."""
    return f"{bank}:{index}:{value.hex()}"
