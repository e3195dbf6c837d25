"""Attestation results as EAR (EAT Attestation Results), in JWT and CWT, verified.

Sources: draft-ietf-rats-ear-01, draft-ietf-rats-ar4si-08, RFC 9711, RFC 7519, RFC 8392; read 2026-11. A record is a
compact JWT, a CWT (COSE_Sign1, bare or in base64), or JSON that holds one (`ear`, `token`, `jwt`, `cwt`, `result`)
beside what `ingest.formats.evidence` describes. Each submodule is an event.

Options: `keys`, table of the token's key id (or `*`) to PEM or JWK of the verifier; `attester`, `hosts` and the others
of `ingest.formats.ear_belief`, which decides what is believed. What is not believed is `unknown`; where somebody
presented a result that no enrolled verifier made, or a failure of he does not prove whom, it is an alert all the same.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.attestation import SUBMODULE, Result, TrustTier, attestation_fields
from ingest.formats.ear_belief import doubt_of, host_doubt, moment_us, subject_of
from ingest.formats.ear_token import Token, read_cwt, read_jwt
from ingest.formats.evidence import Evidence, add_host, decode_bytes, open_evidence
from ingest.formats.json import flatten_into
from ingest.tables.ear import CLAIMS, ORDER, STATUSES, VECTOR, VERIFIER, tier_of

NAME: Final = "rats.ear"
MAX_SUBMODULES: Final = 256
_TOKENS: Final = ("ear", "token", "jwt", "cwt", "result")
_COSE_STARTS: Final = frozenset((0xD2, 0xD8, 0x84))
_FORGEABLE: Final = frozenset(("signature", "signature.absent", "key.unknown"))
"""Doubts under which the token's own time is worth nothing."""
_NUMBERED: Final = {"ear.verifier-id": VERIFIER, "ear.trustworthiness-vector": VECTOR}
_NO_NAMES: Final[dict[int, str]] = {}
_AROUND: Final = b'" \t\r\n\0'
_JSON_KINDS: Final = frozenset((str, int, float, bool, type(None)))
_ARRAY_KINDS: Final = frozenset((list, tuple, set, frozenset))
_RANKS: Final = {tier: rank for rank, tier in enumerate(ORDER)}
_RESULTS: Final[dict[str, Result]] = {
    "affirming": "pass", "warning": "pass", "contraindicated": "fail", "none": "unknown",
}  # fmt: skip
_ALERTS: Final = {
    "signature": "Attestation result with a signature that does not hold",
    "attester.unproven": "Failed attestation result that does not prove whose it is",
    "host.unproven": "Failed attestation result that does not prove on which host it is",
}


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return an event for each submodule of the attestation result.

    Raises:
        ParseError: no EAR in any of the forms read here.
    """
    evidence = open_evidence(raw)
    token = _token(raw, evidence, context)
    claims = _named(token.claims) if token.is_cbor else token.claims
    submodules = claims.get("submods")
    if not isinstance(submodules, dict) or not submodules:
        raise ParseError("no EAR: expected submods")
    if len(submodules) > MAX_SUBMODULES:
        raise ParseError(f"EAR of {len(submodules)} submodules; the bound is {MAX_SUBMODULES}")
    doubt = doubt_of(token, claims, context)
    found = []
    for name, submodule in submodules.items():
        if not isinstance(submodule, dict):
            raise ParseError(f"EAR submodule {str(name)[:64]!r} is no object")
        fields = _result(str(name), submodule, claims, doubt, evidence, context)
        fields["ear.key_id"] = token.key_id
        found.append(fields)
    return found


# ------------------------------------------------------------------ forms


def _token(raw: bytes, evidence: Evidence, context: Context) -> Token:
    keys = context.options.get("keys")
    if raw[:1] and raw[0] in _COSE_STARTS:
        return read_cwt(raw, keys)
    if not evidence.members:
        return _bare_token(raw, keys)
    for name in _TOKENS:
        text = evidence.members.get(name)
        if type(text) is str and text:
            return _bare_token(text.encode("utf-8", "replace"), keys)
    if "submods" not in evidence.members:
        raise ParseError(f"no EAR: expected a token, submods, or one of {', '.join(_TOKENS)}")
    accepted = True if context.options.get("accept_unsigned") is True else None
    return Token(evidence.members, accepted, "", is_signed=False)


def _bare_token(raw: bytes, keys: Any) -> Token:
    token = raw.removeprefix(codecs.BOM_UTF8).strip(_AROUND)
    if b"." in token:
        return read_jwt(token, keys)
    return read_cwt(decode_bytes(token.decode("utf-8", "replace")), keys)


def _named(claims: dict[Any, Any]) -> dict[str, Any]:
    """Return CBOR claims under the names of their JSON form, and values that JSON has."""
    found: dict[str, Any] = {}
    for key, value in claims.items():
        name = (CLAIMS.get(key) if type(key) is int else None) or str(key)
        if type(value) is not dict:
            found[name] = _plain(value, 0)
        elif name == "submods":
            found[name] = {
                str(label): _named(one) if type(one) is dict else _plain(one, 0)
                for label, one in value.items()
            }
        else:
            names = _NUMBERED.get(name, _NO_NAMES)
            found[name] = {names.get(k) or str(k): _plain(v, 1) for k, v in value.items()}
    return found


def _plain(value: Any, depth: int) -> Any:
    if depth > 16:  # noqa: PLR2004 - the decoder's own bound
        raise ParseError("CBOR nested deeper than 16")
    kind = type(value)
    if kind in _JSON_KINDS:
        return value
    if kind is bytes:
        return value.hex()
    if kind is dict:
        return {str(k): _plain(v, depth + 1) for k, v in value.items()}
    if kind in _ARRAY_KINDS:
        return [_plain(v, depth + 1) for v in value]
    return str(value)


# ------------------------------------------------------------------ one submodule


def _result(
    name: str,
    submodule: dict[str, Any],
    claims: dict[str, Any],
    doubt: str,
    evidence: Evidence,
    context: Context,
) -> Fields:
    tier, reasons = _tier(submodule)
    attester, unproven = subject_of(claims, name, evidence, context)
    doubt = doubt or unproven or host_doubt(attester, evidence, context)
    result: Result = _RESULTS[tier]
    level: TrustTier = tier
    if doubt:
        result, level, reasons = "unknown", "none", [doubt]
    fields = attestation_fields(
        attester=attester,
        evidence="ear",
        result=result,
        reasons=reasons,
        level=level,
        verifier=_verifier(claims),
    )
    if doubt in _ALERTS and (doubt == "signature" or tier == "contraindicated"):
        fields["event.kind"] = "alert"
        fields["event.category"] = ["host", "intrusion_detection"]
        fields["rule.id"] = f"attestation.ear.{doubt}"
        fields["rule.name"] = _ALERTS[doubt]
    fields["event.module"] = "rats"
    fields["event.dataset"] = "rats.ear"
    fields[SUBMODULE] = name[:512]
    add_host(fields, evidence, context)
    issued = moment_us(claims.get("iat"))
    if issued is not None and doubt not in _FORGEABLE:
        # Signed, so it goes before a time beside the token, by which an old pass would be a new one.
        fields["@timestamp"] = iso(issued)
    _keep(fields, submodule, claims)
    return fields


def _tier(submodule: dict[str, Any]) -> tuple[TrustTier, list[str]]:
    """Return the tier and which trustworthiness claims speak against the attester.

    A vector worse than the stated status holds: the status is at most as good as its worst claim.
    """
    status = submodule.get("ear.status")
    stated: TrustTier = "none"
    if isinstance(status, str) and status in ORDER:
        stated = status
    elif isinstance(status, int) and not isinstance(status, bool):
        stated = STATUSES.get(status, "none")
    reasons: list[tuple[int, str]] = []
    worst = stated
    vector = submodule.get("ear.trustworthiness-vector")
    for claim, value in vector.items() if isinstance(vector, dict) else ():
        if type(value) is not int or not -128 <= value <= 127:  # noqa: PLR2004 - eight bits
            raise ParseError(
                f"EAR claim {str(claim)[:32]} is {str(value)[:16]}; expected -128 to 127"
            )
        tier = tier_of(value)
        if tier not in ("affirming", "none"):
            reasons.append((_RANKS[tier], f"{claim}.{value}"))
            if _RANKS[tier] < _RANKS[worst]:
                worst = tier
    return worst, [reason for _, reason in sorted(reasons)]


def _verifier(claims: dict[str, Any]) -> str:
    said = claims.get("ear.verifier-id")
    if not isinstance(said, dict):
        return "unknown"
    parts = [str(said[name]) for name in ("developer", "build") if said.get(name)]
    return " ".join(parts)[:512] or "unknown"


@lru_cache(4096)
def _kept(name: str) -> str:
    """Return the name under which a claim is kept."""
    return "ear." + name.removeprefix("ear.").replace("-", "_")


def _keep(fields: Fields, submodule: dict[str, Any], claims: dict[str, Any]) -> None:
    for name, value in submodule.items():
        kept = _kept(name)
        if isinstance(value, dict):
            inner: Fields = {}
            flatten_into(inner, value, kept + ".")
            for key, item in inner.items():
                fields[_kept(key)] = item
        elif value is not None:
            fields[kept] = value
    for name in ("eat_profile", "eat_nonce", "iss", "exp"):
        if (value := claims.get(name)) is not None:
            fields["ear." + name] = str(value)[:512] if isinstance(value, dict) else value


ADAPTER = Adapter(NAME, parse)
