"""An index that takes over what another one compiled answers as one made from nothing."""

from hypothesis import given
from hypothesis import strategies as st

from correlate.sigma import index
from correlate.sigma.index import Budget, FieldIndex
from correlate.sigma.node import Leaf
from correlate.sigma.scan import HAS_HYPERSCAN, PlainScanner
from correlate.sigma.text import fold

WORDS = st.text(alphabet="abAB\\é", min_size=1, max_size=5)
LEAVES = st.dictionaries(
    st.builds(
        lambda op, text: Leaf(op, "A", fold(text)),
        st.sampled_from(["infix", "prefix", "suffix", "equal"]),
        WORDS,
    ),
    st.sets(st.integers(0, 9), min_size=1, max_size=3),
    min_size=8,
    max_size=40,
)
VALUES = st.lists(st.text(alphabet="abAB\\éÉ", max_size=12), min_size=1, max_size=8, unique=True)


def made(leaves: dict[Leaf, set[int]], before: FieldIndex | None, *, plain: bool) -> FieldIndex:
    one = FieldIndex(leaves, Budget(), lambda _: None, plain=plain, before=before)
    for number in range(index.COMPILE_AFTER):
        one.of(f"warm {number}")
    return one


@given(st.lists(LEAVES, min_size=2, max_size=6), VALUES)
def test_it_answers_as_one_made_from_nothing(
    wanted: list[dict[Leaf, set[int]]], values: list[str]
) -> None:
    before: FieldIndex | None = None
    for leaves in wanted:
        before = made(leaves, before, plain=False)
        fresh = made(leaves, None, plain=True)
        for value in values:
            assert set(before.of(value)) == set(fresh.of(value))


def test_compiled_literals_serve_on_until_there_are_too_many_layers() -> None:
    leaves: dict[Leaf, set[int]] = {Leaf("infix", "A", f"word{n}"): {n} for n in range(20)}
    one = made(leaves, None, plain=False)
    for layer in range(1, index.MOST_LAYERS + 1):
        leaves = {**leaves, Leaf("infix", "A", f"more{layer}"): {100 + layer}}
        one = FieldIndex(leaves, Budget(), lambda _: None, before=one)
        assert one._layers == layer
        assert set(one.of(f"a word7 and more{layer}")) == {7, 100 + layer}
    assert FieldIndex(leaves, Budget(), lambda _: None, before=one)._layers == 0


def test_many_literals_and_long_texts_are_compiled_before_many_were_looked_through() -> None:
    leaves = {Leaf("infix", "A", f"value{n}"): {n} for n in range(2_000)}
    one = FieldIndex(leaves, Budget(), lambda _: None)
    assert one.of("value7 ") == (7,)
    assert isinstance(one._scanner, PlainScanner)
    assert 1999 in one.of("a" * (index.COMPILE_WORK // 2_000) + "value1999")
    assert isinstance(one._scanner, PlainScanner) is not HAS_HYPERSCAN


def test_absence_and_a_list_without_values_are_what_null_waits_for() -> None:
    one = FieldIndex(
        {Leaf("null", "A", None): {1}, Leaf("equal", "A", "-"): {2}}, Budget(), lambda _: None
    )
    assert one.absent == (1,)
    assert one.of([]) == one.of([None, [None]]) == (1,)
    assert one.of(["-", None]) == one.of("-") == (2,)
    only = FieldIndex({Leaf("null", "A", None): {1}}, Budget(), lambda _: None)
    assert only.remembered("any text") == ()


def test_rules_that_a_text_rules_out_are_counted() -> None:
    counts: dict[int, int] = {}
    leaves = {Leaf("infix", "A", "word"): {1, 2}}
    one = FieldIndex(leaves, Budget(), lambda rule: lambda _, folded: rule == 1, ruled_out=counts)
    assert [one.of(text) for text in ("a word", "word b", "nothing")] == [(1,), (1,), ()]
    assert counts == {2: 2}
