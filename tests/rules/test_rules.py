"""Every rule that ships is read, has cases beside it, and does what they say."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from contract.document import Document, read
from contract.event import Match, Notice
from contract.ports import Stage
from contract.records import Alert
from correlate.aggregate import aggregate
from correlate.chain.attack import TACTICS, TECHNIQUES
from correlate.detect import Detector
from correlate.rehearse import cases, rehearse
from correlate.sigma.compile import load
from correlate.sigma.rules import RuleSet

ROOT = Path(__file__).parents[2] / "rules"
FILES = sorted(
    path.relative_to(ROOT)
    for kind in ("detection", "correlation")
    for path in (ROOT / kind).rglob("*.yml")
    if not path.name.endswith(".test.yml")
)


def documents(path: Path) -> list[Document]:
    return list(read((ROOT / path).read_text("utf-8"), f"rules/{path}"))


@cache
def library() -> tuple[RuleSet, Detector, Stage[Match | Alert, Alert | Notice]]:
    rules = load(document for path in FILES for document in documents(path))
    assert not rules.errors, [str(error) for error in rules.errors]
    return rules, Detector(rules), aggregate(rules)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_rule_does_what_its_cases_say(path: Path) -> None:
    beside = ROOT / path.with_suffix(".test.yml")
    assert beside.exists(), f"rules/{path} has no cases beside it; write {beside.name}"
    _, detector, stage = library()
    names = {}
    for document in documents(path):
        for key in ("id", "name", "title"):
            if key in document.data:
                names[str(document.data[key])] = str(document.data["id"])
    (tests,) = read(beside.read_text("utf-8"), str(beside))
    problems = [p for case in cases(tests) for p in rehearse(case, detector.match, stage, names)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[0] == "correlation"], ids=str)
def test_a_correlation_has_a_true_case_and_a_near_miss_and_names_its_technique(path: Path) -> None:
    (tests,) = read((ROOT / path.with_suffix(".test.yml")).read_text("utf-8"), str(path))
    kinds = {bool(case.alerts) for case in cases(tests)}
    assert kinds == {True, False}, "expected a case with alerts and one without"
    for document in documents(path):
        assert any(str(tag).startswith("attack.t1") for tag in document.data["tags"])


@pytest.mark.parametrize("path", FILES, ids=str)
def test_ids_are_uuids_and_files_are_named_after_the_rule(path: Path) -> None:
    first = documents(path)[0].data
    assert path.stem == first["name"]
    assert len(first["id"]) == 36


@pytest.mark.parametrize("path", FILES, ids=str)
def test_each_technique_has_its_tactic_and_each_tactic_its_technique(path: Path) -> None:
    for document in documents(path):
        tags = [str(tag).removeprefix("attack.") for tag in document.data.get("tags", ())]
        techniques = [TECHNIQUES[tag.upper()][1] for tag in tags if tag.upper() in TECHNIQUES]
        tactics = {tag for tag in tags if tag.upper() not in TECHNIQUES}
        assert tactics <= TACTICS.keys(), tags
        assert all(tactics & set(of) for of in techniques), tags
        assert tactics <= {tactic for of in techniques for tactic in of}, tags


def test_no_tests_stand_without_a_rule() -> None:
    for kind in ("detection", "correlation"):
        for path in (ROOT / kind).rglob("*.test.yml"):
            assert path.with_name(path.name.replace(".test.yml", ".yml")).exists(), path
