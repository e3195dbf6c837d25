"""The cache of compiled rules on disk."""

from pathlib import Path

import pytest

from contract.errors import RuleError, SettingsError
from runtime.rule_cache import default_cache_folder, load_rules, pipelines_of

RULE = "title: t\nid: {id}\nlogsource: {{product: windows}}\ndetection: {{s: {{A: x}}, condition: s}}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    for id in ("a", "b"):
        (folder / f"{id}.yml").write_text(RULE.format(id=id))
    return folder


def test_second_start_reads_no_rule_file(rules: Path, tmp_path: Path) -> None:
    assert load_rules([rules], cache_folder=tmp_path / "cache").reused == 0
    again = load_rules([rules], cache_folder=tmp_path / "cache")
    assert (again.reused, list(again.rules.detections)) == (2, ["a", "b"])


def test_removed_and_changed_rules_are_noticed(rules: Path, tmp_path: Path) -> None:
    load_rules([rules], cache_folder=tmp_path / "cache")
    (rules / "a.yml").unlink()
    (rules / "b.yml").write_text(RULE.format(id="c"))
    assert list(load_rules([rules], cache_folder=tmp_path / "cache").rules.detections) == ["c"]
    assert load_rules([rules], cache_folder=tmp_path / "cache").reused == 1


def test_cache_that_cannot_be_written_or_read_is_no_error(rules: Path, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert len(load_rules([rules], cache_folder=occupied).rules.detections) == 2
    load_rules([rules], cache_folder=tmp_path / "cache")
    (found,) = (tmp_path / "cache").iterdir()
    found.write_bytes(b"\x00garbage")
    assert len(load_rules([rules], cache_folder=tmp_path / "cache").rules.detections) == 2


def test_files_that_are_no_text_are_named_and_the_rest_loads(rules: Path) -> None:
    (rules / "noise.yml").write_bytes(b"\xff\xfe\x00")
    found = load_rules([rules]).rules
    assert len(found.detections) == 2
    assert "noise.yml" in str(found.errors[0])


def test_cache_folder_follows_the_xdg_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_cache_folder() == Path("/x/opsonin")


def test_shipped_pipelines_are_read_by_name_and_others_by_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("name: own\npriority: 1\ntransformations: []\n")
    names = ["sysmon", "windows", "windows_audit", "ecs_windows", "ecs_firewall", "ecs_ids", "ecs_attestation",
             "ecs_linux"]  # fmt: skip
    for pipeline in pipelines_of([*names, str(own)]):
        assert pipeline.parsed.name


def test_unknown_pipeline_names_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"shipped are: .*sysmon"):
        pipelines_of(["nothing"])


@pytest.mark.parametrize("text", ["a: b: c", "[1]", "transformations: [{id: x, type: nothing}]"])
def test_file_that_is_no_pipeline_is_refused(text: str, rules: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text(text)
    with pytest.raises(RuleError, match=r"own\.yml"):
        load_rules([rules], pipelines=pipelines_of([str(own)]))
