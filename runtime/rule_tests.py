"""Finds and runs the tests of rules: cases, listed events and trials beside them, and SigmaHQ's regression data."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from contract.document import Document, read
from contract.errors import InputError, RuleError
from correlate.aggregate import aggregate
from correlate.chain import patterns, trials
from correlate.detect import Detector
from correlate.rehearse import cases, rehearse
from correlate.sigma import trial as listed_trial
from correlate.sigma.compile import Compiler, load
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Detection, Options, RuleSet
from respond import playbook, trial
from runtime.rule_files import paths

MAX_EVENTS_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class Outcome:
    """What the tests of one rule file said.

    Attributes:
        file: of the rule.
        tests: how many ran; 0: there are none.
        problems: what does not hold, in words with places.
        notes: what is worth saying although it holds.
        seconds: what the tests took.
        selections: search identifiers of rules with listed events.
        selections_reached: those that hold for at least one event of the tests.
    """

    file: str
    tests: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    selections: int = 0
    selections_reached: int = 0


class RuleTests:
    """The tests of rules below some folders.

    Args:
        roots: folders and files of rules.
        pipelines: see `correlate.sigma.rules.load`.
        regression: root of a SigmaHQ checkout, which `regression_tests_path` and event paths start from; None:
            the nearest folder above a rule in which the path exists.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        pipelines: Sequence[Pipeline] = (),
        regression: Path | None = None,
    ) -> None:
        self.files = paths(roots)
        self._pipelines = pipelines
        self._regression = regression
        self._documents: dict[Path, list[Document]] = {}
        self.errors: list[InputError] = []
        for file in self.files:
            try:
                self._documents[file] = list(read(file.read_text("utf-8"), str(file)))
            except RuleError as error:
                self.errors.append(error)
            except (OSError, UnicodeDecodeError) as error:
                self.errors.append(RuleError(f"cannot be read: {error}", file=str(file)))

    @cached_property
    def rules(self) -> RuleSet:
        """All Sigma rules below the roots."""
        return load(
            (one for documents in self._documents.values() for one in documents if _is_sigma(one)),
            pipelines=self._pipelines,
        )

    @cached_property
    def _engine(self) -> tuple[Detector, Any]:
        return Detector(self.rules), aggregate(self.rules)

    @cached_property
    def _by_file(self) -> dict[str, list[Detection]]:
        found: dict[str, list[Detection]] = {}
        for rule in self.rules.detections.values():
            found.setdefault(rule.document.file, []).append(rule)
        return found

    def run(self, only: set[Path] | None = None) -> Iterator[Outcome]:
        """Run the tests of each rule file; with `only`, of these (a rule's or its test's own path)."""
        for file, documents in self._documents.items():
            beside = file.with_suffix(f".test{file.suffix}")
            if only is not None and not {file.resolve(), beside.resolve()} & only:
                continue
            outcome = Outcome(str(file))
            began = time.perf_counter()
            try:
                if beside.is_file():
                    for tests in read(beside.read_text("utf-8"), str(beside)):
                        self._beside(documents, tests, outcome)
                for document in documents:
                    self._regressions(file, document, outcome)
            except RuleError as error:
                outcome.tests += 1
                outcome.problems.append(str(error))
            except (OSError, UnicodeDecodeError, ValueError) as error:
                outcome.tests += 1
                outcome.problems.append(f"{file}: {error}")
            outcome.seconds = time.perf_counter() - began
            yield outcome

    def _beside(self, documents: list[Document], tests: Document, outcome: Outcome) -> None:
        if listed_trial.listed(tests):
            rules = self._by_file.get(outcome.file, [])
            if not rules:
                outcome.problems.append(f"{outcome.file}: no detection of it was read")
            for result in listed_trial.run_listed(tests, rules):
                outcome.tests += 1
                outcome.problems += result.problems
            self._coverage(documents, tests, rules, outcome)
        elif "cases" in tests.data:
            names = {
                str(document.data[key]): str(document.data.get("id", ""))
                for document in documents
                for key in ("id", "name", "title")
                if key in document.data
            }
            detector, stage = self._engine
            for case in cases(tests):
                outcome.tests += 1
                outcome.problems += [
                    f"{tests.file}: {problem}"
                    for problem in rehearse(case, detector.match, stage, names)
                ]
        elif "trials" in tests.data and "pattern" in tests.data:
            self._pattern_trials(documents, tests, outcome)
        elif "trials" in tests.data:
            self._trials(documents, tests, outcome)
        else:
            raise tests.error("expected match and no_match, cases, or trials")

    def _coverage(
        self, documents: list[Document], tests: Document, rules: list[Detection], outcome: Outcome
    ) -> None:
        """Note each search identifier that no event of the tests reaches."""
        compiler = Compiler({}, self._pipelines, Options())
        positive, negative = listed_trial.events_of(tests)
        for document in documents:
            rule = next((one for one in rules if one.document is document), None)
            if rule is None:
                continue
            held = listed_trial.selections_held(
                compiler.selections(document, rule.id), rule.logsource, [*positive, *negative]
            )
            reached = sum(map(bool, held.values()))
            outcome.selections += len(held)
            outcome.selections_reached += reached
            unreached = ", ".join(name for name, count in held.items() if not count)
            if unreached:
                outcome.notes.append(f"{tests.file}: no event reaches {unreached}")

    def _pattern_trials(self, documents: list[Document], tests: Document, outcome: Outcome) -> None:
        loaded = patterns.load(documents)
        faults = [*loaded.errors, *trials.run(tests, loaded.patterns.values())]
        outcome.tests += len(tests.data["trials"])
        outcome.problems += [str(fault) for fault in faults]

    def _trials(self, documents: list[Document], tests: Document, outcome: Outcome) -> None:
        loaded = playbook.load(documents)
        for error in loaded.errors:
            outcome.problems.append(str(error))
        asked = trial.load(tests)
        outcome.tests += len(asked.trials)
        for one in loaded.playbooks:
            if one.name == asked.playbook:
                outcome.problems += [f"{tests.file}: {fault}" for fault in trial.run(one, asked)]

    def _regressions(self, file: Path, document: Document, outcome: Outcome) -> None:
        given = document.data.get("regression_tests_path")
        if not isinstance(given, str):
            return
        info = self._find(file, given)
        if info is None:
            outcome.notes.append(f"{file}: {given} is not there")
            return
        for listed in read(info.read_text("utf-8"), str(info)):
            for test in listed_trial.regressions(listed):
                events = self._find(file, str(Path(test.path).with_suffix(".json")))
                if events is None:
                    outcome.notes.append(f"{info}: {test.path} is not there as JSON")
                    continue
                if events.stat().st_size > MAX_EVENTS_BYTES:
                    raise RuleError(f"more than {MAX_EVENTS_BYTES} bytes", file=str(events))
                found = listed_trial.json_events(events.read_text("utf-8-sig"))
                for result in listed_trial.run_regression(test, found, self.rules.detections):
                    outcome.tests += 1
                    outcome.problems += [f"{info}: {problem}" for problem in result.problems]
                    outcome.notes += [f"{info}: {note}" for note in result.notes]

    def _find(self, file: Path, given: str) -> Path | None:
        """Return a path of the checkout, below its root or the nearest folder where it exists."""
        roots = [self._regression] if self._regression else list(file.resolve().parents)
        return next((root / given for root in roots if (root / given).is_file()), None)


def changed(roots: Sequence[Path]) -> set[Path]:
    """Return the files below roots that git says differ from the last commit, new ones too.

    Raises:
        OSError: git is not there.
        ValueError: a root is in no working tree.
    """
    found: set[Path] = set()
    for root in roots:
        folder = root if root.is_dir() else root.parent
        commands = (
            ["git", "diff", "--name-only", "--relative", "HEAD", "--", "."],
            ["git", "ls-files", "--others", "--exclude-standard", "--", "."],
        )
        for command in commands:
            done = subprocess.run(  # noqa: S603  # fixed words; the folder is the working directory
                command, cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise ValueError(f"{folder}: {done.stderr.strip() or 'not a git working tree'}")
            found |= {(folder / line).resolve() for line in done.stdout.splitlines()}
    return found


def _is_sigma(document: Document) -> bool:
    return not document.data.keys().isdisjoint(("detection", "correlation", "filter"))
