"""Keys to fields: types, repetition, values that say nothing, and keys unknown."""

from typing import Any

from ingest.formats.keytable import KeyTable

NAMES = {"src": "source.ip", "srcip": "source.ip", "spt": "source.port", "in": "source.bytes"}


def fields_of(pairs: list[tuple[str, str]], table: KeyTable | None = None) -> dict[str, object]:
    table = table or KeyTable("v.p.", NAMES)
    plan = table.plan([key for key, _ in pairs])
    return table.fill(plan, [value for _, value in pairs], {})


def test_known_keys_are_named_and_typed_and_unknown_kept() -> None:
    assert fields_of([("src", "192.0.2.1"), ("spt", "80"), ("x y", "z")]) == {
        "source.ip": "192.0.2.1", "source.port": 80, "v.p.x_y": "z",
    }  # fmt: skip


def test_the_first_of_two_keys_of_one_field_holds() -> None:
    assert fields_of([("src", "192.0.2.1"), ("srcip", "192.0.2.2")]) == {
        "source.ip": "192.0.2.1", "v.p.srcip": "192.0.2.2",
    }  # fmt: skip


def test_a_key_that_stands_twice_keeps_all_its_values() -> None:
    assert fields_of([("src", "192.0.2.1"), ("src", "192.0.2.2")]) == {
        "source.ip": "192.0.2.1", "v.p.src_all": ["192.0.2.1", "192.0.2.2"],
    }  # fmt: skip


def test_what_is_no_number_moves_beside() -> None:
    assert fields_of([("spt", "http"), ("in", "14.0")]) == {
        "v.p.source_port": "http",
        "source.bytes": 14,
    }


def test_values_that_say_nothing_are_left_out() -> None:
    assert fields_of([("src", ""), ("spt", "N/A"), ("x", "1")]) == {"v.p.x": "1"}


def test_of_two_keys_for_one_field_the_one_that_says_something_is_taken() -> None:
    table = KeyTable(
        "v.p.", {"code": "http.response.status_code", "status": "http.response.status_code"}
    )
    keys = ("code", "status")
    assert table.fill(table.plan(keys), ["", "404"], {}) == {"http.response.status_code": 404}
    assert table.fill(table.plan(keys), ["200", "404"], {}) == {
        "http.response.status_code": 200,
        "v.p.status": "404",
    }


def test_steps_run_only_for_their_fields() -> None:
    def other(fields: dict[str, Any]) -> None:
        """Do nothing, for another field."""

    table = KeyTable(
        "v.p.", NAMES, steps=[(("source.port",), print), (("destination.port",), other)]
    )
    assert table.plan(["spt"]).steps == (print,)


def test_numbers_without_end_do_no_harm() -> None:
    assert fields_of([("spt", "9" * 5000)]) == {"v.p.source_port": "9" * 5000}
