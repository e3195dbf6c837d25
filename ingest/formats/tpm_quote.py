"""TPM 2.0 quotes: the attestation structure, its signature, and the PCR values that travel beside it.

Source: TPM 2.0 Library Part 2, revision 1.59: 10.12 (TPMS_ATTEST), 11.3 (TPMT_SIGNATURE); `tpm2_quote` and
Keylime's form of it; read 2026-11. TPM structures are big-endian; what `tpm2_quote -o` writes is the memory of a
little-endian machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from contract.errors import ParseError
from ingest.formats.binary_reader import BinaryReader
from ingest.formats.tpm_algorithms import HASHES, SIZES, digest

MAGIC: Final = 0xFF544347  # TPM_GENERATED_VALUE
QUOTE: Final = 0x8018  # TPM_ST_ATTEST_QUOTE
MAX_SELECTIONS: Final = 16
_RSASSA, _RSAPSS, _ECDSA = 0x0014, 0x0016, 0x0018
_UNVERIFIED: Final = {0x0005: "HMAC", 0x001A: "ECDAA", 0x001B: "SM2", 0x001C: "ECSCHNORR"}
_HASH_TYPES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256, "sha3_384": hashes.SHA3_384, "sha3_512": hashes.SHA3_512,
}  # fmt: skip


@dataclass(slots=True)
class Quote:
    """What a TPM attested.

    Attributes:
        signer: qualified name of the key that signed.
        nonce: `extraData`, the verifier's challenge.
        clock_ms: milliseconds that the TPM has been powered.
        reset_count: TPM resets (boots).
        restart_count: resumes since the last reset.
        is_safe: false where the clock may have gone back.
        firmware: the TPM's firmware version.
        selections: bank and PCR indexes, in order.
        pcr_digest: over the selected PCRs' values.
        message: the bytes that are signed.
    """

    signer: bytes
    nonce: bytes
    clock_ms: int
    reset_count: int
    restart_count: int
    is_safe: bool
    firmware: int
    selections: list[tuple[str, list[int]]]
    pcr_digest: bytes
    message: bytes


def read_quote(data: bytes) -> tuple[Quote, bytes]:
    """Return the quote at the begin of `data`, and what follows it.

    A TPM2B size before it is passed over.

    Raises:
        ParseError: no quote of a TPM, or truncated.
    """
    reader = BinaryReader(data, "big", "TPM quote")
    if data[:4] != MAGIC.to_bytes(4, "big") and data[2:6] == MAGIC.to_bytes(4, "big"):
        reader.take(2)
    start = reader.at
    if reader.number(4) != MAGIC:
        raise ParseError("no TPM quote: expected TPM_GENERATED_VALUE at its begin")
    kind = reader.number(2)
    if kind != QUOTE:
        raise ParseError(f"attestation of type 0x{kind:04x}; expected a quote (0x8018)")
    signer, nonce = reader.sized(2), reader.sized(2)
    clock, resets, restarts = reader.number(8), reader.number(4), reader.number(4)
    is_safe, firmware = reader.number(1) == 1, reader.number(8)
    count = reader.number(4)
    if count > MAX_SELECTIONS:
        raise ParseError(f"TPM quote over {count} banks; the bound is {MAX_SELECTIONS}")
    selections = [_selection(reader) for _ in range(count)]
    pcr_digest = reader.sized(2)
    message = data[start : reader.at]
    quote = Quote(
        signer, nonce, clock, resets, restarts, is_safe, firmware, selections, pcr_digest, message
    )
    return quote, data[reader.at :]


def _selection(reader: BinaryReader) -> tuple[str, list[int]]:
    algorithm = reader.number(2)
    bits = reader.sized(1)
    name = HASHES.get(algorithm, (f"0x{algorithm:04x}", 0))[0]
    return name, [
        8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1
    ]


# ------------------------------------------------------------------ signature


def load_key(text: str) -> Any:
    """Return the public key of a PEM (key or certificate).

    Raises:
        ParseError: neither.
    """
    data = text.encode()
    try:
        if b"CERTIFICATE" in data:
            return load_pem_x509_certificate(data).public_key()
        return load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ParseError(f"the enrolled key cannot be read: {error}") from None


def fingerprint(key: Any) -> str:
    """Return `key:` and the first 32 digits of the SHA-256 of the key's SubjectPublicKeyInfo."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "key:" + (digest("sha256", spki) or b"").hex()[:32]


def is_signed(key: Any, message: bytes, signature: bytes) -> str | None:
    """Return the hash algorithm's name when `key` signed `message`, or None when it did not.

    A signature that is no TPMT_SIGNATURE is taken as plain: RSASSA or DER-coded ECDSA over SHA-256.

    Raises:
        ParseError: truncated, or of a scheme that is not verified here.
    """
    scheme = int.from_bytes(signature[:2], "big")
    if scheme in _UNVERIFIED:
        raise ParseError(f"TPM signature by {_UNVERIFIED[scheme]}, which is not verified here")
    if scheme not in (_RSASSA, _RSAPSS, _ECDSA):
        return _plain(key, message, signature)
    reader = BinaryReader(signature, "big", "TPM signature")
    reader.take(2)
    number = reader.number(2)
    name = HASHES.get(number, ("", 0))[0]
    kind = _HASH_TYPES.get(name)
    if kind is None:
        raise ParseError(f"TPM signature over hash 0x{number:04x}, which is not verified here")
    if scheme == _ECDSA:
        first, second = (int.from_bytes(reader.sized(2), "big") for _ in range(2))
        encoded = utils.encode_dss_signature(first, second)
        return name if _holds(key, message, encoded, kind()) else None
    body = reader.sized(2)
    return name if _holds(key, message, body, kind(), is_pss=scheme == _RSAPSS) else None


def _plain(key: Any, message: bytes, signature: bytes) -> str | None:
    return "sha256" if _holds(key, message, signature, hashes.SHA256()) else None


def _holds(
    key: Any, message: bytes, signature: bytes, kind: hashes.HashAlgorithm, *, is_pss: bool = False
) -> bool:
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(kind))
        elif isinstance(key, rsa.RSAPublicKey) and is_pss:
            key.verify(signature, message, padding.PSS(padding.MGF1(kind), padding.PSS.AUTO), kind)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), kind)
        else:
            raise ParseError(f"a key of type {type(key).__name__} signs no quotes")
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


# ------------------------------------------------------------------ PCR values


def digest_of(quote: Quote, values: dict[str, dict[int, bytes]], name: str) -> bytes | None:
    """Return the digest over the selected PCRs, as the quote must hold it; None: a value is missing."""
    parts: list[bytes] = []
    for bank, indexes in quote.selections:
        for index in indexes:
            value = values.get(bank, {}).get(index)
            if value is None:
                return None
            parts.append(value)
    return digest(name, b"".join(parts))


def selected(quote: Quote, values: dict[str, dict[int, bytes]]) -> dict[str, dict[int, bytes]]:
    """Return the values of PCRs that the quote selects; of others it proves nothing."""
    found: dict[str, dict[int, bytes]] = {}
    for bank, indexes in quote.selections:
        for index in indexes:
            if (value := values.get(bank, {}).get(index)) is not None:
                found.setdefault(bank, {})[index] = value
    return found


def values_of_mapping(said: Any) -> dict[str, dict[int, bytes]]:
    """Return the PCR values of `{"sha256": {"0": "<hex>", …}, …}`.

    Raises:
        ParseError: another shape, or a value of another size than its bank's.
    """
    values: dict[str, dict[int, bytes]] = {}
    if type(said) is not dict:
        raise ParseError("expected pcrs to be a table of banks")
    for bank, pcrs in said.items():
        if type(pcrs) is not dict:
            raise ParseError("expected a bank of pcrs to be a table of values")
        for index, text in pcrs.items():
            digits = str(text).lower().removeprefix("0x")
            try:
                value = bytes.fromhex(digits)
                number = int(index)
            except ValueError:
                raise ParseError(f"PCR {index} is no hexadecimal value") from None
            if len(value) != SIZES.get(bank, len(value)) or not 0 <= number < 24:  # noqa: PLR2004 - there are 24 PCRs
                raise ParseError(f"PCR {index} of bank {bank} has {len(value)} bytes")
            values.setdefault(bank, {})[number] = value
    return values


def values_in_order(quote: Quote, data: bytes) -> dict[str, dict[int, bytes]]:
    """Return PCR values that stand one behind another in the order of the selection (`-F values`).

    Raises:
        ParseError: fewer or more bytes than the selection asks for.
    """
    reader = BinaryReader(data, "big", "PCR values")
    values: dict[str, dict[int, bytes]] = {}
    for bank, indexes in quote.selections:
        for index in indexes:
            values.setdefault(bank, {})[index] = reader.take(SIZES.get(bank, 0))
    if reader.left:
        raise ParseError(f"PCR values: {reader.left} bytes more than the selection asks for")
    return values


_SELECTIONS_BYTES, _LIST_BYTES, _DIGEST_SLOTS = 132, 532, 8


def values_of_tools(quote: Quote, data: bytes) -> dict[str, dict[int, bytes]]:
    """Return the PCR values of `tpm2_quote -o` in its serialized form, as Keylime sends it.

    A TPML_PCR_SELECTION of 16 slots of 8 bytes, a count, and that many TPML_DIGEST of 8 slots each, as they
    lie in memory.

    Raises:
        ParseError: truncated, or a size past its slot.
    """
    reader = BinaryReader(data, "little", "PCR values")
    reader.take(_SELECTIONS_BYTES)
    lists = reader.number(4)
    if lists > 64:  # noqa: PLR2004 - 24 PCRs of 16 banks, 8 a list
        raise ParseError(f"PCR values in {lists} lists; the bound is 64")
    found: list[bytes] = []
    for _ in range(lists):
        block = BinaryReader(reader.take(_LIST_BYTES), "little", "PCR values")
        count = block.number(4)
        for slot in range(_DIGEST_SLOTS):
            size = block.number(2)
            body = block.take(64)
            if slot < count:
                if size > 64:  # noqa: PLR2004 - the slot's size
                    raise ParseError(f"PCR value of {size} bytes")
                found.append(body[:size])
    return values_in_order(quote, b"".join(found))
