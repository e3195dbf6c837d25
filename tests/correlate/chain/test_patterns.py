"""Chain patterns: the shipped ones with the trials beside them, and faults with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.document import Document, read
from correlate.chain.patterns import MAX_WORK, Pattern, load
from correlate.chain.trials import run

RULES = Path(__file__).parents[3] / "rules/chain"
FILES = sorted(one for one in RULES.glob("*.yml") if not one.name.endswith(".test.yml"))


def document(path: Path) -> Document:
    (one,) = read(path.read_text(encoding="utf-8"), str(path))
    return one


def written(text: str) -> Document:
    (one,) = read(text, "p.yml")
    return one


GOOD = """
pattern: two_steps
title: Two steps
steps:
  - {name: one, tactics: [initial-access]}
  - {name: two, techniques: [T1059]}
"""


def test_patterns_are_shipped() -> None:
    assert len(FILES) >= 6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_pattern_is_named_as_its_file_and_its_trials_hold(path: Path) -> None:
    found = load([document(path)])
    assert found.errors == ()
    assert list(found.patterns) == [path.stem]
    trials = path.with_name(f"{path.stem}.test.yml")
    assert trials.is_file(), "a pattern has its trials beside it"
    assert run(document(trials), found.patterns.values()) == []


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("T1059", "T1059], level: [high"), 6, "level"),
        (("tactics: [initial-access]", "tactics: [initial access]"), 5, "no tactic is named"),
        (
            ("techniques: [T1059]", "optional: true, techniques: [T1059]"),
            2,
            "two steps that are not",
        ),
        (("{name: two", "{name: one"), 2, "two steps are named 'one'"),
        (("title:", "titel:"), 2, "title"),
        (("pattern: two_steps", "pattern: Two Steps"), 2, "Two Steps"),
        (("  - {name: two, techniques: [T1059]}", "  - {name: two}"), 6, "is anything"),
        (("steps:", "edges: [{from: one, to: three}]\nsteps:"), 2, "'three'"),
        (("title:", "within: soon\ntitle:"), 3, "soon"),
    ],
)
def test_fault_names_file_and_line(change: tuple[str, str], line: int, words: str) -> None:
    found = load([written(GOOD.replace(*change))])
    assert not found.patterns
    assert any(one.file == "p.yml" and words in str(one) for one in found.errors)
    assert any(one.line in (line, line + 1) for one in found.errors)


def test_pattern_that_is_read_twice_is_a_fault_and_the_first_stays() -> None:
    found = load([written(GOOD), written(GOOD)])
    assert list(found.patterns) == ["two_steps"]
    assert "before" in str(found.errors[0])


def test_trials_that_cannot_fail_are_refused() -> None:
    trials = written("pattern: two_steps\ntrials:\n  - {name: x, holds: true, alerts: []}\n")
    (fault,) = run(trials, load([written(GOOD)]).patterns.values())
    assert "near miss" in str(fault)


def test_trial_that_does_not_hold_is_told_with_its_line() -> None:
    text = """
pattern: two_steps
trials:
  - name: nothing at all
    holds: true
    alerts: []
  - {name: none, holds: false, alerts: []}
"""
    (fault,) = run(written(text), load([written(GOOD)]).patterns.values())
    assert fault.line == 4
    assert "does not hold" in str(fault)


def test_search_ends_at_its_bound() -> None:
    from contract.records import Rule  # noqa: PLC0415
    from correlate.chain.runs import Run  # noqa: PLC0415

    many = "".join(f"  - {{name: s{n}, tactics: [discovery]}}\n" for n in range(11))
    never = "  - {name: last, tactics: [discovery], level: low}\n"
    text = f"pattern: deep\ntitle: d\nwithin: 1s\nsteps:\n{many}{never}"
    (pattern,) = load([written(text)]).patterns.values()
    assert isinstance(pattern, Pattern)
    runs = []
    for number in range(60):
        rule = Rule(id="r", name="r", level="low" if number == 59 else "informational")
        run_ = Run(number, str(number), rule, ("discovery",), (), (), {})
        run_.first_us = number * 150_000 if number < 59 else 10**12
        runs.append(run_)
    assert MAX_WORK < 60**11
    assert pattern.find(runs) is None
