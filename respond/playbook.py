"""Playbooks: what is done about which chains. One YAML file each, in `rules/playbook/`, with its test beside it.

Words of CACAO 2.0 (OASIS, 2023) stand where they fit: `name`, `description`, `playbook_types`, `labels`, `priority`.
CACAO's workflow is not used: a playbook here says what must be true, and the enforcement points bring it about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from contract.document import Document
from contract.errors import RuleError
from contract.records import ActionName, Chain, Entity, EntityType, Role, Target
from contract.timespan import Timespan
from respond.target import TARGETABLE, of_entity

MAX_DURATION = timedelta(days=30)
"""Everything expires; what must last longer belongs into the enforcement point's own configuration."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


def _upper(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.upper() for value in values)


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tactics(_Model):
    """ATT&CK tactics as in Sigma tags (`initial-access`): at least one of `any`, and each of `all`."""

    any: Annotated[Words, AfterValidator(_lower)] = ()
    all: Annotated[Words, AfterValidator(_lower)] = ()

    def hold(self, present: frozenset[str]) -> bool:
        """Tell whether a chain with these tactics satisfies the condition."""
        return (not self.any or not present.isdisjoint(self.any)) and present.issuperset(self.all)


class Techniques(_Model):
    """ATT&CK techniques: at least one of `any`, and each of `all`; `T1059` also means `T1059.001`."""

    any: Annotated[Words, AfterValidator(_upper)] = ()
    all: Annotated[Words, AfterValidator(_upper)] = ()

    def hold(self, present: frozenset[str]) -> bool:
        """Tell whether a chain with these techniques, parents included, satisfies the condition."""
        return (not self.any or not present.isdisjoint(self.any)) and present.issuperset(self.all)


class Named(_Model):
    """Entities by type and, unless `role` is empty, by the part they play."""

    type: EntityType
    role: Annotated[tuple[Role, ...], BeforeValidator(_listed)] = ()

    def find(self, chain: Chain) -> list[Entity]:
        """Return the chain's entities of this kind, by value; one a value."""
        found = {
            entity.value: entity
            for entity in chain.entities
            if entity.type == self.type and (not self.role or entity.role in self.role)
        }
        return [entity for _, entity in sorted(found.items())]


class When(_Model):
    """Which chains a playbook is about; every condition given must hold.

    Attributes:
        score: the chain's score is at least this.
        patterns: the chain satisfies at least one of these declared chain patterns.
        stages: the chain shows at least so many distinct tactics.
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
        tactics = frozenset(stage.tactic for stage in chain.stages)
        techniques = {stage.technique for stage in chain.stages}
        techniques |= {technique.partition(".")[0] for technique in techniques}
        return (
            chain.score >= self.score * ratio
            and len(chain.alerts) >= self.alerts
            and len(tactics - {""}) >= self.stages
            and (not self.patterns or not set(self.patterns).isdisjoint(chain.patterns))
            and self.tactics.hold(tactics)
            and self.techniques.hold(frozenset(techniques))
            and all(kind.find(chain) for kind in self.entities)
        )


def _targetable(kind: EntityType) -> EntityType:
    if kind not in TARGETABLE:
        raise ValueError(f"expected one of {', '.join(sorted(TARGETABLE))}, came {kind!r}")
    return kind


class Aim(_Model):
    """What is acted on: entities of the chain, by type and role.

    Attributes:
        prefix_v4: an IPv4 address is widened to this length; 32 is the address alone.
        prefix_v6: an IPv6 address is widened to this length; an attacker often owns a whole /64.
        limit: a chain that names more of them is left to a person: its breadth says that it is no one attacker.
    """

    type: Annotated[EntityType, AfterValidator(_targetable)]
    role: Annotated[tuple[Role, ...], BeforeValidator(_listed)] = ()
    prefix_v4: Annotated[int, Field(ge=1, le=32)] = 32
    prefix_v6: Annotated[int, Field(ge=1, le=128)] = 128
    limit: Annotated[int, Field(ge=1)] = 8


class Caps(_Model):
    """How much one playbook may do by itself; 0 live targets: never without a person."""

    live: Annotated[int, Field(ge=0)] | None = None


def _short(span: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= span <= MAX_DURATION:
        raise ValueError(f"expected 1s to {MAX_DURATION.days}d: everything expires")
    return span


class Playbook(_Model):
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
        BeforeValidator(_listed),
    ] = ("mitigation",)  # fmt: skip
    labels: Words = ()
    priority: Annotated[int, Field(ge=1, le=100)] = 50
    when: When
    action: ActionName
    target: Aim
    points: Words = ()
    duration: Annotated[Timespan, AfterValidator(_short)]
    impact: Literal["low", "high"]
    caps: Caps = Caps()

    def asks(self, chain: Chain, ratio: float = 1.0) -> bool:
        """Tell whether this playbook is about the chain, with the score asked times `ratio`."""
        return chain.merged_into is None and self.when.hold(chain, ratio)

    def targets(self, chain: Chain) -> tuple[list[Target], list[str]]:
        """Return what of this chain to act on, in order, and why entities that look right cannot be."""
        found: dict[str, Target] = {}
        faults: list[str] = []
        aim = self.target
        for entity in Named(type=aim.type, role=aim.role).find(chain):
            try:
                target = of_entity(entity, aim.prefix_v4, aim.prefix_v6)
            except ValueError as error:
                faults.append(f"{entity.type} {entity.value!r}: {error}")
            else:
                found[target.value] = target
        return [target for _, target in sorted(found.items())], faults


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
