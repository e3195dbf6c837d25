"""What rule authors get: check, explain, trials, tallies, coverage, changes."""

import time
from typing import Any

import pytest

from contract.document import read
from contract.errors import RuleError
from correlate.sigma.changes import reload
from correlate.sigma.check import check
from correlate.sigma.conventions import Finding
from correlate.sigma.coverage import layer
from correlate.sigma.explain import explain, lines
from correlate.sigma.logic import verdict
from correlate.sigma.tally import Tally
from correlate.sigma.trial import (
    json_events,
    regressions,
    run_listed,
    run_regression,
    selections_held,
)
from correlate.sigma.usage import unused
from tests.correlate.sigma.making import loaded, rule


def findings(*texts: str, clock: Any = None) -> list[Finding]:
    return check([one for text in texts for one in read(text, "rules/some_rule.yml")], clock=clock)


def codes(*texts: str, severity: str = "warning") -> set[str]:
    return {one.code for one in findings(*texts) if one.severity == severity}


def test_refused_rule_is_an_error_with_line_and_column() -> None:
    (found,) = [one for one in findings(rule("s: {A|foo: x}")) if one.severity == "error"]
    assert (found.line, found.column) == (6, 7)


@pytest.mark.parametrize(
    ("detection", "options", "code"),
    [
        ("s: {A: x}\nu: {B: x}", {}, "unused"),
        ("s: {A: [x, null]}", {}, "null-in-list"),
        ("s: {A: [x, X]}", {}, "repeated-value"),
        ("s: {T|hour: 24}", {}, "time-part"),
        ("s: {T|week|gte: [0, 5]}", {}, "time-part"),
        ("s: {Imag: x}", {"source": "product: windows, category: process_creation"}, "field"),
        ("s: {A: x}", {"source": "product: windows, category: proces_creation"}, "category"),
        ("s: {A: x}", {"source": "product: windows, service: securty"}, "service"),
        ("s: {A: x}\nt: {A: y}", {"condition": "s and t"}, "never-matches"),
        ("s: {A: x}", {"condition": "s or not s"}, "always-matches"),
    ],
)
def test_unwise_rule_is_warned_of(detection: str, options: dict[str, str], code: str) -> None:
    assert code in codes(rule(detection, **options))


def test_field_that_is_nearly_right_is_named() -> None:
    source = "product: windows, category: process_creation"
    (found,) = [
        one for one in findings(rule("s: {CommandLin: x}", source=source)) if one.code == "field"
    ]
    assert "is 'CommandLine' meant?" in found.message


def test_sound_rule_has_no_warning_but_those_of_its_meta_data() -> None:
    assert codes(
        rule("s: {Image|endswith: x}", source="product: windows, category: image_load")
    ) == {"id"}


def test_rules_that_match_alike_are_duplicates() -> None:
    assert "duplicate" in codes(rule("s: {A: x}", id="a"), rule("t: {A: X}", condition="t", id="b"))


def test_slow_pattern_is_named_with_what_it_costs() -> None:
    found = findings(rule("s: {A|re: '(.{0,200}){4}z'}"), clock=time.perf_counter)
    slow = [one for one in found if one.code in ("slow-pattern", "no-literal")]
    assert slow
    assert "µs a kilobyte" in slow[0].message


def test_ecs_fields_may_hold_several_values_at_once() -> None:
    rules = loaded(rule("s: {event.type|all: [user, creation]}"))
    assert verdict(rules.detections["r"].condition) == ""


def test_unused_search_identifiers() -> None:
    assert unused({"a": 1, "b": 2, "_c": 3, "condition": "1 of them"}) == ["_c"]


def test_explanation_shows_value_truth_and_what_nearly_matched() -> None:
    rules = loaded(
        rule("s: {Image|endswith: '\\powershell.exe', A: x}\nf: {B: y}", condition="s and not f")
    )
    event = {"Channel": "x", "EventID": 1, "Image": "C:\\powershell.com", "A": "x"}
    found = explain(rules.detections["r"], event)
    assert (found.holds, found.routed) == (False, True)
    text = "\n".join(lines(found.tree))
    assert "✗ Image ends with '\\\\powershell.exe' — has 'C:\\\\powershell.com'" in text
    assert "only '\\\\powershell.' is there" in text
    assert "✓ A is 'x' — has 'x'" in text
    assert 0 < found.score < 1


def test_explanation_says_when_the_log_source_does_not_fit() -> None:
    rules = loaded(rule("s: {A: x}", source="product: zeek"))
    found = explain(rules.detections["r"], {"Channel": "Security", "EventID": 1, "A": "x"})
    assert (found.holds, found.routed, found.sources) == (
        False,
        False,
        ("windows", "windows/security"),
    )


def test_listed_events_are_tried() -> None:
    rules = loaded(rule("s: {A: x}"))
    (tests,) = read("match: [{A: x}, {A: y}]\nno_match: [{A: z}, {A: x}]\n", "r.test.yml")
    (result,) = run_listed(tests, rules.detections.values())
    assert result.problems == [
        "r.test.yml:1: event 2 of match is not matched",
        "r.test.yml:2: event 2 of no_match is matched",
    ]


def test_test_file_of_another_shape_is_refused() -> None:
    (tests,) = read("match: {A: x}\n", "r.test.yml")
    with pytest.raises(RuleError, match="expected a list of events"):
        list(run_listed(tests, ()))


@pytest.mark.parametrize(
    ("stated", "fails"), [("", False), ("match_count: 2", True), ("match_count: 0", True)]
)
def test_regression_data_as_sigmahq_lays_it_out(stated: str, fails: bool) -> None:
    rules = loaded(rule("s: {A: x}"))
    (info,) = read(
        "rule_metadata: [{id: r}]\nregression_tests_info:\n  - name: t\n    path: a/b.evtx\n"
        + (f"    {stated}\n" if stated else ""),
        "info.yml",
    )
    (test,) = regressions(info)
    (result,) = run_regression(test, json_events('{"A": "x"}\n {"A": "y"}'), rules.detections)
    assert bool(result.problems) is fails


def test_events_are_read_however_they_are_spaced() -> None:
    assert json_events('{"a":1}{"a":2}\n\n[{"a":3}]') == [{"a": 1}, {"a": 2}, {"a": 3}]
    with pytest.raises(ValueError, match="JSON objects"):
        json_events("[1]")


def test_selections_that_no_event_reaches_show() -> None:
    rules = loaded(rule("s: {A: x}"))
    node = rules.detections["r"].condition
    source = rules.detections["r"].logsource
    assert selections_held({"s": node}, source, [{"A": "x"}, {"A": "y"}]) == {"s": 1}


def test_tally_counts_by_day_host_and_value() -> None:
    rules = list(loaded(rule("s: {A: [x, y]}")).detections.values())
    tally = Tally()
    for at, (value, host) in enumerate([("x", "a"), ("y", "a"), ("x", "b")]):
        tally.add(
            at, {"A": value, "host.name": host, "@timestamp": f"2026-01-0{at + 1}T00:00:00Z"}, rules
        )
    (one,) = tally.noisiest()
    assert (one.hits, dict(one.hosts), len(one.days)) == (3, {"a": 2, "b": 1}, 3)
    assert one.top_values() == {"A": [("x", 2), ("y", 1)]}


def test_layer_of_the_navigator() -> None:
    rules = loaded(rule("s: {A: x}").replace("level: low", "level: low\ntags: [attack.t1059.001]"))
    made = layer(rules.detections.values())
    assert made["versions"]["layer"] == "4.5"
    assert [
        (one["techniqueID"], one.get("score"), one["showSubtechniques"])
        for one in made["techniques"]
    ] == [("T1059", None, True), ("T1059.001", 1, False)]


def test_broken_rule_keeps_its_last_good_version() -> None:
    old = loaded(rule("s: {A: x}", id="a"), rule("s: {B: x}", id="b"))
    new = loaded(
        rule("s: {A|foo: x}", id="a"), rule("s: {B: y}", id="b"), rule("s: {C: x}", id="c")
    )
    merged, changes = reload(old, new)
    assert (changes.added, changes.changed, changes.kept_old) == (("c",), ("b",), ("a",))
    assert merged.detections["a"] is old.detections["a"]
    assert merged.errors


CORRELATION = "title: k\nid: k\ncorrelation: {type: event_count, rules: [a], timespan: 1m}\n"


@pytest.mark.parametrize(
    ("first", "second", "lost"), [("x", "x", ()), ("x", "y", ("k",))], ids=["unchanged", "changed"]
)
def test_state_of_a_correlation_is_kept_as_long_as_its_rules_match_the_same(
    first: str, second: str, lost: tuple[str, ...]
) -> None:
    old = loaded(rule(f"s: {{A: {first}}}", id="a"), CORRELATION)
    new = loaded(rule(f"t: {{A: {second}}}", condition="t", id="a", title="other"), CORRELATION)
    assert reload(old, new)[1].correlations == lost


META = """title: {title}
id: {id}
status: {status}
level: {level}
date: {date}
tags: [{tags}]
related: [{related}]
description: d
author: a
falsepositives: [f]
logsource: {{product: windows, category: image_load}}
detection: {{s: {{Image: x}}, condition: s}}
"""
SOUND = {
    "title": "A title", "id": "929a690e-bef0-4204-a928-ef5e620d6fcc", "status": "test", "level": "low",
    "date": "2026-01-31", "tags": "attack.execution, attack.t1059, attack.g0001, cve.2020-1234",
    "related": "{id: 929a690e-bef0-4204-a928-ef5e620d6fcc, type: derived}",
}  # fmt: skip


def test_rule_that_follows_the_conventions_has_no_finding() -> None:
    assert findings(META.format(**SOUND)) == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "''", "title"),
        ("title", "x" * 300, "title"),
        ("title", "x" * 130, "title-length"),
        ("id", "not-a-uuid", "id"),
        ("status", "good", "status"),
        ("status", "test\ntaxonomy: ours", "taxonomy"),
        ("level", "severe", "level"),
        ("date", "2026/01/31", "date"),
        ("tags", "'Attack.T1059'", "tag"),
        ("tags", "attack.t9999", "technique"),
        ("tags", "attack.exfiltrating", "tactic"),
        ("related", "{id: x, type: cousin}", "related"),
    ],
)
def test_meta_data_against_convention_are_found(field: str, value: str, code: str) -> None:
    assert code in {one.code for one in findings(META.format(**SOUND | {field: value}))}


def test_rules_of_one_title_are_noted() -> None:
    other = META.format(**SOUND | {"id": "929a690e-bef0-4204-a928-ef5e620d6fcd"}).replace(
        "Image: x", "Image: y"
    )
    assert "same-title" in {one.code for one in findings(META.format(**SOUND), other)}


def test_every_fault_of_a_refused_rule_is_named() -> None:
    text = rule(
        "s:\n  A|contian: x\n  B|re: '(?=a)b'\n  C: ok\nt: [{D|cidr: no}, {E|lt: x}]\nu: [one, [two]]",
        condition="s and t and u and v",
    )
    found = [one for one in check(list(read(text, "r.yml"))) if one.severity == "error"]
    said = " ".join(one.message for one in found)
    for word in ("contian", "look-around", "cidr", "lt", "'v'"):
        assert word in said, said
    assert len({(one.line, one.column) for one in found}) == len(found) >= 5


def test_a_rule_with_one_fault_is_named_once() -> None:
    found = check(list(read(rule("s: {A|foo: x}"), "r.yml")))
    assert [(one.code, one.rule) for one in found if one.severity == "error"] == [("refused", "r")]


def test_faults_of_correlations_are_named_too() -> None:
    assert "status" in {one.code for one in findings(f"status: good\n{CORRELATION}")}
    text = (
        "title: a\nname: ra\nid: ra\nlogsource: {product: windows}\ndetection: {s: {E: a}, condition: s}\n---\n"
        "title: c\nid: c\ncorrelation:\n  type: event_cuont\n  rules: [ra]\n  timespan: 5m\n  condition: {gte: 2}\n"
    )
    (refused,) = [one for one in check(read(text, "c.yml")) if one.severity == "error"]
    assert (refused.line, refused.message.startswith("'type' is 'event_cuont'")) == (10, True)
