"""Puts the templates in place and tells whether they are: `opsonin index setup` and `opsonin index check`, and a starting writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from contract.errors import IndexingError
from runtime.elastic.client import explained
from runtime.elastic.settings import ElasticSettings
from runtime.elastic.templates import REPLACED, VERSION, Body, index_name, templates


def apply(client: Elasticsearch, settings: ElasticSettings) -> list[str]:
    """Put what is absent or other than wanted, and make the plain indices; return what was done, in words.

    Indices that exist keep their mapping but for fields that are new in it.

    Raises:
        IndexingError: not reached, or refused; the API key needs `manage_index_templates`, and `create_index` and
            `manage` on `logs-opsonin.*`.
    """
    wanted = templates(settings)
    done = []
    for name, body in wanted.components.items():
        if _component_fault(client, name, body):
            _ask(client.cluster.put_component_template, name=name, body=body)
            done.append(f"component template {name}")
    has_changed = bool(done)
    for name, body in wanted.indices.items():
        if _index_fault(client, name, body):
            _ask(client.indices.put_index_template, name=name, body=body)
            done.append(f"index template {name}")
    for kind in REPLACED:
        name = index_name(kind, settings.namespace)
        if not _ask(client.indices.exists, index=name):
            _ask(client.indices.create, index=name)
            done.append(f"index {name}")
        elif has_changed:
            _renew(client, wanted.components, name)
            done.append(f"fields of index {name}")
    return done


def check(client: Elasticsearch, settings: ElasticSettings) -> list[str]:
    """Return every way in which what is in place differs from what is wanted; empty when nothing does.

    Raises:
        IndexingError: not reached, or refused.
    """
    wanted = templates(settings)
    found = [_component_fault(client, name, body) for name, body in wanted.components.items()]
    found += [_index_fault(client, name, body) for name, body in wanted.indices.items()]
    for kind in REPLACED:
        name = index_name(kind, settings.namespace)
        if not _ask(client.indices.exists, index=name):
            found.append(f"index {name} is absent")
    return [fault for fault in found if fault]


def prepare(client: Elasticsearch, settings: ElasticSettings) -> list[str]:
    """Make sure that nothing is written into indices without our templates; return what was done.

    Raises:
        IndexingError: not reached; or something is absent or other than wanted, and `elastic.setup` is off.
    """
    faults = check(client, settings)
    if not faults:
        return []
    if not settings.setup:
        raise IndexingError(f"{faults[0]}; run `opsonin index setup`, or set elastic.setup = true")
    return apply(client, settings)


def _renew(client: Elasticsearch, components: Mapping[str, Body], name: str) -> None:
    """Add fields that are new in the templates to an index that exists; types of others cannot change."""
    for body in components.values():
        mappings = body["template"].get("mappings")
        if mappings:
            _ask(client.indices.put_mapping, index=name, body=mappings)


def _component_fault(client: Elasticsearch, name: str, wanted: Body) -> str:
    ask = client.cluster.get_component_template
    there = _there("component_templates", ask, name)
    return _fault(f"component template {name}", wanted, there and there["component_template"])


def _index_fault(client: Elasticsearch, name: str, wanted: Body) -> str:
    there = _there("index_templates", client.indices.get_index_template, name)
    return _fault(f"index template {name}", wanted, there and there["index_template"])


def _there(key: str, ask: Callable[..., Any], name: str) -> Mapping[str, Any] | None:
    try:
        found = _ask(ask, name=name)[key]
    except _AbsentError:
        return None
    return found[0] if found else None


def _fault(what: str, wanted: Body, found: Mapping[str, Any] | None) -> str:
    if not found:
        return f"{what} is absent"
    version = found.get("version", 0)
    if version > VERSION:
        return ""  # a newer Opsonin was here; it only adds
    if version != VERSION:
        return f"{what} is of version {version}; wanted is {VERSION}"
    differing = _differing(wanted, found)
    return f"{what}: {differing} differs from what is wanted" if differing else ""


def _differing(wanted: Any, found: Any, at: str = "") -> str:
    """Return the first path at which something wanted is not there; Elasticsearch adds defaults, and writes all as text."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return at or "all"
        for key, value in wanted.items():
            if differing := _differing(value, found.get(key), f"{at}.{key}".lstrip(".")):
                return differing
        return ""
    if isinstance(wanted, bool):
        return "" if str(found).lower() == str(wanted).lower() else at
    if isinstance(wanted, list):
        return "" if found == wanted else at
    return "" if str(found) == str(wanted) else at


class _AbsentError(IndexingError):
    """What was asked for is not there."""


def _ask(ask: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return ask(**arguments)
    except NotFoundError as error:
        raise _AbsentError(str(explained(error))) from error
    except (ApiError, TransportError) as error:
        raise explained(error) from error
