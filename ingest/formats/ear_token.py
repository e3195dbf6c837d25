"""Signed tokens that carry claims: JWT (RFC 7519) and CWT (RFC 8392, COSE_Sign1 of RFC 9052), verified.

Only asymmetric algorithms are accepted, whatever the token says of itself: with `none` or an HMAC over a public
key anybody could sign.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from contract.errors import ParseError
from ingest.formats.json import load_object
from ingest.formats.tpm_quote import load_key

MAX_TOKEN: Final = 262_144
MAX_DEPTH: Final = 16
_JWT_REGISTRY: Final = jws.JWSRegistry(
    algorithms=[
        "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "EdDSA", "Ed25519",
    ]
)  # fmt: skip


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
    if not isinstance(keys, Mapping):
        return None
    said = keys.get(key_id) or keys.get("*")
    if said is None:
        return None
    try:
        return _key_of(json.dumps(dict(said)) if isinstance(said, Mapping) else str(said))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ParseError(f"the enrolled key {key_id or '*'} cannot be read: {error}") from None


@lru_cache(256)
def _key_of(text: str) -> Key:
    """Return the key that PEM or JWK states; reading one costs as much as reading a token."""
    if text.lstrip()[:1] == "{":
        return JWKRegistry.import_key(dict(json.loads(text)))
    return JWKRegistry.import_key(text, _pem_kind(text))


def _pem_kind(text: str) -> Any:
    key = load_key(text)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC"
    return "RSA" if isinstance(key, rsa.RSAPublicKey) else "OKP"


# ------------------------------------------------------------------ JWT


def read_jwt(text: str, keys: Any) -> Token:
    """Return the claims of a compact JWS.

    Raises:
        ParseError: not one, or its claims are no JSON object.
    """
    if len(text) > MAX_TOKEN:
        raise ParseError(f"token of {len(text)} characters; the bound is {MAX_TOKEN}")
    try:
        unverified = jws.extract_compact(text.encode("ascii"))
        header = unverified.headers()
        payload = unverified.payload
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ParseError(f"no JWT: {error}") from None
    if payload is None:
        raise ParseError("no JWT: it has no payload")
    claims = load_object(payload)
    key_id = str(header.get("kid", ""))[:512]
    key = choose_key(keys, key_id)
    return Token(claims, None if key is None else _jwt_holds(unverified, key), key_id)


def _jwt_holds(token: jws.CompactSignature, key: Key) -> bool:
    try:
        return jws.validate_compact(token, key, registry=_JWT_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError):
        return False


# ------------------------------------------------------------------ CWT

_COSE_SIGN1, _CWT_TAG = 18, 61
_ALGORITHM, _CRITICAL, _KEY_ID = 1, 2, 4
_UNDERSTOOD: Final = frozenset((_ALGORITHM, _CRITICAL, _KEY_ID))
_Hash = type[hashes.HashAlgorithm]
_COSE: Final[dict[int, tuple[str, _Hash | None]]] = {
    -7: ("EC", hashes.SHA256), -35: ("EC", hashes.SHA384), -36: ("EC", hashes.SHA512),
    -37: ("PSS", hashes.SHA256), -38: ("PSS", hashes.SHA384), -39: ("PSS", hashes.SHA512),
    -257: ("RSA", hashes.SHA256), -258: ("RSA", hashes.SHA384), -259: ("RSA", hashes.SHA512), -8: ("OKP", None),
    -9: ("EC", hashes.SHA256), -51: ("EC", hashes.SHA384), -52: ("EC", hashes.SHA512), -19: ("OKP", None),
}  # fmt: skip


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
    header = _cbor(protected) if protected else {}
    claims = _cbor(payload)
    if not isinstance(header, Mapping) or not isinstance(claims, Mapping):
        raise ParseError("no CWT: expected its header and claims to be maps")
    named = header.get(_KEY_ID) or (
        unprotected.get(_KEY_ID) if isinstance(unprotected, Mapping) else None
    )
    key_id = named.decode("utf-8", "backslashreplace")[:512] if isinstance(named, bytes) else ""
    key = choose_key(keys, key_id)
    if key is None:
        return Token(dict(claims), None, key_id, is_cbor=True)
    if _CRITICAL in header and not _UNDERSTOOD.issuperset(_labels(header[_CRITICAL])):
        raise ParseError("CWT with a critical header that is not understood (RFC 9052, 3.1)")
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    holds = _cose_holds(key, header.get(_ALGORITHM), signed, signature)
    return Token(dict(claims), holds, key_id, is_cbor=True)


def _labels(critical: Any) -> list[Any]:
    if not isinstance(critical, list | tuple) or not critical:
        raise ParseError("no CWT: expected its critical headers to be a list")
    return [label if isinstance(label, int | str) else None for label in critical]


def _cbor(data: bytes) -> Any:
    try:
        return cbor2.CBORDecoder(BytesIO(data), max_depth=MAX_DEPTH).decode()
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError, MemoryError, EOFError) as error:  # fmt: skip
        raise ParseError(f"not CBOR: {type(error).__name__}: {error}") from None


def _cose_holds(key: Key, algorithm: Any, signed: bytes, signature: bytes) -> bool:
    kind, hash_type = _COSE.get(algorithm, ("", None)) if isinstance(algorithm, int) else ("", None)
    public: Any = key.public_key if hasattr(key, "public_key") else key.get_op_key("verify")
    try:
        if kind == "EC" and isinstance(public, ec.EllipticCurvePublicKey) and hash_type:
            half = len(signature) // 2
            parts = (
                int.from_bytes(signature[:half], "big"),
                int.from_bytes(signature[half:], "big"),
            )
            public.verify(utils.encode_dss_signature(*parts), signed, ec.ECDSA(hash_type()))
        elif kind == "PSS" and isinstance(public, rsa.RSAPublicKey) and hash_type:
            scheme = padding.PSS(padding.MGF1(hash_type()), hash_type().digest_size)
            public.verify(signature, signed, scheme, hash_type())
        elif kind == "RSA" and isinstance(public, rsa.RSAPublicKey) and hash_type:
            public.verify(signature, signed, padding.PKCS1v15(), hash_type())
        elif kind == "OKP" and isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            public.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
