"""Groups that satisfy nothing yet: no rule holds at an entry that their outlook passes over."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.document import read
from correlate.aggregate import Settings
from correlate.sigma.compile import load
from correlate.window.entry import Entry
from correlate.window.known import young
from correlate.window.library import Library, library
from correlate.window.plan import Plan

RULES = "".join(
    f"title: {name}\nid: {name}\nlogsource: {{product: windows}}\n"
    f"detection: {{selection: {{E: {name}}}, condition: selection}}\n---\n"
    for name in "abc"
)
ASKED = st.sampled_from(
    [
        "type: temporal\n  rules: [a, b, c]",
        "type: temporal\n  rules: [a, b, c]\n  condition: a and (b or c)",
        "type: temporal\n  rules: [a, b, c]\n  condition: (a or b) and not c",
        "type: temporal_ordered\n  rules: [a, b, c]",
        "type: value_sum\n  rules: [a, b, c]\n  condition: {field: n, gte: 4}",
        "type: value_sum\n  rules: [a, b, c]\n  condition: {field: n, gt: -3, lt: 3}",
        "type: value_sum\n  rules: [a, b, c]\n  condition: {field: n, eq: 2.5}",
        "type: value_avg\n  rules: [a, b, c]\n  condition: {field: n, gte: 2}",
        "type: value_median\n  rules: [a, b, c]\n  condition: {field: n, gt: 2}",
        "type: value_percentile\n  rules: [a, b, c]\n  condition: {field: n, percentile: 90, gte: 3}",
    ]
)


def plan(asked: str) -> Plan:
    source = f"title: t\nid: t\ncorrelation:\n  {asked}\n  group-by: [g]\n  timespan: 10s\n"
    rules = load(read(RULES + source, "t.yml"))
    assert not rules.errors, rules.errors
    made: Library = library(rules, Settings())
    return made.correlations["t"]


def entry(number: int, time: int, part: int, value: Any) -> Entry:
    return time * 1_000_000, part, f"e{number:03}", value, b"[]", 0


@settings(max_examples=200, deadline=None)
@given(
    asked=ASKED,
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(-4, 5)), min_size=2, max_size=14
    ),
    gone=st.integers(0, 3),
)
def test_no_rule_holds_at_an_entry_that_an_outlook_passes_over(
    asked: str, rows: list[tuple[int, int, int]], gone: int
) -> None:
    rule = plan(asked)
    outlook = rule.outlook
    assert outlook is not None
    time, entries = 0, list[Entry]()
    for number, (wait, part, value) in enumerate(rows):
        time += wait
        entries.append(entry(number, time, part, value))
    group = young(rule, entries[:1])
    for at in range(1, len(entries)):
        if group is None:
            return  # a window from here on
        if at == len(entries) // 2:  # time has let some go
            del group[: bisect_left(group, (entries[at][0] - rule.span_us - gone * 1_000_000,))]
        if outlook.may(group, entries[at]):
            group = young(rule, [*group, entries[at]])
            continue
        evaluator = rule.evaluator()
        evaluator.reset(entries, at)
        assert evaluator.step(entries, at) is None
        group.append(entries[at])


def test_parts_that_went_are_looked_for_again() -> None:
    rule = plan("type: temporal\n  rules: [a, b]")
    outlook = rule.outlook
    assert outlook is not None
    group = young(rule, [entry(0, 0, 0, None)])
    assert group is not None
    group.append(entry(1, 1, 0, None))
    group.clear()  # time has let both go
    assert not outlook.may(group, entry(3, 31, 1, None))
    group.append(entry(3, 31, 1, None))
    assert outlook.may(group, entry(4, 32, 0, None))
