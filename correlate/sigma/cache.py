"""Compiled rules kept between starts, by the content of their files: a warm start reads no YAML.

The form is `cache_form`'s. A cache of another version, of other pipelines, placeholders or filters, or a
damaged one, is not used and no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from contract.document import Document, read
from contract.errors import RuleError
from correlate.sigma.cache_form import (
    CachedFile,
    CachedRule,
    content_digest,
    detection_of,
    encoded,
    error_of,
    files_of,
    head_of,
    rule_of,
    slim,
)
from correlate.sigma.pipelines import Pipeline, digest
from correlate.sigma.rules import (
    COLLECTION_ACTIONS,
    Detection,
    Options,
    RuleSet,
    Sorted,
)


@dataclass(slots=True)
class Loaded:
    """What `load_files` made.

    Attributes:
        rules: the rule set.
        others: documents that are no Sigma rules (chain patterns, playbooks), in order.
        cache: to be kept for the next time; None when nothing changed.
        reused: files whose rules came from the cache, compiled.
    """

    rules: RuleSet
    others: list[Document] = field(default_factory=list)
    cache: bytes | None = None
    reused: int = 0


def load_files(
    files: Iterable[tuple[str, bytes]],
    *,
    pipelines: Sequence[Pipeline] = (),
    options: Options | None = None,
    cache: bytes | None = None,
) -> Loaded:
    """Compile rule files, those of the cache without reading them.

    Args:
        files: name, for messages, and content; in order.
        pipelines: see `rules.load`.
        options: see there.
        cache: as `Loaded.cache` of an earlier time had it.

    Raises:
        RuleError: a pipeline is not one.
    """
    loading = _Loading(list(files), pipelines, options or Options())
    return loading.run(cache)


class _Loading:
    """One run of `load_files`."""

    def __init__(
        self, files: list[tuple[str, bytes]], pipelines: Sequence[Pipeline], options: Options
    ) -> None:
        self._files = [(name, data, content_digest(data)) for name, data in files]
        self._pipelines = pipelines
        self._options = options
        self._errors: list[RuleError] = []
        self._others: list[Document] = []
        self._sorted = Sorted()
        self._read: dict[str, list[Document]] = {}
        self._compiled = self._reused = 0

    def run(self, data: bytes | None) -> Loaded:
        head = head_of(data)
        known = files_of(head)
        for name, content, key in self._files:
            if key not in known or not known[key].whole:
                self._read[name] = self._documents(name, content)
        filters = [
            document
            for documents in self._read.values()
            for document in documents
            if "filter" in document.data
        ]
        made_of = self._made_of(filters)
        if head.made_of != made_of:  # the filters, too, decide conditions
            known = {}
            for name, content, _ in self._files:
                if name not in self._read:
                    self._read[name] = self._documents(name, content)
        return self._compile(known, made_of)

    def _documents(self, name: str, content: bytes) -> list[Document]:
        try:
            return list(read(content.decode("utf-8"), name))
        except RuleError as error:
            self._errors.append(error)
        except UnicodeDecodeError as error:
            self._errors.append(RuleError(f"not UTF-8 at byte {error.start}", file=name))
        return []

    def _made_of(self, filters: Sequence[Document]) -> str:
        made = blake2b(digest_size=16)
        options = (self._options.allow_slow, sorted(self._options.placeholders.items()))
        for part in (
            digest(self._pipelines),
            repr(options),
            *(repr(one.data) for one in filters),
        ):
            made.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return made.hexdigest()

    def _compile(self, known: dict[str, CachedFile], made_of: str) -> Loaded:
        entries: dict[str, CachedFile] = {}
        order: list[tuple[str, str, Document, CachedRule | None]] = []
        for name, _, key in self._files:
            documents = self._read.get(name)
            entry = entries[key] = known.get(key) or entries.get(key) or CachedFile()
            if documents is None:
                order += [(name, key, slim(name, rule), rule) for rule in entry.rules]
            else:
                compiled = {rule.line: rule for rule in entry.rules}
                order += [(name, key, one, compiled.get(one.place()[0])) for one in documents]
        self._reused = sum(key in known for _, _, key in self._files)
        rules = self._detections(order, entries)
        for name, _, key in self._files:
            if name in self._read:
                # Else a file must be read again: a rule refused for another's sake may stand alone next time.
                entries[key].whole = _is_whole(self._read[name], len(entries[key].rules))
        cache = None
        if self._compiled or entries.keys() != known.keys():
            cache = encoded(made_of, entries)
        return Loaded(rules, self._others, cache, self._reused)

    def _detections(
        self,
        order: list[tuple[str, str, Document, CachedRule | None]],
        entries: dict[str, CachedFile],
    ) -> RuleSet:
        pending = []
        for _, key, document, rule in order:
            if rule is not None and rule.error:
                self._errors.append(error_of(document.file, rule))
            elif rule is None and not _is_sigma(document):
                self._others.append(document)
            else:
                pending.append((key, document, rule))
        accepted: dict[int, tuple[str, CachedRule | None]] = {}
        for key, document, rule in pending:
            accepted[id(document)] = (key, rule)
            self._sorted.add(document)
        detections: dict[str, Detection] = {}
        compiler: Any = None
        for identity, document in self._sorted.detections.items():
            key, rule = accepted[id(document)]
            if rule is not None:
                detections[identity] = detection_of(rule, identity, document)
                continue
            if compiler is None:
                compiler = self._compiler()
            made = _compiled(compiler, identity, document)
            if isinstance(made, Detection):
                detections[identity] = made
                rule = rule_of(made, document)
            else:
                self._errors.append(made)
                rule = CachedRule(line=made.line, error=made.message, column=made.column)
            entries[key].rules.append(rule)
            self._compiled += 1
        errors = (*self._errors, *self._sorted.errors, *(compiler.errors if compiler else ()))
        return RuleSet(detections, self._sorted.correlations, self._sorted.filters, errors)

    def _compiler(self) -> Any:
        from correlate.sigma.compile import Compiler  # noqa: PLC0415  # pySigma takes half a second

        return Compiler(self._sorted.filters, self._pipelines, self._options)


def _compiled(compiler: Any, identity: str, document: Document) -> Detection | RuleError:
    try:
        made: Detection = compiler.detection(document, identity)
    except RuleError as error:
        return error
    return made


def _is_sigma(document: Document) -> bool:
    data = document.data
    return (
        not data.keys().isdisjoint(("detection", "correlation", "filter"))
        or data.get("action") in COLLECTION_ACTIONS
    )


def _is_whole(documents: Sequence[Document], compiled: int) -> bool:
    """Tell whether a file's documents are detection rules alone, all compiled, so that it need not be read again."""
    return bool(documents) and len(documents) == compiled and all(
        "detection" in document.data and "correlation" not in document.data
        and "filter" not in document.data
        for document in documents
    )  # fmt: skip
