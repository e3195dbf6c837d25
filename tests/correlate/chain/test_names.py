"""Ids of chains: which are forgotten, and which stay."""

from __future__ import annotations

from correlate.chain.names import Name, Names


def test_an_id_is_forgotten_when_it_is_old_and_no_chain_has_it() -> None:
    names = Names()
    for id, last_us in (("old", 1), ("held", 2), ("new", 10)):
        names.put(id, Name(f"first of {id}", 1, last_us))
    list(names.parts())
    assert names.forget(5, {"held"}, 9) == 0
    assert [id for id in ("old", "held", "new") if names.get(id)] == ["held", "new"]
    assert list(names.parts()) == [("old", None)]


def test_beyond_the_bound_the_oldest_that_no_chain_has_go_first() -> None:
    names = Names()
    for number in range(6):
        names.put(str(number), Name("a", 1, number))
    assert names.forget(0, {"0", "1"}, 4) == 2
    assert [id for id in "012345" if names.get(id)] == ["0", "1", "4", "5"]
