"""TPM algorithm identifiers and their hash functions.

Source: TCG Algorithm Registry, revision 1.34. SM3 has no implementation in every OpenSSL; where it is absent
its digests are carried but not computed.
"""

from __future__ import annotations

import hashlib
from typing import Final

HASHES: Final[dict[int, tuple[str, int]]] = {
    0x0004: ("sha1", 20),
    0x000B: ("sha256", 32),
    0x000C: ("sha384", 48),
    0x000D: ("sha512", 64),
    0x0012: ("sm3_256", 32),
    0x0027: ("sha3_256", 32),
    0x0028: ("sha3_384", 48),
    0x0029: ("sha3_512", 64),
}
"""Name and digest size by identifier."""

SIZES: Final[dict[str, int]] = dict(HASHES.values())
_MAKERS: Final = {name: getattr(hashlib, name, None) for name in SIZES}
"""Calling a function costs half of asking OpenSSL for one by name."""


def digest(name: str, data: bytes) -> bytes | None:
    """Return the hash of `data`, or None where this interpreter cannot compute it."""
    maker = _MAKERS.get(name)
    if maker is not None:
        made: bytes = maker(data, usedforsecurity=False).digest()
        return made
    try:
        return hashlib.new(
            "sm3" if name == "sm3_256" else name, data, usedforsecurity=False
        ).digest()
    except ValueError:
        return None


def extend(name: str, value: bytes, measured: bytes) -> bytes | None:
    """Return a PCR's value after one extension, or None where this interpreter cannot compute it."""
    return digest(name, value + measured)
