"""Signed tokens that carry claims: JWT (RFC 7519) and CWT (RFC 8392, COSE_Sign1 of RFC 9052), verified.

What signatures are and which are accepted stands in `ingest.formats.signature`.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import cbor2

from contract.errors import ParseError
from ingest.formats.json import load_object
from ingest.formats.signature import COSE, JOSE, Key, read_key

MAX_TOKEN: Final = 262_144
MAX_DEPTH: Final = 16
MAX_REMEMBERED_HEADER: Final = 512
"""A verifier's tokens begin with one header, which is read once; longer ones are read each time."""
MAX_KEY_ID: Final = 512
_BASE64URL: Final = bytes.maketrans(b"-_+/", b"+/!!")
"""To the plain alphabet, of which the two other characters are none of base64url."""


@dataclass(slots=True, frozen=True)
class Token:
    """The claims of a token, and whether an enrolled key signed them.

    Attributes:
        claims: by name (JWT) or by name or number (CWT).
        is_verified: True: signed by an enrolled key; False: not; None: no key is enrolled for it.
        key_id: as the token names it.
        is_cbor: whether the claims came as CBOR.
        is_signed: false for bare claims.
    """

    claims: dict[Any, Any]
    is_verified: bool | None
    key_id: str
    is_cbor: bool = False
    is_signed: bool = True


def choose_key(keys: Any, key_id: str) -> Key | None:
    """Return the enrolled key of this id, or the one enrolled for any (`*`).

    Raises:
        ParseError: it is neither PEM nor JWK.
    """
    if not keys or not isinstance(keys, Mapping):
        return None
    said = keys.get(key_id) or keys.get("*")
    return None if said is None else read_key(said, key_id)


# ------------------------------------------------------------------ JWT


def read_jwt(token: bytes, keys: Any) -> Token:
    """Return the claims of a compact JWS (RFC 7515, 7.1).

    Raises:
        ParseError: not one, its claims are no JSON object, or it is past a bound.
    """
    if len(token) > MAX_TOKEN:
        raise ParseError(f"token of {len(token)} bytes; the bound is {MAX_TOKEN}")
    parts = token.split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise ParseError("no JWT: expected three parts")
    head, payload, signature = parts
    header = _header(head) if len(head) <= MAX_REMEMBERED_HEADER else _header.__wrapped__(head)
    claims = load_object(_decoded(payload))
    made = _decoded(signature)
    key = choose_key(keys, header.key_id)
    if key is None:
        return Token(claims, None, header.key_id)
    if header.is_critical:
        raise ParseError("JWT with a critical header; none is understood here (RFC 7515, 4.1.11)")
    signed = token[: -len(signature) - 1]
    holds = key.has_signed(JOSE.get(header.algorithm), signed, made, header.algorithm)
    return Token(claims, holds, header.key_id)


@dataclass(slots=True, frozen=True)
class _Header:
    algorithm: str
    key_id: str
    is_critical: bool


@lru_cache(256)
def _header(part: bytes) -> _Header:
    said = load_object(_decoded(part))
    algorithm = said.get("alg")
    if type(algorithm) is not str:
        raise ParseError("no JWT: expected alg in its header")
    named = said.get("kid")
    return _Header(algorithm, named[:MAX_KEY_ID] if type(named) is str else "", "crit" in said)


def _decoded(part: bytes) -> bytes:
    plain = part.translate(_BASE64URL) + b"=" * (-len(part) % 4)
    try:
        return a2b_base64(plain, strict_mode=True)
    except Error:
        raise ParseError("no JWT: a part of it is no base64url") from None


# ------------------------------------------------------------------ CWT

_COSE_SIGN1, _CWT_TAG = 18, 61
_ALGORITHM, _CRITICAL, _KEY_ID = 1, 2, 4
_UNDERSTOOD: Final = frozenset((_ALGORITHM, _CRITICAL, _KEY_ID))


def read_cwt(data: bytes, keys: Any) -> Token:
    """Return the claims of a COSE_Sign1, tagged or not.

    Raises:
        ParseError: not one, its claims are no map, or past a bound.
    """
    if len(data) > MAX_TOKEN:
        raise ParseError(f"token of {len(data)} bytes; the bound is {MAX_TOKEN}")
    value = _cbor(data)
    for tag in (_CWT_TAG, _COSE_SIGN1):
        if isinstance(value, cbor2.CBORTag) and value.tag == tag:
            value = value.value
    if not isinstance(value, list | tuple) or len(value) != 4:  # noqa: PLR2004 - COSE_Sign1 has four members
        raise ParseError("no CWT: expected COSE_Sign1")
    protected, unprotected, payload, signature = value
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):  # fmt: skip
        raise ParseError("no CWT: expected byte strings in COSE_Sign1")
    small = len(protected) <= MAX_REMEMBERED_HEADER
    header = (_cwt_header if small else _cwt_header.__wrapped__)(protected)
    claims = _cbor(payload)
    if not isinstance(claims, Mapping):
        raise ParseError("no CWT: expected its claims to be a map")
    named = header.get(_KEY_ID) or (
        unprotected.get(_KEY_ID) if isinstance(unprotected, Mapping) else None
    )
    key_id = (
        named.decode("utf-8", "backslashreplace")[:MAX_KEY_ID] if isinstance(named, bytes) else ""
    )
    key = choose_key(keys, key_id)
    if key is None:
        return Token(dict(claims), None, key_id, is_cbor=True)
    if _CRITICAL in header and not _UNDERSTOOD.issuperset(_labels(header[_CRITICAL])):
        raise ParseError("CWT with a critical header that is not understood (RFC 9052, 3.1)")
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    said = header.get(_ALGORITHM)
    algorithm = COSE.get(said) if type(said) is int else None
    holds = key.has_signed(algorithm, signed, signature)
    return Token(dict(claims), holds, key_id, is_cbor=True)


@lru_cache(256)
def _cwt_header(protected: bytes) -> Mapping[Any, Any]:
    header = _cbor(protected) if protected else {}
    if not isinstance(header, Mapping):
        raise ParseError("no CWT: expected its header to be a map")
    return header


def _labels(critical: Any) -> list[Any]:
    if not isinstance(critical, list | tuple) or not critical:
        raise ParseError("no CWT: expected its critical headers to be a list")
    return [label if isinstance(label, int | str) else None for label in critical]


def _cbor(data: bytes) -> Any:
    try:
        return cbor2.CBORDecoder(BytesIO(data), max_depth=MAX_DEPTH).decode()
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError, MemoryError, EOFError) as error:  # fmt: skip
        raise ParseError(f"not CBOR: {error}") from None
