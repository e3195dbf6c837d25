"""The detection seam: documents in, matches out, on the engine's own flat events."""

from typing import Any

import pytest

from contract.document import read
from contract.event import SENSOR_RULE, Event
from correlate.detect import Detector
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet

RULE = """
title: {title}
id: {id}
logsource: {{{source}}}
detection:
    selection:
        {selection}
    condition: selection
level: high
tags: [attack.initial-access, attack.t1190]
"""


def rule_set(*texts: str) -> RuleSet:
    return load([document for text in texts for document in read(text, "rules/a.yml")])


def rule(source: str, selection: str, id: str = "one") -> str:
    return RULE.format(title=f"Rule {id}", id=id, source=source, selection=selection)


def event(**fields: Any) -> Event:
    flat = {name.replace("_", "."): value for name, value in fields.items()}
    return Event.of(flat, id="e", time_us=0, source="test")


def matched(rules: RuleSet, one: Event) -> list[str]:
    return [match.rule for match in Detector(rules).match(one)]


def test_sensor_alert_matches_the_sensor_rule_before_all_others() -> None:
    rules = rule_set(rule("product: suricata", "source.ip: 192.0.2.1"))
    alert = event(event_kind="alert", event_module="suricata", source_ip="192.0.2.1")
    assert matched(rules, alert) == [SENSOR_RULE, "one"]


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("category: firewall", {"observer_type": "firewall"}),
        ("category: firewall", {"event_module": "iptables"}),
        ("category: ids", {"event_category": ["network", "intrusion_detection"]}),
        ("product: suricata, category: ids", {"event_module": "suricata"}),
        ("product: linux, service: sshd", {"event_module": "system", "process_name": "sshd"}),
        ("product: linux, service: auth", {"event_dataset": "linux.auth"}),
        ("product: linux", {"event_module": "system", "process_name": "sudo"}),
        ("category: network_connection", {"event_category": "network", "event_type": "start"}),
        ("category: attestation", {"event_module": "keylime"}),
        ("product: keylime", {"event_module": "keylime"}),
    ],
)
def test_rule_is_tried_on_events_of_its_log_source(source: str, fields: dict[str, Any]) -> None:
    rules = rule_set(rule(source, "event.action: x"))
    assert matched(rules, event(event_action="x", **fields)) == ["one"]


def test_rule_is_not_tried_on_events_of_another_log_source() -> None:
    rules = rule_set(rule("category: firewall", "event.action: x"))
    assert matched(rules, event(event_action="x", event_module="keylime")) == []


def test_taxonomy_names_find_ecs_fields_of_a_firewall() -> None:
    rules = rule_set(rule("category: firewall", "src_ip|cidr: 10.0.0.0/8"))
    assert matched(rules, event(observer_type="firewall", source_ip="10.1.2.3")) == ["one"]


def test_windows_rule_finds_fields_of_an_ecs_event() -> None:
    rules = rule_set(
        rule("product: windows, category: process_creation", r"Image|endswith: \cmd.exe")
    )
    one = Event.of(
        {
            "event.code": "1",
            "winlog.channel": "Microsoft-Windows-Sysmon/Operational",
            "winlog.event_data.Image": r"C:\Windows\System32\CMD.EXE",
        },
        id="e",
        time_us=0,
        source="test",
    )
    assert matched(rules, one) == ["one"]


def test_objects_that_an_adapter_keeps_are_looked_into() -> None:
    rules = rule_set(rule("product: suricata", "suricata.eve.tls.sni: x"))
    one = Event.of(
        {"event.module": "suricata", "suricata.eve.tls": {"sni": "X"}},
        id="e",
        time_us=0,
        source="test",
    )
    assert matched(rules, one) == ["one"]


def test_bad_rule_is_named_and_the_rest_runs() -> None:
    rules = rule_set(
        rule("product: windows", "A|nope: x", id="bad"), rule("product: windows", "A: x")
    )
    assert list(rules.detections) == ["one"]
    assert "rules/a.yml:7:9: unknown modifier 'nope'" in str(rules.errors[0])


def test_second_rule_of_an_id_is_refused() -> None:
    rules = rule_set(rule("product: windows", "A: x"), rule("product: windows", "A: y"))
    assert "taken by rules/a.yml" in str(rules.errors[0])


def test_tags_give_tactics_and_techniques() -> None:
    found = rule_set(rule("product: windows", "A: x")).detections["one"]
    assert (found.tactics, found.techniques, found.level) == (
        ("initial-access",),
        ("T1190",),
        "high",
    )


def test_rule_without_id_keeps_its_derived_id() -> None:
    text = rule("product: windows", "A: x").replace("id: one\n", "")
    assert list(rule_set(text).detections) == list(rule_set(text).detections)
    assert len(next(iter(rule_set(text).detections))) == 24


def test_process_names_that_route_nothing_do_not_make_classes() -> None:
    detector = Detector(rule_set(rule("product: linux, service: sshd", "event.action: x")))
    for number in range(50):
        detector.match(event(event_module="system", process_name=f"p{number}"))
    assert len(detector._engine._by_key) == 1
    assert detector.match(event(event_module="system", process_name="sshd", event_action="x"))
    assert not detector.match(event(event_module="system", process_name="p1", event_action="x"))
