"""Boot event logs: PCRs as another implementation replays them; cuts and lies are refused."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from contract.errors import ParseError
from contract.ports import Context
from ingest.adapters.tcg_eventlog import ADAPTER
from ingest.formats.tcg_eventlog import read_log, replay

DATA = Path(__file__).parents[2] / "data/adapter/tcg_eventlog"
SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev/attestation"
SIZES = {"sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
LOGS = sorted((SHARED / "tcg_eventlog_tpm2tools").glob("*.bin"))


def context(**options: object) -> Context:
    return Context(received_us=1_780_000_000_000_000, options=options)


@pytest.mark.shared
@pytest.mark.skipif(not LOGS, reason="the shared data are absent")
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_pcrs_are_those_that_tpm2_tools_replays(path: Path) -> None:
    expected = yaml.safe_load(path.with_name(path.name + ".yaml").read_text())
    log = read_log(path.read_bytes())
    if isinstance(expected["events"], list):  # the description of the SHA-1 log is one mapping
        assert [event.kind for event in log.events] == [
            event["EventType"] for event in expected["events"]
        ]
    for bank, pcrs in (expected["pcrs"] or {}).items():
        found = {index: value.hex() for index, value in replay(log, bank).items()}
        wanted = {
            index: f"{value:x}".zfill(SIZES[bank]) if isinstance(value, int) else value
            for index, value in pcrs.items()
        }
        assert found == wanted


@pytest.mark.shared
def test_secure_boot_is_told_of_a_real_log() -> None:
    path = SHARED / "keylime/binary_bios_measurements-secureboot"
    if not path.exists():
        pytest.skip("the shared data are absent")
    appraisal = ADAPTER.parse(path.read_bytes(), context())[-1]
    assert appraisal["tcg.secure_boot"] is True
    assert appraisal["opsonin.attestation.result"] == "unknown"


@pytest.mark.shared
def test_what_is_no_log_is_refused() -> None:
    path = SHARED / "keylime/binary_bios_measurements-bogus"
    if not path.exists():
        pytest.skip("the shared data are absent")
    with pytest.raises(ParseError):
        ADAPTER.parse(path.read_bytes(), context())


def test_every_cut_of_a_log_is_refused_or_shorter() -> None:
    raw = (DATA / "agile.raw").read_bytes()
    whole = len(read_log(raw).events)
    for end in range(len(raw)):
        try:
            events = read_log(raw[:end]).events
        except ParseError:
            continue
        assert len(events) < whole


@pytest.mark.parametrize("at", range(28, 120, 4))
def test_a_length_or_count_of_all_ones_is_refused_at_once(at: int) -> None:
    raw = bytearray((DATA / "agile.raw").read_bytes())
    raw[at : at + 4] = b"\xff\xff\xff\xff"
    started = time.process_time()
    with suppress(ParseError):
        read_log(bytes(raw))
    assert time.process_time() - started < 1


def test_the_locality_of_startup_stands_in_the_first_pcr() -> None:
    log = read_log((DATA / "agile.raw").read_bytes())
    assert log.locality == 3
    at_three = replay(log, "sha256")[0]
    log.locality = 0
    assert replay(log, "sha256")[0] != at_three


def test_reference_values_decide_and_a_missing_pcr_is_different() -> None:
    raw = (DATA / "off.raw").read_bytes()
    pcr = replay(read_log(raw), "sha256")[9].hex()
    passed = ADAPTER.parse(raw, context(pcrs={"sha256": {"9": pcr}}))[-1]
    assert (passed["opsonin.attestation.result"], passed["opsonin.attestation.level"]) == ("pass", "warning")  # fmt: skip
    failed = ADAPTER.parse(raw, context(pcrs={"sha256": {"9": pcr, "14": pcr}}))[-1]
    assert failed["opsonin.attestation.reason"][0] == "pcr.14"
    assert failed["event.kind"] == "alert"


ALGORITHMS = {
    0x0004: ("sha1", "sha1"), 0x000B: ("sha256", "sha256"), 0x000C: ("sha384", "sha384"), 0x000D: ("sha512", "sha512"),
    0x0012: ("sm3_256", "sm3"), 0x0027: ("sha3_256", "sha3_256"), 0x0028: ("sha3_384", "sha3_384"), 0x0029: ("sha3_512", "sha3_512"),
}  # fmt: skip
"""Name and OpenSSL's name by identifier, TCG Algorithm Registry 1.34."""


def log_of(events: list[tuple[int, int, bytes]], numbers: list[int]) -> bytes:
    """Write a crypto-agile log with a digest of each algorithm for each event: PCR, type, data."""

    def word(value: int, size: int = 4) -> bytes:
        return value.to_bytes(size, "little")

    sizes = {number: hashlib.new(ALGORITHMS[number][1]).digest_size for number in numbers}
    header = b"Spec ID Event03\0" + word(0) + bytes([0, 2, 0, 2]) + word(len(numbers))
    header += b"".join(word(number, 2) + word(size, 2) for number, size in sizes.items()) + b"\0"
    log = word(0) + word(3) + bytes(20) + word(len(header)) + header
    for pcr, kind, data in events:
        digests = b"".join(
            word(number, 2) + hashlib.new(ALGORITHMS[number][1], data).digest()
            for number in numbers
        )
        log += word(pcr) + word(kind) + word(len(numbers)) + digests + word(len(data)) + data
    return log


@pytest.mark.parametrize("number", ALGORITHMS, ids=[name for name, _ in ALGORITHMS.values()])
def test_pcrs_of_every_algorithm_are_replayed(number: int) -> None:
    name, openssl = ALGORITHMS[number]
    if openssl not in hashlib.algorithms_available:
        pytest.skip(f"this OpenSSL has no {openssl}")
    events = [(7, 4, b"\0\0\0\0"), (4, 5, b"Calling EFI Application"), (7, 5, b"again")]
    log = read_log(log_of(events, [0x0004, number] if number != 0x0004 else [number]))
    found = replay(log, name)
    for pcr in (4, 7):
        value = bytes(hashlib.new(openssl).digest_size)
        for _, _, data in (one for one in events if one[0] == pcr):
            value = hashlib.new(openssl, value + hashlib.new(openssl, data).digest()).digest()
        assert found[pcr] == value
    assert [event.is_consistent() for event in log.events[1:]] == [True] * 3


def test_all_algorithms_stand_in_one_log_and_one_altered_digest_is_seen() -> None:
    numbers = [one for one, (_, name) in ALGORITHMS.items() if name in hashlib.algorithms_available]
    raw = log_of([(7, 4, b"\0\0\0\0")], numbers)
    found = ADAPTER.parse(raw, context())
    assert len(found[-1]["opsonin.attestation.pcr"]) == len(numbers)
    altered = raw.replace(hashlib.sha256(b"\0\0\0\0").digest(), bytes(32))
    assert ADAPTER.parse(altered, context())[1]["event.reason"] == "digest"
