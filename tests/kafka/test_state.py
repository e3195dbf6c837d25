"""A changelog gives back the state that was written, in whatever pieces; what is none is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import StoreError
from contract.topics import LINK_STATE
from runtime.kafka.state import Assembly, records_of
from runtime.stage_runner import Changes

KEYS = st.tuples(st.sampled_from("ab"), st.text(max_size=3), st.text(max_size=2))
EPOCHS = st.lists(st.dictionaries(KEYS, st.none() | st.binary(max_size=40), max_size=5), max_size=6)


@given(EPOCHS, st.integers(1, 50), st.booleans())
def test_state_comes_back_whole(epochs: list[Changes], chunk_bytes: int, compacted: bool) -> None:
    wanted: dict[tuple[str, str, str], bytes] = {}
    written = []
    for changes in epochs:
        written += list(records_of(changes, LINK_STATE, 0, chunk_bytes))
        for place, data in changes.items():
            wanted.pop(place, None)
            if data is not None:
                wanted[place] = data
    if compacted:  # as the broker may at any time: only the newest of each key stays
        newest = {one.key: number for number, one in enumerate(written)}
        written = [one for number, one in enumerate(written) if newest[one.key] == number]
    found = Assembly()
    for one in written:
        found.take(one.key, one.value, one.headers)
    state = found.state()
    got = {
        (stage, key, part): data
        for stage, keys in state.items()
        for key, parts in keys.items()
        for part, data in parts.items()
    }
    assert got == wanted


def test_a_lost_chunk_is_an_error_that_names_the_part() -> None:
    first, *_ = records_of({("link", "site", "graph"): b"12345"}, LINK_STATE, 0, 2)
    found = Assembly()
    found.take(first.key, first.value, first.headers)
    with pytest.raises(StoreError, match="link 'site' 'graph'"):
        found.state()


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(StoreError, match="changelog holds the key"):
        Assembly().take(b"garbage", b"", [])
