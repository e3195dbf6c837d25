"""Every kind of correlation against a plain reading of the specification, over generated rules and events."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract.document import read
from contract.event import Event, Match
from contract.timestamps import from_datetime, from_iso
from correlate.aggregate import Settings, aggregate, check
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load
from tests.correlate.window.oracle import Asked, Found, Happening, Tree, answers

RULES = "".join(
    f"title: {name}\nid: {name}\nlogsource: {{product: windows}}\n"
    f"detection: {{selection: {{E: {name}}}, condition: selection}}\n---\n"
    for name in "abc"
)
SECOND = 1_000_000
COUNTED = ("event_count", "value_count")
VALUES = st.one_of(st.none(), st.integers(-3, 9), st.sampled_from(["0.5", 0.5, 2.5, "7", -1.25]))


@st.composite
def happenings(draw: st.DrawFn) -> list[Happening]:
    """Draw events at few times, so that many share one; some match two rules, some are of two groups or of none."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 14),
                st.sampled_from(["a", "a", "b", "c", "ab", "bc", "ac"]),
                st.sampled_from([("x",), ("x",), ("y",), ("x", "y"), ()]),
                VALUES,
            ),
            min_size=1,
            max_size=12,
        )
    )
    return [
        Happening(at, rules, f"e{number:02}", groups, value)
        for number, (at, rules, groups, value) in enumerate(rows)
    ]


TREES: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner), st.tuples(st.just("not"), inner)
    ),
    max_leaves=5,
)


def text(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return f"not {text(tree[1])}" if isinstance(tree[1], str) else f"not ({text(tree[1])})"
    return f"({text(tree[1])} {tree[0]} {text(tree[2])})"


def rule(asked: Asked, condition: str) -> str:
    absent = f"opsonin: {{absence: [{', '.join(asked.absent)}]}}\n" if asked.absent else ""
    suppress = f"opsonin: {{suppress: {asked.gap}s}}\n" if asked.gap is not None else ""
    return (
        f"title: corr\nid: corr\n{absent}{suppress}correlation:\n  type: {asked.kind}\n  rules: [{', '.join(asked.rules)}]\n"
        f"  group-by: [ip]\n  timespan: {asked.span}s\n{condition}"
    )


def engine(source: str, events: list[Happening], order: list[int]) -> list[tuple[Any, ...]]:
    rules = load(read(RULES + source, "corr.yml"))
    assert not rules.errors, rules.errors
    faults = check(rules)
    assert not faults, faults
    run = Alerts(aggregate(rules, Settings(lateness="10m")))
    for index in order:
        one = events[index]
        fields: dict[str, Any] = {"source.ip": "10.0.0.1", "n": index}
        if one.groups:
            fields["ip"] = list(one.groups) if len(one.groups) > 1 else one.groups[0]
        if one.value is not None:
            fields["v"] = one.value
        event = Event.of(fields, id=one.id, time_us=START_US + one.at * SECOND, source="s")
        for matched in one.rules:
            run.take(Match(matched, event))
    run.time(END_US)
    return sorted(
        (
            (from_iso(one.fields["opsonin.fired"]) - START_US) // SECOND,
            (from_datetime(one.time) - START_US) // SECOND,
            (from_datetime(one.last) - START_US) // SECOND,
            one.event_count,
            tuple(sorted(one.events)),
        )
        for one in run.final()
        if one.rule.id == "corr"
    )


def plain(found: list[Found]) -> list[tuple[Any, ...]]:
    return sorted(
        (one.fired, one.first, one.last, len(one.ids), tuple(sorted(one.ids))) for one in found
    )


def bounds(draw: st.DrawFn, kind: str) -> dict[str, Fraction]:
    wanted = draw(
        st.sampled_from(
            [("gte",), ("gt",), ("lt",), ("lte",), ("gte", "lte"), ("gt", "lt"), ("eq",), ("neq",)]
        )
    )
    numbers = st.integers(1, 5) if kind in COUNTED else st.integers(-2, 18).map(lambda n: n / 2)
    return {name: Fraction(draw(numbers)) for name in wanted}


def number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else str(float(value))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_counts_and_values_hold_where_the_specification_says(data: st.DataObject) -> None:
    events = data.draw(happenings())
    kind = data.draw(
        st.sampled_from(
            [
                "event_count",
                "value_count",
                "value_sum",
                "value_avg",
                "value_median",
                "value_percentile",
            ]
        )
    )
    percentile = None
    if kind == "value_median":
        percentile = Fraction(50)
    elif kind == "value_percentile":
        percentile = data.draw(st.sampled_from([None, Fraction(90), Fraction(25), Fraction(0)]))
    tests = data.draw(st.composite(bounds)(kind))
    if kind == "value_percentile" and percentile is None:
        tests = {name: bound * 10 for name, bound in tests.items()}
    asked = Asked(
        kind, data.draw(st.sampled_from(["a", "ab"])), data.draw(st.integers(1, 6)), tuple(tests.items()),
        percentile=percentile, gap=data.draw(st.sampled_from([None, None, 1, 9])),
    )  # fmt: skip
    if kind not in COUNTED and not (kind == "value_percentile" and percentile is None):
        events = [
            Happening(
                e.at, e.rules, e.id, e.groups, None if e.value is None else Fraction(str(e.value))
            )
            for e in events
        ]
    inner = [f"{name}: {number(bound)}" for name, bound in tests.items()]
    if kind != "event_count":
        inner.append("field: v")
    if kind == "value_percentile" and percentile is not None:
        inner.append(f"percentile: {percentile}")
    source = rule(asked, f"  condition: {{{', '.join(inner)}}}\n")
    assume(not check(load(read(RULES + source, "corr.yml"))))
    if kind == "value_percentile" and percentile is None:
        # A share is told of what came before it; which of one time came first is not known.
        events = list({one.at: one for one in events}.values())
    given_ = [
        Happening(
            e.at,
            e.rules,
            e.id,
            e.groups,
            float(e.value) if isinstance(e.value, Fraction) else e.value,
        )
        for e in events
    ]
    order = data.draw(st.permutations(range(len(events))))
    assert engine(source, given_, list(order)) == plain(answers(asked, events))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_rules_are_present_where_the_specification_says(data: st.DataObject) -> None:
    events = data.draw(happenings())
    tree = data.draw(TREES)
    order = "".join(data.draw(st.permutations("abc")))
    asked = Asked(
        data.draw(st.sampled_from(["temporal", "temporal_ordered"])), order, data.draw(st.integers(1, 6)),
        tree=tree, gap=data.draw(st.sampled_from([None, None, 1, 9])),
    )  # fmt: skip
    source = rule(asked, f"  condition: {text(tree)}\n")
    assume(not check(load(read(RULES + source, "corr.yml"))))
    came = data.draw(st.permutations(range(len(events))))
    for group in "xy":
        _compare(asked, source, [e for e in (events[at] for at in came) if group in e.groups])


def _compare(asked: Asked, source: str, came: list[Happening]) -> None:
    """Compare for one group, where alerts stand in the order of their times."""
    came = [replace(one, groups=("x",)) for one in came]
    told, expected = engine(source, came, list(range(len(came)))), plain(answers(asked, came))
    assert [(fired, last) for fired, _, last, *_ in told] == [
        (f, last) for f, _, last, *_ in expected
    ]
    for one, other in zip(told, expected, strict=True):
        # Which of several events of one rule began it is open where others came at the same time as the last.
        assert set(one[4]) >= set(other[4])
        assert one[0] - asked.span <= one[1] <= other[1]
        assert one[3] == len(one[4])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_does_not_follow_is_told_where_it_should_have(data: st.DataObject) -> None:
    events = data.draw(happenings())
    wanted, absent = data.draw(st.sampled_from([("a", "b"), ("ab", "c"), ("c", "ab")]))
    tree: Tree = wanted[0] if len(wanted) == 1 else ("and", wanted[0], wanted[1])
    asked = Asked(
        data.draw(st.sampled_from(["temporal", "temporal_ordered"])), wanted + absent,
        data.draw(st.integers(1, 6)), tree=tree, absent=absent,
    )  # fmt: skip
    # What asks and answers at once answers others alone; who then is evidence of what is beyond this plain reading.
    assume(not any(set(one.rules) & set(wanted) and set(one.rules) & set(absent) for one in events))
    came = data.draw(st.permutations(range(len(events))))
    for group in "xy":
        _compare(
            asked, rule(asked, ""), [e for e in (events[at] for at in came) if group in e.groups]
        )
