"""State at rest: versioned, small, and readable from an earlier run."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest

from contract.document import read
from contract.errors import StoreError
from contract.event import Event, Match
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import START_US, Alerts, MemoryHost
from correlate.sigma.compile import load
from correlate.window.decoding import decode
from correlate.window.known import held
from correlate.window.shard import Shard

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
    stored = json.loads((DATA / "version_2.json").read_text("utf-8"))
    run = run_of()
    run.host.stored = {
        key: {name: b64decode(part) for name, part in parts.items()}
        for key, parts in stored.items()
    }
    run.host.restart()
    run.take(match(4))
    run.time(START_US + 10**12)
    (alert,) = run.final()
    assert alert.events == ("e0", "e1", "e2", "e4")
    assert alert.revision > 1
    assert alert.entities[0].value == "web1"


def test_state_from_before_groups_shared_parts_is_let_go_of_and_said() -> None:
    stored = json.loads((DATA / "version_1.json").read_text("utf-8"))
    run = run_of()
    run.host.stored = {
        key: {name: json.dumps(part).encode() for name, part in parts.items()}
        for key, parts in stored.items()
    }
    run.host.restart()
    run.time(START_US)
    assert [notice.name for notice in run.notices] == ["correlation_unknown_rules"]
    run.host.store()
    assert run.host.stored == {}


def test_what_comes_after_state_that_was_let_go_of_is_kept_where_there_is_one_group_of_all() -> (
    None
):
    run = run_of(TEXT.replace("  group-by: [source.ip]\n", ""))
    run.take(match(0, 9))
    run.host.store()
    (key,) = run.host.stored
    run.host.stored = {key: {"state": b'{"version": 1}'}}
    run.host.restart()
    run.take(match(1, 9))
    run.time(START_US)
    run.take(match(2, 9))
    assert [alert.events for alert in run.final()] == [("e1", "e2")]


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
    assert len(part) < 200


def test_a_part_goes_when_time_has_passed_its_entries() -> None:
    run = run_of()
    names = set()
    for number in range(200):
        run.take(match(number, 1))
        run.time(START_US + number * 1_000_000)
        run.host.store()
        (parts,) = run.host.stored.values()
        names |= parts.keys()
        assert len(parts) < 90  # a lateness of 60 s, a span of 10 s, and what is rounded
    assert len(names) > 200


def test_an_entry_of_the_far_future_does_not_hold_up_the_others() -> None:
    run = run_of()
    run.take(match(10**6, 1, "10.0.0.2"))
    run.host.store()
    for number in range(1000):
        # Groups of one shard, or the far entry would be in a journal of its own.
        run.take(match(number, 1, "10.0.0.2"))
        run.time(START_US + number * 1_000_000)
        run.host.store()
    (parts,) = run.host.stored.values()
    assert len(parts) < 300
    run.host.restart()
    run.take(match(10**6 + 1, 9, "10.0.0.2"))
    assert [one.events for one in run.final()][-1] == ("e1000000", "e1000001")


def test_a_head_outlives_the_part_that_it_was_stored_in() -> None:
    runs = run_of(), run_of()
    for number in range(300):
        for run in runs:
            run.take(match(number, 9))
            run.time(START_US + number * 1_000_000)
        runs[1].host.restart()
    for run in runs:
        run.time(START_US + 10**12)
    assert [one.model_dump() for one in runs[0].told] == [one.model_dump() for one in runs[1].told]
    assert len(runs[0].final()) == 1


def test_what_a_late_event_takes_from_an_alert_is_stored() -> None:
    text = TEXT.replace("value_sum", "value_avg").replace("gte: 10", "gte: 2.5")
    runs = run_of(text), run_of(text)
    for at, size in ((23, 5), (22, 1), (32, 2), (31, 1)):  # the last two: in time, and late
        for run in runs:
            run.take(match(at, size))
        runs[1].host.restart()
    for run in runs:
        run.time(START_US + 10**12)
    assert [one.events for one in runs[0].told] == [one.events for one in runs[1].told]


def test_numbers_beyond_64_bits_are_stored() -> None:
    run = run_of(TEXT.replace("gte: 10", f"eq: {10**40 + 1}"))
    run.take(match(0, 10**40))
    run.take(match(1, 0))
    run.host.restart()
    run.take(match(2, 1))
    assert len(run.final()) == 1


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
        (b"\x98", "cannot be read"),
        (b"\x92\x63\xa1x", "version 99"),
    ],
)
def test_unreadable_state_is_an_error_that_names_the_group(part: bytes, words: str) -> None:
    stage = aggregate(load(read(TEXT, "x.yml")), Settings())
    with pytest.raises(StoreError, match=words):
        stage.open("corr\x1f1", {"e1": part})


def test_decimals_come_back_as_they_were() -> None:
    run = run_of(TEXT.replace("gte: 10", "eq: 4.4"))
    run.take(match(0, 1.1))
    run.host.restart()
    run.take(match(1, 3.3))
    assert len(run.final()) == 1


def test_firings_that_only_extend_an_alert_outlive_a_restart() -> None:
    runs = run_of(), run_of()
    for number in range(40):
        for run in runs:
            run.take(match(number, 9))
        runs[1].host.restart() if number % 3 else runs[1].host.store()
    for run in runs:
        run.time(START_US + 10**12)
    assert [one.model_dump() for one in runs[0].told] == [one.model_dump() for one in runs[1].told]
    assert runs[0].told[-1].event_count == 40


def test_what_only_extends_an_alert_is_stored_as_a_row_not_as_a_head() -> None:
    run = run_of()
    for number in range(20):
        run.take(match(number, 9))
    run.host.store()
    run.take(match(20, 9))
    (logic,) = run.host.logics.values()
    ((_, part),) = logic.snapshot().items()
    assert part is not None
    stored = decode(part, "corr")
    assert not stored.heads
    assert not stored.blocks
    assert stored.fired == {0: START_US + 10_000_000}


def test_a_group_that_never_fired_is_stored_as_rows_alone() -> None:
    run = run_of()
    for number in range(8):
        run.take(match(number, 0.5))
    (logic,) = run.host.logics.values()
    ((_, part),) = logic.snapshot().items()
    assert part is not None
    assert not decode(part, "corr").heads


def test_groups_too_few_to_satisfy_come_back_as_they_were() -> None:
    text = TEXT.replace("value_sum", "event_count").replace(
        "field: source.bytes, gte: 10", "gte: 4"
    )
    runs = run_of(text), run_of(text)
    for at, ip in (
        (0, "a"),
        (3, "b"),
        (5, "a"),
        (100, "a"),
        (101, "b"),
        (102, "a"),
        (103, "a"),
        (104, "a"),
    ):
        for run in runs:
            run.take(match(at, ip=ip))
            run.time(START_US + at * 1_000_000)
        runs[1].host.restart()
    assert [[one.events for one in run.final()] for run in runs] == [
        [("e100", "e102", "e103", "e104")]
    ] * 2
    shards = [logic for logic in runs[1].host.logics.values() if isinstance(logic, Shard)]
    assert sum(map(held, (known for shard in shards for known in shard.groups.values()))) == 5


def test_an_inner_alert_that_moved_is_still_there_after_a_restart() -> None:
    inner = """
title: many
id: many
name: many
correlation: {type: event_count, rules: [ra], group-by: [host.name], timespan: 5s, condition: {gte: 2}}
---
"""
    outer = """
title: b
id: rb
logsource: {product: windows}
detection: {s: {E: b}, condition: s}
---
title: corr
id: corr
correlation: {type: temporal_ordered, rules: [many, rb], group-by: [source.ip], timespan: 10s}
"""
    text = TEXT.partition("---")[0] + "---" + inner + outer.lstrip("\n")
    runs = run_of(text), run_of(text)
    for at, host in (
        (0, "h0"),
        (1, "h0"),
        (4, "h1"),
        (5, "h1"),
        (3, "h1"),
    ):  # the last: the alert of h1 began earlier
        for run in runs:
            run.take(on_host(at, host))
        runs[1].host.restart()
    for run in runs:
        run.take(Match("rb", match(6).event))
    assert [one.model_dump() for one in runs[0].told] == [one.model_dump() for one in runs[1].told]
    assert runs[0].told[-1].rule.id == "corr"


def on_host(at: int, host: str) -> Match:
    found = match(at)
    found.event.fields["host.name"] = host
    return found
