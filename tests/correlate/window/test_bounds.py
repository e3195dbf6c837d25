"""Each bound is a setting; what passes it is counted, and what is told past it is stated."""

from __future__ import annotations

from typing import Any

import pytest

from contract.document import read
from contract.event import SENSOR_RULE, Event, Match
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load
from correlate.window.measured import Summed
from correlate.window.shard import Shard
from correlate.window.sketch import ERROR, SlidingSketch
from correlate.window.window import Window

RULE = """
title: a
id: ra
logsource: {product: windows}
detection: {s: {E: a}, condition: s}
"""
CORR = (
    RULE
    + """---
title: corr
id: corr
correlation:
  type: %s
  rules: [ra]
  group-by: [ip]
  timespan: %s
  condition: {%s}
"""
)


def run_of(text: str, **settings: Any) -> Alerts:
    return Alerts(aggregate(load(read(text, "x.yml")), Settings(**settings)))


def match(at: float, number: int, rule: str = "ra", **fields: Any) -> Match:
    time = START_US + round(at * 1e6)
    return Match(rule, Event.of({"ip": "1", **fields}, id=f"e{number}", time_us=time, source="s"))


def named(run: Alerts, name: str) -> int:
    return sum(notice.amount for notice in run.notices if notice.name == name)


def windows(run: Alerts) -> list[Window]:
    return [
        one for shard in shards(run) for one in shard.groups.values() if isinstance(one, Window)
    ]


def shards(run: Alerts) -> list[Shard]:
    return [logic for logic in run.host.logics.values() if isinstance(logic, Shard)]


def test_groups_beyond_the_bound_are_counted_and_later_ones_find_room_again() -> None:
    run = run_of(CORR % ("event_count", "10s", "gte: 2"), max_keys=3)
    for number in range(5):
        run.take(match(0, number, ip=f"10.0.0.{number}"))
    assert named(run, "correlation_groups_refused") == 2
    run.host.store()
    run.time(START_US + 3_600_000_000)
    run.host.store()
    run.take(match(4000, 6, ip="10.0.0.4"))
    run.take(match(4001, 7, ip="10.0.0.4"))
    assert [one.event_count for one in run.final()] == [2]


def test_an_event_of_more_groups_than_one_may_be_in_is_counted() -> None:
    run = run_of(CORR % ("event_count", "10s", "gte: 1"))
    run.take(match(0, 0, ip=[f"10.0.0.{n}" for n in range(20)]))
    assert len(run.final()) == 16
    assert named(run, "correlation_groups_refused") == 1


def test_a_late_event_is_counted_even_where_its_group_was_forgotten() -> None:
    run = run_of(CORR % ("event_count", "10s", "gte: 2"), lateness="5s")
    run.take(match(0, 0, ip="10.0.0.1"))
    run.time(START_US + 3_600_000_000)
    for number in (1, 2):
        run.take(match(number, number, ip="10.0.0.2"))
        run.time(START_US + 3_600_000_000)
    assert run.final() == []
    assert named(run, "correlation_late_events") == 2


def test_a_late_event_of_a_detection_is_told_and_not_held() -> None:
    run = run_of(RULE, lateness="5s")
    run.take(match(0, 0, **{"source.ip": "10.0.0.1"}))
    run.take(match(20, 1, **{"source.ip": "10.0.0.1"}))
    run.time(START_US + 60_000_000)
    (shard,) = shards(run)
    held = shard.facts.held
    run.take(match(1, 2, **{"source.ip": "10.0.0.1"}))
    assert len(run.final()) == 2
    assert named(run, "correlation_late_events") == 1
    assert shard.facts.held == held


def test_a_detection_is_told_even_beyond_the_bound() -> None:
    run = run_of(RULE, max_keys=2)
    for number in range(4):
        run.take(match(0, number, **{"source.ip": f"10.0.0.{number}"}))
    assert len(run.final()) == 4
    assert named(run, "correlation_groups_refused") == 2


def test_entries_beyond_the_bound_are_counted_and_the_alert_still_counts_all() -> None:
    run = run_of(CORR % ("event_count", "1h", "gte: 50"), max_events=100)
    for number in range(1000):
        run.take(match(number / 10, number))
    run.time(START_US + 100 * 3_600_000_000)
    (alert,) = run.final()
    assert alert.event_count == 1000
    assert named(run, "correlation_events_dropped") > 800


def test_entries_of_all_groups_together_are_bounded() -> None:
    run = run_of(CORR % ("event_count", "1h", "gte: 1000"), max_all_events=500)
    for number in range(3000):
        run.take(match(number / 10, number, ip=f"10.0.0.{number % 5}"))
    kept = sum(len(window.entries) for window in windows(run))
    assert kept <= 500
    assert named(run, "correlation_events_dropped") + kept == 3000
    run.time(START_US + 10**13)
    run.take(match(10**6, 9999))
    (shard,) = [one for one in shards(run) if one.groups]
    assert shard.facts.held == 1


def test_too_many_distinct_values_are_estimated_and_the_alert_says_how_well() -> None:
    run = run_of(CORR % ("value_count", "1h", "field: v, gte: 4000"), max_values=1000)
    fired = None
    for number in range(6000):
        run.take(match(number / 100, number, v=f"value {number}"))
        if run.told and fired is None:
            fired = number
    assert fired is not None
    assert abs(fired - 4000) < 4 * ERROR * 4000
    assert run.told[0].fields["opsonin.distinct_error"] == ERROR
    assert named(run, "correlation_values_estimated") > 0


def test_estimates_survive_a_restart() -> None:
    runs = [
        run_of(CORR % ("value_count", "1m", "field: v, gte: 900"), max_values=500) for _ in "ab"
    ]
    for number in range(3000):
        for run in runs:
            run.take(match(number / 50, number, v=f"value {number % 1500}"))
        if number % 100 == 0:
            runs[1].host.restart()
    assert runs[0].told
    assert [one.model_dump() for one in runs[0].told] == [one.model_dump() for one in runs[1].told]


def test_few_values_again_are_counted_exactly_again() -> None:
    run = run_of(CORR % ("value_count", "10s", "field: v, eq: 3"), max_values=100)
    for number in range(300):
        run.take(match(number / 100, number, v=f"value {number}"))
    for number in range(300, 500):
        run.take(match(number, number, v=f"value {number % 2}"))
    (window,) = windows(run)
    assert window.evaluator.sketch is None


def test_a_sketch_is_as_good_as_it_says_over_a_wide_range() -> None:
    sketch = SlidingSketch(1_000_000)
    wrong = 0
    for number in range(1, 100_001):
        sketch.add(0, f"v{number}")
        if number % 5000 == 0:
            wrong += abs(sketch.count() - number) > 3 * ERROR * number
    assert wrong == 0


def test_a_sketch_forgets_what_left_the_span() -> None:
    sketch = SlidingSketch(16_000_000)
    for number in range(20_000):
        sketch.add(number * 1000, f"v{number}")
    assert sketch.expire(16_000_000)
    assert abs(sketch.count() - 4000) < 0.1 * 4000


def test_an_alert_lists_no_more_events_and_entities_than_the_settings_say() -> None:
    run = run_of(
        RULE + "opsonin: {fold-by: [source.ip]}\n", max_alert_events=5, max_alert_entities=4
    )
    for number in range(50):
        run.take(
            match(number, number, **{"source.ip": "10.0.0.1", "destination.ip": f"10.0.1.{number}"})
        )
    run.time(START_US + 10**12)
    (alert,) = run.final()
    assert alert.events == tuple(f"e{n}" for n in range(5))
    assert len(alert.entities) == 4
    assert alert.event_count == 50


def test_a_flood_of_one_sensor_alert_folds_per_pair_and_is_forgotten() -> None:
    run = run_of(RULE)
    for number in range(3000):
        fields = {
            "event.kind": "alert", "rule.id": "1", "rule.name": "scan", "event.severity": 1,
            "event.module": "suricata", "source.ip": f"10.0.0.{number % 3}", "destination.ip": "10.9.0.1",
        }  # fmt: skip
        run.take(match(number / 10, number, SENSOR_RULE, **fields))
    run.time(START_US + 10**12)
    assert [one.event_count for one in run.final()] == [1000] * 3
    assert {one.rule.level for one in run.final()} == {"high"}
    run.host.store()
    assert not run.host.logics
    assert not run.host.stored


def test_a_sensor_alert_after_a_pause_is_a_new_alert_so_that_its_time_is_told() -> None:
    """Chains order the steps of an attack by the times of alerts; a fold of minutes would hide which began first."""
    run = run_of(RULE)
    fields = {
        "event.kind": "alert", "rule.id": "1", "rule.name": "new event type", "host.name": "web01",
    }  # fmt: skip
    for at in (0, 9, 39):
        run.take(match(at, at, SENSOR_RULE, **fields))
    run.time(START_US + 10**9)
    assert sorted(one.event_count for one in run.final()) == [1, 2]


def test_values_that_time_lets_go_of_are_no_reason_to_estimate() -> None:
    run = run_of(CORR % ("value_count", "10s", "field: v, gte: 3"))
    for number in range(3):
        run.take(match(number, number, v=f"value {number}"))
    (window,) = windows(run)
    window.drop(
        len(window.entries)
    )  # as when time lets go of them while the episode waits for more
    assert window.evaluator.sketch is None


def test_values_that_a_bound_lets_go_of_are_still_estimated() -> None:
    run = run_of(
        CORR % ("value_count", "1h", "field: v, gte: 150") + "opsonin: {max-events: 100}\n"
    )
    for number in range(200):
        run.take(match(number, number, v=f"value {number}"))
    run.time(END_US)
    (found,) = (one for one in run.final() if one.rule.id == "corr")
    assert found.fields["opsonin.distinct_error"] == ERROR
    assert named(run, "correlation_events_dropped") > 0


@pytest.mark.parametrize("apart", [0, 1], ids=["of one second", "before others"])
@pytest.mark.parametrize("behind", [False, True], ids=["in time", "behind time"])
def test_flood_is_decided_again_by_shares_not_entry_by_entry(
    apart: int, behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    plain = Summed.step

    def counted(self: Summed, entries: Any, at: int) -> int | None:
        nonlocal steps
        steps += 1
        return plain(self, entries, at)

    monkeypatch.setattr(Summed, "step", counted)
    total = 2_000
    run = run_of(CORR % ("value_sum", "10s", "field: v, gte: 3"), lateness="1h")
    for number in range(total):
        place = number * 7919 % total  # each before about half of those that are there
        fields = {"ip": "1", "v": 1}
        run.take(
            Match(
                "ra",
                Event.of(fields, id=f"e{place:05}", time_us=START_US + place * apart, source="s"),
            )
        )
        if behind:
            run.time(START_US + 1_000_000 + number * 1_000)
    run.time(END_US)
    assert [one.event_count for one in run.final() if one.rule.id == "corr"] == [total]
    assert steps < 40 * total
