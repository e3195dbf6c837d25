"""The result is a function of the set of events: any order within the lateness, and a restart anywhere."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.document import read
from contract.event import Event, Match
from contract.records import Alert
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load
from correlate.window import revising

DETECTIONS = "".join(
    f"""
title: {name}
name: r{name}
id: r{name}
logsource: {{product: windows}}
detection: {{selection: {{E: {name}}}, condition: selection}}
---
"""
    for name in "abc"
)


def correlation(body: str) -> str:
    indented = "\n".join(f"  {line}" for line in body.strip().splitlines())
    return f"title: corr\nid: corr\ncorrelation:\n{indented}\n"


KINDS = {
    "fold": "",
    "event_count": "type: event_count\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {gte: 3}",
    "event_count range": "type: event_count\nrules: [ra, rb]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {gt: 2, lt: 5}",
    "event_count at most": "type: event_count\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 5s\ncondition: {lt: 3}",
    "value_count": "type: value_count\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {field: v, gte: 3}",
    "value_sum": "type: value_sum\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {field: v, gt: 7}",
    "value_avg": "type: value_avg\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {field: v, gte: 2.5}",
    "value_median": "type: value_median\nrules: [ra]\ngroup-by: [source.ip]\ntimespan: 10s\ncondition: {field: v, gte: 3}",
    "value_percentile": "type: value_percentile\nrules: [ra]\ntimespan: 10s\ncondition: {field: v, percentile: 90, gte: 4}",
    "rare value": "type: value_percentile\nrules: [ra]\ntimespan: 30s\ncondition: {field: v, lte: 20}",
    "temporal": "type: temporal\nrules: [ra, rb]\ngroup-by: [source.ip]\ntimespan: 10s",
    "temporal not": "type: temporal\nrules: [ra, rb, rc]\ntimespan: 8s\ncondition: ra and rb and not rc",
    "temporal_ordered": "type: temporal_ordered\nrules: [ra, rb, rc]\ngroup-by: [source.ip]\ntimespan: 10s",
    "absence": "type: temporal_ordered\nrules: [ra, rb]\ngroup-by: [source.ip]\ntimespan: 5s\nopsonin: {absence: rb}",
    "always": "type: event_count\nrules: [ra]\ntimespan: 10s\ncondition: {gte: 3}\nopsonin: {refire: always}",
    "refire": "type: event_count\nrules: [ra]\ntimespan: 5s\ncondition: {gte: 2}\nopsonin: {refire: 12s, suppress: 2s}",
    "nested": "type: temporal_ordered\nrules: [many, rb]\ngroup-by: [source.ip]\ntimespan: 10s",
}
MANY = """---
title: many
id: many
name: many
correlation:
  type: event_count
  rules: [ra]
  group-by: [host.name]
  timespan: 5s
  condition: {gte: 2}
"""


def stage_of(kind: str) -> Any:
    text = DETECTIONS + (correlation(KINDS[kind]) if KINDS[kind] else "")
    if kind == "nested":
        text += MANY
    rules = load(read(text, "corr.yml"))
    assert not rules.errors
    return aggregate(rules, Settings(lateness="60s", fold="5s"))


Spec = tuple[int, str, int, int]
SPECS = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from("aaabbc"), st.integers(1, 5), st.integers(0, 1)),
    min_size=1,
    max_size=25,
)


def matches(specs: list[Spec]) -> list[Match]:
    found = []
    for number, (at, rule, value, group) in enumerate(specs):
        time = START_US + at * 1_000_000 + number % 3
        fields = {"source.ip": f"10.0.0.{group}", "host.name": f"h{number % 2}", "v": value}
        event = Event.of(fields, id=f"e{number:03}", time_us=time, source="s")
        found.append(Match(f"r{rule}", event))
    return found


def told(run: Alerts) -> dict[str, Alert]:
    return {one.id: one.model_copy(update={"revision": 1}) for one in run.final()}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_within_the_lateness_gives_the_same_final_alerts(
    kind: str, data: st.DataObject
) -> None:
    specs = data.draw(SPECS)
    items = matches(specs)
    inorder = sorted(items, key=lambda item: (item.event.time_us, item.event.id))
    expected = Alerts(stage_of(kind))
    for item in inorder:
        expected.take(item)
        expected.time(item.event.time_us)
    expected.time(END_US)
    shuffled = data.draw(st.permutations(items))
    run = Alerts(stage_of(kind))
    for number, item in enumerate(shuffled):
        run.take(item)
        if number % 4 == 0:
            run.take(item)  # the same event again
        # All events lie within a minute, the allowed lateness: the watermark may stand at its end.
        run.time(START_US + data.draw(st.sampled_from([0, 30, 60])) * 1_000_000)
    run.time(END_US)
    assert told(run) == told(expected)
    assert not run.host.logics or all(logic.is_empty() for logic in run.host.logics.values())


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_restart_at_any_step_changes_nothing(kind: str, data: st.DataObject) -> None:
    items = data.draw(st.permutations(matches(data.draw(SPECS))))
    steps = [data.draw(st.integers(0, 70)) for _ in items]
    runs = (Alerts(stage_of(kind)), Alerts(stage_of(kind)))
    for number, item in enumerate(items):
        for run in runs:
            run.take(item)
            run.time(START_US + max(steps[: number + 1]) * 1_000_000)
        runs[1].host.restart()
    for run in runs:
        run.time(END_US)
    assert [one.model_dump() for one in runs[0].told] == [one.model_dump() for one in runs[1].told]
    runs[1].host.store()
    assert runs[1].host.stored == {}


FLOODS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("aaabbc"), st.integers(1, 5), st.just(0)),
    min_size=4,
    max_size=40,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_entries_that_wait_to_be_decided_are_told_as_if_each_were_decided_at_once(
    kind: str, data: st.DataObject
) -> None:
    specs = data.draw(FLOODS)
    if data.draw(st.booleans()):  # a log by the second; else clocks that differ
        specs.sort(key=itemgetter(0))
    numbers = data.draw(st.permutations(range(len(specs))))
    items = []
    for (second, rule, value, _), number in zip(specs, numbers, strict=True):
        fields = {"source.ip": "10.0.0.0", "host.name": f"h{number % 2}", "v": value}
        time = START_US + second * 1_000_000
        event = Event.of(fields, id=f"e{number:03}", time_us=time, source="s")
        items.append(Match(f"r{rule}", event))
    again = data.draw(st.lists(st.sampled_from(items), max_size=3))
    plain, waiting, restarted = (Alerts(stage_of(kind)) for _ in range(3))
    for number, item in enumerate([*items, *again]):
        now = START_US + data.draw(st.integers(0, 4)) * 1_000_000
        plain.take(item)
        plain.time(now)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(revising, "AT_ONCE", data.draw(st.integers(0, 4)))
            patch.setattr(revising, "SHARE", 2)
            for run in (waiting, restarted):
                run.take(item)
                run.time(now)
        if number % 3 == 2:
            restarted.host.restart()
    for run in (waiting, restarted, plain):
        run.time(END_US)
    assert told(waiting) == told(plain)
    assert [one.model_dump() for one in restarted.told] == [
        one.model_dump() for one in waiting.told
    ]
    restarted.host.store()
    assert restarted.host.stored == {}
