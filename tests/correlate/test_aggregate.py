"""The stage as a whole: what goes where, what is told to whom, and what a wrong rule leaves running."""

from __future__ import annotations

from typing import Any

import pytest

from contract.document import read
from contract.event import SENSOR_RULE, Event, Match
from contract.records import Alert
from correlate.aggregate import SILENT, Settings, aggregate, check
from correlate.rehearse import START_US, Alerts
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet

FAILED = """
title: Failed logon
id: failed
name: failed
level: low
tags: [attack.credential-access, attack.t1110]
logsource: {category: authentication}
detection: {s: {event.outcome: failure}, condition: s}
"""
GUESSED = """---
title: Guessed
id: guessed
name: guessed
correlation:
  type: event_count
  rules: [failed]
  group-by: [source.ip]
  timespan: 1m
  condition: {gte: 2}
"""
SPREAD = """---
title: Spread
id: spread
level: critical
correlation:
  type: value_count
  rules: [guessed]
  timespan: 10m
  condition: {field: source.ip, gte: 2}
"""


def rules(*texts: str) -> RuleSet:
    found = load(read("".join(texts), "rules.yml"))
    assert not found.errors
    return found


def match(at: float, rule: str = "failed", **fields: Any) -> Match:
    time = START_US + round(at * 1e6)
    event = Event.of(fields, id=f"e{at:g}{fields.get('source.ip', '')}", time_us=time, source="s")
    return Match(rule, event)


def run_of(found: RuleSet, **settings: Any) -> Alerts:
    return Alerts(aggregate(found, Settings(**settings)))


def test_a_detection_that_nobody_refers_to_is_an_alert_at_its_first_event() -> None:
    run = run_of(rules(FAILED))
    run.take(match(0, **{"source.ip": "203.0.113.7", "user.name": "root"}))
    (alert,) = run.told
    assert alert.rule.name == "Failed logon"
    assert alert.techniques == ("T1110",)
    assert {entity.value for entity in alert.entities} >= {"203.0.113.7", "root"}
    assert alert.revision == 1


def test_a_detection_that_a_correlation_refers_to_is_none() -> None:
    run = run_of(rules(FAILED, GUESSED))
    run.take(match(0, **{"source.ip": "203.0.113.7"}))
    assert run.told == []


def test_a_detection_may_say_that_it_alerts_all_the_same_and_is_counted_once() -> None:
    run = run_of(rules(FAILED, "opsonin: {alert: true}\n", GUESSED))
    run.take(match(0, **{"source.ip": "203.0.113.7"}))
    assert [one.rule.id for one in run.told] == ["failed"]
    run.take(match(1, **{"source.ip": "203.0.113.7"}))
    assert [one.event_count for one in run.final() if one.rule.id == "guessed"] == [2]


def test_alerts_of_an_inner_correlation_are_silent_and_reach_the_outer_one() -> None:
    run = run_of(rules(FAILED, GUESSED, SPREAD))
    for source in ("203.0.113.7", "203.0.113.8"):
        run.take(match(0, **{"source.ip": source}))
        run.take(match(1, **{"source.ip": source}))
    inner = [one for one in run.told if one.rule.id == "guessed"]
    assert all(one.fields[SILENT] for one in inner)
    (outer,) = run.final()
    assert outer.rule.level == "critical"
    assert outer.event_count == 4
    assert outer.tactics == ("credential-access",)


def test_other_actors_are_another_alert() -> None:
    run = run_of(rules(FAILED))
    for number, target in enumerate(("10.0.0.1", "10.0.0.2", "10.0.0.1")):
        run.take(match(number, **{"source.ip": "203.0.113.7", "destination.ip": target}))
    assert len(run.final()) == 2


def test_a_rule_may_say_what_it_is_folded_by() -> None:
    run = run_of(rules(FAILED, "opsonin: {fold-by: [source.ip], fold: 10s}\n"))
    for number, target in enumerate(("10.0.0.1", "10.0.0.2", "10.0.0.3")):
        run.take(match(number, **{"source.ip": "203.0.113.7", "destination.ip": target}))
    run.take(match(60, **{"source.ip": "203.0.113.7"}))
    run.time(START_US + 10**12)
    assert [one.event_count for one in run.final()] == [3, 1]


def test_a_sensors_alert_is_told_in_the_sensors_words() -> None:
    run = run_of(rules(FAILED))
    fields = {
        "event.kind": "alert", "event.module": "suricata", "event.severity": 1, "rule.id": "2034647",
        "rule.name": "Log4Shell", "threat.tactic.name": ["Initial Access"],
        "threat.technique.id": ["T1190"], "source.ip": "203.0.113.7",
    }  # fmt: skip
    run.take(match(0, SENSOR_RULE, **fields))
    (alert,) = run.told
    assert (alert.rule.id, alert.rule.name, alert.rule.level) == ("2034647", "Log4Shell", "high")
    assert (alert.tactics, alert.techniques) == (("initial-access",), ("T1190",))


@pytest.mark.parametrize(
    ("severity", "level"),
    [(0, "informational"), (1, "low"), (6, "low"), (7, "medium"), (11, "medium"), (12, "high"), (15, "critical")],
)  # fmt: skip
def test_wazuh_s_levels_are_the_classes_of_its_dashboards(severity: int, level: str) -> None:
    run = run_of(rules(FAILED))
    passed_on = {"event.module": "windows", "agent.type": "wazuh"}
    run.take(
        match(0, SENSOR_RULE, **{"event.kind": "alert", "event.severity": severity}, **passed_on)
    )
    assert [alert.rule.level for alert in run.told] == [level]


def test_a_sensors_alert_survives_a_restart() -> None:
    run = run_of(rules(FAILED))
    fields = {"event.kind": "alert", "rule.name": "Odd thing", "host.name": "web1"}
    run.take(match(0, SENSOR_RULE, **fields))
    run.host.restart()
    run.take(match(1, SENSOR_RULE, **fields))
    run.time(START_US + 10**12)
    (alert,) = run.final()
    assert alert.event_count == 2
    assert alert.rule.name == "Odd thing"


def test_a_wrong_correlation_is_named_and_the_others_run() -> None:
    wrong = "---\ntitle: Wrong\nid: wrong\ncorrelation:\n  type: event_count\n  rules: [failed]\n"
    found = rules(FAILED, GUESSED, wrong)
    assert [error.line for error in check(found)] == [22]
    run = run_of(found)
    run.take(match(0, **{"source.ip": "203.0.113.7"}))
    run.take(match(1, **{"source.ip": "203.0.113.7"}))
    assert [one.rule.id for one in run.final()] == ["guessed"]


def test_an_alert_of_a_rule_that_nobody_refers_to_concerns_no_group() -> None:
    run = run_of(rules(FAILED))
    run.take(match(0, **{"source.ip": "203.0.113.7"}))
    alert = run.told[0]
    assert isinstance(alert, Alert)
    assert list(run.host.stage.keys(alert)) == []


def test_fields_of_an_alert_are_those_that_all_events_agree_on() -> None:
    run = run_of(rules(FAILED, GUESSED))
    run.take(match(0, **{"source.ip": "203.0.113.7", "host.name": "web1", "user.name": "a"}))
    run.take(match(1, **{"source.ip": "203.0.113.7", "host.name": "web1", "user.name": "b"}))
    (alert,) = run.final()
    assert alert.fields["host.name"] == "web1"
    assert "user.name" not in alert.fields
    assert {e.value for e in alert.entities if e.type == "user"} == {"web1\\a", "web1\\b"}


def test_an_inner_alert_that_is_taken_back_takes_back_what_stood_on_it() -> None:
    absent = """---
title: Unanswered
id: unanswered
name: unanswered
correlation:
  type: temporal_ordered
  rules: [failed, answered]
  group-by: [source.ip]
  timespan: 1m
opsonin: {absence: answered}
---
title: Answered
id: answered
name: answered
logsource: {category: authentication}
detection: {s: {event.outcome: success}, condition: s}
---
title: Outer
id: outer
correlation:
  type: event_count
  rules: [unanswered]
  group-by: [source.ip]
  timespan: 10m
  condition: {gte: 1}
"""
    run = run_of(rules(FAILED, absent), lateness="60s")
    run.take(match(0, **{"source.ip": "203.0.113.7"}))
    run.time(START_US + 61_000_000)
    assert [one.rule.id for one in run.final()] == ["outer"]
    run.take(match(30, "answered", **{"source.ip": "203.0.113.7"}))
    assert run.final() == []
    run.time(START_US + 10**13)
    run.host.store()
    assert run.host.logics == {}
    assert run.host.stored == {}
