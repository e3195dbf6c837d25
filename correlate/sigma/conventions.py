"""Findings on a rule's meta data: title, id, dates, tags, status, level, file name.

Source: Sigma 2.1 specification and JSON schema; SigmaHQ's rule, title and file name conventions
(sigmahq-rule-convention.md and its neighbours).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias
from uuid import UUID

from contract.document import Document
from contract.records import LEVELS
from correlate.chain.attack import TACTICS, TECHNIQUES
from correlate.sigma.rules import identity_of

Severity: TypeAlias = Literal["error", "warning", "note"]

_STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
_RELATED = ("derived", "obsolete", "merged", "renamed", "similar")
_TAG = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_.-]+)+")
_FILE = re.compile(r"[a-z0-9_]{6,66}\.ya?ml")  # with the ending, 10 to 70 characters
_NEWER_TACTICS = frozenset({"stealth", "defense-impairment"})
"""Of ATT&CK 19, which parted Defense Evasion in two."""
_NEWEST = max(TECHNIQUES)
_LATER = "T1800"
"""Numbers between are of a later ATT&CK than the one known here (the 19th goes to T1689), which can say nothing of them."""
_MAX_TITLE = 256
_USUAL_TITLE = 120


@dataclass(slots=True, frozen=True)
class Finding:
    """One thing to say about one place of one rule.

    Attributes:
        severity: `error`: the rule does not run; `warning`: it should be changed; `note`: worth knowing.
        code: a short name, stable, for suppression and statistics.
        rule: id of the rule, or empty.
    """

    severity: Severity
    code: str
    message: str
    file: str
    line: int
    column: int
    rule: str = ""


class Conventions:
    """Findings on one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = document.data
        self.id = identity_of(document)

    def say(self, severity: Severity, code: str, message: str, *path: str | int) -> Finding:
        line, column = self.document.place(*path)
        return Finding(severity, code, message, self.document.file, line, column, self.id)

    def warn(self, code: str, message: str, *path: str | int) -> Finding:
        return self.say("warning", code, message, *path)

    def meta(self) -> Iterator[Finding]:
        title = self.data.get("title")
        if not isinstance(title, str) or not title.strip():
            yield self.warn("title", "no title; every rule needs one", "title")
        elif len(title) > _MAX_TITLE:
            yield self.warn(
                "title", f"title of {len(title)} characters; at most {_MAX_TITLE}", "title"
            )
        elif len(title) > _USUAL_TITLE:
            yield self.say(
                "note", "title-length", "a title over 120 characters is hard to read", "title"
            )
        given = self.data.get("id")
        if given is None:
            yield self.warn(
                "id", "no id; generate a UUID (version 4) so that the rule can be referred to"
            )
        elif not _is_uuid(given):
            yield self.warn("id", f"id {given!r} is no UUID", "id")
        for name in ("date", "modified"):
            if name in self.data and not _is_date(self.data[name]):
                yield self.warn("date", f"{name} {self.data[name]!r}; expected YYYY-MM-DD", name)
        yield from self._state()
        yield from self._tags()
        yield from self._related()
        if not _FILE.fullmatch(re.split(r"[/\\]", self.document.file)[-1]):
            yield self.say(
                "note", "file-name", "by convention 10 to 70 of a-z, 0-9 and _, ending in .yml"
            )

    def _tags(self) -> Iterator[Finding]:
        for at, tag in enumerate(_list(self.data.get("tags"))):
            if not isinstance(tag, str) or not _TAG.fullmatch(tag):
                yield self.warn(
                    "tag", f"tag {tag!r}; expected lower-case namespace.name", "tags", at
                )
                continue
            name = tag.removeprefix("attack.")
            if name == tag or re.fullmatch(r"[gs]\d{4}", name):
                continue
            if re.fullmatch(r"t\d{4}(\.\d{3})?", name):
                technique = name.upper()
                if technique not in TECHNIQUES and not _NEWEST < technique < _LATER:
                    yield self.say(
                        "note", "technique", f"{technique} is not in ATT&CK 17", "tags", at
                    )
            elif name.replace("_", "-") not in TACTICS.keys() | _NEWER_TACTICS:
                yield self.say("note", "tactic", f"{name!r} is no tactic of ATT&CK", "tags", at)

    def _related(self) -> Iterator[Finding]:
        for at, one in enumerate(_list(self.data.get("related"))):
            if not isinstance(one, dict) or one.get("type") not in _RELATED or "id" not in one:
                yield self.warn(
                    "related", f"expected id and type (one of {', '.join(_RELATED)})", "related", at
                )

    def _state(self) -> Iterator[Finding]:
        status, taxonomy = self.data.get("status"), self.data.get("taxonomy")
        if status is not None and status not in _STATUSES:
            yield self.warn(
                "status", f"{status!r}; expected one of {', '.join(_STATUSES)}", "status"
            )
        if taxonomy not in (None, "sigma"):
            yield self.warn(
                "taxonomy",
                f"taxonomy {taxonomy!r} is read as Sigma's own; a pipeline must give its names ours",
                "taxonomy",
            )

    def detection_meta(self) -> Iterator[Finding]:
        level = self.data.get("level")
        if level is None:
            yield self.warn("level", "no level; medium is taken")
        elif level not in LEVELS:
            yield self.warn("level", f"{level!r}; expected one of {', '.join(LEVELS)}", "level")
        for name in ("description", "author", "date", "status", "falsepositives", "tags"):
            if not self.data.get(name):
                yield self.say("note", f"no-{name}", f"by convention a rule has {name!r}")
        conditions = self.data.get("detection", {})
        text = conditions.get("condition") if isinstance(conditions, dict) else ""
        if isinstance(text, str) and "all of them" in text:
            yield self.say(
                "note", "all-of-them", "'all of them' keeps users from adding filters; name a pattern",
                "detection", "condition",
            )  # fmt: skip


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_uuid(value: Any) -> bool:
    try:
        return str(UUID(value)) == str(value).lower()
    except (ValueError, AttributeError, TypeError):
        return False


def _is_date(value: Any) -> bool:
    if isinstance(value, date):
        return True
    try:
        return isinstance(value, str) and str(date.fromisoformat(value)) == value
    except ValueError:
        return False
