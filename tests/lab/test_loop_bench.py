"""The parts of `bench/loop.py` that its figures rest on: the watcher, the packet's time, the summary."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import loop  # type: ignore[import-not-found]
import pytest
import setwatch  # type: ignore[import-not-found]
from network import Lab

from tests.conftest import PATIENCE_S


def attribute(kind: int, payload: bytes) -> bytes:
    padding = b"\0" * (-len(payload) % 4)
    return struct.pack("=HH", 4 + len(payload), kind) + payload + padding


def new_element(table: bytes, name: bytes, key: bytes) -> bytes:
    value = attribute(1, key)
    element = attribute(1, attribute(1 | 0x8000, value))
    body = struct.pack("=BBH", 2, 0, 0)
    body += attribute(1, table + b"\0") + attribute(2, name + b"\0")
    body += attribute(3 | 0x8000, element)
    return struct.pack("=IHHII", 16 + len(body), 10 << 8 | 12, 0, 0, 0) + body


WHOLE = new_element(b"opsonin", b"deny4", bytes([198, 18, 0, 7]))


def test_watcher_reads_table_set_and_address_of_an_announcement() -> None:
    ((kind, payload),) = setwatch.messages(WHOLE)
    assert kind == 10 << 8 | 12
    assert list(setwatch.elements(payload)) == [("opsonin", "deny4", "198.18.0.7")]


@pytest.mark.parametrize("length", range(0, len(WHOLE), 3))
def test_a_cut_announcement_gives_nothing_and_no_fault(length: int) -> None:
    for _, payload in setwatch.messages(WHOLE[:length]):
        assert list(setwatch.elements(payload)) == []


def test_keys_that_are_no_ipv4_addresses_are_passed_over() -> None:
    ((_, payload),) = setwatch.messages(new_element(b"t", b"s", b"\0" * 16))
    assert list(setwatch.elements(payload)) == []


@pytest.mark.root
@pytest.mark.nftables
def test_watcher_hears_of_an_element_after_it_was_added_and_not_long_after(bare: Lab) -> None:
    bare.topology.up()
    bare.topology.run("router", "nft", "add table inet t; add set inet t s { type ipv4_addr; }")
    with loop.watching(bare) as watch:
        before = time.time_ns()
        bare.topology.run("router", "nft", "add element inet t s { 198.18.0.7 }")
        deadline = time.monotonic() + PATIENCE_S
        while "198.18.0.7" not in watch.seen and time.monotonic() < deadline:
            time.sleep(0.01)
    assert before < watch.seen["198.18.0.7"] < time.time_ns()


def test_the_packets_time_is_that_of_the_first_exploit_alert(tmp_path: Path) -> None:
    def line(signature: int, moment: str) -> str:
        alert = {"signature_id": signature}
        event = {"timestamp": moment, "src_ip": "198.18.0.7", "alert": alert}
        return json.dumps(event, separators=(",", ":"))

    eve = tmp_path / "eve.json"
    lines = [
        line(9000010, "2026-11-22T06:36:10.000001+0000"),
        line(9000001, "2026-11-22T06:36:11.000002+0000"),
        line(9000001, "2026-11-22T06:36:12.000003+0000"),
    ]
    eve.write_text("\n".join(lines), encoding="utf-8")
    assert loop.packet_times(eve) == {"198.18.0.7": 1795329371_000002000}


def test_summary_names_each_side_and_counts_what_was_lost() -> None:
    figures = loop.summary([float(number) for number in range(101)], 2, "floor_")
    assert figures["floor_p50_ms"] == 50
    assert figures["floor_p95_ms"] == 95
    assert figures["floor_max_ms"] == 100
    assert (figures["floor_n"], figures["floor_lost"]) == (101, 2)


def test_the_bench_explains_itself() -> None:
    script = Path(loop.__file__)
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, check=True
    )
    assert "p95_ms" in done.stdout
