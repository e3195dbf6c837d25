"""Numbers of events and rules, and the expressions that rules write over others."""

from __future__ import annotations

from fractions import Fraction

import pytest

from correlate.window.condition import ExpressionError, number, presence


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (7, 7), (2.5, Fraction(5, 2)), (1e22, 10**22), ("1e3", 1000), ("2.50e-1", Fraction(1, 4)), (" -5 ", -5), (".5", Fraction(1, 2)),
        ("5.", 5), ("1e401", None), ("1e-401", None), ("9" * 401, None), ("0x10", None), ("٣", None), ("", None), ("many", None), (True, None),
        (None, None), ([1], None), (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_a_value_is_an_exact_number_or_none(given: object, wanted: object) -> None:
    assert number(given) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends where"),
        ("a and", "ends where"),
        ("(a or b", "expected ')'"),
        ("a b", "expected 'and' or 'or', came 'b'"),
        ("a and not a", "no set of rules"),
        (" or ".join(["a"] * 200), "longer than 256 words"),
    ],
)
def test_a_fault_of_an_expression_is_named(text: str, words: str) -> None:
    with pytest.raises(ExpressionError) as error:
        presence(text, {"a": 0, "b": 1})
    assert words in str(error.value)


def test_not_binds_before_and_and_before_or() -> None:
    index = {"a": 0, "b": 1, "c": 2}
    assert presence("a or b and not c", index) == presence("a or (b and (not c))", index)
    assert presence("NOT (a OR NOT b) and b", index) == presence("b and not a", index)
