"""State at rest: versioned, small, and readable from an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.document import read
from contract.errors import StoreError
from contract.event import Event, Match
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import START_US, Alerts, MemoryHost
from correlate.sigma.rules import load

DATA = Path(__file__).parents[2] / "data" / "rule" / "window_state"
TEXT = """
title: a
id: ra
logsource: {product: windows}
detection: {s: {E: a}, condition: s}
---
title: corr
id: corr
correlation:
  type: value_sum
  rules: [ra]
  group-by: [source.ip]
  timespan: 10s
  condition: {field: source.bytes, gte: 10}
"""


def run_of(text: str = TEXT) -> Alerts:
    return Alerts(aggregate(load(read(text, "x.yml")), Settings(lateness="60s")))


def match(at: int, size: float = 4, ip: str = "10.0.0.1") -> Match:
    fields = {"source.ip": ip, "source.bytes": size, "host.name": "web1"}
    event = Event.of(fields, id=f"e{at}", time_us=START_US + at * 1_000_000, source="s")
    return Match("ra", event)


def test_a_stored_snapshot_of_an_earlier_run_goes_on() -> None:
    stored = json.loads((DATA / "version_1.json").read_text("utf-8"))
    run = run_of()
    run.host.stored = {
        key: {name: json.dumps(part).encode() for name, part in parts.items()}
        for key, parts in stored.items()
    }
    run.host.restart()
    run.take(match(4))
    run.time(START_US + 10**12)
    (alert,) = run.final()
    assert alert.events == ("e0", "e1", "e2", "e4")
    assert alert.revision > 1
    assert alert.entities[0].value == "web1"


def test_only_what_changed_is_written() -> None:
    run = run_of()
    run.take(match(0))
    run.host.store()
    (logic,) = run.host.logics.values()
    assert logic.snapshot() == {}
    run.take(match(40))
    assert [name[0] for name in logic.snapshot()] == ["e"]


def test_one_entry_is_one_small_part() -> None:
    run = run_of()
    run.take(match(0))
    run.host.store()
    ((_, part),) = next(iter(run.host.stored.values())).items()
    assert len(part) < 300
    assert json.loads(part)["version"] == 1


def test_state_of_another_form_of_the_rule_is_not_taken() -> None:
    run = run_of()
    run.take(match(0, 9))
    run.host.store()
    other = run_of(TEXT.replace("10s", "20s"))
    other.host.stored = run.host.stored
    other.host.restart()
    other.take(match(1, 9))
    assert other.final() == []
    other.host.restart()
    other.take(match(2, 9))
    assert [one.events for one in other.final()] == [("e1", "e2")]


def test_state_of_a_rule_that_is_gone_is_let_go_of() -> None:
    run = run_of()
    run.take(match(0))
    run.host.store()
    other = MemoryHost(aggregate(load(read(TEXT.partition("---")[0], "x.yml")), Settings()))
    other.stored = run.host.stored
    other.restart()
    assert list(other.time(START_US)) == []
    other.store()
    assert other.stored == {}
    assert other.logics == {}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (b"{", "cannot be read"),
        (b'{"version":99,"digest":"x","wake":null,"entries":[],"fires":[]}', "version 99"),
    ],
)
def test_unreadable_state_is_an_error_that_names_the_group(part: bytes, words: str) -> None:
    stage = aggregate(load(read(TEXT, "x.yml")), Settings())
    with pytest.raises(StoreError, match=words):
        stage.open("corr\x1f10.0.0.1", {"e1": part})


def test_decimals_come_back_as_they_were() -> None:
    run = run_of(TEXT.replace("gte: 10", "eq: 4.4"))
    run.take(match(0, 1.1))
    run.host.restart()
    run.take(match(1, 3.3))
    assert len(run.final()) == 1
