"""Chain patterns: declared sub-graphs that give a known campaign's shape its name. One YAML file each, in `rules/chain/`.

    pattern: break_in_then_untrusted         unique; what playbooks and reports call it
    title: Break-in, then the host fails attestation
    description: why these steps belong together, and where this was seen
    within: 2h                               from the first step's start to the last one's
    order: true                              steps happen in the order written (the default)
    steps:
      - name: entry
        tactics: [initial-access]            any of these; every condition that is given must hold
        techniques: [T1190]                  any of these, or a sub-technique of one
        rules: ["suricata*"]                 id or title of the rule, with * and ?
        level: medium                        at least
        optional: false
    edges:
      - {from: entry, to: trust lost, any: [attestation, address]}   one of these joins the two directly

A pattern adds no alert and joins nothing: it names what the joins found.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.document import Document
from contract.errors import RuleError
from contract.records import Level
from contract.timespan import Timespan
from contract.timestamps import microseconds
from correlate.chain.attack import TACTICS
from correlate.chain.edges import EDGES, SKEW_US
from correlate.chain.runs import LEVEL_OF, Run
from correlate.chain.stages import edge_name, steps_of

MAX_STEPS: Final = 12
MAX_WORK: Final = 20_000
"""Runs tried for one pattern on one chain; a pattern that needs more is taken as not there."""

EDGE_NAMES: Final = frozenset(edge.name for edge in EDGES.values()) | {"coincidence", "person"}
"""What links are called."""

_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?", re.ASCII).fullmatch

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Texts = tuple[Annotated[str, Field(min_length=1, max_length=200)], ...]


class Strict(BaseModel):
    """A part of a pattern; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Strict):
    """What one node of the sub-graph must be."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    tactics: Texts = ()
    techniques: Texts = ()
    rules: Texts = ()
    level: Level = "informational"
    optional: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Step:
        if not (self.tactics or self.techniques or self.rules):
            raise ValueError(
                "expected tactics, techniques or rules; a step without them is anything"
            )
        odd = next((one for one in self.techniques if not _TECHNIQUE(one)), None)
        if odd is not None:
            raise ValueError(
                f"{odd!r} is no technique; expected an ATT&CK id such as T1190 or T1059.001"
            )
        unknown = [one for one in self.tactics if one not in TACTICS]
        if unknown:
            raise ValueError(f"no tactic is named {unknown[0]!r}; there are {', '.join(TACTICS)}")
        return self

    def holds(self, run: Run) -> bool:
        """Tell whether a run is such a step."""
        if run.level < LEVEL_OF[self.level]:
            return False
        if self.rules and not any(
            fnmatchcase(text, one) for one in self.rules for text in (run.rule.id, run.rule.name)
        ):
            return False
        if not (self.tactics or self.techniques):
            return True
        return any(
            (not self.tactics or tactic in self.tactics)
            and (not self.techniques or _is_under(technique, self.techniques))
            for tactic, technique in steps_of(run)
        )


class Join(Strict):
    """That two steps are joined directly, by one of these edges; by any where none is named."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    any: Texts = ()


class Pattern(Strict):
    """One declared shape."""

    pattern: Name
    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    references: Texts = ()
    within: Timespan = timedelta(days=1)
    order: bool = True
    steps: Annotated[tuple[Step, ...], Field(min_length=2, max_length=MAX_STEPS)]
    edges: tuple[Join, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Pattern:
        names = [step.name for step in self.steps]
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"two steps are named {twice!r}")
        if sum(not step.optional for step in self.steps) < 2:  # noqa: PLR2004 - one step is no chain
            raise ValueError("expected at least two steps that are not optional")
        for join in self.edges:
            strange = next((one for one in join.any if one not in EDGE_NAMES), None)
            if strange is not None:
                raise ValueError(
                    f"no edge is named {strange!r}; there are {', '.join(sorted(EDGE_NAMES))}"
                )
            for end in (join.from_, join.to):
                if end not in names:
                    raise ValueError(
                        f"an edge names the step {end!r}; there are {', '.join(names)}"
                    )
        return self

    def find(self, runs: Sequence[Run]) -> dict[str, Run] | None:
        """Return the run of each step, the earliest that fit, or None.

        Args:
            runs: of one chain, by time.
        """
        fits = {step.name: [run for run in runs if step.holds(run)] for step in self.steps}
        if any(not fits[step.name] for step in self.steps if not step.optional):
            return None
        needed = [step for step in self.steps if not step.optional]
        found = _Search(self, fits).place(needed, {})
        if found is None:
            return None
        for step in self.steps:
            if step.optional:
                found = _Search(self, fits).place([step], found) or found
        return found


@dataclass(slots=True)
class _Search:
    """Backtracking over steps, within a bound of work."""

    pattern: Pattern
    fits: Mapping[str, Sequence[Run]]
    work: int = 0

    def place(self, steps: Sequence[Step], placed: dict[str, Run]) -> dict[str, Run] | None:
        if not steps:
            return placed
        step, rest = steps[0], steps[1:]
        for run in self.fits[step.name]:
            self.work += 1
            if self.work > MAX_WORK:
                return None
            if run in placed.values():
                continue
            here = {**placed, step.name: run}
            if self._holds(here):
                found = self.place(rest, here)
                if found is not None:
                    return found
        return None

    def _holds(self, placed: Mapping[str, Run]) -> bool:
        pattern = self.pattern
        runs = [placed[step.name] for step in pattern.steps if step.name in placed]
        firsts = [run.first_us for run in runs]
        if max(firsts) - min(firsts) > microseconds(pattern.within):
            return False
        if pattern.order and any(
            late + SKEW_US < early for early, late in itertools.pairwise(firsts)
        ):
            return False
        return all(
            _joined(placed[join.from_], placed[join.to], join.any)
            for join in pattern.edges
            if join.from_ in placed and join.to in placed
        )


def _joined(one: Run, two: Run, names: Texts) -> bool:
    return any(not names or edge_name(tie, one, two) in names for tie in one.ties.get(two, ()))


@lru_cache(maxsize=4096)
def _is_under(technique: str, wanted: Texts) -> bool:
    return any(technique == one or technique.startswith(f"{one}.") for one in wanted)


# ------------------------------------------------------------------ loading


@dataclass(slots=True, frozen=True)
class PatternSet:
    """Patterns by name, and what was wrong with the others."""

    patterns: Mapping[str, Pattern] = field(default_factory=dict)
    errors: tuple[RuleError, ...] = ()


def load(documents: Iterable[Document]) -> PatternSet:
    """Read patterns; faults are collected, each with file and line, and the others load."""
    patterns: dict[str, Pattern] = {}
    errors: list[RuleError] = []
    for document in documents:
        try:
            pattern = Pattern.model_validate(document.data)
        except ValidationError as error:
            errors.extend(_faults(document, error))
            continue
        if pattern.pattern in patterns:
            errors.append(
                document.error(f"a pattern {pattern.pattern!r} was read before", "pattern")
            )
            continue
        patterns[pattern.pattern] = pattern
    return PatternSet(patterns, tuple(errors))


def _faults(document: Document, error: ValidationError) -> Iterator[RuleError]:
    faults = error.errors()
    places = [fault["loc"] for fault in faults]
    for fault in faults:
        place = fault["loc"]
        # A list that lost its wrong members is short for their sake.
        if not any(len(one) > len(place) and one[: len(place)] == place for one in places):
            yield document.error(_words(fault), *place)


def _words(fault: Any) -> str:
    """Return what is wrong, of one fault that pydantic found."""
    place, value = fault["loc"], fault["input"]
    key = next((repr(part) for part in reversed(place) if isinstance(part, str)), "")
    if fault["type"] == "missing":
        return f"{key} is absent"
    if fault["type"] == "extra_forbidden":
        return f"{key} is not known here; remove it or correct its name"
    if fault["type"] == "too_short":
        return f"{key}: expected at least {fault['ctx']['min_length']}"
    if fault["type"] == "string_type":
        return f"{key}: expected a text, came {repr(value)[:80]}"
    message = fault["msg"].removeprefix("Value error, ")
    message = f"{key}: {message}" if key else message
    return message if isinstance(value, (dict, list)) else f"{message}; came {repr(value)[:80]}"
