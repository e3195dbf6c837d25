"""State that cannot be read is refused with the part's name; nothing goes on from half of it."""

from __future__ import annotations

import json

import pytest

from contract.errors import StoreError
from correlate.chain.state import VERSION, decode, encode
from correlate.link import link
from tests.correlate.at_once import at_once
from tests.correlate.chain.site import Site


def stored() -> dict[str, bytes]:
    logic = link().open("default", {})
    for item in Site(3).items(60):
        at_once(logic, item)
    return {name: data for name, data in logic.snapshot().items() if data is not None}


def test_what_is_encoded_bears_its_version() -> None:
    data = encode({"row": [1]})
    assert json.loads(data) == {"version": VERSION, "row": [1]}
    assert decode("x/1", data)["row"] == [1]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"7", b"null"])
def test_an_unreadable_part_is_named(data: bytes) -> None:
    with pytest.raises(StoreError, match="'run/7' is unreadable"):
        decode("run/7", data)


@pytest.mark.parametrize("version", [VERSION + 1, 0, "1", None])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(StoreError, match=f"'run/7' has version {version}; expected {VERSION}"):
        decode("run/7", json.dumps({"version": version, "row": []}).encode())


def test_parts_of_which_one_is_missing_do_not_fit_together() -> None:
    parts = stored()
    tied = next(
        json.loads(data)["ties"][0][0]
        for name, data in parts.items()
        if name.startswith("run/") and json.loads(data)["ties"]
    )
    del parts[f"run/{tied}"]
    with pytest.raises(StoreError, match="do not fit together"):
        link().open("default", parts)
