"""What time lets go of was of no more use: a watermark close behind the events, or none until the end, gives the same alerts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.document import read
from contract.event import Event, Match
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load
from runtime.stage_runner import StageRunner
from tests.correlate.window.test_shuffle import DETECTIONS, KINDS, MANY, correlation, told

SECOND = 1_000_000
LATENESS = 4
KINDS_HERE = KINDS | {
    "later steps": "type: temporal_ordered\nrules: [ra, rb]\ngroup-by: [source.ip]\ntimespan: 60s",
    "either order": "type: temporal_ordered\nrules: [ra, rb, rc]\ntimespan: 40s\ncondition: (ra and rb) or (rb and rc)",
    "later and not": "type: temporal_ordered\nrules: [ra, rb, rc]\ntimespan: 40s\ncondition: ra and rb and not rc",
}


def stage_of(kind: str) -> Any:
    text = DETECTIONS + (correlation(KINDS_HERE[kind]) if KINDS_HERE[kind] else "")
    rules = load(read(text + (MANY if kind == "nested" else ""), "corr.yml"))
    assert not rules.errors
    return aggregate(rules, Settings(lateness=f"{LATENESS}s", fold="5s"))


@st.composite
def arrivals(draw: st.DrawFn) -> list[Match]:
    """Draw events over minutes, none overtaken by one that is later by more than the lateness."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 200),
                st.sampled_from("abbbc"),
                st.integers(1, 5),
                st.integers(0, 1),
                st.integers(0, LATENESS),
            ),
            min_size=1,
            max_size=30,
        )
    )
    rows.sort(key=lambda row: row[0] + row[4])
    found = []
    for number, (at, rule, value, group, _) in enumerate(rows):
        fields = {"source.ip": f"10.0.0.{group}", "host.name": f"h{number % 2}", "v": value}
        event = Event.of(
            fields, id=f"e{number:03}", time_us=START_US + at * SECOND + number % 3, source="s"
        )
        found.append(Match(f"r{rule}", event))
    return found


@pytest.mark.parametrize("kind", KINDS_HERE)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_time_lets_go_of_changes_no_alert(kind: str, data: st.DataObject) -> None:
    items = data.draw(arrivals())
    waiting, moving, restarted = (Alerts(stage_of(kind)) for _ in range(3))
    newest = 0
    for item in items:
        newest = max(newest, item.event.time_us)
        for run in (waiting, moving, restarted):
            run.take(item)
        for run in (moving, restarted):
            run.time(newest)
        restarted.host.restart()
    for run in (waiting, moving, restarted):
        run.time(END_US)
    assert told(moving) == told(waiting)
    assert [one.model_dump() for one in moving.told] == [one.model_dump() for one in restarted.told]


def test_a_later_step_that_an_open_alert_may_come_to_hold_is_kept() -> None:
    """Its first step is gone when the alert goes on over it."""
    steps = [("ra", 0), ("rb", 10), ("rb", 50), ("rb", 66), ("ra", 80), ("rb", 100)]
    waiting, moving, restarted = (Alerts(stage_of("later steps")) for _ in range(3))
    for number, (rule, at) in enumerate(steps):
        event = Event.of(
            {"source.ip": "10.0.0.1", "v": 1},
            id=f"e{number}",
            time_us=START_US + at * SECOND,
            source="s",
        )
        for run in (waiting, moving, restarted):
            if run is not waiting:
                run.time(event.time_us)
            run.take(Match(rule, event))
        restarted.host.restart()
    for run in (waiting, moving, restarted):
        run.time(END_US)
    assert [alert.event_count for alert in told(waiting).values()] == [6]
    assert told(moving) == told(waiting)
    assert told(restarted) == told(waiting)


@pytest.mark.parametrize("seconds", range(8, 24))
def test_a_first_step_that_comes_late_finds_the_later_ones_that_may_follow_it(seconds: int) -> None:
    run = Alerts(stage_of("later steps"))
    steps = [*(("rb", at) for at in range(seconds)), ("ra", seconds - LATENESS)]
    for number, (rule, at) in enumerate(steps):
        fields = {"source.ip": "10.0.0.1"}
        event = Event.of(fields, id=f"e{number}", time_us=START_US + at * SECOND, source="s")
        run.take(Match(rule, event))
        run.time(event.time_us)
    run.time(END_US)
    assert [one.event_count for one in run.final()] == [LATENESS + 1]


def test_later_steps_without_a_first_are_let_go_of_long_before_the_time_frame_ends() -> None:
    text = DETECTIONS + correlation(
        "type: temporal_ordered\nrules: [ra, rb]\ngroup-by: [source.ip]\ntimespan: 1h"
    )
    runner = StageRunner(aggregate(load(read(text, "corr.yml")), Settings(lateness="10s")))

    def take(rule: str, at: int) -> list[Any]:
        fields = {"source.ip": "10.0.0.1"}
        event = Event.of(fields, id=f"e{at}", time_us=START_US + at * SECOND, source="s")
        return [*runner.advance(event.time_us), *runner.take(Match(rule, event))]

    facts = runner.stage.open.__self__.facts  # type: ignore[attr-defined]  # how much is held is told nowhere
    for at in range(3000):
        assert not take("rb", at)
    assert facts.held < 3600 / 8 + 20
    assert not take("ra", 3000)
    for at in range(3001, 3601):
        assert bool(take("rb", at)) == (at - 3000 in (1, 3, 7, 15, 31, 63, 127, 255, 511))
    assert facts.held > 600
    assert len(runner) == 1
