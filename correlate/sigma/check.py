"""Faults of rules, for their authors: errors that keep a rule out, and what is unwise.

Each finding says where, what, and what to do. Conventions on meta data are in `conventions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from contract.document import Document
from contract.errors import RuleError
from correlate.sigma import taxonomy
from correlate.sigma.compile import load
from correlate.sigma.conventions import Conventions, Finding
from correlate.sigma.faults import faults
from correlate.sigma.known_fields import CATEGORIES, WINDOWS
from correlate.sigma.logic import verdict
from correlate.sigma.node import leaves
from correlate.sigma.pattern import required_literal
from correlate.sigma.pattern_cost import Clock, seconds_per_kb
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Detection, Options, identity_of
from correlate.sigma.usage import unused
from correlate.window.library import library
from correlate.window.settings import WindowSettings

SLOW_SECONDS_PER_KB = 20e-6
"""Of one pattern over a kilobyte of text, from which it is named. Common patterns take 1 to 3 µs."""


def check(
    documents: Iterable[Document],
    *,
    pipelines: Sequence[Pipeline] = (),
    options: Options | None = None,
    clock: Clock | None = None,
) -> list[Finding]:
    """Examine rules together; findings in order of file and line.

    Args:
        documents: detections, correlations and filters.
        pipelines: see `rules.load`.
        options: see there.
        clock: seconds, to measure what patterns cost; None: cost is not measured.
    """
    known = list(documents)
    rules = load(known, pipelines=pipelines, options=options)
    errors = dict.fromkeys([*rules.errors, *library(rules, WindowSettings()).errors])
    findings = [_refused(error, _rule_at(known, error)) for error in errors]
    for document in known:
        if "detection" in document.data:
            rule = rules.detections.get(identity_of(document))
            if rule is not None and rule.document is not document:
                rule = None
            if rule is None:
                findings += _faults(document, findings, pipelines, options)
            findings += _document(document, rule, clock)
        elif "correlation" in document.data or "filter" in document.data:
            findings += _Notes(document).meta()
            findings += _Notes(document).keeping()
    findings += _duplicates(rules.detections.values())
    return sorted(findings, key=lambda one: (one.file, one.line, one.column, one.code))


def _faults(
    document: Document,
    known: list[Finding],
    pipelines: Sequence[Pipeline],
    options: Options | None,
) -> list[Finding]:
    """Return what is wrong with a refused rule beside what is known."""
    told = {(one.file, one.line, one.column, one.message) for one in known}
    return [
        _refused(error, identity_of(document))
        for error in faults(document, pipelines=pipelines, options=options)
        if (error.file, error.line, error.column, error.message) not in told
    ]


def _refused(error: RuleError, rule: str) -> Finding:
    return Finding("error", "refused", error.message, error.file, error.line, error.column, rule)


def _rule_at(documents: Sequence[Document], error: RuleError) -> str:
    """Return the id of the rule that an error is in: of its file's documents the last that begins before it."""
    before = [
        (one.place()[0], identity_of(one))
        for one in documents
        if one.file == error.file and one.place()[0] <= error.line
    ]
    return max(before, default=(0, ""))[1]


def _document(document: Document, rule: Detection | None, clock: Clock | None) -> Iterator[Finding]:
    notes = _Notes(document)
    yield from notes.meta()
    yield from notes.detection_meta()
    yield from notes.unused()
    yield from notes.values()
    if rule is not None:
        yield from notes.source(rule)
        yield from notes.fields(rule)
        yield from notes.logic(rule)
        yield from notes.patterns(rule, clock)


class _Notes(Conventions):
    """Findings on one document's detection, or filter."""

    def keeping(self) -> Iterator[Finding]:
        given = self.data.get("filter")
        condition = str(given.get("condition", "")) if isinstance(given, dict) else "not"
        if not re.search(r"\bnot\b", condition):
            yield self.warn(
                "filter-keeps", f"leaves nothing out: its rules match only where {condition!r} holds; to leave that out, "
                f"write 'not {condition}'", "filter", "condition",
            )  # fmt: skip

    def unused(self) -> Iterator[Finding]:
        for name in unused(self.data.get("detection")):
            yield self.warn(
                "unused", f"{name!r} is in no condition; use it or take it away", "detection", name
            )

    def values(self) -> Iterator[Finding]:
        for path, key, value in _items(self.data.get("detection")):
            field, _, modifiers = key.partition("|")
            values = value if isinstance(value, list) else [value]
            if len(values) > 1 and any(one is None for one in values):
                yield self.warn(
                    "null-in-list", "null cannot be in a list; write a search of its own", *path
                )
            exact = re.search(r"\b(re|cased|base64\w*|wide|utf16\w*)\b", modifiers)
            if len(values) != len({repr(one) if exact else repr(one).casefold() for one in values}):
                yield self.warn("repeated-value", f"{key}: a value stands twice", *path)
            yield from self._times(key, values, path)
            for one in values:
                if not isinstance(one, str) or "re" in modifiers.split("|"):
                    continue
                if field and not modifiers and re.fullmatch(r"\*[^*?]+|[^*?\\]+\*", one):
                    yield self.say(
                        "note",
                        "wildcard",
                        f"{field}: {one!r}; write startswith, endswith or contains",
                        *path,
                    )
                if one != one.strip() and "contains" not in modifiers:
                    yield self.say("note", "space", f"{key}: {one!r} has a space at its end", *path)

    def _times(self, key: str, values: list[Any], path: tuple[str | int, ...]) -> Iterator[Finding]:
        for name in key.split("|")[1:]:
            first, last = PARTS_OF_TIME.get(name, (0, 0))
            for one in values if last else ():
                if isinstance(one, int) and not first <= one <= last:
                    text = f"{key}: {one} is no {name}; expected {first} to {last}"
                    yield self.warn("time-part", text, *path)

    def source(self, rule: Detection) -> Iterator[Finding]:
        source = rule.logsource
        if source.product == "windows" and source.service and source.service not in _SERVICES:
            yield self.warn(
                "service", f"{source.service!r} is no service of Windows in the taxonomy; no event "
                "will be routed to it", "logsource", "service",
            )  # fmt: skip
        if source.product == "windows" and source.category and source.category not in _WINDOWS:
            yield self.warn(
                "category", f"{source.category!r} is no category of Windows in the taxonomy; no event "
                "will be routed to it", "logsource", "category",
            )  # fmt: skip

    def fields(self, rule: Detection) -> Iterator[Finding]:
        source = rule.logsource
        known = (
            WINDOWS.get(source.category)
            if source.product == "windows"
            else CATEGORIES.get(source.category)
        )
        if known is None:
            return
        said = set()
        for path, key, _ in _items(self.data.get("detection")):
            field = key.partition("|")[0]
            if field and "." not in field and field not in known and field not in said:
                said.add(field)
                yield self.warn(
                    "field",
                    f"{source.category} events have no {field!r}{_near(field, known)}",
                    *path,
                )

    def logic(self, rule: Detection) -> Iterator[Finding]:
        said = verdict(rule.condition)
        if said:
            word = "can never hold" if said == "never" else "always holds"
            yield self.warn(f"{said}-matches", f"the condition {word}", "detection", "condition")

    def patterns(self, rule: Detection, clock: Clock | None) -> Iterator[Finding]:
        for leaf in dict.fromkeys(leaves(rule.condition)):
            if leaf.op != "re":
                continue
            pattern, flags = leaf.value
            where = self._place_of(pattern)
            cost = seconds_per_kb(pattern, flags, clock) if clock else 0.0
            if cost > SLOW_SECONDS_PER_KB:
                yield self.warn(
                    "slow-pattern", f"{pattern!r} takes {cost * 1e6:.0f} µs a kilobyte; most take 1 to 3",
                    *where,
                )  # fmt: skip
            elif required_literal(pattern, flags) is None:
                yield self.say(
                    "note", "no-literal", f"{pattern!r} holds no fixed text of three letters, so it is "
                    f"tried on every value{f', at {cost * 1e6:.1f} µs a kilobyte' if clock else ''}",
                    *where,
                )  # fmt: skip

    def _place_of(self, pattern: str) -> tuple[str | int, ...]:
        for path, _, value in _items(self.data.get("detection")):
            if value == pattern:
                return path
            if isinstance(value, list) and pattern in value:
                return (*path, value.index(pattern))
        return ("detection",)


PARTS_OF_TIME = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "week": (1, 53),
    "month": (1, 12),
}
"""As the appendix of modifiers says; but a year may have 53 weeks (ISO 8601)."""
_SERVICES = {service for services in taxonomy.SERVICES.values() for service in services}
_WINDOWS = {name for names in taxonomy.CATEGORIES.values() for name in names} | set(
    taxonomy.KERNEL_FILE_CATEGORIES
)


def _items(detection: Any) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    """Yield (path, key with modifiers, value or values) of every item of a detection section."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [
        (("detection", str(name)), one)
        for name, one in (detection.items() if isinstance(detection, dict) else ())
        if name != "condition"
    ]
    while stack:
        path, one = stack.pop()
        if isinstance(one, dict):
            for key, value in one.items():
                yield (*path, str(key)), str(key), value
        elif isinstance(one, list):
            stack += [
                ((*path, at), inner)
                for at, inner in enumerate(one)
                if isinstance(inner, dict | list)
            ]
            keywords = [inner for inner in one if not isinstance(inner, dict | list)]
            if keywords:
                yield path, "", keywords


def _near(field: str, known: frozenset[str]) -> str:
    """Return a hint at a known field of nearly the same name."""
    same = [name for name in known if name.casefold() == field.casefold()]
    near = same or get_close_matches(field, sorted(known), 1, 0.8)
    return f"; is {near[0]!r} meant?" if near else ""


def _duplicates(rules: Iterable[Detection]) -> Iterator[Finding]:
    """Yield rules that match the same as an earlier one, or bear its title."""
    by_content: dict[str, Detection] = {}
    by_title: dict[str, Detection] = {}
    for rule in rules:
        notes = _Notes(rule.document)
        first = by_content.setdefault(rule.content, rule)
        if first is not rule:
            place = f"{first.document.file}:{first.document.place()[0]}"
            yield notes.warn("duplicate", f"matches exactly what {first.title!r} matches ({place})")
        named = by_title.setdefault(rule.title.casefold(), rule)
        if named is not rule and rule.title:
            place = f"{named.document.file}:{named.document.place()[0]}"
            yield notes.say("note", "same-title", f"has the title of {place}", "title")
