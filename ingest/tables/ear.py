"""EAR claims by their CBOR keys, and the trust tiers of AR4SI.

Sources: draft-ietf-rats-ear-01 (EAT Attestation Results), draft-ietf-rats-ar4si-08 (trustworthiness claims, tiers),
RFC 9711 (EAT); read 2026-11.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Tier: TypeAlias = Literal["affirming", "warning", "contraindicated", "none"]

CLAIMS: Final[dict[int, str]] = {
    1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "cti", 10: "eat_nonce", 256: "ueid",
    265: "eat_profile", 266: "submods", 1000: "ear.status", 1001: "ear.trustworthiness-vector",
    1002: "ear.raw-evidence", 1003: "ear.appraisal-policy-id", 1004: "ear.verifier-id",
    -70001: "ear.veraison.annotated-evidence", -70002: "ear.veraison.policy-claims",
    -70003: "ear.veraison.key-attestation",
}  # fmt: skip
VERIFIER: Final[dict[int, str]] = {0: "developer", 1: "build"}
VECTOR: Final[dict[int, str]] = {
    0: "instance-identity", 1: "configuration", 2: "executables", 3: "file-system", 4: "hardware",
    5: "runtime-opaque", 6: "storage-opaque", 7: "sourced-data",
}  # fmt: skip
STATUSES: Final[dict[int, Tier]] = {
    0: "none",
    2: "affirming",
    32: "warning",
    96: "contraindicated",
}
"""What stands for a tier where a status is a number (the draft's "trustworthiness tier")."""

ORDER: Final[tuple[Tier, ...]] = ("contraindicated", "warning", "none", "affirming")
"""Tiers, gravest first."""


def tier_of(claim: int) -> Tier:
    """Return the tier of a trustworthiness claim of -128 to 127 (AR4SI, section 2.3.2)."""
    size = claim if claim >= 0 else -claim - 1
    if size < 2:  # noqa: PLR2004 - 0 and 1: the verifier makes no assertion
        return "none"
    if size < 32:  # noqa: PLR2004 - AR4SI's ranges
        return "affirming"
    return "warning" if size < 96 else "contraindicated"  # noqa: PLR2004 - AR4SI's ranges
