"""Tests of detections: events that a rule must match and must not, beside the rule or in SigmaHQ's layout.

Beside `rule.yml`, in `rule.test.yml`:

    match:                # each event must be matched by every detection of the file
      - {Channel: Security, EventID: 4625}
    no_match:
      - {Channel: Security, EventID: 4624}

Events may have any shape that `opsonin match` reads. SigmaHQ's `regression_data`: the rule names an `info.yml`
(`regression_tests_path`), which lists files of events, each with the number of matches at least expected.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.document import Document
from correlate.sigma.catalogue import renamed
from correlate.sigma.engine import Engine
from correlate.sigma.evaluate import node_test
from correlate.sigma.node import Node
from correlate.sigma.route import Router
from correlate.sigma.rules import Detection
from correlate.sigma.taxonomy import Names, Source
from correlate.sigma.view import flat


@dataclass(slots=True)
class Result:
    """What one test said.

    Attributes:
        name: of the test.
        rule: id of the rule.
        problems: what differs from the expectation; empty: it passes.
        notes: what is worth saying although it passes.
    """

    name: str
    rule: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def listed(document: Document) -> bool:
    """Tell whether a test file lists events to match and not to match."""
    return not document.data.keys().isdisjoint(("match", "no_match"))


def events_of(document: Document) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the events that must match, and those that must not, flat.

    Raises:
        RuleError: not lists of mappings, or both empty.
    """
    found = []
    for key in ("match", "no_match"):
        given = document.data.get(key) or []
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise document.error(f"{key}: expected a list of events", key)
        found.append([flat({str(name): value for name, value in one.items()}) for one in given])
    if unknown := document.data.keys() - {"match", "no_match"}:
        raise document.error(f"{min(unknown)!r} is unknown; expected match, no_match", min(unknown))
    if not found[0] and not found[1]:
        raise document.error("no events; expected some under match or no_match")
    return found[0], found[1]


def run_listed(document: Document, rules: Iterable[Detection]) -> Iterator[Result]:
    """Run a test file of listed events against the rules of its rule file.

    Raises:
        RuleError: see `events_of`.
    """
    positive, negative = events_of(document)
    for rule in rules:
        engine = Engine([rule], nested=True)
        result = Result("listed events", rule.id)
        for wanted, events in ((True, positive), (False, negative)):
            key = "match" if wanted else "no_match"
            for at, event in enumerate(events):
                if bool(engine.match(event)) is not wanted:
                    line, _ = document.place(key, at)
                    verb = "is not matched" if wanted else "is matched"
                    result.problems.append(
                        f"{document.file}:{line}: event {at + 1} of {key} {verb}"
                    )
        yield result


@dataclass(slots=True, frozen=True)
class Regression:
    """One test of an `info.yml`.

    Attributes:
        path: of the events, relative to the root of the rule checkout; its ending may be `.evtx`, beside
            which the events stand as `.json`.
        expected: matches, at least; 0: none.
        rules: ids that must match.
    """

    name: str
    path: str
    expected: int
    rules: tuple[str, ...]


def regressions(document: Document) -> list[Regression]:
    """Read an `info.yml`.

    Raises:
        RuleError: not of that layout.
    """
    tests = document.data.get("regression_tests_info") or []
    metadata = document.data.get("rule_metadata") or []
    if not isinstance(tests, list) or not isinstance(metadata, list):
        raise document.error("expected lists regression_tests_info and rule_metadata")
    rules = tuple(str(one.get("id", "")) for one in metadata if isinstance(one, dict))
    made = []
    for at, test in enumerate(tests):
        if not isinstance(test, dict) or not isinstance(test.get("path"), str):
            raise document.error("expected a mapping with 'path'", "regression_tests_info", at)
        expected = test.get("match_count", 1)
        if type(expected) is not int or expected < 0:
            raise document.error(
                "match_count: expected a number", "regression_tests_info", at, "match_count"
            )
        name = str(test.get("name", f"test {at + 1}"))
        made.append(Regression(name, test["path"], expected, rules))
    return made


def run_regression(
    test: Regression, events: Iterable[dict[str, Any]], rules: Mapping[str, Detection]
) -> Iterator[Result]:
    """Run one test of an `info.yml` over its events."""
    seen = [flat(event) for event in events]
    for id in test.rules:
        result = Result(test.name, id)
        if id not in rules:
            result.problems.append(f"no rule {id} in the set")
        else:
            engine = Engine([rules[id]], nested=True)
            count = sum(bool(engine.match(event)) for event in seen)
            if test.expected == 0 and count:
                result.problems.append(f"{count} of {len(seen)} events match; expected none")
            elif count < test.expected:
                result.problems.append(
                    f"{count} of {len(seen)} events match; expected {test.expected}"
                )
            elif test.expected and count > test.expected:
                result.notes.append(f"{count} events match; {test.expected} stated")
        yield result


def json_events(text: str) -> list[dict[str, Any]]:
    """Read events: JSON objects or lists of them, one after the other, however spaced.

    Raises:
        ValueError: not JSON objects.
    """
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise ValueError(f"expected JSON objects, came {type(one).__name__}")  # noqa: TRY004  # bad input
            found.append(one)
    return found


def selections_held(
    selections: Mapping[str, Node],
    source: Source,
    events: Iterable[Mapping[str, Any]],
) -> dict[str, int]:
    """Return for each search identifier how many of the events it holds for: coverage of a test.

    Args:
        selections: what each asks; see `compile.Compiler.selections`.
        source: the rule's log source, which decides how fields are called in an event.
        events: flat.
    """
    router = Router()
    counts = dict.fromkeys(selections, 0)
    for event in events:
        ways = router.route(event).names_for(source) or [Names({})]
        for name, node in selections.items():
            counts[name] += any(node_test(renamed(node, names))(event) for names in ways)
    return counts
