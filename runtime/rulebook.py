"""The rules in force: detections, correlations, chain patterns and playbooks; and what becomes of them when files change.

A file that is broken now keeps its last good version in force, and is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contract.document import Document
from contract.errors import InputError, RuleError
from correlate.aggregate import check
from correlate.chain.patterns import Pattern
from correlate.chain.patterns import load as load_patterns
from correlate.sigma.changes import Changes, reload
from correlate.sigma.rules import Options, RuleSet
from correlate.window.settings import WindowSettings
from respond.playbook import Playbook
from respond.playbook import load as load_playbooks
from runtime.rule_cache import load_rules, pipelines_of
from runtime.rule_files import RuleFiles
from runtime.settings import Settings


@dataclass(slots=True, frozen=True)
class Rulebook:
    """All rules of one moment.

    Attributes:
        pattern_documents, playbook_documents: where `patterns` and `playbooks` were read.
        errors: every rule, pattern and playbook that is wrong in its file, and why.
        kept: files that are wrong and whose last good version is in force.
    """

    sigma: RuleSet
    patterns: Mapping[str, Pattern]
    playbooks: Sequence[Playbook]
    pattern_documents: tuple[Document, ...]
    playbook_documents: tuple[Document, ...]
    errors: tuple[InputError, ...]
    kept: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind are in force."""
        return {
            "detections": len(self.sigma.detections),
            "correlations": len(self.sigma.correlations),
            "patterns": len(self.patterns),
            "playbooks": len(self.playbooks),
        }


def read_rulebook(settings: Settings, roots: Sequence[Path], cache_folder: Path | None) -> Rulebook:
    """Read and compile every rule below `roots`, from the cache what did not change.

    Raises:
        SettingsError: a root or pipeline is not there.
        RuleError: a pipeline is not one.
    """
    detect = settings.detect
    loaded = load_rules(
        roots,
        pipelines=pipelines_of(detect.pipelines),
        options=Options(detect.placeholders, allow_slow=detect.slow_patterns),
        cache_folder=cache_folder,
    )
    files = RuleFiles()
    for document in loaded.others:
        files.add(document)
    return _rulebook(
        loaded.rules, settings.correlate, files.patterns, files.playbooks, files.errors
    )


def _rulebook(
    sigma: RuleSet,
    settings: WindowSettings,
    patterns: Iterable[Document],
    playbooks: Iterable[Document],
    errors: Iterable[InputError],
) -> Rulebook:
    pattern_documents, playbook_documents = tuple(patterns), tuple(playbooks)
    read_patterns = load_patterns(pattern_documents)
    read_playbooks = load_playbooks(playbook_documents)
    return Rulebook(
        sigma,
        read_patterns.patterns,
        read_playbooks.playbooks,
        pattern_documents,
        playbook_documents,
        (
            *sigma.errors,
            *errors,
            *check(sigma, settings),
            *read_patterns.errors,
            *read_playbooks.errors,
        ),
    )


def renewed(old: Rulebook, new: Rulebook, settings: WindowSettings) -> tuple[Rulebook, Changes]:
    """Return the rulebook to put in force in place of `old`, and what it changes.

    Args:
        old: in force.
        new: as the files are now.
        settings: of the correlations.
    """
    broken = {error.file for error in new.errors}
    sigma, changes = reload(old.sigma, _without_broken(new, old.sigma))
    patterns = _good(old.pattern_documents, new.pattern_documents, broken)
    playbooks = _good(old.playbook_documents, new.playbook_documents, broken)
    made = _rulebook(replace(sigma, errors=()), settings, patterns, playbooks, ())
    documents = [
        *(rule.document for rule in sigma.detections.values()),
        *sigma.correlations.values(), *patterns, *playbooks,
    ]  # fmt: skip
    kept = tuple(sorted({one.file for one in documents} & broken))
    errors = tuple({str(error): error for error in (*new.errors, *made.errors)}.values())
    return replace(made, errors=errors, kept=kept), changes


def _good(
    old: Iterable[Document], new: Iterable[Document], broken: set[str]
) -> tuple[Document, ...]:
    return (
        *(one for one in new if one.file not in broken),
        *(one for one in old if one.file in broken),
    )


def _without_broken(new: Rulebook, old: RuleSet) -> RuleSet:
    """Leave out rules that are wrong as correlations are wrong (found once all are read) where there is an older one."""
    detections, correlations = dict(new.sigma.detections), dict(new.sigma.correlations)
    places = [(rule.document, id) for id, rule in detections.items()]
    places += [(document, id) for id, document in correlations.items()]
    starts: dict[str, list[tuple[int, str]]] = {}
    for document, id in places:
        starts.setdefault(document.file, []).append((document.place()[0], id))
    refused = [error for error in new.errors if isinstance(error, RuleError)]
    for error in refused:
        before = [one for one in starts.get(error.file, ()) if one[0] <= error.line]
        id = max(before, default=(0, ""))[1]
        if id in old.detections:
            detections.pop(id, None)
        if id in old.correlations:
            correlations.pop(id, None)
    return replace(
        new.sigma, detections=detections, correlations=correlations, errors=tuple(refused)
    )
