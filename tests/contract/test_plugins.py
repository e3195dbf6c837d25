"""Plugins are found by looking; a file that breaks its contract is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.errors import PluginError
from contract.plugins import load, load_named
from contract.ports import Adapter, EnforcerType, SourceType


@dataclass
class Thing:
    name: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `plugged` with one good plugin."""
    folder = tmp_path / "plugged"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "good_one.py").write_text(
        "class Thing:\n    name = 'good.one'\n\n\nTHING = Thing()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugged"]:
        del sys.modules[name]


def test_every_module_of_a_package_is_a_plugin_known_by_name(package: Path) -> None:
    assert list(load("plugged", "THING", object)) == ["good.one"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("THING = 5\n", "plugged.bad: expected THING to be Thing, came int"),
        ("", "plugged.bad: expected THING to be Thing, came NoneType"),
        ("raise RuntimeError('oops')\n", "plugged.bad: cannot be imported: RuntimeError: oops"),
        ("import nowhere_at_all\n", "plugged.bad: cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_file_that_breaks_its_contract_is_named(package: Path, text: str, says: str) -> None:
    (package / "good_one.py").unlink()
    (package / "bad.py").write_text(text)
    with pytest.raises(PluginError) as caught:
        load("plugged", "THING", Thing)
    assert str(caught.value).startswith(says)


def test_a_plugin_must_bear_the_name_of_its_file(package: Path) -> None:
    (package / "other.py").write_text("class Thing:\n    name = 'not.other'\n\n\nTHING = Thing()\n")
    with pytest.raises(PluginError, match=r"the file must be named not_other\.py"):
        load("plugged", "THING", object)


def test_an_unknown_name_lists_those_there_are(package: Path) -> None:
    (package / "broken.py").write_text("raise RuntimeError('oops')\n")
    with pytest.raises(PluginError, match=r"no thing is named 'nope'; there are good\.one$"):
        load_named("plugged", "nope", "THING", object)


def test_a_name_mistyped_is_guessed(package: Path) -> None:
    with pytest.raises(
        PluginError, match=r"named 'god\.one'; there are good\.one; did you mean 'good\.one'\?$"
    ):
        load_named("plugged", "god.one", "THING", object)


@pytest.mark.parametrize(
    ("where", "attribute", "kind"),
    [("ingest.adapters", "ADAPTER", Adapter), ("ingest.sources", "SOURCE", SourceType), ("respond.enforcers", "ENFORCER", EnforcerType)],
)  # fmt: skip
def test_the_shipped_plugins_keep_their_contract(
    where: str, attribute: str, kind: type[object]
) -> None:
    assert load(where, attribute, kind)
