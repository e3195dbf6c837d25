"""Enrolled keys: every algorithm holds for its own key and no other; JWKs say what they are for."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from contract.errors import ParseError
from ingest.formats.signature import COSE, JOSE, read_key

KEYS: dict[str, Any] = {
    "P-256": ECKey.generate_key("P-256"), "P-384": ECKey.generate_key("P-384"), "P-521": ECKey.generate_key("P-521"),
    "RSA": RSAKey.generate_key(2048), "Ed25519": OKPKey.generate_key("Ed25519"), "Ed448": OKPKey.generate_key("Ed448"),
}  # fmt: skip
SIGNED_BY = {
    "ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "EdDSA": "Ed25519", "Ed25519": "Ed25519", "Ed448": "Ed448",
}  # fmt: skip


def signed(algorithm: str, key: Any) -> tuple[bytes, bytes]:
    """What another implementation signs by this algorithm, and its signature."""
    token = jws.serialize_compact({"alg": algorithm}, b"{}", key, algorithms=[algorithm])
    message, _, signature = token.rpartition(".")
    return message.encode(), urlsafe_b64decode(signature + "==")


@pytest.mark.parametrize("name", sorted(JOSE))
def test_an_algorithm_holds_for_the_key_that_signed_and_for_no_other(name: str) -> None:
    own = SIGNED_BY[name]
    message, signature = signed(own if own == "Ed25519" else name, KEYS[own])
    for kind, key in KEYS.items():
        for said in (key.as_dict(private=False), key.as_pem(private=False).decode()):
            enrolled = read_key(said, "v")
            assert enrolled.has_signed(JOSE[name], message, signature, name) == (kind == own)
    enrolled = read_key(KEYS[own].as_dict(private=False), "v")
    for other in (message + b"x", signature[:-1], signature + b"\0", b""):
        args = (other, signature) if other.startswith(message) else (message, other)
        assert not enrolled.has_signed(JOSE[name], *args, name)
    assert not enrolled.has_signed(None, message, signature, "HS256")


def test_the_first_numbers_of_cose_leave_the_curve_open() -> None:
    assert (COSE[-7].curve, COSE[-9].curve, COSE[-8].curve, COSE[-19].curve) == ("", "secp256r1", "", "Ed25519")  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"kty": "oct"}, {"crv": "secp256k1"}, {"x": 7}, {"x": "AAAA"}, {"kty": None}],
)  # fmt: skip
def test_a_jwk_that_is_none_to_verify_by_is_refused(more: dict[str, Any]) -> None:
    said = {**KEYS["P-256"].as_dict(private=False), **more}
    for form in (said, json.dumps(said)):
        with pytest.raises(
            ParseError, match="enrolled key v cannot be read: expected PEM or a JWK"
        ):
            read_key(form, "v")


def test_a_jwk_for_one_algorithm_holds_for_no_other() -> None:
    message, signature = signed("PS256", KEYS["RSA"])
    for only, holds in (("PS256", True), ("RS256", False)):
        enrolled = read_key({**KEYS["RSA"].as_dict(private=False), "alg": only}, "v")
        assert enrolled.has_signed(JOSE["PS256"], message, signature, "PS256") is holds


def test_of_a_private_jwk_the_public_half_is_taken() -> None:
    message, signature = signed("ES256", KEYS["P-256"])
    enrolled = read_key(KEYS["P-256"].as_dict(private=True), "v")
    assert enrolled.has_signed(JOSE["ES256"], message, signature, "ES256")
