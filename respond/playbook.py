"""Playbooks: what is done about which chains. One YAML file each, in `rules/playbook/`, with its test beside it.

Words of CACAO 2.0 (OASIS, 2023) stand where they fit: `name`, `description`, `playbook_types`, `labels`, `priority`.
CACAO's workflow is not used: a playbook here says what must be true, and the enforcement points bring it about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from contract.document import Document
from contract.errors import RuleError
from contract.records import ActionName, Chain, Target
from contract.timespan import Timespan
from respond.aim import Aim, Named, Part, Tactics, Techniques, Words, steps_of

MAX_DURATION = timedelta(days=30)
"""Everything expires; what must last longer belongs into the enforcement point's own configuration."""


class When(Part):
    """Which chains a playbook is about; every condition given must hold.

    Attributes:
        score: the chain's score is at least this.
        patterns: the chain satisfies at least one of these declared chain patterns.
        stages: the chain shows at least so many distinct tactics, by as many distinct alerts.
        alerts: the chain holds at least so many alerts.
        entities: the chain names at least one entity of each of these kinds.
    """

    score: Annotated[float, Field(ge=0)]
    tactics: Tactics = Tactics()
    techniques: Techniques = Techniques()
    patterns: Words = ()
    stages: Annotated[int, Field(ge=0)] = 0
    alerts: Annotated[int, Field(ge=1)] = 1
    entities: tuple[Named, ...] = ()

    def hold(self, chain: Chain, ratio: float = 1.0) -> bool:
        """Tell whether the chain satisfies all conditions, with the score asked times `ratio`."""
        return (
            chain.score >= self.score * ratio
            and len(chain.alerts) >= self.alerts
            and steps_of(chain.stages) >= self.stages
            and (not self.patterns or not set(self.patterns).isdisjoint(chain.patterns))
            and self.tactics.hold(chain.stages)
            and self.techniques.hold(chain.stages)
            and all(kind.find(chain) for kind in self.entities)
        )


class Caps(Part):
    """How much one playbook may do by itself; 0 live targets: never without a person."""

    live: Annotated[int, Field(ge=0)] | None = None


def _short(span: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= span <= MAX_DURATION:
        raise ValueError(f"expected 1s to {MAX_DURATION.days}d: everything expires")
    return span


class Playbook(Part):
    """One answer to one kind of chain.

    Attributes:
        name: unique, also the file's name; the decision names it.
        playbook_types: CACAO's words for what kind of playbook it is.
        priority: 1 (first) to 100; of two playbooks that want the same of the same target, the first decides.
        when: which chains.
        action: what is done; not every enforcement point can do each.
        target: to what.
        points: names or kinds of configured enforcement points; empty: all.
        duration: how long, from the chain's last alert, or from a person's approval.
        impact: `high` always waits for a person, whatever the mode.
        release: what ends it before its time, whoever approved it, since the approval was given to this playbook:
            `trust_regained`, when the target has passed its attestation for long enough since it failed.
        caps: see `Caps`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    description: str = ""
    playbook_types: Annotated[
        tuple[
            Literal[
                "attack", "detection", "engagement", "investigation", "mitigation", "notification",
                "prevention", "remediation",
            ],
            ...,
        ],
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    ] = ("mitigation",)  # fmt: skip
    labels: Words = ()
    priority: Annotated[int, Field(ge=1, le=100)] = 50
    when: When
    action: ActionName
    target: Aim
    points: Words = ()
    duration: Annotated[Timespan, AfterValidator(_short)]
    impact: Literal["low", "high"]
    release: Literal["trust_regained"] | None = None
    caps: Caps = Caps()

    def asks(self, chain: Chain, ratio: float = 1.0) -> bool:
        """Tell whether this playbook is about the chain, with the score asked times `ratio`."""
        return chain.merged_into is None and self.when.hold(chain, ratio)

    def released(self, chain: Chain) -> frozenset[Target]:
        """Return the targets that this playbook lets go, because the chain says that they are trusted again."""
        if self.release is None:
            return frozenset()
        return frozenset(self.target.among(chain.trusted))


@dataclass(slots=True, frozen=True)
class Playbooks:
    """What a set of documents gave: the playbooks by priority and name, and the faults of those that are wrong."""

    playbooks: tuple[Playbook, ...]
    errors: tuple[RuleError, ...] = ()


def load(documents: Iterable[Document]) -> Playbooks:
    """Read playbooks; a wrong one is an error that names file, line and column, and the others still load."""
    found: dict[str, Playbook] = {}
    errors: list[RuleError] = []
    for document in documents:
        try:
            playbook = parse(document)
        except RuleError as error:
            errors.append(error)
            continue
        if playbook.name in found:
            errors.append(document.error(f"a playbook named {playbook.name!r} exists", "name"))
            continue
        found[playbook.name] = playbook
    ordered = sorted(found.values(), key=lambda one: (one.priority, one.name))
    return Playbooks(tuple(ordered), tuple(errors))


def parse(document: Document) -> Playbook:
    """Read one playbook.

    Raises:
        RuleError: names the first fault's file, line and column.
    """
    try:
        return Playbook.model_validate(document.data)
    except ValidationError as error:
        raise fault_words(document, error) from error


def fault_words(document: Document, error: ValidationError) -> RuleError:
    """Make (not raise) the error of a document that does not fit its model: the fault that stands first in the file.

    A key misspelt is both unknown and absent; the first says more.
    """
    faults = error.errors(include_url=False, include_context=False)
    first = min(
        faults, key=lambda fault: (fault["type"] == "missing", document.place(*fault["loc"]))
    )
    return document.error(_words(first), *first["loc"])


def _words(fault: Any) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{path!r} is absent"
    if fault["type"] == "extra_forbidden":
        return f"{path!r} is not known here; remove it or correct its name"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{path!r} is {fault['input']!r}: {message[:1].lower()}{message[1:]}"
