"""The form of the cache of compiled rules: JSON that a person can read, `version` first; and its rules to and fro.

It holds nothing that runs: conditions are data, checked by type when they are decoded. Its files stand under a
digest, so that damage is found before it is believed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Literal

import msgspec

from contract.document import Document
from contract.errors import RuleError
from contract.records import Level
from correlate.sigma.node import Node
from correlate.sigma.rules import Detection, identity_of
from correlate.sigma.taxonomy import Source

VERSION = 2
"""Raised with every change of the format or of what compilation makes of a rule."""
KIND: Literal["opsonin compiled sigma rules"] = "opsonin compiled sigma rules"


class CachedRule(msgspec.Struct, omit_defaults=True):
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
    places: list[tuple[list[str | int], int, int]] = []


class CachedFile(msgspec.Struct, omit_defaults=True):
    """What a file holds; `whole` when that is detection rules alone."""

    whole: bool = True
    rules: list[CachedRule] = []


class Cache(msgspec.Struct):
    """What is read of a cache before anything in it is trusted; `files` goes by `digest`."""

    version: int = 0
    kind: str = ""
    made_of: str = ""
    digest: str = ""
    files: msgspec.Raw = msgspec.Raw(b"{}")


def head_of(data: bytes | None) -> Cache:
    """Return what a cache says of itself; that of another version or kind, or none, is an empty one."""
    if not data:
        return Cache()
    try:
        head = msgspec.json.decode(data, type=Cache)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Cache()
    good = (
        head.version == VERSION and head.kind == KIND and head.digest == content_digest(head.files)
    )
    return head if good else Cache()


def files_of(head: Cache) -> dict[str, CachedFile]:
    """Return the files of a cache, by the digest of their content."""
    try:
        return msgspec.json.decode(head.files, type=dict[str, CachedFile])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def encoded(made_of: str, files: dict[str, CachedFile]) -> bytes:
    """Return a whole cache, with a line for each part, so that two can be compared."""
    content = msgspec.json.format(msgspec.json.encode(files), indent=0)
    head = Cache(VERSION, KIND, made_of, content_digest(content), msgspec.Raw(content))
    return msgspec.json.encode(head)


def content_digest(data: bytes | msgspec.Raw) -> str:
    """Return what a file is known by."""
    return blake2b(bytes(data), digest_size=16).hexdigest()


def slim(name: str, rule: CachedRule) -> Document:
    """Return what is known of a cached rule's document: its place, id, name, title and own attributes."""
    data: dict[str, Any] = {"detection": {}, "title": rule.title, **rule.custom}
    if rule.id:
        data["id"] = rule.id
    if rule.name:
        data["name"] = rule.name
    lines: dict[tuple[str | int, ...], tuple[int, int]] = {(): (rule.line, 1)}
    lines.update((tuple(path), (line, column)) for path, line, column in rule.places)
    return Document(name, data, lines)


def error_of(file: str, rule: CachedRule) -> RuleError:
    """Return why a rule was refused."""
    return RuleError(rule.error, file=file, line=rule.line, column=rule.column)


def rule_of(made: Detection, document: Document) -> CachedRule:
    """Return what is kept of a compiled rule."""
    return CachedRule(
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
        places=[
            (list(path), line, column)
            for path, (line, column) in document.lines.items()
            if path and path[0] in made.custom
        ],
    )


def detection_of(rule: CachedRule, identity: str, document: Document) -> Detection:
    """Return the compiled rule that was kept."""
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
