"""Rules and settings to a pipeline: the one place where the parts meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from contract.errors import InputError
from correlate.aggregate import aggregate, check
from correlate.chain.patterns import load as load_patterns
from correlate.detect import Detector
from correlate.link import link
from correlate.observe import observe
from correlate.sigma.rules import load as load_sigma
from respond.decide import decide
from respond.guard import Guard
from respond.playbook import load as load_playbooks
from respond.verdict import Point
from runtime.engine import Pipeline
from runtime.rule_files import read_rules, shipped
from runtime.settings import Settings

log = structlog.get_logger()


@dataclass(slots=True, frozen=True)
class Composition:
    """What was made of rules and settings.

    Attributes:
        errors: every rule, pattern and playbook that was left out, and why.
        counts: how many of each kind are in use.
    """

    pipeline: Pipeline
    errors: tuple[InputError, ...]
    counts: Mapping[str, int]


def compose(settings: Settings, rules: tuple[Path, ...] = ()) -> Composition:
    """Compile everything; a broken rule is left out, named in the log and in `errors`.

    Args:
        settings: checked.
        rules: folders instead of the settings'.

    Raises:
        SettingsError: a rules folder is not there.
    """
    files = read_rules(rules or settings.engine.rules or (shipped(),))
    sigma = load_sigma(files.sigma)
    playbooks = load_playbooks(files.playbooks)
    patterns = load_patterns(files.patterns)
    points = [Point(one.name, one.type.name) for one in settings.points]
    detector = Detector(sigma)
    pipeline = Pipeline(
        match=detector.match,
        observe=observe,
        aggregate=aggregate(sigma, settings.correlate),
        link=link(tuple(patterns.patterns.values()), settings.link),
        decide=decide(playbooks.playbooks, Guard(settings.guard), points, settings.policy),
    )
    errors: tuple[InputError, ...] = (
        *files.errors,
        *sigma.errors,
        *check(sigma, settings.correlate),
        *patterns.errors,
        *playbooks.errors,
    )
    for error in errors:
        log.error("rule.refused", error=str(error))
    counts = {
        "detections": len(sigma.detections),
        "correlations": len(sigma.correlations),
        "patterns": len(patterns.patterns),
        "playbooks": len(playbooks.playbooks),
    }
    log.info("rules.loaded", refused=len(errors), **counts)
    return Composition(pipeline, errors, counts)
