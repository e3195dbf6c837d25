"""The rule set: detections compiled to nodes, correlations and filters as they were written, and what was refused.

One bad rule never stops the others: it stands in `errors` with file, line, column and reason. The
cache format (see `cache`) and the engine take what is defined here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.document import Document
from contract.errors import RuleError
from contract.ids import derive_id
from contract.records import LEVELS, Level
from correlate.sigma.node import Node
from correlate.sigma.taxonomy import ALIASES, Source

DEFAULT_LEVEL: Level = "medium"
"""Of a rule that states none; the specification leaves it open."""

COLLECTION_ACTIONS = ("global", "repeat", "reset")
"""Values of `action` in rule collections of Sigma 1."""

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTICS = frozenset(
    [
        "reconnaissance",
        "resource-development",
        "initial-access",
        "execution",
        "persistence",
        "privilege-escalation",
        "defense-evasion",
        "credential-access",
        "discovery",
        "lateral-movement",
        "collection",
        "command-and-control",
        "exfiltration",
        "impact",
        "defense-impairment",
        "stealth",
    ]
)
META_KEYS = frozenset(
    [
        "title",
        "id",
        "name",
        "related",
        "taxonomy",
        "status",
        "description",
        "license",
        "author",
        "references",
        "date",
        "modified",
        "logsource",
        "detection",
        "fields",
        "falsepositives",
        "level",
        "tags",
        "scope",
    ]
)


@dataclass(slots=True, frozen=True)
class Detection:
    """One detection rule, compiled.

    Attributes:
        id: its `id`, or one derived from its file and title.
        name: its `name`, or empty.
        tactics: ATT&CK tactic names of its tags, as `lateral-movement`.
        techniques: ATT&CK ids of its tags, as `T1059.001`.
        logsource: after the pipelines; earlier names replaced.
        custom: attributes that the specification does not know, e.g. the `opsonin` mapping.
        document: where it was read, for messages.
        condition: what must hold of an event.
        content: digest of all that decides matching; equal digests match equally.
        fields: of interest to an analyst, as the rule says.
        falsepositives: as the rule says.
        description: as the rule says.
    """

    id: str
    name: str
    title: str
    level: Level
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    status: str
    logsource: Source
    custom: Mapping[str, Any]
    document: Document
    condition: Node
    content: str = ""
    fields: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    description: str = ""


@dataclass(slots=True, frozen=True)
class RuleSet:
    """All rules of one configuration.

    Attributes:
        detections: by id, in order of reading.
        correlations: documents of correlation rules by id; `correlate.window` reads them.
        filters: documents of filters by id; applied to `detections` already.
        errors: what was refused, in order of reading.
    """

    detections: Mapping[str, Detection] = field(default_factory=dict)
    correlations: Mapping[str, Document] = field(default_factory=dict)
    filters: Mapping[str, Document] = field(default_factory=dict)
    errors: tuple[RuleError, ...] = ()

    def find(self, reference: str) -> Detection | None:
        """Return the detection of this id or, failing that, name. O(rules) by name."""
        found = self.detections.get(reference)
        if found is not None:
            return found
        return next((rule for rule in self.detections.values() if rule.name == reference), None)


@dataclass(slots=True, frozen=True)
class Options:
    """What decides compilation beside the rules.

    Attributes:
        placeholders: values of `%name%` in rules with the modifier `expand`.
        allow_slow: take patterns that only a backtracking engine can; each search has a time limit.
    """

    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allow_slow: bool = False


def identity_of(document: Document) -> str:
    """Return the document's id, or one derived from its file's name and title."""
    given = document.data.get("id")
    if isinstance(given, str) and given:
        return given
    name = re.split(r"[/\\]", document.file)[-1]
    return derive_id("rule", name, str(document.data.get("title", "")))


class Sorted:
    """Documents by kind, with what cannot stand side by side refused."""

    def __init__(self) -> None:
        self.detections: dict[str, Document] = {}
        self.correlations: dict[str, Document] = {}
        self.filters: dict[str, Document] = {}
        self.errors: list[RuleError] = []
        self._taken: dict[str, Document] = {}

    def add(self, document: Document) -> None:
        data = document.data
        kinds = [kind for kind in ("detection", "correlation", "filter") if kind in data]
        if data.get("action") in COLLECTION_ACTIONS:
            self.errors.append(
                document.error("'action' belongs to Sigma 1; write each rule whole", "action")
            )
        elif len(kinds) != 1:
            came = " and ".join(kinds) or "none"
            self.errors.append(
                document.error(f"expected one of detection, correlation, filter; came {came}")
            )
        elif self._is_free(document):
            section: dict[str, Document] = getattr(self, kinds[0] + "s")
            section[identity_of(document)] = document

    def _is_free(self, document: Document) -> bool:
        name = document.data.get("name")
        for key, label in ((identity_of(document), "id"), (name, "name")):
            if not isinstance(key, str):
                continue
            other = self._taken.get(key)
            if other is not None:
                line, _ = other.place()
                self.errors.append(
                    document.error(f"{label} {key!r} is taken by {other.file}:{line}", label)
                )
                return False
        self._taken[identity_of(document)] = document
        if isinstance(name, str):
            self._taken[name] = document
        return True


def meta_of(document: Document) -> dict[str, Any]:
    """Return the arguments of `Detection` that the document's meta data decide."""
    data = document.data
    tags = [tag.lower() for tag in _texts(data.get("tags"))]
    level = data.get("level")
    return {
        "name": data["name"] if isinstance(data.get("name"), str) else "",
        "title": str(data.get("title", "")),
        "level": level if level in LEVELS else DEFAULT_LEVEL,
        "tactics": tuple(dict.fromkeys(tactics_of(tags))),
        "techniques": tuple(
            dict.fromkeys(
                found.group(1).upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))
            )
        ),
        "status": str(data.get("status", "")),
        "custom": {key: value for key, value in data.items() if key not in META_KEYS},
        "fields": tuple(_texts(data.get("fields"))),
        "falsepositives": tuple(_texts(data.get("falsepositives"))),
        "description": str(data.get("description", "")),
    }


def tactics_of(tags: Iterable[str]) -> list[str]:
    """Return the tactic names among lower-case tags; the older spelling with underscores too."""
    names = [tag[7:].replace("_", "-") for tag in tags if tag.startswith("attack.")]
    return [name for name in names if name in _TACTICS]


def logsource_of(product: str | None, category: str | None, service: str | None) -> Source:
    """Return a log source with earlier names replaced, in lower case."""
    service = (service or "").lower()
    return Source((product or "").lower(), (category or "").lower(), ALIASES.get(service, service))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
