"""The query language: what is taken, how it binds, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import QueryError
from runtime.query.parse import MOST_DEPTH, MOST_TERMS, parse
from runtime.query.terms import Both, Compare, Either, Everything, Exists, Is, Like, No

A, B, C = Is("a", "1"), Is("b", "2"), Is("c", "3")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Everything()),
        ("  ", Everything()),
        ("*", Everything()),
        ("a: 1", A),
        ("a:1", A),
        ("a:1 and b:2 or c:3", Either((Both((A, B)), C))),
        ("a:1 or b:2 AND c:3", Either((A, Both((B, C))))),
        ("not a:1 and b:2", Both((No(A), B))),
        ("not not a:1", A),
        ("not (a:1 or b:2)", No(Either((A, B)))),
        ("a: (1 or 2 and not 3)", Either((A, Both((Is("a", "2"), No(Is("a", "3"))))))),
        ('a: ("x y" or z)', Either((Is("a", "x y", is_phrase=True), Is("a", "z")))),
        ("a: x y and b: 2", Both((Is("a", "x y"), B))),
        ("a: *", Exists("a")),
        ("a: **", Exists("a")),
        ("a: x*y", Like("a", ("x", "y"))),
        ("a: *x*", Like("a", ("", "x", ""))),
        (r"a: x\*y", Is("a", "x*y")),
        (r"a: \\\*b*", Like("a", ("\\*b", ""))),
        (r'a: "C:\\Windows\\*"', Is("a", "C:\\Windows\\*", is_phrase=True)),
        (r'a: "say \"x\""', Is("a", 'say "x"', is_phrase=True)),
        (r"a: \and", Is("a", "and")),
        (r"a: \u0041", Is("a", "A")),
        (r"a\:b: 1", Is("a:b", "1")),
        ('"a b": 1', Is("a b", "1")),
        ("a >= 5", Compare("a", ">=", "5")),
        ("a<5", Compare("a", "<", "5")),
        ('@timestamp > "2026-01-01T00:00:00Z"', Compare("@timestamp", ">", "2026-01-01T00:00:00Z")),
        ("curl", Is("", "curl")),
        ("two words", Is("", "two words")),
        ('"two words"', Is("", "two words", is_phrase=True)),
        ("*web*", Like("", ("", "web", ""))),
        ("203.0.113.7 and a:1", Both((Is("", "203.0.113.7"), A))),
        ("source.ip: 10.0.0.0/8", Is("source.ip", "10.0.0.0/8")),
    ],
)
def test_a_query_is_this_tree(text: str, tree: object) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("a:", 3, "expected a value, came the end"),
        ("a: (1", 6, "closing bracket"),
        ("a:1)", 4, "expected and, or, or the end, came ')'"),
        ("and", 1, "expected a value"),
        ("a:1 or", 7, "expected a value"),
        ('a: "x', 4, "quote is not closed"),
        ("a: { b: 1 }", 4, "nested"),
        ("a.*: 1", 1, "no wildcards in names"),
        ("a > 1*", 3, "no wildcards"),
        ("a: b: c", 4, "expected a value"),
        ("a:1 b:2", 5, "expected"),
        ("()", 2, "expected a value"),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int, says: str) -> None:
    with pytest.raises(QueryError, match=says.replace("(", r"\(").replace(")", r"\)")) as caught:
        parse(text)
    assert caught.value.column == column


def test_size_and_depth_are_bounded() -> None:
    parse(" or ".join(["a:1"] * MOST_TERMS))
    with pytest.raises(QueryError, match="terms"):
        parse(" or ".join(["a:1"] * (MOST_TERMS + 1)))
    parse("(" * MOST_DEPTH + "a:1" + ")" * MOST_DEPTH)
    with pytest.raises(QueryError, match="brackets"):
        parse("(" * 100_000 + "a:1")
    parse("not " * 100_001 + "a:1")


@given(st.text(alphabet='ab:*()"\\ <>={}notandor.', max_size=40))
def test_any_text_is_a_query_or_an_error_with_a_column(text: str) -> None:
    column = 1
    try:
        parse(text)
    except QueryError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1
