"""Correlations over recorded events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contract.document import read
from contract.timestamps import iso
from correlate.sigma.compile import load
from correlate.sigma.engine import Engine
from correlate.sigma.rules import RuleSet
from runtime.backtest import Correlated

RULES = """
title: Failed
id: 11111111-0000-4000-8000-000000000001
name: failed
logsource: {category: authentication}
detection: {s: {event.outcome: failure}, condition: s}
---
title: Worked
id: 11111111-0000-4000-8000-000000000002
name: worked
logsource: {category: authentication}
detection: {s: {event.outcome: success}, condition: s}
---
title: Many
id: many
level: high
correlation:
  {type: event_count, rules: [failed], group-by: [source.ip], timespan: 1m, condition: {gte: 3}}
---
title: Then none
id: none
level: low
correlation: {type: temporal_ordered, rules: [failed, worked], group-by: [source.ip], timespan: 5m}
opsonin: {absence: [worked]}
"""
START_US = 1_767_225_600_000_000


def rules(text: str = RULES) -> RuleSet:
    return load(read(text, "rules.yml"))


def logon(second: float, outcome: str = "failure", **more: Any) -> dict[str, Any]:
    return {
        "@timestamp": iso(START_US + round(second * 1_000_000)), "event.category": ["authentication"],
        "event.outcome": outcome, "source.ip": "203.0.113.7", "host.name": "web", **more,
    }  # fmt: skip


def correlated(*events: dict[str, Any], given: RuleSet | None = None) -> Correlated:
    ruleset = given or rules()
    found = Correlated(ruleset)
    engine = Engine(ruleset.detections.values())
    for event in events:
        found.add(event, msgspec.json.encode(event), engine.match(event))
    return found


def titles(found: Correlated) -> list[str]:
    return [alert.rule.name for alert in found.alerts()]


def test_the_alerts_that_stand_at_the_end_are_those_of_correlations_alone() -> None:
    assert titles(correlated(logon(0), logon(1), logon(2), logon(30, "success"))) == ["Many"]


def test_what_only_more_time_would_bring_about_is_left_out() -> None:
    assert titles(correlated(logon(0))) == []
    assert titles(correlated(logon(0), logon(1000, "success"))) == ["Then none"]


def test_an_equal_line_counts_once() -> None:
    assert titles(correlated(logon(0), logon(0), logon(0), logon(1, "success"))) == []


def test_what_comes_too_late_takes_no_part_and_is_counted() -> None:
    found = correlated(logon(0), logon(200), logon(1), logon(2), logon(201, "success"))
    assert titles(found) == []
    assert found.counted["many", "correlation_late_events"] == 2


@pytest.mark.parametrize("stamp", [None, "", True, "never", "2026-13-01T00:00:00Z", [1]])
def test_an_event_without_a_time_takes_no_part_and_is_counted(stamp: Any) -> None:
    found = correlated(*({**logon(n), "@timestamp": stamp} for n in range(3)))
    assert (titles(found), found.untimed) == ([], 3)


def test_a_time_is_also_found_where_windows_writes_it() -> None:
    events = [logon(second) for second in range(3)]
    for event in events:
        event["UtcTime"] = event.pop("@timestamp").replace("T", " ").removesuffix("Z")
    assert titles(correlated(*events)) == ["Many"]


def test_a_correlation_that_is_wrong_is_named_and_left_out() -> None:
    wrong = rules(RULES.replace("gte: 3", "gte: many"))
    found = correlated(*(logon(second) for second in range(3)), given=wrong)
    assert titles(found) == []
    assert "rules.yml:" in str(found.errors[0])
