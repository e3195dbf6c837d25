"""Rule files are told apart by what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import SettingsError
from runtime.rule_files import read_rules, shipped


def test_documents_are_sorted_by_kind_and_tests_left_out(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/d.yml").write_text("title: d\ndetection: {}\n---\ntitle: c\ncorrelation: {}\n")
    (tmp_path / "p.yaml").write_text("name: p\nwhen: {}\n")
    (tmp_path / "s.yml").write_text("name: s\npattern: {}\n")
    (tmp_path / "d.test.yml").write_text("match: []\n")
    (tmp_path / "notes.txt").write_text("no rule")
    files = read_rules([tmp_path])
    assert [one.data["title"] for one in files.sigma] == ["d", "c"]
    assert len(files.playbooks) == len(files.patterns) == 1
    assert files.errors == []


def test_a_broken_file_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("title: [\n")
    (tmp_path / "b.yml").write_text("just: this\n")
    (tmp_path / "c.yml").write_bytes(b"\xff\xfe")
    (tmp_path / "d.yml").write_text("title: d\ndetection: {}\n")
    files = read_rules([tmp_path])
    assert [one.data["title"] for one in files.sigma] == ["d"]
    assert [Path(error.file).name for error in files.errors] == ["a.yml", "b.yml", "c.yml"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file or folder"):
        read_rules([tmp_path / "none"])


def test_the_shipped_rules_are_found_and_read_without_a_fault() -> None:
    files = read_rules([shipped()])
    assert files.errors == []
    assert files.playbooks
