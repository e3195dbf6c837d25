"""Ids derived from causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contract.ids import derive_id, event_id


def test_the_same_causes_give_the_same_id_and_another_kind_another() -> None:
    assert derive_id("alert", "a", b"b") == derive_id("alert", "a", "b")
    assert derive_id("alert", "a") != derive_id("chain", "a")


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_different_causes_never_run_together(left: list[str], right: list[str]) -> None:
    assert (derive_id("x", *left) == derive_id("x", *right)) == (left == right)


def test_an_event_is_known_by_adapter_bytes_and_part() -> None:
    ids = {event_id("a", b"x"), event_id("a", b"x", 1), event_id("b", b"x"), event_id("a", b"y")}
    assert len(ids) == 4
    assert event_id("a", b"x") in ids
