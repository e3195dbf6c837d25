"""Whom a playbook means: conditions on the ATT&CK terms of a chain, and the entities to act on. Pure.

A chain names everyone who comes near: the attacker, the target, the customer who shopped meanwhile. Acting on all of
them would hurt the wrong one, so an entity is acted on for what the alerts that name it show. Where a chain does not
say who did what, one candidate is taken at its word, and several are left to a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from contract.records import Chain, ChainStage, Entity, EntityType, Role, Target
from respond.target import TARGETABLE, of_entity


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


def _upper(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.upper() for value in values)


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One word or a list of them."""


class Part(BaseModel):
    """A part of a playbook: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tactics(Part):
    """ATT&CK tactics as in Sigma tags (`initial-access`): at least one of `any`, and each of `all`."""

    any: Annotated[Words, AfterValidator(_lower)] = ()
    all: Annotated[Words, AfterValidator(_lower)] = ()

    def hold(self, stages: Iterable[ChainStage]) -> bool:
        """Tell whether these stages satisfy the condition."""
        present = tactics_of(stages)
        return (not self.any or not present.isdisjoint(self.any)) and present.issuperset(self.all)


class Techniques(Part):
    """ATT&CK techniques: at least one of `any`, and each of `all`; `T1059` also means `T1059.001`."""

    any: Annotated[Words, AfterValidator(_upper)] = ()
    all: Annotated[Words, AfterValidator(_upper)] = ()

    def hold(self, stages: Iterable[ChainStage]) -> bool:
        """Tell whether these stages satisfy the condition."""
        present = {stage.technique for stage in stages}
        present |= {technique.partition(".")[0] for technique in present}
        return (not self.any or not present.isdisjoint(self.any)) and present.issuperset(self.all)


def tactics_of(stages: Iterable[ChainStage]) -> set[str]:
    """Return the distinct tactics of some stages; what has none counts for none."""
    return {stage.tactic for stage in stages} - {""}


def steps_of(stages: Sequence[ChainStage]) -> int:
    """Return how far some stages go: as many distinct tactics, and as many distinct alerts that show them.

    One alert that is tagged with two tactics is one step.
    """
    return min(len(tactics_of(stages)), len({stage.alert for stage in stages if stage.tactic}))


class Named(Part):
    """Entities by type and, unless `role` is empty, by the part they play."""

    type: EntityType
    role: Annotated[tuple[Role, ...], BeforeValidator(_listed)] = ()

    def fits(self, entity: Entity) -> bool:
        """Tell whether an entity is of this kind."""
        return entity.type == self.type and (not self.role or entity.role in self.role)

    def find(self, chain: Chain) -> list[Entity]:
        """Return the entities of this kind that a chain or its stages name, by value; one a value."""
        named = [*chain.entities, *(one for stage in chain.stages for one in stage.entities)]
        found = {entity.value: entity for entity in reversed(named) if self.fits(entity)}
        return [entity for _, entity in sorted(found.items())]


class Aimed(NamedTuple):
    """What to act on.

    Attributes:
        targets: distinct, in order of their values.
        faults: why entities that look right cannot be acted on.
        is_sure: false when the chain does not say which of several did it.
    """

    targets: list[Target]
    faults: list[str]
    is_sure: bool


def _targetable(kind: EntityType) -> EntityType:
    if kind not in TARGETABLE:
        raise ValueError(f"expected one of {', '.join(sorted(TARGETABLE))}, came {kind!r}")
    return kind


class Aim(Named):
    """What is acted on: entities of the chain, by type, role, and what the alerts that name them show.

    Attributes:
        stages: at least so many distinct alerts, of as many distinct tactics, name it.
        tactics: alerts of these tactics name it.
        techniques: alerts of these techniques name it.
        prefix_v4: an IPv4 address is widened to this length; 32 is the address alone.
        prefix_v6: an IPv6 address is widened to this length; an attacker often owns a whole /64. Private, shared
            and translated addresses stay single: a wider network there is everyone's.
        limit: a chain with more targets is left to a person: its breadth says that it is no one attacker.
    """

    type: Annotated[EntityType, AfterValidator(_targetable)]
    stages: Annotated[int, Field(ge=1)] = 1
    tactics: Tactics = Tactics()
    techniques: Techniques = Techniques()
    prefix_v4: Annotated[int, Field(ge=1, le=32)] = 32
    prefix_v6: Annotated[int, Field(ge=1, le=128)] = 128
    limit: Annotated[int, Field(ge=1)] = 8

    def at(self, chain: Chain) -> Aimed:
        """Return what of this chain to act on."""
        is_told = any(stage.entities for stage in chain.stages)
        found: dict[str, Target] = {}
        faults: list[str] = []
        for entity in self.find(chain):
            if is_told and not self._is_meant(entity, chain.stages):
                continue
            try:
                target = of_entity(entity, self.prefix_v4, self.prefix_v6)
            except ValueError as error:
                faults.append(f"{entity.type} {entity.value!r}: {error}")
            else:
                found[target.value] = target
        targets = [target for _, target in sorted(found.items())]
        return Aimed(targets, faults, is_told or len(targets) == 1)

    def among(self, entities: Iterable[Entity]) -> Iterator[Target]:
        """Yield the targets that entities of this kind would be."""
        for entity in entities:
            if self.fits(entity):
                with suppress(ValueError):
                    yield of_entity(entity, self.prefix_v4, self.prefix_v6)

    def _is_meant(self, entity: Entity, stages: Sequence[ChainStage]) -> bool:
        """Tell whether the stages that name an entity, in a fitting part, are those asked for."""
        naming = [
            stage
            for stage in stages
            if any(one.value == entity.value and self.fits(one) for one in stage.entities)
        ]
        return (
            steps_of(naming) >= self.stages
            and self.tactics.hold(naming)
            and self.techniques.hold(naming)
        )
