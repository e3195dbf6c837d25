"""A new rule set takes over the groups whose rule means the same; the others' state goes."""

from __future__ import annotations

from typing import Any

from contract.document import read
from contract.event import Event, Match
from contract.records import Alert
from correlate.aggregate import Settings, aggregate
from correlate.rehearse import START_US
from correlate.sigma.compile import load
from runtime.stage_runner import NEVER, StageRunner

RULE = """
title: a
id: ra
logsource: {product: windows}
detection: {s: {E: a}, condition: s}
---
title: corr
id: corr
correlation:
  type: event_count
  rules: [ra]
  group-by: [ip]
  timespan: 10s
  condition: {gte: 3}
"""
OTHER = """---
title: other
id: other
correlation:
  type: value_count
  rules: [ra]
  group-by: [host.name]
  timespan: 1h
  condition: {field: colour, gte: 100}
"""


def stage(text: str) -> Any:
    return aggregate(load(read(text, "x.yml")), Settings(lateness="5s"))


def match(at: float, ip: str = "10.0.0.1") -> Match:
    fields = {"ip": ip, "host.name": "web1", "colour": "red"}
    return Match(
        "ra", Event.of(fields, id=f"e{at:g}{ip}", time_us=START_US + round(at * 1e6), source="s")
    )


def alerts(outputs: Any) -> list[Alert]:
    return [one for one in outputs if isinstance(one, Alert)]


def test_groups_go_on_under_rules_that_keep_other_fields() -> None:
    runner = StageRunner(stage(RULE))
    for at in (0, 1):
        runner.take(match(at))
    runner.take(match(0, "10.0.0.2"))
    runner.changes()
    assert runner.replace(stage(RULE + OTHER)) == 0
    (alert,) = alerts(runner.take(match(2)))
    assert alert.events == ("e010.0.0.1", "e110.0.0.1", "e210.0.0.1")
    assert len(runner) == 3  # two addresses and a host


def test_an_alert_goes_on_under_rules_that_keep_other_fields() -> None:
    runner = StageRunner(stage(RULE))
    for at in (0, 1, 2):
        runner.take(match(at))
    runner.changes()
    assert runner.replace(stage(RULE + OTHER)) == 0
    told = alerts([one for at in range(3, 8) for one in runner.take(match(at))])
    assert told[-1].event_count == 8
    assert told[-1].fields["host.name"] == "web1"


def test_groups_wake_as_the_new_rule_says() -> None:
    runner = StageRunner(stage(RULE))
    runner.take(match(0))
    runner.changes()
    assert runner.replace(stage(RULE + "  opsonin: {lateness: 1h}\n")) == 0
    list(runner.advance(START_US + 600_000_000))
    assert len(runner) == 1
    list(runner.advance(NEVER - 1))
    runner.changes()
    assert len(runner) == 0


def test_state_of_a_rule_that_means_something_else_goes_from_the_store_too() -> None:
    runner = StageRunner(stage(RULE))
    runner.take(match(0))
    stored = runner.changes()
    assert runner.replace(stage(RULE.replace("10s", "20s"))) == 1
    assert runner.changes().keys() >= stored.keys()
    for at in (1, 2):
        assert not alerts(runner.take(match(at)))
    assert len(alerts(runner.take(match(3)))) == 1
