"""Attestation results as EAR (EAT Attestation Results), in JWT and CWT, verified.

Sources: draft-ietf-rats-ear-01, draft-ietf-rats-ar4si-08, RFC 9711, RFC 7519, RFC 8392; read 2026-11. A record is a
compact JWT, a CWT (COSE_Sign1, bare or in base64), or JSON that holds one (`ear`, `token`, `jwt`, `cwt`, `result`)
beside what `ingest.formats.evidence` describes. Each submodule is an event.

Options: `keys`, table of the token's key id (or `*`) to PEM or JWK of the verifier; `attester`; `accept_unsigned`
(false): believe bare claims, for a source whose channel proves the verifier (mutual TLS); `max_age_s`: results
issued longer before are unknown; `profiles`: list of further values of `eat_profile` that mean an EAR.

A result is believed only when an enrolled key signed it, it is in date and its profile is that of an EAR (another
profile may mean anything by the same claims); otherwise it is `unknown`, and a signature that does not hold is an alert.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import MAX_US, iso
from ingest.formats.attestation import SUBMODULE, Result, TrustTier, attestation_fields
from ingest.formats.ear_token import Token, read_cwt, read_jwt
from ingest.formats.evidence import (
    Evidence,
    add_host,
    attester_of,
    decode_bytes,
    open_evidence,
)
from ingest.formats.json import flatten_into
from ingest.formats.text import decode
from ingest.tables.ear import CLAIMS, ORDER, STATUSES, VECTOR, VERIFIER, tier_of

NAME: Final = "rats.ear"
MAX_SUBMODULES: Final = 256
MAX_SKEW_US: Final = 300_000_000
"""How far a verifier's clock may be ahead of the arrival: five minutes."""
_JWT = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]+$")
_TOKENS: Final = ("ear", "token", "jwt", "cwt", "result")
_COSE_STARTS: Final = frozenset((0xD2, 0xD8, 0x84))
_TIMES: Final = ("exp", "nbf", "iat")
_FORGEABLE: Final = frozenset(("signature", "signature.absent", "key.unknown"))
"""Doubts under which the token's own time is worth nothing."""
_PROFILE: Final = re.compile(r"tag:[^\s]{1,256}[:/]ear(?:#\S{0,64})?").fullmatch
"""The draft's own profiles, of Veraison's tag and of the IETF's."""
_RANKS: Final = {tier: rank for rank, tier in enumerate(ORDER)}
_RESULTS: Final[dict[str, Result]] = {
    "affirming": "pass", "warning": "pass", "contraindicated": "fail", "none": "unknown",
}  # fmt: skip


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
    doubt = _doubt(token, claims, context)
    found = []
    for name, submodule in submodules.items():
        if not isinstance(submodule, dict):
            raise ParseError(f"EAR submodule {str(name)[:64]!r} is no object")
        fields = _result(str(name), submodule, claims, doubt, evidence, context)
        fields["ear.key_id"] = token.key_id
        add_host(fields, evidence, context)
        found.append(fields)
    return found


# ------------------------------------------------------------------ forms


def _token(raw: bytes, evidence: Evidence, context: Context) -> Token:
    keys = context.options.get("keys")
    if raw[:1] and raw[0] in _COSE_STARTS:
        return read_cwt(raw, keys)
    if not evidence.members:
        return _text_token(decode(raw), keys)
    for name in _TOKENS:
        text = evidence.members.get(name)
        if type(text) is str and text:
            return _text_token(text, keys)
    if "submods" not in evidence.members:
        raise ParseError(f"no EAR: expected a token, submods, or one of {', '.join(_TOKENS)}")
    accepted = True if context.options.get("accept_unsigned") is True else None
    return Token(evidence.members, accepted, "", is_signed=False)


def _text_token(text: str, keys: Any) -> Token:
    text = text.strip().strip('"')
    if _JWT.match(text):
        return read_jwt(text, keys)
    return read_cwt(decode_bytes(text), keys)


def _named(claims: dict[Any, Any]) -> dict[str, Any]:
    """Return CBOR claims under the names of their JSON form, and values that JSON has."""
    found: dict[str, Any] = {}
    for key, value in claims.items():
        name = CLAIMS.get(key, str(key)) if isinstance(key, int) else str(key)
        if name == "submods" and isinstance(value, dict):
            value = {str(k): _named(v) if isinstance(v, dict) else v for k, v in value.items()}  # noqa: PLW2901 - renamed
        elif name == "ear.verifier-id" and isinstance(value, dict):
            value = {VERIFIER.get(k, str(k)): v for k, v in value.items()}  # noqa: PLW2901 - renamed
        elif name == "ear.trustworthiness-vector" and isinstance(value, dict):
            value = {VECTOR.get(k, str(k)): v for k, v in value.items()}  # noqa: PLW2901 - renamed
        found[name] = _plain(value, 0)
    return found


def _plain(value: Any, depth: int) -> Any:
    if depth > 16:  # noqa: PLR2004 - the decoder's own bound
        raise ParseError("CBOR nested deeper than 16")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v, depth + 1) for v in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


# ------------------------------------------------------------------ belief


def _doubt(token: Token, claims: dict[str, Any], context: Context) -> str:
    """Return why the result is not to be believed, or empty text."""
    if token.is_verified is False:
        return "signature"
    if token.is_verified is None:
        return "key.unknown" if token.is_signed else "signature.absent"
    return _of_another_profile(claims.get("eat_profile"), context) or _out_of_date(claims, context)


def _of_another_profile(said: Any, context: Context) -> str:
    if said is None or (type(said) is str and _PROFILE(said)):
        return ""
    known = context.options.get("profiles")
    return "" if isinstance(known, list | tuple) and said in known else "profile.unknown"


def _out_of_date(claims: dict[str, Any], context: Context) -> str:
    now = context.received_us
    expires, begins, issued = (_moment_us(claims.get(name)) for name in _TIMES)
    if any(
        moment is None and claims.get(name) is not None
        for name, moment in zip(_TIMES, (expires, begins, issued), strict=True)
    ):
        return "time.malformed"  # an end that cannot be read is no endless term
    if expires is not None and expires <= now:
        return "expired"
    if begins is not None and begins > now + MAX_SKEW_US:
        return "not_yet_valid"
    if issued is not None and issued > now + MAX_SKEW_US:
        return "issued_in_future"
    age = context.options.get("max_age_s")
    if isinstance(age, int | float) and (issued is None or now - issued > age * 1_000_000):
        return "stale"
    return ""


def _moment_us(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:  # noqa: PLR2004 - seconds; refuses NaN
        return None
    micros = round(value * 1_000_000)
    return micros if micros <= MAX_US else None


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
    result: Result = _RESULTS[tier]
    level: TrustTier = tier
    if doubt:
        result, level, reasons = "unknown", "none", [doubt]
    # What the verifier signed goes before what stands beside the token.
    ueid = claims.get("ueid")
    fields = attestation_fields(
        attester=str(ueid)[:512] if ueid else attester_of(evidence, context, name),
        evidence="ear",
        result=result,
        reasons=reasons,
        level=level,
        verifier=_verifier(claims),
    )
    if doubt == "signature":
        # Somebody presented a result that no enrolled verifier made.
        fields["event.kind"] = "alert"
        fields["event.category"] = ["host", "intrusion_detection"]
        fields["rule.id"] = "attestation.ear.signature"
        fields["rule.name"] = "Attestation result with a signature that does not hold"
    fields["event.module"] = "rats"
    fields["event.dataset"] = "rats.ear"
    fields[SUBMODULE] = name[:512]
    issued = _moment_us(claims.get("iat"))
    if issued is not None and doubt not in _FORGEABLE:
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
        if not isinstance(value, int) or isinstance(value, bool) or not -128 <= value <= 127:  # noqa: PLR2004 - eight bits
            raise ParseError(
                f"EAR claim {str(claim)[:32]} is {str(value)[:16]}; expected -128 to 127"
            )
        tier = tier_of(value)
        if tier in ("warning", "contraindicated"):
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
