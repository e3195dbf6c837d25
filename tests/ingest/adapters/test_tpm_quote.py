"""TPM quotes: what a verifier must refuse, by keys made here."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from ingest.adapters.tpm_quote import ADAPTER, MAX_ATTESTERS
from ingest.formats.tpm_quote import read_quote

NONCE = bytes(range(20))
PCR7 = b"\x07" * 32
KEY = ec.generate_private_key(ec.SECP256R1())


def attest(
    *, nonce: bytes = NONCE, clock: int = 1000, resets: int = 5, value: bytes = PCR7, magic: int = 0xFF544347,
    selection: bytes = b"\x80\0\0",
) -> bytes:  # fmt: skip
    head = struct.pack(">IHHH", magic, 0x8018, 0, len(nonce)) + nonce
    head += (
        struct.pack(">QIIBQ", clock, resets, 0, 1, 0) + struct.pack(">IHB", 1, 0x0B, 3) + selection
    )
    return head + struct.pack(">H", 32) + hashlib.sha256(value).digest()


def signed(message: bytes, key: Any = KEY) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        body = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return struct.pack(">HHH", 0x14, 0x0B, len(body)) + body
    first, second = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    parts = b"".join(struct.pack(">H", 32) + part.to_bytes(32, "big") for part in (first, second))
    return struct.pack(">HH", 0x18, 0x0B) + parts


def pem(key: Any = KEY) -> str:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip


def context(**options: object) -> Context:
    return Context(received_us=1_780_000_000_000_000, options={"keys": {"a": pem()}, **options})


def record(message: bytes, signature: bytes, **members: object) -> bytes:
    return json.dumps(
        {"attester": "a", "quote": message.hex(), "signature": signature.hex(), "nonce": NONCE.hex(),
         "pcrs": {"sha256": {"7": PCR7.hex()}}} | members
    ).encode()  # fmt: skip


def appraise(raw: bytes, where: Context | None = None) -> Fields:
    (event,) = ADAPTER.parse(raw, where or context())
    return event


def reasons(event: Fields) -> list[str]:
    return event.get("opsonin.attestation.reason", [])


def test_a_good_quote_passes_and_tells_the_boot() -> None:
    references = {"sha256": {"7": PCR7.hex()}}
    event = appraise(record(attest(), signed(attest())), context(pcrs=references))
    assert event["opsonin.attestation.result"] == "pass"
    assert event["opsonin.attestation.level"] == "affirming"
    assert event["opsonin.attestation.boot"] == "5.0"
    assert event["opsonin.attestation.pcr"] == ["sha256:7:" + PCR7.hex()]


@pytest.mark.parametrize("bit", range(0, 8 * 70, 37))
def test_a_signature_with_one_bit_turned_fails(bit: int) -> None:
    signature = bytearray(signed(attest()))
    at = min(8 + bit // 8, len(signature) - 1)
    signature[at] ^= 1 << (bit % 8)
    try:
        event = appraise(record(attest(), bytes(signature)))
    except ParseError:
        return
    assert reasons(event) == ["signature"]
    assert event["event.kind"] == "alert"


@pytest.mark.parametrize("at", range(6, 70, 7))
def test_a_quote_changed_after_signing_fails(at: int) -> None:
    message = bytearray(attest())
    message[at] ^= 1
    try:
        event = appraise(record(bytes(message), signed(attest())))
    except ParseError:
        return
    assert event["opsonin.attestation.result"] == "fail"


def test_another_s_signature_fails_and_an_unenrolled_attester_is_unknown() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    assert reasons(appraise(record(attest(), signed(attest(), other)))) == ["signature"]
    unknown = appraise(record(attest(), signed(attest()), attester="b"))
    assert unknown["opsonin.attestation.result"] == "unknown"
    assert reasons(unknown) == ["key.unknown"]


def test_an_old_challenge_fails_and_none_is_only_a_warning() -> None:
    assert reasons(appraise(record(attest(nonce=b"old"), signed(attest(nonce=b"old"))))) == [
        "nonce"
    ]
    event = appraise(record(attest(), signed(attest()), nonce=None))
    assert (event["opsonin.attestation.result"], event["opsonin.attestation.level"]) == ("pass", "warning")  # fmt: skip


def test_a_pcr_value_that_was_not_quoted_fails() -> None:
    forged = {"sha256": {"7": "08" * 32}}
    assert reasons(appraise(record(attest(), signed(attest()), pcrs=forged))) == ["pcr_digest"]


def test_a_reference_value_decides_with_and_without_the_values() -> None:
    good, bad = {"sha256": {"7": PCR7.hex()}}, {"sha256": {"7": ["08" * 32, "09" * 32]}}
    raw = record(attest(), signed(attest()))
    bare = record(attest(), signed(attest()), pcrs=None)
    assert appraise(raw, context(pcrs=good))["opsonin.attestation.result"] == "pass"
    assert reasons(appraise(raw, context(pcrs=bad))) == ["pcr.7"]
    assert appraise(bare, context(pcrs=good))["opsonin.attestation.level"] == "affirming"
    assert reasons(appraise(bare, context(pcrs=bad))) == ["pcr_values.absent"]


def test_values_that_the_quote_does_not_select_prove_nothing() -> None:
    good = {"sha256": {"0": "01" * 32, "7": PCR7.hex()}}
    raw = record(attest(), signed(attest()), pcrs=good)
    event = appraise(raw, context(pcrs={"sha256": {"0": "01" * 32}}))
    assert reasons(event) == ["pcr.0"]
    assert event["opsonin.attestation.pcr"] == ["sha256:7:" + PCR7.hex()]


def test_values_are_believed_whole_or_not_at_all() -> None:
    message = attest(selection=b"\x81\0\0", value=b"\x01" * 32 + PCR7)
    forged = {"sha256": {"0": "02" * 32}}
    raw = record(message, signed(message), pcrs=forged)
    event = appraise(raw, context(pcrs=forged))
    assert (event["opsonin.attestation.result"], reasons(event)) == ("fail", ["pcr_values.incomplete"])  # fmt: skip
    assert "opsonin.attestation.pcr" not in event
    event = appraise(raw)
    assert (event["opsonin.attestation.level"], reasons(event)) == ("warning", ["pcr_values.incomplete"])  # fmt: skip
    assert "opsonin.attestation.pcr" not in event


def test_another_attester_s_key_does_not_speak_for_one() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    both = {"a": pem(), "b": pem(other)}
    raw = record(attest(), signed(attest()), attester="b", key="a")
    event = appraise(raw, context(keys=both))
    assert (event["opsonin.attestation.attester"], reasons(event)) == ("b", ["signature"])
    raw = record(attest(), signed(attest()), attester="c", key="a")
    event = appraise(raw, context(keys=both))
    assert event["opsonin.attestation.level"] == "warning"
    assert reasons(event)[0] == "attester.unproven"


def test_a_list_that_the_quote_does_not_cover_is_noted() -> None:
    event = appraise(
        record(attest(), signed(attest()), ima="10 " + "0" * 40 + " ima-ng sha1:00 /x")
    )
    assert reasons(event) == ["no_reference", "ima.not_quoted"]


def test_a_pcr_that_was_never_extended_is_not_explained_by_a_list() -> None:
    line = "10 " + "0" * 40 + " ima-ng sha1:" + "00" * 20 + " /x"
    after = hashlib.sha256(bytes(32) + b"\xff" * 32).digest()
    for value, expected in ((bytes(32), "ima.replay"), (after, "ima.violation")):
        message = attest(selection=b"\0\x04\0", value=value)
        raw = record(message, signed(message), pcrs={"sha256": {"10": value.hex()}}, ima=line)
        assert expected in reasons(appraise(raw))


def test_a_quote_that_nothing_was_compared_with_is_a_warning() -> None:
    event = appraise(record(attest(), signed(attest())))
    assert (event["opsonin.attestation.level"], reasons(event)) == ("warning", ["no_reference"])


@pytest.mark.parametrize("scheme", [0x0005, 0x001A, 0x001B, 0x001C])
def test_a_scheme_that_is_not_verified_is_refused_and_no_failure(scheme: int) -> None:
    with pytest.raises(ParseError, match="not verified"):
        appraise(record(attest(), struct.pack(">HHH", scheme, 0x0B, 4) + b"abcd"))


def test_a_clock_that_went_back_fails_but_a_reset_does_not() -> None:
    where = context(pcrs={"sha256": {"7": PCR7.hex()}})
    for clock, resets, expected in ((1000, 5, []), (999, 5, ["clock"]), (1, 6, []), (5000, 5, ["clock"])):  # fmt: skip
        message = attest(clock=clock, resets=resets)
        assert reasons(appraise(record(message, signed(message)), where)) == expected


def test_remembered_clocks_are_bounded_and_json() -> None:
    where = context(keys={"*": pem()})
    where.state["clocks"] = {f"old{n}": [1, 1] for n in range(MAX_ATTESTERS)}
    appraise(record(attest(), signed(attest())), where)
    assert len(where.state["clocks"]) == MAX_ATTESTERS
    assert "a" in json.loads(json.dumps(where.state))["clocks"]


def test_a_quote_without_the_tpm_s_own_mark_is_refused() -> None:
    with pytest.raises(ParseError, match="TPM_GENERATED_VALUE"):
        appraise(record(attest(magic=0xFF544348), signed(attest())))


def test_every_cut_of_a_quote_is_refused() -> None:
    message = attest()
    for end in range(len(message)):
        with pytest.raises(ParseError):
            read_quote(message[:end])


def test_a_small_zlib_part_cannot_fill_the_memory() -> None:
    import zlib  # noqa: PLC0415 - only this test makes a bomb
    from base64 import b64encode  # noqa: PLC0415

    bomb = b64encode(zlib.compress(bytes(50_000_000))).decode()
    with pytest.raises(ParseError, match="inflates beyond"):
        appraise(json.dumps({"quote": f"r{bomb}:AAAA:AAAA"}).encode())


def test_rsa_keys_sign_too() -> None:
    key = rsa.generate_private_key(65537, 2048)
    event = appraise(record(attest(), signed(attest(), key)), context(keys={"a": pem(key)}))
    assert event["opsonin.attestation.result"] == "pass"
