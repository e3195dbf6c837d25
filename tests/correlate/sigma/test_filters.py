"""Sigma filters: "to apply the same tuning on many rules with the goal to suppress matches" (filters specification 2.1)."""

from typing import Any

import pytest

from contract.document import read
from correlate.sigma.check import check
from tests.correlate.sigma.making import hits, loaded, rule

EVIL = "s: {A|contains: evil}"
PROCESS = "product: windows, category: process_creation"
EVENTS: list[dict[str, Any]] = [
    {"Channel": "Security", "EventID": 4688, "A": "evil", "Who": "bob"},
    {"Channel": "Security", "EventID": 4688, "A": "evil", "Who": "ADM_ann"},
    {"Channel": "Security", "EventID": 4688, "A": "fine", "Who": "adm_ann"},
]


def filter_of(
    rules: str,
    *,
    source: str = "product: windows",
    selection: str = "s: {Who|startswith: adm_}",
    condition: str = "not s",
    id: str = "f",
) -> str:
    return (
        f"title: filter {id}\nid: {id}\nlogsource: {{{source}}}\n"
        f"filter:\n  rules: {rules}\n  {selection}\n  condition: {condition}\n"
    )


def told(*texts: str) -> list[list[str]]:
    return hits(loaded(*texts), *EVENTS)


RULES = (rule(EVIL, id="one", source=PROCESS), rule(EVIL, id="two") + "name: second\n")


@pytest.mark.parametrize(
    ("rules", "of_admin"),
    [
        ("any", []),
        ("Any", []),
        ("one", ["two"]),
        ("[one]", ["two"]),
        ("second", ["one"]),  # by name
        ("[second, one]", []),
        ("[nobody]", ["one", "two"]),
        ("[]", []),
    ],
)
def test_filter_suppresses_matches_of_the_rules_that_it_names(
    rules: str, of_admin: list[str]
) -> None:
    assert told(*RULES, filter_of(rules)) == [["one", "two"], of_admin, []]


@pytest.mark.parametrize(
    ("source", "of_admin"),
    [
        ("product: windows", []),
        (PROCESS, ["two"]),  # the other rule states less than the filter does
        ("product: linux", ["one", "two"]),
        ("category: process_creation", ["two"]),
    ],
)
def test_filter_is_for_rules_of_its_log_source(source: str, of_admin: list[str]) -> None:
    assert told(*RULES, filter_of("any", source=source)) == [["one", "two"], of_admin, []]


def test_condition_counts_as_it_is_written() -> None:
    kept = filter_of("any", condition="s")
    assert told(*RULES, kept) == [[], ["one", "two"], []]


def test_order_of_documents_does_not_matter_and_filters_add_up() -> None:
    nobody = filter_of("one", selection="s: {Who: bob}", id="g")
    assert told(nobody, filter_of("any"), *RULES) == [["two"], [], []]


def test_names_of_a_filter_s_selections_are_its_own() -> None:
    # Both call theirs `s`; what the rule asks of `s` and of `them` stays the rule's.
    one = rule("s: {A|contains: evil}\nt: {B: x}", condition="1 of them", id="one")
    assert told(one, filter_of("any", condition="not 1 of them")) == [["one"], [], []]


def test_filter_goes_through_the_pipelines() -> None:
    pipeline = (
        "name: p\npriority: 1\ntransformations:\n"
        "  - {id: m, type: field_name_mapping, mapping: {A: B, Who: Account}}\n"
    )
    rules = loaded(rule(EVIL, id="one"), filter_of("any"), pipelines=(pipeline,))
    assert hits(rules, {"B": "evil", "Account": "adm_x"}, {"B": "evil", "Account": "x"}) == [
        [],
        ["one"],
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (filter_of("any").replace("  rules: any\n", ""), "expected 'rules'"),
        (filter_of("7"), "expected 'rules'"),
        (filter_of("any", selection="s: {Who|nope: x}"), "unknown modifier"),
        (filter_of("any", condition="not other"), "no search identifier 'other'"),
        (filter_of("any").replace("logsource", "logsauce"), "logsource"),
    ],
)
def test_wrong_filter_is_named_and_the_rules_run(text: str, reason: str) -> None:
    rules = loaded(rule(EVIL, id="one"), text)
    assert any(reason in str(error) and "rules/r1.yml" in str(error) for error in rules.errors)
    assert [one.line > 0 for one in rules.errors]


@pytest.mark.parametrize(
    ("condition", "warned"), [("s", True), ("not s", False), ("not 1 of them", False)]
)
def test_filter_that_leaves_nothing_out_is_warned_of(condition: str, warned: bool) -> None:
    documents = read(filter_of("any", condition=condition), "f.yml")
    assert ("filter-keeps" in {one.code for one in check(documents)}) == warned
