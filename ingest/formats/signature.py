"""Signatures of JOSE and COSE, checked by the keys that were enrolled for them.

Sources: RFC 7515, 7517, 7518 and 8037 (JWS, JWK), RFC 9053 and 9864 (COSE, fully stated algorithms), read 2026-11. Only
asymmetric algorithms are there, whatever a token says of itself: with `none`, or an HMAC over a public key, anybody
could sign. The mathematics are OpenSSL's, by `cryptography`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

from contract.errors import ParseError
from ingest.formats.tpm_quote import load_key


@dataclass(slots=True, frozen=True)
class Algorithm:
    """How one algorithm signs.

    Attributes:
        family: `EC`, `PSS`, `RSA` (PKCS #1 v1.5) or `OKP`.
        hash: None: the algorithm's own.
        curve: the only one that it allows, as OpenSSL names it; empty: any of its family.
    """

    family: str
    hash: hashes.HashAlgorithm | None = None
    curve: str = ""


_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(),
}  # fmt: skip
_P256, _P384, _P521 = (curve.name for curve in _CURVES.values())

JOSE: Final[dict[str, Algorithm]] = {
    "ES256": Algorithm("EC", _SHA256, _P256), "ES384": Algorithm("EC", _SHA384, _P384),
    "ES512": Algorithm("EC", _SHA512, _P521),
    "PS256": Algorithm("PSS", _SHA256), "PS384": Algorithm("PSS", _SHA384), "PS512": Algorithm("PSS", _SHA512),
    "RS256": Algorithm("RSA", _SHA256), "RS384": Algorithm("RSA", _SHA384), "RS512": Algorithm("RSA", _SHA512),
    "EdDSA": Algorithm("OKP"), "Ed25519": Algorithm("OKP", curve="Ed25519"), "Ed448": Algorithm("OKP", curve="Ed448"),
}  # fmt: skip
COSE: Final[dict[int, Algorithm]] = {
    -7: Algorithm("EC", _SHA256), -35: Algorithm("EC", _SHA384), -36: Algorithm("EC", _SHA512),
    -9: JOSE["ES256"], -51: JOSE["ES384"], -52: JOSE["ES512"],
    -37: JOSE["PS256"], -38: JOSE["PS384"], -39: JOSE["PS512"],
    -257: JOSE["RS256"], -258: JOSE["RS384"], -259: JOSE["RS512"],
    -8: JOSE["EdDSA"], -19: JOSE["Ed25519"], -53: JOSE["Ed448"],
}  # fmt: skip
"""Those of COSE's first numbers leave the curve open; JOSE's, and the later ones, state it."""

_EDWARDS: Final[dict[str, Any]] = {
    "Ed25519": ed25519.Ed25519PublicKey, "Ed448": ed448.Ed448PublicKey,
}  # fmt: skip


@dataclass(slots=True, frozen=True)
class Key:
    """An enrolled public key.

    Attributes:
        public: as `cryptography` has it.
        only: the one JOSE algorithm that its JWK allows; empty: any that fits.
    """

    public: Any
    only: str = ""

    def has_signed(
        self, algorithm: Algorithm | None, message: bytes, signature: bytes, name: str = ""
    ) -> bool:
        """Tell whether this key made the signature by an algorithm; one that is not known, or not this key's, made none.

        Args:
            algorithm: None: one that is not accepted.
            message: what was signed.
            signature: as the standard writes it.
            name: of JOSE, where the token has it.
        """
        if algorithm is None or (self.only and name and self.only != name):
            return False
        try:
            return _holds(self.public, algorithm, message, signature)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False


def _holds(public: Any, algorithm: Algorithm, message: bytes, signature: bytes) -> bool:
    family, hashed = algorithm.family, algorithm.hash
    if family == "EC" and isinstance(public, ec.EllipticCurvePublicKey) and hashed:
        width = (public.curve.key_size + 7) // 8
        if len(signature) != 2 * width or algorithm.curve not in ("", public.curve.name):
            return False
        first = int.from_bytes(signature[:width], "big")
        second = int.from_bytes(signature[width:], "big")
        public.verify(utils.encode_dss_signature(first, second), message, ec.ECDSA(hashed))
    elif family == "PSS" and isinstance(public, rsa.RSAPublicKey) and hashed:
        scheme = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        public.verify(signature, message, scheme, hashed)
    elif family == "RSA" and isinstance(public, rsa.RSAPublicKey) and hashed:
        public.verify(signature, message, padding.PKCS1v15(), hashed)
    elif family == "OKP" and isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        if algorithm.curve and not isinstance(public, _EDWARDS[algorithm.curve]):
            return False
        public.verify(signature, message)
    else:
        return False
    return True


# ------------------------------------------------------------------ keys


def read_key(said: Any, name: str) -> Key:
    """Return the public key that PEM or a JWK (as text or table) states; each is read once.

    Raises:
        ParseError: neither, or a JWK for something else than to verify.
    """
    try:
        return _key_of(json.dumps(dict(said)) if isinstance(said, Mapping) else str(said))
    except (Error, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        raise ParseError(
            f"the enrolled key {name or '*'} cannot be read: expected PEM or a JWK ({error})"
        ) from None


@lru_cache(256)
def _key_of(text: str) -> Key:
    if text.lstrip()[:1] != "{":
        return Key(load_key(text))
    said = json.loads(text)
    if said.get("use", "sig") != "sig" or "verify" not in said.get("key_ops", ("verify",)):
        raise ValueError("its use is another than to verify")
    return Key(_public(said), said.get("alg", ""))


def _public(said: dict[str, Any]) -> Any:
    """Return the public key of a JWK; a private one's other half is left alone."""
    kind = said["kty"]
    if kind == "EC":
        curve = _CURVES[said["crv"]]
        return ec.EllipticCurvePublicNumbers(
            _number(said["x"]), _number(said["y"]), curve
        ).public_key()
    if kind == "RSA":
        return rsa.RSAPublicNumbers(_number(said["e"]), _number(said["n"])).public_key()
    if kind == "OKP":
        return _EDWARDS[said["crv"]].from_public_bytes(_bytes(said["x"]))
    raise ValueError(f"its kty is {str(kind)[:16]}; expected EC, RSA or OKP")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")
