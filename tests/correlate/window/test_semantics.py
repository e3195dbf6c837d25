"""Odd cases, each decided by the Sigma correlation specification 2.1; where it is silent, the reason stands here."""

from __future__ import annotations

from typing import Any

import pytest

from contract.document import read
from contract.event import Event, Match
from contract.records import Alert
from correlate.aggregate import Settings, aggregate, check
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load

RULES = "".join(
    f"title: {name}\nid: r{name}\nname: n{name}\nlogsource: {{product: windows}}\n"
    f"detection: {{selection: {{E: {name}}}, condition: selection}}\n---\n"
    for name in "abc"
)
SECOND = 1_000_000


def correlation(body: str, *, name: str = "corr", head: str = "") -> str:
    lines = "".join(f"  {line}\n" for line in body.splitlines())
    return f"title: {name}\nid: {name}\nname: {name}\n{head}correlation:\n{lines}"


def event_count(
    condition: str, *, rules: str = "ra", span: str = "10s", group: str = "[ip]"
) -> str:
    return correlation(
        f"type: event_count\nrules: [{rules}]\ngroup-by: {group}\ntimespan: {span}\n"
        f"condition: {{{condition}}}"
    )


def value(kind: str, condition: str) -> str:
    return correlation(
        f"type: {kind}\nrules: [ra]\ngroup-by: [ip]\ntimespan: 10s\ncondition: {{{condition}}}"
    )


def temporal(rules: str, *, kind: str = "temporal", more: str = "") -> str:
    return correlation(f"type: {kind}\nrules: [{rules}]\ngroup-by: [ip]\ntimespan: 10s\n{more}")


def a(at: float, rule: str = "a", **fields: Any) -> Match:
    time = START_US + round(at * SECOND)
    fields = {"ip": "1", **fields}
    return Match(f"r{rule}", Event.of(fields, id=f"{rule}@{at}", time_us=time, source="s"))


def b(at: float, **fields: Any) -> Match:
    return a(at, "b", **fields)


def c(at: float, **fields: Any) -> Match:
    return a(at, "c", **fields)


def play(text: str, items: list[Match], *, watch: bool = False, **settings: Any) -> Alerts:
    rules = load(read(RULES + text, "corr.yml"))
    assert not rules.errors
    run = Alerts(aggregate(rules, Settings(**{"lateness": "10m", **settings})))
    for item in items:
        run.take(item)
        if watch:
            run.time(item.event.time_us)
    run.time(END_US)
    return run


def alerts(text: str, items: list[Match]) -> list[Alert]:
    return [one for one in play(text, items).final() if one.rule.id == "corr"]


THREE = event_count("gte: 3")
CASES: dict[str, tuple[str, list[Match], int]] = {
    "three of three fire": (THREE, [a(0), a(1), a(2)], 1),
    # "must occur in the time frame": a frame of ten seconds holds both its ends.
    "exactly the timespan apart fire": (THREE, [a(0), a(5), a(10)], 1),
    "a second more does not": (THREE, [a(0), a(5), a(11)], 0),
    "times are not cut to seconds": (THREE, [a(0), a(5), a(10.9)], 0),
    "a microsecond decides": (THREE, [a(0), a(5), a(10.000001)], 0),
    # The rule held once, without a break: one alert that counts six.
    "what goes on is one alert": (THREE, [a(i) for i in range(6)], 1),
    "what comes back after a pause is another": (THREE, [a(i) for i in (0, 1, 2, 60, 61, 62)], 2),
    "out of order inside the window": (THREE, [a(2), a(0), a(1)], 1),
    "an old event is in no window of now": (THREE, [a(100), a(101), a(10)], 0),
    "a late event completes its own window": (THREE, [a(0), a(1), a(60), a(2)], 1),
    "one clock far ahead harms nobody": (THREE, [a(80000), a(1), a(2), a(3)], 1),
    "a duplicate counts once": (THREE, [a(0), a(1), a(1), a(0)], 0),
    # All "must have the same value": what is absent or null has none. It is counted, see below.
    "group-by field absent": (event_count("gte: 3", group="[nope]"), [a(0), a(1), a(2)], 0),
    "group-by field null": (THREE, [a(0, ip=None), a(1, ip=None), a(2, ip=None)], 0),
    # Sigma's values are compared as text without regard to case; equal values are one group.
    "number and text are one group": (THREE, [a(0, ip=1), a(1, ip="1"), a(2, ip=1)], 1),
    "case does not part groups": (THREE, [a(0, ip="X"), a(1, ip="x"), a(2, ip="X")], 1),
    "a list is in the group of each value": (THREE, [a(0, ip=["1", "2"]), a(1), a(2)], 1),
    "no group-by is one group": (event_count("gte: 3", group="[]"), [a(0, ip="1"), a(1, ip="2"), a(2, ip="3")], 1),
    # Fewer than three is only true when no more can come; three are too many.
    "fewer than three": (event_count("lt: 3"), [a(0)], 1),
    "three are not fewer than three": (event_count("lt: 3"), [a(0), a(1), a(2)], 0),
    "at most five, but two at least": (event_count("gte: 2, lte: 5"), [a(0), a(1)], 1),
    "a range is one alert while it holds": (event_count("gte: 2, lt: 4"), [a(i) for i in range(5)], 1),
    "exactly three was true for a while": (event_count("eq: 3"), [a(i) for i in range(5)], 1),
    "exactly one, when the frame has passed": (event_count("eq: 1"), [a(0), a(1)], 0),
    "one event of two rules is one event": (event_count("gte: 2", rules="ra, rb"), [a(0), Match("rb", a(0).event)], 0),
    # A frame holds all of its last time, in whatever order that came: exactly two never were there, nor a mean of nine.
    "three at one time are not two": (event_count("eq: 2"), [a(0), Match("ra", Event.of({"ip": "1"}, id="2", time_us=START_US, source="s")), Match("ra", Event.of({"ip": "1"}, id="3", time_us=START_US, source="s"))], 0),
    "a mean is of all of one time": (value("value_avg", "field: v, gte: 9"), [a(0, v=9), b(0, v=1), Match("ra", b(0, v=1).event)], 0),
    "decimals and their texts are one value": (value("value_count", "field: u, gte: 2"), [a(0, u=2.5), a(1, u="2.5")], 0),
    "distinct values": (value("value_count", "field: u, gte: 3"), [a(0, u="x"), a(1, u="y"), a(2, u="x"), a(3, u="z")], 1),
    "case is no difference": (value("value_count", "field: u, gte: 2"), [a(0, u="x"), a(1, u="X")], 0),
    "type is no difference": (value("value_count", "field: u, gte: 2"), [a(0, u=1), a(1, u="1")], 0),
    "an absent value is none": (value("value_count", "field: u, gte: 2"), [a(0, u="x"), a(1)], 0),
    "several fields are one value together": (value("value_count", "field: [u, v], gte: 3"), [a(0, u=1, v=1), a(1, u=1, v=2), a(2, u=2, v=1), a(3, u=2, v=1)], 1),
    "of several fields all must be there": (value("value_count", "field: [u, v], gte: 2"), [a(0, u=1, v=1), a(1, u=2)], 0),
    "sum over numbers and their texts": (value("value_sum", "field: b, gt: 10"), [a(0, b=5), a(1, b="6")], 1),
    "decimals add up as decimals": (value("value_sum", "field: b, gt: 3.3"), [a(0, b=1.1), a(1, b=2.2)], 0),
    "a decimal threshold": (value("value_sum", "field: b, gt: 1.5"), [a(0, b=1), a(1, b=0.6)], 1),
    "what left the span is not in the sum": (value("value_sum", "field: b, gt: 10"), [a(0, b=8), a(11, b=8)], 0),
    "one event alone is a sum": (value("value_sum", "field: b, gte: 150"), [a(0, b=150)], 1),
    "one event alone is a sum in a range": (value("value_sum", "field: b, gte: 2, lte: 9"), [a(0, b=5), a(1, b=50)], 1),
    "average": (value("value_avg", "field: b, gt: 4"), [a(0, b=2), a(1, b=8)], 1),
    "average below, when the frame has passed": (value("value_avg", "field: b, lt: 4"), [a(0, b=2), a(1, b=8)], 0),
    "median of three": (value("value_median", "field: b, gte: 5"), [a(0, b=1), a(1, b=9), a(2, b=5)], 1),
    "median of two is their mean": (value("value_median", "field: b, eq: 5"), [a(0, b=1), a(1, b=9)], 1),
    "percentile": (value("value_percentile", "field: b, percentile: 90, gte: 9.9"), [a(i / 10, b=i) for i in range(12)], 1),
    "a value of less than a fifth of all": (value("value_percentile", "field: b, lt: 20"), [*(a(i, b="x") for i in range(5)), a(6, b="y")], 1),
    "a share counts a decimal and its text as one": (value("value_percentile", "field: b, lt: 60"), [a(0, b=0.5), a(1, b="0.5")], 0),
    "median of one, five, nine": (value("value_median", "field: b, gte: 5"), [a(0, b=1), a(1, b=5), a(2, b=9)], 1),
    "the 95th of a hundred": (value("value_percentile", "field: b, percentile: 95, gt: 90"), [a(i % 10 + i / 1000, b=i) for i in range(1, 101)], 1),
    "the 95th of ninety": (value("value_percentile", "field: b, percentile: 95, gt: 90"), [a(i % 10 + i / 1000, b=i) for i in range(1, 91)], 0),
    "text is no number": (value("value_sum", "field: b, gt: 0"), [a(0, b="many"), a(1, b=True)], 0),
    "both in any order": (temporal("ra, rb"), [b(0), a(1)], 1),
    "one of two": (temporal("ra, rb"), [b(0), b(1)], 0),
    "beyond the span": (temporal("ra, rb"), [a(0), b(11)], 0),
    "at the span": (temporal("ra, rb"), [a(0), b(10)], 1),
    "repetition is the same alert": (temporal("ra, rb"), [a(0), b(1), b(2), b(3)], 1),
    # "All events defined by the rules must occur": one event may be defined by both.
    "one event of both rules": (temporal("ra, rb"), [a(0), Match("rb", a(0).event)], 1),
    "two of three rules": (temporal("ra, rb, rc", more="condition: {gte: 2}"), [a(0), c(1)], 1),
    "a boolean condition": (temporal("ra, rb, rc", more="condition: ra and (rb or rc)"), [a(0), c(1)], 1),
    "not is not there": (temporal("ra, rb, rc", more="condition: ra and rb and not rc"), [a(0), b(1)], 1),
    "not is there at the same time": (temporal("ra, rb, rc", more="condition: ra and rb and not rc"), [a(0), b(1), c(1)], 0),
    "not is there in order, at the same time": (temporal("ra, rb, rc", kind="temporal_ordered", more="condition: ra and rb and not rc"), [a(0), b(1), c(1)], 0),
    "not is there after": (temporal("ra, rb, rc", more="condition: ra and rb and not rc"), [a(0), b(1), c(1.001)], 1),
    "what the condition does without is no evidence": (temporal("ra, rb", more="condition: ra or (ra and rb)"), [a(0), b(60)], 1),
    "not is there": (temporal("ra, rb, rc", more="condition: ra and rb and not rc"), [c(0), a(1), b(2)], 0),
    "ordered": (temporal("ra, rb", kind="temporal_ordered"), [a(0), b(1)], 1),
    "wrong order": (temporal("ra, rb", kind="temporal_ordered"), [b(0), a(1)], 0),
    "order within a second": (temporal("ra, rb", kind="temporal_ordered"), [b(0.1), a(0.9)], 0),
    # Logs by the second cannot tell; a follow-up in the same second must not be missed.
    "order at one time is open": (temporal("ra, rb", kind="temporal_ordered"), [b(1), a(1)], 1),
    # "in the order": an event does not follow itself.
    "one event does not follow itself": (temporal("ra, rb", kind="temporal_ordered"), [a(0), Match("rb", a(0).event)], 0),
    "in one second, against the order": (temporal("ra, rb", kind="temporal_ordered"), [b(0.1), a(0.9)], 0),
    "ordered, late": (temporal("ra, rb", kind="temporal_ordered"), [b(5), a(1)], 1),
    "ordered, with noise": (temporal("ra, rb, rc", kind="temporal_ordered"), [b(0), a(1), b(2), c(3)], 1),
    "ordered, a step too old": (temporal("ra, rb, rc", kind="temporal_ordered"), [a(0), b(5), c(11)], 0),
    "ordered, a later start fits": (temporal("ra, rb, rc", kind="temporal_ordered"), [a(0), a(3), b(5), c(11)], 1),
    "no answer": (temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}"), [a(0), b(11)], 1),
    "an answer at the last moment": (temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}"), [a(0), b(10)], 0),
    "an answer at the very time": (temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}"), [a(0), b(0)], 0),
    "an answer before is none": (temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}"), [b(0), a(1)], 1),
    "a and b and then no c": (temporal("ra, rb, rc", kind="temporal_ordered", more="opsonin: {absence: rc}"), [a(0), b(4)], 1),
    "each firing its own alert": (correlation("type: event_count\nrules: [ra]\ntimespan: 10s\ncondition: {gte: 3}\nopsonin: {refire: always}"), [a(i) for i in range(6)], 4),
    "firings of one time are one alert": (correlation("type: event_count\nrules: [ra, rb, rc]\ntimespan: 10s\ncondition: {gte: 2}\nopsonin: {refire: always}"), [a(0), b(0), c(0), a(1)], 2),
    "those without the field as one group": (correlation("type: event_count\nrules: [ra]\ngroup-by: [nope]\ntimespan: 10s\ncondition: {gte: 3}\nopsonin: {ungrouped: group}"), [a(0), a(1), a(2)], 1),
    "any number of bytes below none": (value("value_sum", "field: b, gte: -5, lt: -4.5"), [a(0, b=-4.75)], 1),
    "a share of all": (value("value_percentile", "field: b, gte: 100"), [a(0, b="x"), a(1, b="x")], 1),
    "one of three or all three": (temporal("ra, rb, rc", more="condition: {neq: 2}"), [a(0), b(0), c(0)], 1),
    "two of three are neither": (temporal("ra, rb, rc", more="condition: {neq: 2}"), [a(0), b(0)], 0),
    "two at the most": (temporal("ra, rb, rc", more="condition: {gte: 2, lte: 2}"), [a(0), b(0), c(0)], 0),
    "rules by id, aliases by name": (temporal("ra, rb").replace("[ip]", "[src]") + "  aliases:\n    src: {na: ip, nb: ip2}\n", [a(0, ip="9"), b(1, ip2="9", ip="8")], 1),
    "rules by name, the condition by id": (temporal("na, nb, nc", more="condition: ra and not rb and nc"), [a(0), c(1)], 1),
    "an absent rule by its name": (temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: nb}"), [a(0), b(9)], 0),
    "aliases": (temporal("ra, rb", more="").replace("[ip]", "[src]") + "  aliases:\n    src: {ra: ip, rb: ip2}\n", [a(0, ip="9"), b(1, ip2="9", ip="8")], 1),
    "aliases that differ": (temporal("ra, rb", more="").replace("[ip]", "[src]") + "  aliases:\n    src: {ra: ip, rb: ip2}\n", [a(0, ip="9"), b(1, ip2="7", ip="9")], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_case_gives_so_many_alerts(name: str) -> None:
    text, items, wanted = CASES[name]
    found = alerts(text, items)
    assert len(found) == wanted, found


INNER = "type: event_count\nrules: [ra]\ngroup-by: [ip]\ntimespan: 10s\ncondition: {gte: 2}"
NESTED = correlation(INNER, name="inner") + "---\n" + temporal("inner, rb", kind="temporal_ordered")


def test_a_correlation_of_a_correlation_counts_the_events_below_it() -> None:
    run = play(NESTED, [a(0), a(1), b(2)])
    (found,) = run.final()
    assert found.rule.id == "corr"
    assert found.events == ("a@0", "a@1", "b@2")
    assert found.event_count == 3


def test_an_inner_correlation_is_in_the_groups_of_all_values_of_its_events() -> None:
    inner = INNER.replace("[ip]", "[host]")
    text = f"{correlation(inner, name='inner')}---\n{temporal('inner, rb')}"
    for ip, count in (("1", 1), ("2", 1), ("3", 0)):
        found = alerts(text, [a(0, ip="1", host="h"), a(1, ip="2", host="h"), b(2, ip=ip)])
        assert len(found) == count, ip


def test_an_inner_correlation_that_tells_another_value_counts_as_that() -> None:
    inner = INNER.replace("[ip]", "[who]")
    outer = "type: value_count\nrules: [inner]\ntimespan: 1h\ncondition: {field: host, gte: 2}"
    text = f"{correlation(inner, name='inner')}---\n{correlation(outer)}"
    items = [a(at, who=who, host="x") for at, who in ((0, "u"), (1, "u"), (2, "v"), (3, "v"))]
    assert alerts(text, items) == []
    (found,) = alerts(text, [*items, a(4, who="v", host="y")])
    assert found.event_count == 5


ALIASED = correlation(
    "type: temporal\nrules: [ra, rb]\ngroup-by: [src, host]\ntimespan: 10s\n"
    "aliases: {src: {ra: ip, rb: ip2}}",
    name="inner",
)


@pytest.mark.parametrize("group", ["[src]", "[who]\naliases: {who: {inner: src}}"])
def test_an_outer_correlation_groups_by_the_alias_of_an_inner_one(group: str) -> None:
    outer = f"type: event_count\nrules: [inner]\ngroup-by: {group}\ntimespan: 10s\ncondition: {{gte: 2}}"
    text = f"{ALIASED}---\n{correlation(outer)}"
    hosts = [
        one
        for at, host in enumerate("xy")
        for one in (a(at, ip="9", host=host), b(at + 0.5, ip="8", ip2="9", host=host))
    ]
    (found,) = alerts(text, hosts)
    assert found.fields["src"] == "9"
    others = [a(0, ip="9", host="x"), b(1, ip2="9", host="x"), a(2, ip="8", host="x"), b(3, ip2="8", host="x")]  # fmt: skip
    assert alerts(text, others) == []


def test_an_informational_correlation_alerts_nobody_unless_it_says_so() -> None:
    for policy, wanted in (("", 0), ("opsonin: {alert: true}\n", 1)):
        text = THREE.replace("correlation:", f"level: informational\n{policy}correlation:", 1)
        assert len(alerts(text, [a(0), a(1), a(2)])) == wanted


ALWAYS = "title: x\nid: x\nlogsource: {product: x}\ndetection: {s: {E: x}, condition: s}\nopsonin: {refire: always}\n"


def test_each_match_of_a_detection_is_an_alert_of_its_own_when_the_rule_says_so() -> None:
    items = [Match("x", a(at, letter).event) for at, letter in ((0, "a"), (0, "b"), (0, "c"), (1, "a"))]  # fmt: skip
    found = play(ALWAYS, items).final()
    assert sorted(one.events for one in found) == [("a@0",), ("a@1",), ("b@0",), ("c@0",)]


def test_alerts_of_each_firing_are_told_again_for_late_events_but_once() -> None:
    text = THREE + "  opsonin: {refire: always}\n"
    run = play(text, [a(at / 10) for at in reversed(range(60))])
    assert len(run.final()) == 58
    assert len(run.told) <= 2 * 58
    assert not any(one.retracted for one in run.told)
    assert max(one.event_count for one in run.final()) == 60


def test_what_was_taken_back_is_remembered_while_it_can_come_again() -> None:
    one = "type: event_count\nrules: [ra]\ngroup-by: [ip]\ntimespan: 1s\ncondition: {gte: 1}"
    text = (
        f"{correlation(one, name='one')}---\n"
        f"{correlation(one.replace('[ra]', '[one]').replace('1s', '10s').replace('1}', '2}'), head='opsonin: {suppress: 5h}' + chr(10))}"
    )
    run = Alerts(aggregate(load(read(RULES + text, "corr.yml")), Settings(lateness="60s")))
    for at in (50, 100, 105):
        run.take(a(at))
    inner = next(one for one in run.told if one.events == ("a@100",) and one.rule.id == "one")
    (told,) = (one for one in run.told if one.rule.id == "corr")

    def say(revision: int, *, retracted: bool) -> Alert:
        revised = inner.model_copy(update={"revision": revision, "retracted": retracted})
        run._out(run.host.take(revised))
        return run.latest[told.id]

    assert say(2, retracted=True).retracted
    assert not [one for one in run.final() if one.rule.id == "corr"]
    run.time(START_US + 190 * SECOND)  # the entry at 50 has gone; those at 100 could still come
    again = say(3, retracted=False)
    assert not again.retracted
    assert again.revision == 3


def test_an_inner_correlation_stands_where_it_fired_not_where_it_began() -> None:
    assert not play(NESTED, [a(0), b(1), a(2)]).final()


def test_generate_gives_the_rules_below_alerts_of_their_own() -> None:
    run = play(event_count("gte: 3") + "  generate: true\n", [a(0), a(1), a(2)])
    assert sorted(one.rule.id for one in run.final()) == ["corr", "ra"]
    assert {one.event_count for one in run.final()} == {3}


def test_generate_may_stand_at_the_top_of_the_rule() -> None:
    text = event_count("gte: 3").replace("correlation:\n", "generate: true\ncorrelation:\n", 1)
    run = play(text, [a(0), a(1), a(2)])
    assert sorted(one.rule.id for one in run.final()) == ["corr", "ra"]


def test_an_alert_that_was_taken_back_and_comes_again_goes_on_counting_revisions() -> None:
    """A revision that is not newer would be passed over by all who heard of the retraction."""
    text = temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}")
    outer = correlation(
        "type: event_count\nrules: [corr]\ngroup-by: [ip]\ntimespan: 1h\ncondition: {gte: 1}",
        name="outer",
    )
    run = Alerts(
        aggregate(load(read(f"{RULES}{text}---\n{outer}", "corr.yml")), Settings(lateness="60s"))
    )
    run.take(a(0))
    run.time(START_US + 11 * SECOND)
    (told,) = run.final()
    inner = next(one for one in run.told if one.rule.id == "corr")
    for revision, retracted in ((2, True), (3, False)):
        run.host.restart()
        run._out(
            run.host.take(inner.model_copy(update={"revision": revision, "retracted": retracted}))
        )
        assert run.latest[told.id].retracted is retracted
        assert run.latest[told.id].revision == revision


def test_the_first_alert_comes_with_the_event_that_completes_it() -> None:
    rules = load(read(RULES + THREE, "corr.yml"))
    run = Alerts(aggregate(rules, Settings()))
    told = []
    for item in (a(0), a(1), a(2)):
        run.take(item)
        told.append(len(run.told))
    assert told == [0, 0, 1]


def test_absence_fires_at_the_deadline_and_a_late_answer_retracts_it() -> None:
    text = temporal("ra, rb", kind="temporal_ordered", more="opsonin: {absence: rb}")
    rules = load(read(RULES + text, "corr.yml"))
    run = Alerts(aggregate(rules, Settings(lateness="60s")))
    run.take(a(0))
    assert run.host.logics[next(iter(run.host.logics))].wake_at() == START_US + 10 * SECOND
    run.time(START_US + 10 * SECOND)
    (alert,) = run.final()
    run.take(b(9))
    assert run.final() == []
    assert run.latest[alert.id].retracted
    assert run.latest[alert.id].revision == 2


def test_a_late_event_that_moves_the_beginning_takes_the_old_alert_back() -> None:
    run = play(event_count("gte: 2"), [a(5), a(6), a(4)])
    (left,) = run.final()
    assert left.events == ("a@4", "a@5", "a@6")
    assert sum(one.retracted for one in run.latest.values()) == 1


def test_events_without_the_group_field_are_counted() -> None:
    run = play(event_count("gte: 3", group="[nope]"), [a(0), a(1)])
    assert [(n.name, n.label) for n in run.notices] == [
        ("correlation_ungrouped_events", "corr")
    ] * 2


def test_a_flood_is_told_on_a_doubling_schedule_and_right_at_the_end() -> None:
    run = play(
        "title: x\nid: x\nlogsource: {product: x}\ndetection: {s: {E: x}, condition: s}\n",
        [a(i / 100) for i in range(5000)],
    )
    (found,) = run.final()
    assert found.event_count == 5000
    assert len(run.told) <= 15


def test_an_event_later_than_allowed_is_counted_and_fires_nothing() -> None:
    run = play(THREE, [a(0), a(1), a(5000), a(2)], watch=True, lateness="5s")
    assert run.final() == []


def test_a_rule_may_wait_longer_for_late_events_than_the_settings_say() -> None:
    late = [a(0), a(100), a(1), a(2)]
    for policy, wanted in (("", 0), ("  opsonin: {lateness: 2m}\n", 1)):
        run = play(THREE + policy, late, watch=True, lateness="5s")
        assert len(run.final()) == wanted


def test_what_is_suppressed_is_counted_in_the_alert_with_its_first_and_last_time() -> None:
    text = event_count("gte: 2", span="5s") + "  opsonin: {suppress: 1m}\n"
    (found,) = play(text, [a(at) for at in (0, 1, 30, 31, 80, 81)]).final()
    assert found.event_count == 6
    assert (found.last - found.time).total_seconds() == 81


def test_an_alert_that_goes_on_gives_way_to_a_new_one_when_the_rule_says_so() -> None:
    text = event_count("gte: 2", span="5s") + "  opsonin: {refire: 20s}\n"
    found = play(text, [a(at) for at in range(60)]).final()
    fired = [one.fields["opsonin.fired"][17:19] for one in found]
    assert fired == ["01", "21", "41"]


WRONG = {
    "unknown rule": (event_count("gte: 3", rules="zz"), "refers to 'zz'"),
    "window is no key": (event_count("gte: 3") + "  window: tumbling\n", "'window' is unknown"),
    "no timespan": (correlation("type: event_count\nrules: [ra]\ncondition: {gte: 1}"), "'timespan' is absent"),
    "a correlation that is none": ("title: corr\nid: corr\ncorrelation: [ra]\n", "'correlation' must be a mapping"),
    "odd timespan": (event_count("gte: 3", span="10x"), "'timespan' is '10x'"),
    "no comparison": (event_count("field: x"), "'field' is unknown"),
    "no field": (value("value_sum", "gte: 3"), "'field' is absent"),
    "a text threshold": (event_count("gte: '3'"), "'gte' is '3'; expected a number"),
    "a condition that nothing satisfies": (event_count("lt: 1"), "holds for no count"),
    "a range that nothing satisfies": (value("value_sum", "field: b, gte: 10, lt: 3"), "'gte 10 and lt 3' holds for no number"),
    "a range of one number without it": (value("value_avg", "field: b, gt: 2.5, lte: 2.5"), "holds for no number"),
    "a number and another": (value("value_median", "field: b, eq: -3, neq: -3"), "holds for no number"),
    "a number outside of the range": (value("value_percentile", "field: b, percentile: 90, eq: 4, gt: 4"), "holds for no number"),
    "a count between two neighbours": (event_count("gt: 3, lt: 4"), "'gt 3 and lt 4' holds for no count"),
    "half a count": (value("value_count", "field: u, eq: 2.5"), "holds for no count"),
    "a share of more than all": (value("value_percentile", "field: b, gt: 100"), "holds for no share"),
    "a share of none": (value("value_percentile", "field: b, lte: 0"), "holds for no share"),
    "a number of digits without end": (event_count(f"lt: -1{'0' * 399}"), "holds for no count"),
    "more rules than there are": (temporal("ra, rb", more="condition: {gte: 3}"), "holds for no count of 2 rules"),
    "too many ways": (temporal("ra, rb, " + ", ".join(f"r{n}" for n in range(9)), more="condition: {gte: 5}"), "more than 64 alternatives"),
    "a condition that is a list": (temporal("ra, rb", more="condition: [ra]"), "expected a text or a mapping"),
    "an alias as the field": (value("value_count", "field: src, gte: 2") + "  aliases: {src: {ra: ip}}\n", "'field' is the alias 'src'"),
    "an alias of one rule twice": (event_count("gte: 2", group="[src]").replace("[ra]", "[na]") + "  aliases: {src: {ra: ip, na: ip2}}\n", "names a rule twice"),
    "a rule that was refused": (temporal("ra, bad") + "---\n" + event_count("gte: 0.5, lt: 1").replace("corr", "bad").replace("badelation", "correlation"), "refers to a correlation that was refused"),
    "a percentile beyond 100": (value("value_percentile", "field: b, percentile: 101, gte: 1"), "expected 0 to 100"),
    "a rule that the condition does not know": (temporal("ra, rb", more="condition: ra and rc"), "came 'rc'"),
    "a condition that needs no match": (temporal("ra, rb", more="condition: not ra or rb"), "without any match"),
    "itself": (temporal("ra, corr"), "refers to itself"),
    "itself, through another": (temporal("ra, other") + "---\n" + correlation("type: event_count\nrules: [corr]\ntimespan: 1m\ncondition: {gte: 2}", name="other"), "refers to itself"),
    "unknown policy": (temporal("ra, rb", more="opsonin: {refires: 1h}"), "'opsonin: refires' is unknown"),
    "all absent": (temporal("ra", more="opsonin: {absence: ra}"), "every rule must be absent"),
    "an alias without a field for a rule": (temporal("ra, rb", more="aliases: {src: {ra: ip}}"), "no field for rb"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_is_named_with_its_place(name: str) -> None:
    text, words = WRONG[name]
    errors = check(load(read(RULES + text, "corr.yml")))
    (error, *_) = [one for one in errors if words in str(one)]
    assert error.file == "corr.yml"
    assert error.line > 18
    assert error.column > 0


def test_all_units_of_time_are_read() -> None:
    for unit in ("s", "m", "h", "d", "w", "M", "y"):
        assert not play(event_count("gte: 3", span=f"1{unit}"), [a(0)]).final()
