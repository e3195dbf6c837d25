"""Snort: the forms' corners."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path

import pytest

from contract.ports import Context
from ingest.adapters.snort_alert import ADAPTER, flush
from ingest.formats.snort_stamp import stamp_us

SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev"
RECEIVED_US = 1_780_000_000_000_000  # 2026-05-28T20:26:40Z


def context() -> Context:
    return Context(received_us=RECEIVED_US)


@pytest.mark.parametrize(
    "text", ["05/04-10:00:00.5", "05/04/26-10:00:00.5", "26/05/04-10:00:00.5", "05/04/2026-10:00:00.5"]
)  # fmt: skip
def test_the_four_spellings_of_a_day_are_one(text: str) -> None:
    assert stamp_us(text, UTC, RECEIVED_US) == 1_777_888_800_500_000


def test_an_address_of_ipv6_keeps_its_last_group_where_there_are_no_ports() -> None:
    line = "05/04-10:00:00.5 [**] [1:1:1] m [**] [Priority: 3] {IPV6-ICMP} 2001:db8::10 -> 2001:db8::80"
    (event,) = ADAPTER.parse(line.encode(), context())
    assert (event["source.ip"], event["destination.ip"]) == ("2001:db8::10", "2001:db8::80")
    assert "destination.port" not in event


def test_a_full_alert_line_by_line_is_one_event_and_its_tail_none() -> None:
    lines = (
        "[**] [1:1:1] worm [**]", "[Priority: 2] ", "05/04-10:10:00.5 192.0.2.10:1 -> 192.0.2.5:2",
        "UDP TTL:108 TOS:0x0 ID:1", "Len: 376", "",
    )  # fmt: skip
    where = context()
    found = [event for line in lines for event in ADAPTER.parse(line.encode(), where)]
    assert len(found) == 1
    assert found[0]["source.port"] == 1
    assert flush(where) == []


def test_a_full_alert_cut_before_its_addresses_comes_at_the_end() -> None:
    where = context()
    ADAPTER.parse(b"[**] [1:77:1] worm [**]", where)
    (event,) = flush(where)
    assert event["rule.id"] == "77"


@pytest.mark.parametrize(("word", "kind"), [("[Drop] ", "denied"), ("", "allowed"), ("[wDrop] ", "allowed")])  # fmt: skip
def test_only_what_was_dropped_is_denied(word: str, kind: str) -> None:
    line = f"05/04-10:00:00.5 {word}[**] [1:1:1] m [**] [Priority: 3] {{TCP}} 192.0.2.1:1 -> 192.0.2.2:2"
    (event,) = ADAPTER.parse(line.encode(), context())
    assert event["event.type"] == [kind]


@pytest.mark.shared
def test_the_public_fast_alerts_are_read_whole() -> None:
    path = SHARED / "suricata_verify/fast_log/cases.jsonl"
    if not path.exists():
        pytest.skip("the shared data are absent")
    for line in path.read_text().splitlines():
        text = json.loads(line)["input"]
        (event,) = ADAPTER.parse(text.encode(), context())
        assert event["rule.id"]
        assert ("source.ip" in event) == ("Raw pkt" not in text)
