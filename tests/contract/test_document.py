"""Reading YAML with places and bounds."""

from __future__ import annotations

import pytest

from contract.document import MAX_DEPTH, read
from contract.errors import RuleError


def test_each_document_of_a_file_keeps_the_lines_of_its_keys() -> None:
    first, second = read("a: 1\nb:\n  - x: 2\n    y: 3\n---\n# note\nc: d\n", "r.yml")
    assert first.data == {"a": 1, "b": [{"x": 2, "y": 3}]}
    assert first.place("b", 0, "y") == (4, 5)
    assert first.place("b", 0, "z") == (3, 5), "an unknown key is placed at its parent"
    assert second.place("c") == (7, 1)


def test_empty_documents_are_passed_over() -> None:
    assert list(read("---\n---\n", "r.yml")) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "r.yml:2:1: not valid YAML"),
        ("a: 1\na: 2\n", "r.yml:2:1: key 'a' stands twice"),
        ("- 1\n", "r.yml:1:1: expected a mapping, came list"),
        ("a: " + "[" * 200 + "]" * 200, f"deeper than {MAX_DEPTH}"),
        ("a: \x00", "not valid YAML"),
        ("a: 2026-13-45", "not valid YAML"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        list(read(text, "r.yml"))
    assert says in str(caught.value)


def test_an_alias_bomb_is_refused_before_it_unfolds() -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 9))
    with pytest.raises(RuleError, match="aliases included"):
        list(read(f"l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n{levels}", "bomb.yml"))
