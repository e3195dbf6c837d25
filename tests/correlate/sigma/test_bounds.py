"""What authors and senders cannot do: hang the engine, exhaust its memory, stop the other rules."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.document import read
from contract.errors import ParseError, RuleError
from correlate.sigma import engine, index
from correlate.sigma.cache import load_files
from correlate.sigma.engine import Engine
from correlate.sigma.lines import LineMatcher
from correlate.sigma.scan import HyperScanner, PlainScanner
from tests.correlate.sigma.making import loaded, rule

GOOD = rule("s: {A: x}", id="good")


def refusal(text: str) -> str:
    found = load_files([("bad.yml", text.encode()), ("good.yml", GOOD.encode())])
    assert list(found.rules.detections) == ["good"]
    (error,) = found.rules.errors
    assert error.file == "bad.yml"
    return error.message


def test_hundred_thousand_values_are_refused() -> None:
    assert "more than 20000 values" in refusal(
        rule(f"s: {{A: [{','.join(map(str, range(100_000)))}]}}")
    )


def test_yaml_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert "values, aliases included" in refusal(bomb + rule("s: {A: x}"))


def test_deep_nesting_is_refused() -> None:
    assert "deeper than" in refusal(rule(f"s: {'[' * 500}x{']' * 500}"))


def test_nesting_that_yaml_allows_is_bounded_too() -> None:
    assert "deeper than" in refusal(rule(f"s: {'[' * 30}{{A: x}}{']' * 30}"))


def test_ten_megabytes_are_refused() -> None:
    assert "characters; expected at most" in refusal(rule(f"s: {{A: {'x' * 10_000_000}}}"))


def test_long_value_is_refused() -> None:
    assert "value of 100000 characters" in refusal(rule(f"s: {{A: {'x' * 100_000}}}"))


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}", "((a{0,9}){0,9}){0,9}c"])
def test_catastrophic_patterns_take_linear_time_or_are_refused(pattern: str) -> None:
    rules = loaded(rule(f"s: {{A|re: '{pattern}'}}"))
    if not rules.errors:
        LineMatcher(rules.detections.values()).match(
            msgspec.json.encode({"A": "a" * 50_000 + "!", "EventID": 1})
        )


def test_pattern_of_too_much_memory_is_refused() -> None:
    (error,) = loaded(rule("s: {A|re: '((x{1,1000}){1,1000}){1,1000}'}")).errors
    assert error.line == 6


def test_long_chain_of_conditions_does_not_exhaust_the_stack() -> None:
    rules = loaded(rule("s: {A: x}", condition=" and ".join(["not not s"] * 5000)))
    assert [one.id for one in LineMatcher(rules.detections.values()).match(b'{"A":"x"}')] == ["r"]


def test_unreadable_yaml_is_named_with_its_line() -> None:
    with pytest.raises(RuleError, match=r"x.yml:2:"):
        list(read("a: b\n c: d: e\n", "x.yml"))


@pytest.mark.parametrize(
    "line", [b"", b"[1]", b"x", b'{"a":', b'{"a":1}}', b"\xff", b"[" * 5000, b'{"a":NaN}']
)
def test_line_that_is_no_event_is_refused(line: bytes) -> None:
    matcher = LineMatcher(loaded(GOOD).detections.values())
    with pytest.raises(ParseError):
        matcher.match(line)


def test_memory_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MEMO_BYTES", 10_000)
    made = Engine(loaded(GOOD).detections.values())
    made.budget.limit = 10_000
    for number in range(2_000):
        made.match({"A": f"value {number}"})
        assert made.budget.used <= 10_000
    assert made.budget.cleared > 0
    assert made.match({"A": "x"})


def test_classes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_CLASSES", 8)
    monkeypatch.setattr(engine, "MAX_KEYS", 8)
    rules = loaded(
        *(
            rule(f"s: {{EventID: {n}, A: x}}", id=f"r{n}", source="product: windows")
            for n in range(40)
        )
    )
    made = Engine(rules.detections.values())
    for n in (*range(40), *range(40)):
        assert [one.id for one in made.match({"Channel": "c", "EventID": n, "A": "x"})] == [f"r{n}"]
        assert len(made._classes) <= 8


@pytest.mark.parametrize(
    "event",
    [
        {"EventID": {"a": 1}, "A": "x"},
        {"Channel": ["Security"], "A": "x"},
        {"EventID": True, "A": "x"},
        {"event.module": {"a": 1}, "A": "x"},
        {"event.category": [["a"]], "A": "x"},
        {"EventID": 1.5, "Channel": None, "A": ["y", ["x"]]},
    ],
)
def test_odd_types_where_routing_looks_do_no_harm(event: dict[str, Any]) -> None:
    made = Engine(loaded(GOOD).detections.values())
    made.match(event)
    made.match(event)


def test_both_scanners_find_the_same() -> None:
    literals = [b"abc", b"bc", b"\x00\xff", b"$^(", b"ABC"]
    for caseless in (False, True):
        for data in (b"", b"xabcx", b"AbC", b"a$^(\x00\xff", b"bc" * 9):
            plain = PlainScanner(literals, ascii_caseless=caseless).scan(data)
            assert sorted(HyperScanner(literals, ascii_caseless=caseless).scan(data)) == sorted(
                plain
            )


def test_rules_with_many_shared_literals_fall_under_one_scan() -> None:
    texts = [rule(f"s: {{A|contains: [word{n}, other{n}]}}", id=f"r{n}") for n in range(60)]
    matcher = LineMatcher(loaded(*texts).detections.values())
    assert [one.id for one in matcher.match(b'{"A":"xWORD7 other59"}')] == ["r5", "r7", "r59"]


def test_no_text_of_a_rule_becomes_code() -> None:
    folder = Path(__file__).parents[3] / "correlate/sigma"
    for file in folder.glob("*.py"):
        text = file.read_text("utf-8")
        assert "eval(" not in text
        assert "exec(" not in text
