"""Compiled rules kept between starts, by the content of their files: a warm start reads no YAML.

The format is JSON that a person can read, `version` first. A cache of another version, of other
pipelines, placeholders or filters, or one that does not decode, is not used and no error. It holds
nothing that runs: conditions are data, checked by type when they are decoded, so a cache may be shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from contract.document import Document, read
from contract.errors import RuleError
from contract.records import Level
from correlate.sigma.node import Node
from correlate.sigma.pipelines import Pipeline, digest
from correlate.sigma.rules import (
    COLLECTION_ACTIONS,
    Detection,
    Options,
    RuleSet,
    Sorted,
    identity_of,
)
from correlate.sigma.taxonomy import Source

VERSION = 1
"""Raised with every change of the format or of what compilation makes of a rule."""
KIND: Literal["opsonin compiled sigma rules"] = "opsonin compiled sigma rules"


class _Rule(msgspec.Struct, omit_defaults=True):
    """One detection rule, or why it was refused."""

    line: int
    id: str = ""
    name: str = ""
    title: str = ""
    level: Level = "medium"
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    status: str = ""
    logsource: tuple[str, str, str] = ("", "", "")
    custom: dict[str, Any] = {}
    condition: Node | None = None
    content: str = ""
    fields: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    description: str = ""
    error: str = ""
    column: int = 0


class _File(msgspec.Struct, omit_defaults=True):
    """What a file holds; `whole` when that is detection rules alone."""

    whole: bool = True
    rules: list[_Rule] = []


class _Cache(msgspec.Struct):
    version: int
    kind: Literal["opsonin compiled sigma rules"]
    made_of: str
    files: dict[str, _File]


class _Head(msgspec.Struct):
    """What is read of a cache before anything is trusted."""

    version: int = 0
    kind: str = ""
    made_of: str = ""


@dataclass(slots=True)
class Loaded:
    """What `load_files` made.

    Attributes:
        rules: the rule set.
        others: documents that are no Sigma rules (chain patterns, playbooks), in order.
        cache: to be kept for the next time; None when nothing changed.
        reused: files whose rules came from the cache.
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
        self._files = [(name, data, _digest(data)) for name, data in files]
        self._pipelines = pipelines
        self._options = options
        self._errors: list[RuleError] = []
        self._others: list[Document] = []
        self._sorted = Sorted()
        self._read: dict[str, list[Document]] = {}

    def run(self, data: bytes | None) -> Loaded:
        known = self._decode(data)
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
        if _head(data).made_of != made_of:  # the filters, too, decide conditions
            known = {}
            for name, content, _ in self._files:
                if name not in self._read:
                    self._read[name] = self._documents(name, content)
        return self._compile(known, made_of)

    def _decode(self, data: bytes | None) -> dict[str, _File]:
        head = _head(data)
        if data is None or head.version != VERSION or head.kind != KIND:
            return {}
        try:
            return msgspec.json.decode(data, type=_Cache).files
        except (msgspec.DecodeError, RecursionError):
            return {}

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

    def _compile(self, known: dict[str, _File], made_of: str) -> Loaded:
        entries: dict[str, _File] = {}
        order: list[tuple[str, str, Document, _Rule | None]] = []
        for name, _, key in self._files:
            documents = self._read.get(name)
            if documents is None:
                entries[key] = known[key]
                order += [(name, key, _slim(name, rule), rule) for rule in known[key].rules]
            else:
                entries[key] = _File(whole=_is_whole(documents))
                order += [(name, key, document, None) for document in documents]
        rules = self._detections(order, entries)
        changed = bool(self._read.keys() - {n for n, _, k in self._files if not entries[k].whole})
        cache = None
        if changed or entries.keys() != known.keys():
            cache = msgspec.json.format(
                msgspec.json.encode(_Cache(VERSION, KIND, made_of, entries)), indent=0
            )
        return Loaded(rules, self._others, cache, len(self._files) - len(self._read))

    def _detections(
        self, order: list[tuple[str, str, Document, _Rule | None]], entries: dict[str, _File]
    ) -> RuleSet:
        pending = []
        for _, key, document, rule in order:
            if rule is not None and rule.error:
                self._errors.append(_error(document.file, rule))
            elif rule is None and not _is_sigma(document):
                self._others.append(document)
            else:
                pending.append((key, document, rule))
        accepted: dict[int, tuple[str, _Rule | None]] = {}
        for key, document, rule in pending:
            accepted[id(document)] = (key, rule)
            self._sorted.add(document)
        detections: dict[str, Detection] = {}
        compiler: Any = None
        for identity, document in self._sorted.detections.items():
            key, rule = accepted[id(document)]
            if rule is not None:
                detections[identity] = _detection(rule, identity, document)
                continue
            if compiler is None:
                compiler = self._compiler()
            made = _compiled(compiler, identity, document)
            if isinstance(made, Detection):
                detections[identity] = made
                rule = _rule(made, document)
            else:
                self._errors.append(made)
                rule = _Rule(line=made.line, error=made.message, column=made.column)
            entries[key].rules.append(rule)
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


def _head(data: bytes | None) -> _Head:
    if not data:
        return _Head()
    try:
        return msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        return _Head()


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _is_sigma(document: Document) -> bool:
    data = document.data
    return (
        not data.keys().isdisjoint(("detection", "correlation", "filter"))
        or data.get("action") in COLLECTION_ACTIONS
    )


def _is_whole(documents: Sequence[Document]) -> bool:
    """Tell whether a file's documents are detection rules alone, so that it need not be read again."""
    return bool(documents) and all(
        "detection" in document.data and "correlation" not in document.data
        and "filter" not in document.data
        for document in documents
    )  # fmt: skip


def _slim(name: str, rule: _Rule) -> Document:
    """Return what is known of a cached rule's document: its place, id, name and title."""
    data: dict[str, Any] = {"detection": {}, "title": rule.title}
    if rule.id:
        data["id"] = rule.id
    if rule.name:
        data["name"] = rule.name
    return Document(name, data, {(): (rule.line, 1)})


def _error(file: str, rule: _Rule) -> RuleError:
    return RuleError(rule.error, file=file, line=rule.line, column=rule.column)


def _rule(made: Detection, document: Document) -> _Rule:
    return _Rule(
        line=document.place()[0],
        id=made.id if identity_of(document) == document.data.get("id") else "",
        name=made.name,
        title=made.title,
        level=made.level,
        tactics=made.tactics,
        techniques=made.techniques,
        status=made.status,
        logsource=made.logsource,
        custom=msgspec.to_builtins(made.custom, str_keys=True),
        condition=made.condition,
        content=made.content,
        fields=made.fields,
        falsepositives=made.falsepositives,
        description=made.description,
    )


def _detection(rule: _Rule, identity: str, document: Document) -> Detection:
    if rule.condition is None:
        raise AssertionError("a cached rule without error has a condition")
    return Detection(
        id=identity,
        name=rule.name,
        title=rule.title,
        level=rule.level,
        tactics=rule.tactics,
        techniques=rule.techniques,
        status=rule.status,
        logsource=Source(*rule.logsource),
        custom=rule.custom,
        document=document,
        condition=rule.condition,
        content=rule.content,
        fields=rule.fields,
        falsepositives=rule.falsepositives,
        description=rule.description,
    )
