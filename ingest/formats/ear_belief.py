"""What of an EAR is believed, and of whom: only what a verifier signed, or the settings say.

Sources: draft-ietf-rats-ear-04, draft-ietf-rats-ar4si-08, RFC 9334 (sections 5 and 12), RFC 9711, RFC 7519, read 2026-11. An EAR
need not name its attester: `ueid` is optional, and the labels of `submods` are of the verifier's own choice. In the
passport model the attester itself hands the token on, so that whoever holds a good token could present it in the name of
another, and whoever holds a failed one could have another contained. So what stands beside the token (`attester`, `host`)
names them in the event, but the result is then `unknown`, unless

- the token says it (`ueid`), or the source's settings do: `attester`, and `hosts`, a table of attester to host name; or
- the source has `accept_unsigned`: its channel proves the verifier (mutual TLS), whose word then is all that it sends.

Further options: `max_age_s`: results issued longer before are unknown; `profiles`: list of further values of
`eat_profile` that mean an EAR (another profile may mean anything by the same claims).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.ports import Context
from contract.timestamps import MAX_US
from ingest.formats.ear_token import Token
from ingest.formats.evidence import MAX_ID, Evidence, attester_of, host_of
from ingest.formats.json import kind_of

MAX_SKEW_US: Final = 300_000_000
"""How far a verifier's clock may be ahead of the arrival: five minutes."""
_TIMES: Final = ("exp", "nbf", "iat")
_PROFILE: Final = re.compile(r"tag:[^\s]{1,256}[:/]ear(?:#\S{0,64})?").fullmatch
"""The draft's own profiles, of Veraison's tag and of the IETF's."""


def doubt_of(token: Token, claims: dict[str, Any], context: Context) -> str:
    """Return why a token is not to be believed, or empty text."""
    if token.is_verified is False:
        return "signature"
    if token.is_verified is None:
        return "key.unknown" if token.is_signed else "signature.absent"
    return _of_another_profile(claims.get("eat_profile"), context) or _out_of_date(claims, context)


def subject_of(
    claims: dict[str, Any], label: str, evidence: Evidence, context: Context
) -> tuple[str, str]:
    """Return the attester's id, and why it is not believed that the result is about it, or empty text.

    Raises:
        ParseError: the token's `ueid` is no text.
    """
    signed = claims.get("ueid")
    if signed is not None:
        if type(signed) is not str or not signed:
            raise ParseError(f"EAR claim ueid is {kind_of(signed)}; expected text")
        return signed[:MAX_ID], ""
    if _is_channel_proven(context):
        return attester_of(evidence, context, label), ""
    stated = context.options.get("attester")
    if type(stated) is str and stated:
        return stated[:MAX_ID], ""
    beside = evidence.text("attester")
    # The label is signed, and where verifiers name devices by it, it is their name.
    return (beside, "attester.unproven") if beside else (label[:MAX_ID] or "unknown", "")


def host_doubt(attester: str, evidence: Evidence, context: Context) -> str:
    """Return why it is not believed that the attester is the host that the record names, or empty text."""
    if not evidence.members.get("host") or _is_channel_proven(context):
        return ""
    return "" if host_of(attester, context) else "host.unproven"


def _is_channel_proven(context: Context) -> bool:
    return context.options.get("accept_unsigned") is True


def _of_another_profile(said: Any, context: Context) -> str:
    if said is None or (type(said) is str and _is_ear(said[:512])):
        return ""
    known = context.options.get("profiles")
    return "" if isinstance(known, list | tuple) and said in known else "profile.unknown"


@lru_cache(256)
def _is_ear(profile: str) -> bool:
    return _PROFILE(profile) is not None


def _out_of_date(claims: dict[str, Any], context: Context) -> str:
    now = context.received_us
    expires, begins, issued = (moment_us(claims.get(name)) for name in _TIMES)
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


def moment_us(value: Any) -> int | None:
    """Return a NumericDate (RFC 7519, section 2) in microseconds; None: it is none, or out of bounds."""
    if type(value) is not int and type(value) is not float:  # bool is no number here
        return None
    if not 0 <= value < 1e11:  # noqa: PLR2004 - seconds; refuses NaN
        return None
    micros = round(value * 1_000_000)
    return micros if micros <= MAX_US else None
