"""Settings are checked whole before anything opens; a fault is one line with file, line and what was expected."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from contract.errors import SettingsError
from runtime.settings import load

GOOD = """\
[engine]
data_dir = "data"
epoch = "50ms"

[policy]
mode = "enforce"

[[source]]
name = "ids"
type = "file"
adapter = "suricata.eve"
zone = "Europe/Vienna"
path = "eve.json"

[[point]]
name = "gate"
type = "memory"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "o.toml"
    path.write_text(text)
    return path


def fault(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(write(folder, text), {})
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


def test_defaults_stand_without_a_file() -> None:
    settings = load(None, {})
    assert settings.policy.mode == "observe", "the default only proposes"
    assert settings.sources == ()


def test_a_file_is_resolved_to_plugins_and_absolute_paths(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD), {})
    assert settings.engine.data_dir == tmp_path / "data"
    assert settings.engine.epoch == timedelta(milliseconds=50)
    assert settings.sources[0].adapter.name == "suricata.eve"
    assert str(settings.sources[0].zone) == "Europe/Vienna"
    assert settings.points[0].type.name == "memory"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    settings = load(
        write(tmp_path, GOOD), {"OPSONIN_POLICY__MODE": "approve", "OPSONIN_ENGINE__EPOCH": "1s"}
    )
    assert settings.policy.mode == "approve"
    assert settings.engine.epoch == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("epoch = ", "epoc = ", "o.toml:3: engine.epoc: unknown key; expected one of"),
        ("path =", "sort = 1\npath =", "o.toml:13: source[0].sort: unknown key; expected one of"),
        ("[policy]", "[normalize.enrich]\nown_networks = ['10.0.0.1/8']\n[policy]", "o.toml:6: normalize.enrich.own_networks[0]: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address; came '10.0.0.1/8'"),
        ("[policy]", "[normalize.enrich]\nzones = {a = '10.0.0.0/8'}\n[policy]", "o.toml:6: normalize.enrich.zones.a: expected a list"),
        ("[[source]]", "[source]", "o.toml:8: source: expected a list, or a table in [[double brackets]]"),
        ("path =", "# path =", "o.toml:8: source[0].path: missing, and required"),
        ('"50ms"', '"5x"', "o.toml:3: engine.epoch: expected a number and ms, s, m, h, d or w"),
        ('"enforce"', '"on"', "o.toml:6: policy.mode: Input should be 'observe', 'approve' or 'enforce'; came 'on'"),
        ('"file"', '"fil"', "o.toml:10: source[0].type: no source is named 'fil'; there are"),
        ('"suricata.eve"', '"suricata"', "o.toml:11: source[0].adapter: no adapter is named 'suricata'"),
        ('"Europe/Vienna"', '"Vienna"', "o.toml:12: source[0].zone: no time zone is named 'Vienna'"),
        ("path =", "paht =", "o.toml:13: source[0].paht: unknown key; expected one of"),
        ('type = "memory"', 'type = "memory"\nsize = 5', "o.toml:18: point[0].size: unknown key"),
        ("[engine]", "[engine", "o.toml:1:"),
        ("[policy]", "[polizy]", "o.toml:5: polizy: unknown key"),
    ],
)  # fmt: skip
def test_a_fault_names_line_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert fault(tmp_path, GOOD.replace(old, new, 1)).startswith(says)


def test_a_fault_is_told_once_and_a_key_mistyped_is_guessed(tmp_path: Path) -> None:
    assert fault(tmp_path, GOOD.replace('"50ms"', '"5x"', 1)).count("came") == 1
    assert fault(tmp_path, GOOD.replace("epoch =", "epoc =", 1)).endswith("; did you mean epoch?")


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = (
        GOOD + '\n[[source]]\nname = "ids"\ntype = "file"\nadapter = "suricata.eve"\npath = "b"\n'
    )
    assert "source[1].name: 'ids' stands twice" in fault(tmp_path, twice)


def test_a_value_that_may_be_a_secret_is_not_repeated(tmp_path: Path) -> None:
    text = GOOD.replace("path =", "token = 'hunter2'\npath =")
    assert "hunter2" not in fault(tmp_path, text)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml", {})


def test_what_was_found_on_the_machine_joins_the_guard_of_engine_and_points(tmp_path: Path) -> None:
    settings = load(write(tmp_path, GOOD), {}).guarded({"gateway": ["192.0.2.1"]})
    assert ip_network("192.0.2.1/32") in settings.guard.never_touch
    assert settings.points[0].settings.guard == settings.guard  # type: ignore[attr-defined]
