"""The engine's own machinery: learning, classes, memory. None of it may change a hit."""

import random
from typing import Any

import pytest

from correlate.sigma import rule_class
from correlate.sigma.catalogue import renamed
from correlate.sigma.engine import Engine
from correlate.sigma.evaluate import node_test
from correlate.sigma.node import FALSE, TRUE, And, Leaf, Not, Or
from correlate.sigma.residual import compiled
from correlate.sigma.route import Route, Router, fits
from correlate.sigma.taxonomy import Names, Source
from correlate.sigma.witness import Frequencies, guess, projected, simplified, witness
from tests.correlate.sigma.making import loaded, rule

WORDS = ("alpha", "beta", "gamma", "delta", "alphabet", "betamax", "x")


def some_rules(choose: random.Random, count: int) -> list[str]:
    made = []
    for number in range(count):
        field, other = choose.sample("ABC", 2)
        word = choose.choice(WORDS)
        made.append(
            rule(
                f"s: {{{field}|contains: [{word}, {choose.choice(WORDS)}], {other}|startswith: {word[0]}}}\n"
                f"f: {{{choose.choice('ABC')}|endswith: {choose.choice(WORDS)}}}",
                condition=choose.choice(["s and not f", "s or f", "s", "s and f"]),
                id=f"r{number}",
            )
        )
    return made


def test_learning_never_changes_a_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 5)
    monkeypatch.setattr(rule_class, "_RELEARN_AFTER", (20, 40))
    monkeypatch.setattr(rule_class, "_STRIDE", 2)
    choose = random.Random(1)  # noqa: S311  # repeatable, not secret
    rules = loaded(*some_rules(choose, 30)).detections.values()
    engine = Engine(rules)
    tests = [(one.id, node_test(one.condition)) for one in rules]
    for _ in range(4_000):
        event: dict[str, Any] = {
            field: choose.choice(WORDS) + choose.choice(("", "!", "zz"))
            for field in choose.sample("ABC", choose.randint(0, 3))
        }
        assert [one.id for one in engine.match(event)] == [id for id, test in tests if test(event)]
    (only,) = engine._classes.values()
    assert only._learnt > 1


def test_long_values_are_matched_though_not_remembered() -> None:
    engine = Engine(loaded(rule("s: {A|contains: needle, B|contains: other}")).detections.values())
    for number in range(60):
        long = "hay" * 2000 + str(number)
        assert engine.match({"A": long + "NEEDLE", "B": long + "Other"})
        assert not engine.match({"A": long + "needl", "B": long})
        assert engine.match({"A": "needle", "B": "other"})


def test_routing_fields_are_decided_once_for_a_class() -> None:
    texts = [rule(f"s: {{EventID: {n}, A: x}}", id=f"r{n}") for n in range(50)]
    engine = Engine(loaded(*texts).detections.values())
    assert [one.id for one in engine.match({"Channel": "c", "EventID": 7, "A": "x"})] == ["r7"]
    (only,) = engine._classes.values()
    assert [number for number, _ in only.rules] == [7]


def test_unknown_event_ids_share_a_class() -> None:
    engine = Engine(loaded(rule("s: {EventID: 1, A: x}")).detections.values())
    for n in range(100, 200):
        engine.match({"Channel": "c", "EventID": n})
    assert len(engine._classes) == 1


def test_event_id_of_another_type_is_another_event() -> None:
    engine = Engine(
        loaded(rule("s: {EventID: 1}"), rule("s: {EventID: 'true'}", id="t")).detections.values()
    )
    for _ in range(2):
        found = [
            [one.id for one in engine.match({"Channel": "c", "EventID": code})]
            for code in (1, True, "1", 1.0)
        ]
        assert found == [["r"], ["t"], ["r"], ["r"]]


A, B = Leaf("equal", "A", "x"), Leaf("infix", "B", "longer text")
ANY = Leaf("exists", "C", value=True)


def test_witness_of_and_is_its_rarest_part_and_of_or_all_parts() -> None:
    estimate = {A: 0.5, B: 0.1}.__getitem__
    assert witness(And((A, B)), estimate) == (0.1, [B])
    assert witness(Or((A, B)), estimate) == (0.6, [A, B])
    assert witness(Or((A, ANY)), estimate) is None
    assert witness(Not(A), estimate) is None
    assert witness(And((A, Not(B))), estimate) == (0.5, [A])


def test_frequencies_are_learnt_over_guesses() -> None:
    known = Frequencies()
    assert known.estimate(A) == guess(A)
    known.learn([And((A, B))], [{"A": "x"}, {"A": "y"}])
    assert known.estimate(A) == 0.5
    assert known.estimate(B) < 0.5


def test_simplified_takes_what_is_known() -> None:
    assert simplified(And((A, B)), {A: True, B: None}.__getitem__) == B
    assert simplified(And((A, B)), {A: False, B: None}.__getitem__) == FALSE
    assert simplified(Or((A, B)), {A: True, B: None}.__getitem__) == TRUE
    assert simplified(Not(A), {A: True}.__getitem__) == FALSE


def test_projection_on_a_field_keeps_what_that_field_alone_demands() -> None:
    node = And((B, Not(Or((A, Leaf("suffix", "B", "z"))))))
    assert projected(node, "B") == And((B, Not(Leaf("suffix", "B", "z"))))
    assert projected(node, "A") == Not(A)
    assert projected(node, "C") == TRUE


@pytest.mark.parametrize(
    "event", [{"A": "X"}, {"A": ["q", "x"]}, {"B": "a LONGER text"}, {}, {"A": 1, "B": None}]
)
def test_wide_closures_say_what_single_leaves_say(event: dict[str, Any]) -> None:
    many = tuple(Leaf("infix", "B", f"word {n}") for n in range(60))
    for node in (
        And((A, B)),
        Or((A, B, ANY)),
        Not(Or(many)),
        Or((*many, B)),
        And((Or((A, B)), Not(ANY))),
    ):
        assert compiled(node)(event) is node_test(node)(event)


def test_rule_fits_where_each_attribute_it_states_is_equal() -> None:
    event = Source("windows", "process_creation", "sysmon")
    assert fits(Source("windows"), event)
    assert fits(Source("", "process_creation"), event)
    assert not fits(Source("windows", "", "security"), event)
    assert fits(Source("linux", "process_creation"), Source("*", "process_creation"))


def test_equal_routes_are_one_object() -> None:
    router = Router()
    events = [{"Channel": "Security", "EventID": n} for n in (4624, 4625)]
    assert router.route(events[0]) is router.route(events[1])
    assert isinstance(router.route({"a": 1}), Route)


def test_names_of_a_shape_are_put_into_every_leaf() -> None:
    names = Names({"A": "a.b"}, "data.")
    node = And((A, Not(Leaf("fieldref", "Q", ("A", "equal")))))
    assert renamed(node, names) == And(
        (Leaf("equal", "a.b", "x"), Not(Leaf("fieldref", "data.Q", ("a.b", "equal"))))
    )


@pytest.mark.parametrize(
    "kind",
    [
        {"Channel": "c", "EventID": 1},
        {"EventID": 1},
        {"winlog.channel": "c", "event.code": "1"},
        {"Channel": "", "EventID": 1},
    ],
)
@pytest.mark.parametrize("name", ["event.module", "event.code", "observer.type", "Channel"])
def test_only_what_tells_an_event_s_class_decides_there(kind: dict[str, Any], name: str) -> None:
    engine = Engine(loaded(rule(f"s: {{{name}: b, A: x}}")).detections.values())
    for value, hits in (("a", 0), ("b", 1), ("a", 0), (True, 0)):
        found = engine.match({**kind, "A": "x", "winlog.event_data.A": "x", name: value})
        assert len(found) == hits, (kind, name, value)


def test_whole_numbers_and_truth_of_winlogbeat_are_told_apart() -> None:
    engine = Engine(loaded(rule("s: {event.code: 'true'}")).detections.values())
    codes = (1, True, 1.0, "true")
    found = [len(engine.match({"winlog.channel": "c", "event.code": code})) for code in codes]
    assert found == [0, 1, 0, 1]


def test_rules_that_ask_the_same_are_tried_once_and_all_told() -> None:
    same = "s: {A: x}"
    rules = loaded(
        rule(same, id="b"), rule("s: {B: y}", id="other"), rule(same, id="a"), rule(same, id="c", source="product: linux"),
        rule("s: {B: y}\nf: {A: z}", condition="s and not f", id="less"), rule(same, id="d", title="fourth"),
    )  # fmt: skip
    engine = Engine(rules.detections.values())
    event = {"Channel": "Security", "EventID": 1}
    assert [one.id for one in engine.match(event | {"A": "X"})] == ["b", "a", "d"]
    assert [one.id for one in engine.match(event | {"A": "X", "B": "y"})] == [
        "b", "other", "a", "less", "d",
    ]  # fmt: skip
    assert engine.match(event) == []
    (made,) = engine._classes.values()
    assert [number for number, _ in made.rules] == [0, 1, 4]
