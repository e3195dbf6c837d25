"""Settings text with the line of each key, and variables over it."""

from __future__ import annotations

import pytest

from contract.errors import SettingsError
from runtime import toml_file

TEXT = """\
[engine]
data_dir = "x"   # here

[[source]]
name = "a"
[[source]]
name = "b"
options.key = 1
"""


def test_every_table_and_key_has_its_line() -> None:
    lines = toml_file.lines(TEXT)
    assert lines["engine",] == 1
    assert lines["engine", "data_dir"] == 2
    assert lines["source", 0, "name"] == 5
    assert lines["source", 1] == 6
    assert lines["source", 1, "options", "key"] == 8


def test_a_syntax_error_names_line_and_column() -> None:
    with pytest.raises(SettingsError, match=r"^o\.toml:2:5: not valid TOML"):
        toml_file.read("a = 1\nb = ?\n", "o.toml")
    with pytest.raises(SettingsError, match=r"^o\.toml:3: not valid TOML.*end of document"):
        toml_file.read("a = 1\nb = [\n", "o.toml")


def test_variables_reach_tables_and_are_toml_or_text() -> None:
    found = toml_file.from_environment(
        {
            "OPSONIN_ENGINE__QUEUE_RECORDS": "500",
            "OPSONIN_POLICY__MODE": "enforce",
            "OPSONIN_REQUIRE": "all",
            "PATH": "x",
        }
    )
    assert found == {"engine": {"queue_records": 500}, "policy": {"mode": "enforce"}}


def test_what_lies_above_wins_key_by_key() -> None:
    assert toml_file.merge({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}}) == {
        "a": {"x": 1, "y": 3},
        "b": 1,
    }
