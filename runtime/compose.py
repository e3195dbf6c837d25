"""Rules and settings to a pipeline: the one place where the parts meet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from contract.errors import InputError
from correlate.aggregate import aggregate
from correlate.detect import Detector
from correlate.link import link
from correlate.sigma.changes import Changes
from correlate.window.library import library
from respond.decide import decide
from respond.guard import Guard
from respond.verdict import Point
from runtime.engine import Pipeline
from runtime.rule_files import shipped
from runtime.rulebook import Rulebook, read_rulebook, renewed
from runtime.settings import Settings

log = structlog.get_logger()

CACHE_NAME = "cache"
"""Folder of compiled rules in the data folder."""


@dataclass(slots=True, frozen=True)
class Composition:
    """What was made of rules and settings.

    Attributes:
        errors: every rule, pattern and playbook that is wrong, and why.
        counts: how many of each kind are in use.
        fresh: makes another pipeline of the same rules, which shares no state: one for each partition.
        outer: ids of correlations that refer to other correlations.
        rulebook: the rules.
        roots: folders and files that they were read from.
        cache_folder: where compiled rules are kept.
        detector: of the pipeline.
    """

    pipeline: Pipeline
    errors: tuple[InputError, ...]
    counts: Mapping[str, int]
    fresh: Callable[[], Pipeline]
    outer: frozenset[str]
    rulebook: Rulebook
    roots: tuple[Path, ...]
    cache_folder: Path | None
    detector: Detector


def engine_cache(settings: Settings) -> Path:
    """Return the folder of an engine's compiled rules: in its data folder, which nobody else writes."""
    return settings.engine.data_dir / CACHE_NAME


def compose(
    settings: Settings, rules: tuple[Path, ...] = (), *, cache_folder: Path | None = None
) -> Composition:
    """Compile everything; a broken rule is left out, named in the log and in `errors`.

    Args:
        settings: checked.
        rules: folders instead of the settings'.
        cache_folder: where compiled rules are kept, see `engine_cache`; None: nowhere.

    Raises:
        SettingsError: a rules folder or pipeline is not there.
        RuleError: a pipeline is not one.
    """
    roots = rules or settings.engine.rules or (shipped(),)
    rulebook = read_rulebook(settings, roots, cache_folder)
    for error in rulebook.errors:
        log.error("rule.refused", error=str(error))
    composition = _composition(settings, rulebook, roots, cache_folder)
    log.info("rules.loaded", refused=len(rulebook.errors), **rulebook.counts)
    return composition


def recompose(settings: Settings, before: Composition) -> tuple[Composition, Changes]:
    """Compile everything as its files are now, ready to take the place of `before`; may run in a thread beside it.

    What is broken now keeps its last good version; `Composition.errors` names it.

    Raises:
        SettingsError: a rules folder or pipeline is not there any more.
        RuleError: a pipeline is none any more.
    """
    now = read_rulebook(settings, before.roots, before.cache_folder)
    rulebook, changes = renewed(before.rulebook, now, settings.correlate)
    made = _composition(settings, rulebook, before.roots, before.cache_folder, changes.correlations)
    made.detector.prepare(before.detector)
    return made, changes


def _composition(
    settings: Settings,
    rulebook: Rulebook,
    roots: tuple[Path, ...],
    cache_folder: Path | None,
    reset: Collection[str] = (),
) -> Composition:
    sigma = rulebook.sigma
    points = [Point(one.name, one.type.name) for one in settings.points]
    detector = Detector(sigma)

    def fresh() -> Pipeline:
        return Pipeline(
            detector=detector,
            aggregate=aggregate(sigma, settings.correlate, reset),
            link=link(tuple(rulebook.patterns.values()), settings.link),
            decide=decide(rulebook.playbooks, Guard(settings.guard), points, settings.policy),
        )

    made = library(sigma, settings.correlate)
    outer = {one for inner in made.correlations for one in made.consumers.get(inner, ())}
    return Composition(
        fresh(),
        rulebook.errors,
        rulebook.counts,
        fresh,
        frozenset(outer),
        rulebook,
        roots,
        cache_folder,
        detector,
    )
