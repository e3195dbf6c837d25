"""Attestation results: only what an enrolled verifier signed, in date, is believed."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from ingest.adapters.rats_ear import ADAPTER
from ingest.tables.ear import tier_of

SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev/attestation/ear_attestation_results"
NOW_US = 1_780_000_000_000_000
KEY = ECKey.generate_key("P-256")


def claims(**more: object) -> dict[str, Any]:
    return {"iat": NOW_US // 1_000_000 - 60, "submods": {"os": {"ear.status": "affirming"}}} | more


def jwt(said: dict[str, Any], key: Any = KEY, algorithm: str = "ES256") -> bytes:
    payload = json.dumps(said).encode()
    return jws.serialize_compact({"alg": algorithm, "kid": "v"}, payload, key, algorithms=[algorithm]).encode()  # fmt: skip


def cwt(said: dict[Any, Any], key: Any = KEY, tag: int | None = 18) -> bytes:
    protected, payload = cbor2.dumps({1: -7}), cbor2.dumps(said)
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    first, second = utils.decode_dss_signature(key.private_key.sign(signed, ec.ECDSA(hashes.SHA256())))  # fmt: skip
    value: Any = [protected, {4: b"v"}, payload, first.to_bytes(32, "big") + second.to_bytes(32, "big")]  # fmt: skip
    return cbor2.dumps(cbor2.CBORTag(tag, value) if tag else value)


def context(**options: object) -> Context:
    public = KEY.as_pem(private=False).decode()
    return Context(received_us=NOW_US, options={"keys": {"v": public}, **options})


def read(raw: bytes, where: Context | None = None) -> Fields:
    (event,) = ADAPTER.parse(raw, where or context())
    return event


def outcome(event: Fields) -> tuple[str, list[str]]:
    return event["opsonin.attestation.result"], event.get("opsonin.attestation.reason", [])


def test_a_signed_result_passes_as_jwt_and_as_cwt() -> None:
    assert outcome(read(jwt(claims()))) == ("pass", [])
    numbered = {6: NOW_US // 1_000_000, 266: {"os": {1000: 2}}}
    for tag in (18, None):
        assert outcome(read(cwt(numbered, tag=tag))) == ("pass", [])
    assert outcome(read(b64encode(cwt(numbered)))) == ("pass", [])


def test_another_s_signature_is_an_alert_and_says_nothing_of_the_attester() -> None:
    other = ECKey.generate_key("P-256")
    for raw in (jwt(claims(), other), cwt({266: {"os": {1000: 2}}}, other)):
        event = read(raw)
        assert outcome(event) == ("unknown", ["signature"])
        assert event["event.kind"] == "alert"
        assert "@timestamp" not in event


def test_algorithm_none_and_an_hmac_over_the_public_key_are_not_believed() -> None:
    def part(value: object) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    bare = f"{part({'alg': 'none', 'kid': 'v'})}.{part(claims())}.AAAA".encode()
    assert outcome(read(bare)) == ("unknown", ["signature"])
    confused = jwt(claims(), OctKey.import_key(KEY.as_pem(private=False).hex()), "HS256")
    assert outcome(read(confused)) == ("unknown", ["signature"])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"exp": NOW_US // 1_000_000 - 1}, "expired"),
        ({"exp": NOW_US // 1_000_000}, "expired"),
        ({"exp": str(NOW_US // 1_000_000 + 9)}, "time.malformed"),
        ({"exp": NOW_US * 1000}, "time.malformed"),
        ({"exp": -1}, "time.malformed"),
        ({"iat": True}, "time.malformed"),
        ({"eat_profile": "tag:psacertified.org,2023:psa#tfm"}, "profile.unknown"),
        ({"eat_profile": {"a": 1}}, "profile.unknown"),
        ({"eat_profile": "1.3.6.1.4.1"}, "profile.unknown"),
        ({"nbf": NOW_US // 1_000_000 + 1000}, "not_yet_valid"),
        ({"iat": NOW_US // 1_000_000 + 1000}, "issued_in_future"),
        ({"iat": NOW_US // 1_000_000 - 7200}, "stale"),
    ],
)
def test_a_result_out_of_date_is_unknown(more: dict[str, Any], reason: str) -> None:
    assert outcome(read(jwt(claims(**more)), context(max_age_s=3600))) == ("unknown", [reason])


@pytest.mark.parametrize(
    "profile",
    ["tag:github.com,2023:veraison/ear", "tag:ietf.org,2026:rats/ear", "tag:ietf.org,2026:ear#1"],
)
def test_the_profiles_of_an_ear_are_believed_and_those_that_the_source_names(profile: str) -> None:
    assert outcome(read(jwt(claims(eat_profile=profile)))) == ("pass", [])
    own = "tag:example.com,2026:appraisal"
    assert outcome(read(jwt(claims(eat_profile=own)), context(profiles=[own]))) == ("pass", [])


def test_a_tagged_date_is_no_numeric_date_and_gives_no_endless_term() -> None:
    said = {4: cbor2.CBORTag(1, NOW_US // 1_000_000 - 60), 266: {"os": {1000: 2}}}
    assert outcome(read(cwt(said))) == ("unknown", ["time.malformed"])


def test_a_critical_header_that_is_not_understood_is_refused() -> None:
    for critical in ([99], "x", [], [[1]]):
        protected, payload = cbor2.dumps({1: -7, 2: critical}), cbor2.dumps({266: {"os": {1000: 2}}})  # fmt: skip
        with pytest.raises(ParseError, match="critical"):
            read(cbor2.dumps(cbor2.CBORTag(18, [protected, {4: b"v"}, payload, bytes(64)])))
    payload = json.dumps(claims()).encode()
    header = {"alg": "ES256", "kid": "v", "b64": False, "crit": ["b64"]}
    token = jws.serialize_compact({"alg": "ES256", "kid": "v"}, payload, KEY).split(".")
    lead = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    signed = f"{lead}.{token[1]}".encode()
    key: Any = KEY.private_key
    first, second = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    tail = urlsafe_b64encode(first.to_bytes(32, "big") + second.to_bytes(32, "big")).rstrip(b"=")
    try:
        event = read(signed + b"." + tail)
    except ParseError:
        return
    assert outcome(event)[0] == "unknown"


def test_bare_claims_are_believed_only_where_the_source_says_so() -> None:
    raw = json.dumps(claims()).encode()
    assert outcome(read(raw)) == ("unknown", ["signature.absent"])
    assert outcome(read(raw, context(accept_unsigned=True))) == ("pass", [])


def test_a_status_is_at_most_as_good_as_its_worst_claim() -> None:
    vector = {"executables": 33, "hardware": 96, "storage-opaque": 2}
    said = claims(submods={"os": {"ear.status": "affirming", "ear.trustworthiness-vector": vector}})
    event = read(jwt(said))
    assert outcome(event) == ("fail", ["hardware.96", "executables.33"])


def test_the_device_that_was_signed_goes_before_the_one_beside_the_token() -> None:
    token = jwt(claims(ueid="signed-device")).decode()
    event = read(json.dumps({"attester": "somebody", "ear": token}).encode())
    assert event["opsonin.attestation.attester"] == "signed-device"


def beside(token: bytes, **members: object) -> bytes:
    return json.dumps({**members, "ear": token.decode()}).encode()


FAILED = {"submods": {"os": {"ear.status": "contraindicated"}}}


@pytest.mark.parametrize(
    ("members", "reason"),
    [({"attester": "victim"}, "attester.unproven"), ({"host": "victim"}, "host.unproven"),
     ({"host": {"ip": "192.0.2.7"}}, "host.unproven"), ({"attester": "a", "host": "b"}, "attester.unproven")],
)  # fmt: skip
def test_what_stands_beside_a_token_lends_a_result_to_nobody(members: Any, reason: str) -> None:
    event = read(beside(jwt(claims()), **members))
    assert outcome(event) == ("unknown", [reason])
    assert event["event.kind"] == "event"
    event = read(beside(jwt(claims(**FAILED)), **members))
    assert outcome(event) == ("unknown", [reason])
    assert (event["event.kind"], event["rule.id"]) == ("alert", f"attestation.ear.{reason}")


def test_a_signed_device_is_no_proof_of_the_host_beside_it() -> None:
    raw = beside(jwt(claims(ueid="device")), host="victim")
    assert outcome(read(raw)) == ("unknown", ["host.unproven"])
    event = read(raw, context(hosts={"device": "edge.example.test"}))
    assert outcome(event) == ("pass", [])
    assert event["host.name"] == "edge.example.test"
    assert event["host.hostname"] == "edge"


def test_the_settings_say_whose_result_it_is() -> None:
    raw = beside(jwt(claims()), attester="victim", host="victim")
    event = read(raw, context(attester="gateway", hosts={"gateway": "gw1", "victim": "v"}))
    assert outcome(event) == ("pass", [])
    assert (event["opsonin.attestation.attester"], event["host.name"]) == ("gateway", "gw1")
    assert outcome(read(raw, context(attester="gateway"))) == ("unknown", ["host.unproven"])


def test_a_verifier_whose_channel_is_proven_is_believed_in_all_it_sends() -> None:
    event = read(beside(jwt(claims()), attester="edge", host="h"), context(accept_unsigned=True))
    assert outcome(event) == ("pass", [])
    assert (event["opsonin.attestation.attester"], event["host.name"]) == ("edge", "h")


def test_the_signed_time_goes_before_the_one_beside_the_token() -> None:
    event = read(beside(jwt(claims(ueid="device")), time="2026-05-28T20:26:39Z"))
    assert event["@timestamp"] == "2026-05-28T20:25:40.000000Z"


def test_a_device_that_is_no_text_is_refused() -> None:
    for device in ({"a": 1}, 7, "", ["a"], True):
        with pytest.raises(ParseError, match="ueid"):
            read(jwt(claims(ueid=device)))


@pytest.mark.parametrize(
    ("claim", "tier"),
    [(0, "none"), (1, "none"), (-1, "none"), (2, "affirming"), (31, "affirming"), (-32, "affirming"),
     (32, "warning"), (95, "warning"), (-33, "warning"), (96, "contraindicated"), (127, "contraindicated"),
     (-97, "contraindicated"), (-128, "contraindicated")],
)  # fmt: skip
def test_tiers_are_those_of_ar4si(claim: int, tier: str) -> None:
    assert tier_of(claim) == tier


@pytest.mark.parametrize(
    "raw",
    [
        b"\xd2\x84" + b"\x81" * 2000, b"\xd2\x84\x40\xa0\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd2", b"\x84\x40",
        b"\xd2\x84\x40\xa0\x41\x00\x40", b"\xd8\x3d\xd2\x80", b"\xd2" * 5000, b"\x84\x9b" + b"\xff" * 8,
        b"\xd2\x84\x40\xa0\x45\xa1\x06\x62ab\x40", b"a.b.c", b'"..."',
    ],
)  # fmt: skip
def test_hostile_tokens_are_refused(raw: bytes) -> None:
    with pytest.raises(ParseError):
        ADAPTER.parse(raw, context())


def test_every_cut_of_a_cwt_is_refused() -> None:
    whole = cwt({266: {"os": {1000: 2}}})
    for end in range(1, len(whole)):
        with pytest.raises(ParseError):
            ADAPTER.parse(whole[:end], context())


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are absent")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ear-claims", "pass"), ("ear-claims-tv-ok", "pass"), ("ear-claims-extension-ok", "pass"),
        ("ear-claims-key-attestation-ok", "pass"), ("ear-claims-key-attestation-ko", "fail"),
    ],
)  # fmt: skip
def test_the_public_claims_signed_with_their_key_are_verified(name: str, expected: str) -> None:
    said = json.loads((SHARED / f"{name}.json").read_text())
    private = ECKey.import_key(json.loads((SHARED / "skey.json").read_text()))
    where = Context(
        received_us=NOW_US, options={"keys": {"*": json.loads((SHARED / "pkey.json").read_text())}}
    )
    event = read(jwt(said, private), where)
    assert event["opsonin.attestation.result"] == expected
    assert outcome(read(jwt(said), where)) == ("unknown", ["signature"])


def test_a_token_may_stand_in_quotes_and_behind_a_byte_order_mark() -> None:
    for raw in (b'"%b"\r\n', b"\xef\xbb\xbf%b\0", b"%b "):
        assert outcome(read(raw % jwt(claims()))) == ("pass", [])
