"""JSON under bounds."""

import pytest

from contract.errors import ParseError
from ingest.formats.json import MAX_FIELDS, flatten, load_object, loads


def test_integers_beyond_64_bits_stay_exact() -> None:
    assert loads(b"[18446744073709551616, -9223372036854775809]") == [
        18446744073709551616,
        -9223372036854775809,
    ]


def test_a_byte_order_mark_and_wrong_utf_8_are_survived() -> None:
    assert loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}
    assert loads(b'{"a":"x\xffy"}') == {"a": "x\ufffdy"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":1}x',
        b"NaN",
        b"1e400",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ParseError, match="JSON"):
        loads(raw)


def test_an_object_is_asked_for() -> None:
    with pytest.raises(ParseError, match="expected a JSON object, came an array"):
        load_object(b"[]")


def test_flatten_names_leaves_and_drops_nothing_but_null() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [{"e": 1}]}}, "f.g": None, "h": {}}, "x.") == {
        "x.a.b": 1,
        "x.a.c.d": [{"e": 1}],
    }


def test_flatten_is_bounded_in_depth_and_number() -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"a": deep or 1}
    with pytest.raises(ParseError, match="deeper than"):
        flatten(deep)
    with pytest.raises(ParseError, match="more than"):
        flatten({str(number): 1 for number in range(MAX_FIELDS + 1)})


def test_of_a_name_that_stands_twice_the_last_value_holds() -> None:
    assert loads(b'{"a":1,"a":2}') == {"a": 2}
