"""Every playbook that ships is valid, has trials beside it, and they hold."""

from pathlib import Path

import pytest

from contract.document import read
from respond import playbook, trial

FOLDER = Path(__file__).parents[2] / "rules" / "playbook"
FILES = sorted(path for path in FOLDER.glob("*.yml") if not path.name.endswith(".test.yml"))


def test_playbooks_ship() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_playbook_holds_its_trials(path: Path) -> None:
    (document,) = read(path.read_text(), str(path))
    loaded = playbook.load([document])
    assert loaded.errors == ()
    assert loaded.playbooks[0].name == path.stem
    beside = path.with_suffix(".test.yml")
    (tests,) = read(beside.read_text(), str(beside))
    trials = trial.load(tests)
    assert trials.playbook == path.stem
    assert trial.run(loaded.playbooks[0], trials) == []


def test_every_trial_file_has_its_playbook() -> None:
    trials = {path.name.removesuffix(".test.yml") for path in FOLDER.glob("*.test.yml")}
    assert trials == {path.stem for path in FILES}
