"""Index templates: what each data stream and index looks like. Pure; `setup` applies them.

Two component templates (ECS, Opsonin's fields) are composed by six index templates, one a kind of record. Events,
outcomes and dead letters are data streams with a lifecycle; alerts, chains and decisions are plain indices, because a
newer revision replaces the older and a data stream only grows. Their names follow Elastic's `logs-<dataset>-<namespace>`,
and their priority is above that of the templates that ship with Elasticsearch for `logs-*-*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contract.event import ECS_VERSION
from runtime.elastic.fields import DEFAULT, KEPT, Field, known
from runtime.elastic.settings import ElasticSettings

VERSION: Final = 1
"""Of the templates; raised with each change, so that `setup` knows older ones."""
PRIORITY: Final = 500
APPENDED: Final = ("event", "outcome", "dead_letter")
REPLACED: Final = ("alert", "chain", "decision")
KINDS: Final = (*APPENDED, *REPLACED)
ECS, OWN = "opsonin-ecs", "opsonin-fields"

_ROOM: Final = 500
"""Fields that a site may add by a template of its own before the limit is reached."""
_PLAIN: Final = {
    "wildcard": "keyword",
    "constant_keyword": "keyword",
    "match_only_text": "text",
    "scaled_float": "float",
}
_TEXTUAL: Final = frozenset({"keyword", "flattened"})

Body: TypeAlias = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Templates:
    """Everything that is put in place, by name."""

    components: Mapping[str, Body]
    indices: Mapping[str, Body]


def index_name(kind: str, namespace: str) -> str:
    """Return the data stream or index of a kind of record."""
    return f"logs-opsonin.{kind}-{namespace}"


def templates(settings: ElasticSettings) -> Templates:
    """Return all templates for a namespace."""
    fields = list(known().values())
    own = [field for field in fields if field.name.startswith("opsonin.")]
    of_ecs = [field for field in fields if not field.name.startswith("opsonin.")]
    plain = settings.plain_types
    own_mapping = mapping(own, plain=plain)
    _place(own_mapping, KEPT).update({"type": "object", "enabled": False})
    meta = {"version": VERSION, "managed_by": "opsonin", "ecs_version": ECS_VERSION}
    components: dict[str, Body] = {
        # Elasticsearch checks each component by itself: the limit belongs beside the mapping that needs it.
        ECS: {"template": {"mappings": mapping(of_ecs, plain=plain), "settings": _limits(fields)}},
        OWN: {"template": {"mappings": own_mapping}},
    }
    for body in components.values():
        body |= {"version": VERSION, "_meta": meta}
    indices = {
        index_name(kind, settings.namespace): _index_template(kind, settings, meta)
        for kind in KINDS
    }
    return Templates(components, indices)


def mapping(fields: list[Field], *, plain: bool) -> Body:
    """Return a mapping of these fields; `plain` uses the core's types alone.

    Anything else in a document is kept and not indexed (`dynamic: false`).
    """
    root: Body = {"dynamic": False, "properties": {}}
    for field in sorted(fields, key=lambda one: one.name):
        _place(root, field.name).update(_definition(field, plain=plain))
    return root


def _place(root: Body, name: str) -> Body:
    here = root
    for part in name.split("."):
        here = here.setdefault("properties", {}).setdefault(part, {})
    return here


def _definition(field: Field, *, plain: bool) -> Body:
    type = _PLAIN.get(field.type, field.type) if plain else field.type
    body: Body = {"type": type}
    if field.ignore_above and type in _TEXTUAL:
        body["ignore_above"] = field.ignore_above
    if not field.indexed:
        body["index"] = False
        body["doc_values"] = False
    if type == "scaled_float":
        body["scaling_factor"] = field.scale
    if field.has_text:
        body["fields"] = {"text": {"type": "text" if plain else "match_only_text"}}
    if field.name == "@timestamp":
        body["ignore_malformed"] = False  # a data stream refuses to be lenient here
    return body


def _limits(fields: list[Field]) -> Body:
    names = {field.name for field in fields}
    objects = {
        name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)
    }
    texts = sum(field.has_text for field in fields)
    return {
        "index": {
            "mapping": {"total_fields": {"limit": len(names | objects) + texts + _ROOM}},
            "query": {"default_field": list(DEFAULT)},
        }
    }


def _index_settings(settings: ElasticSettings) -> Body:
    return {
        "index": {
            "number_of_replicas": settings.replicas,
            "codec": "best_compression",
            # A field of the wrong type is kept and not indexed, and `_ignored` names it; the event stays.
            "mapping": {"ignore_malformed": True},
        }
    }


def _index_template(kind: str, settings: ElasticSettings, meta: Mapping[str, Any]) -> Body:
    body: Body = {
        "index_patterns": [index_name(kind, settings.namespace)],
        "composed_of": [ECS, OWN],
        "priority": PRIORITY,
        "version": VERSION,
        "template": {"settings": _index_settings(settings)},
        "_meta": {**meta, "description": f"Opsonin: {kind.replace('_', ' ')}s"},
    }
    if kind in APPENDED:
        body["data_stream"] = {}
        body["template"]["lifecycle"] = {"data_retention": _retention(settings)}
    return body


def _retention(settings: ElasticSettings) -> str:
    """Return the lifecycle's retention in a unit that Elasticsearch has (it knows no weeks)."""
    seconds = round(settings.keep_events.total_seconds())
    return f"{seconds // 86_400}d" if seconds % 86_400 == 0 else f"{seconds}s"
