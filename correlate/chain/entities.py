r"""Who and what a flat ECS document names: entities with canonical values and the part each plays.

Joins, group-by and decisions speak of the same entities, so they are named in one place. Source:
ECS 9.4 field sets; Windows event data under `winlog.event_data`, where ECS has no field.

Roles: `source` acts over the network or started the subject; `target` is acted on over the network
or is the process, account that was reached; `subject` is the host, account, process that the event
is about; `object` is a file, service, key that it touched; `observer` only watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from contract.event import Fields
from contract.records import Entity, EntityType, Role
from correlate.chain import canonical
from correlate.chain.entity_fields import (
    ACTORS,
    HASHES,
    IPS,
    LOGONS,
    MACS,
    NAMES,
    PATHS,
    PRINCIPALS,
    PROCESSES,
    SUPPORT,
    THINGS,
    USERS,
)

MAX_ENTITIES = 32
"""Entities taken of one document, in the order below; a document that names more is no evidence of a join."""

MAX_VALUES = 8
"""Values taken of one list field, in the order given."""

Found = Iterator[tuple[EntityType, str, Role]]


@lru_cache(131_072)
def entity(type: EntityType, value: str, role: Role) -> Entity:
    """Return an entity record; records are frozen, so the same one serves again."""
    return Entity(type=type, value=value, role=role)


def texts(value: Any) -> tuple[str, ...]:
    """Return a field's value or values as texts, at most `MAX_VALUES`; empty for absent ones."""
    if type(value) is str:
        return (value,)
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(str(one) for one in value[:MAX_VALUES] if one is not None)
    return (str(value),)


def text(value: Any) -> str:
    """Return the first text of a field, or an empty one."""
    if type(value) is str:
        return value
    found = texts(value)
    return found[0] if found else ""


def host_of(fields: Fields) -> str:
    """Return the canonical name of the host that the document is about, or empty."""
    for name in ("host.name", "host.hostname", "winlog.computer_name"):
        if (value := fields.get(name)) and (known := canonical.host(text(value))):
            return known
    return ""


def flow_of(fields: Fields) -> str | None:
    """Return the Community ID: the sensor's own, else computed from addresses, ports and transport."""
    if given := fields.get("network.community_id"):
        return text(given)
    transport = fields.get("network.transport") or fields.get("network.iana_number")
    if not transport:
        return None
    source = canonical.ip(text(fields.get("source.ip")))
    target = canonical.ip(text(fields.get("destination.ip")))
    if source is None or target is None:
        return None
    try:
        return canonical.flow(
            text(transport),
            source,
            int(fields["source.port"]) & 0xFFFF,
            target,
            int(fields["destination.port"]) & 0xFFFF,
        )
    except (KeyError, TypeError, ValueError):
        return None


def process_of(fields: Fields, host: str, id_name: str, pid_name: str) -> str | None:
    """Return `host|entity id`, or `host|pid:N` where the sensor gives no id that lasts, or None."""
    if own := fields.get(id_name):
        return f"{host}|{canonical.guid(text(own))}"
    pid = fields.get(pid_name)
    if pid in (None, 0, "0", "") or not host:
        return None
    return f"{host}|pid:{text(pid)}"


# ------------------------------------------------------------------ one reader a kind of thing


def _addresses(fields: Fields, host: str) -> Found:
    for name, role in IPS:
        if (value := fields.get(name)) is not None:
            for one in texts(value):
                known = canonical.ip(one)
                if known and not (name == "host.ip" and canonical.is_link_local(known)):
                    yield "ip", known, role
    for name, role in MACS:
        if (value := fields.get(name)) is not None:
            for one in texts(value):
                if known := canonical.mac(one):
                    yield "mac", known, role


def _flows(fields: Fields, host: str) -> Found:
    if known := flow_of(fields):
        yield "flow", known, "object"


def _users(fields: Fields, host: str) -> Found:
    for name, domain, role in USERS:
        if (value := fields.get(name)) is not None:
            known = canonical.user(text(value), text(fields.get(domain)), host)
            if known:
                yield "user", known, role
    for name, role in PRINCIPALS:
        # The directory's own name of an account in the cloud (UPN); with the other it says that both are one.
        if (value := fields.get(name)) is not None and "@" in (one := text(value).strip().lower()):
            yield "user", canonical.bounded(one), role
    for name, role in LOGONS:
        if (value := fields.get(name)) is not None and (logon := canonical.logon(text(value))):
            yield "session", f"{host}|{logon}", role


def _processes(fields: Fields, host: str) -> Found:
    for id_name, pid_name, role in PROCESSES:
        if id_name in fields or pid_name in fields:
            known = process_of(fields, host, id_name, pid_name)
            if known:
                yield "process", known, role


def _files(fields: Fields, host: str) -> Found:
    for name, role in PATHS:
        if host and (value := fields.get(name)) is not None:
            for one in texts(value):
                if known := canonical.path(one):
                    yield "file", f"{host}|{known}", role
    for name, role in HASHES:
        if (value := fields.get(name)) is not None and (digest := text(value).lower()):
            yield "hash", f"{name.rpartition('.')[2]}:{digest}", role


def _things(fields: Fields, host: str) -> Found:
    for name, kind in THINGS:
        if host and (value := fields.get(name)) is not None:
            known = text(value).strip().lower()
            if known not in canonical.NOTHING:
                yield kind, canonical.bounded(f"{host}|{known}"), "object"
    for name, kind, role in NAMES:
        if (value := fields.get(name)) is not None:
            for one in texts(value):
                known = one.strip() if kind == "url" else one.strip().rstrip(".").lower()
                if known not in canonical.NOTHING and canonical.ip(known) is None:
                    yield kind, canonical.bounded(known), role


_Reader = Callable[[Fields, str], Found]
_READERS: tuple[tuple[_Reader, frozenset[str]], ...] = (
    (_addresses, frozenset(name for name, _ in (*IPS, *MACS))),
    (_users, frozenset(name for name, *_ in (*USERS, *PRINCIPALS, *LOGONS))),
    (_processes, frozenset(name for both in PROCESSES for name in both[:2])),
    (_files, frozenset(name for name, _ in (*PATHS, *HASHES))),
    (_flows, frozenset({"network.community_id", "destination.port"})),
    (_things, frozenset(row[0] for row in (*THINGS, *NAMES))),
)

JOIN_FIELDS: frozenset[str] = frozenset().union(*(read for _, read in _READERS)) | SUPPORT
"""Names of the fields that joins read: what an observation, and an alert's agreed fields, should keep."""


def entities_of(fields: Fields) -> tuple[Entity, ...]:
    """Return what a flat ECS document names, each once, at most `MAX_ENTITIES`, in a fixed order.

    Hosts come first, then addresses, accounts and sessions, processes, files, flows, other things. The same
    thing in two parts (a process as subject and as target) is two entities. About 5 µs a document.
    """
    found: dict[tuple[EntityType, str, Role], None] = {}
    host = host_of(fields)
    if host:
        found["host", host, "subject"] = None
    for name, role in ACTORS:
        if (value := fields.get(name)) and (known := canonical.host(text(value))):
            found["host", known, role] = None
    names = fields.keys()
    for reader, reads in _READERS:
        if not reads.isdisjoint(names):
            found.update(dict.fromkeys(reader(fields, host)))
    return tuple(entity(*key) for key, _ in zip(found, range(MAX_ENTITIES), strict=False))


def keep(fields: Fields, names: Iterable[str] = JOIN_FIELDS) -> Fields:
    """Return only the fields that joins read. O(the smaller of both)."""
    return {name: fields[name] for name in fields if name in names}
