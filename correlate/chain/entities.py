r"""Who and what a flat ECS document names: entities with canonical values and the part each plays.

Joins, group-by and decisions speak of the same entities, so they are named in one place. Source:
ECS 9.4 field sets; Windows event data under `winlog.event_data`, where ECS has no field.

Roles: `source` acts over the network or started the subject; `target` is acted on over the network
or is the process, account that was reached; `subject` is the host, account, process that the event
is about; `object` is a file, service, key that it touched; `observer` only watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from contract.event import Fields
from contract.records import Entity, EntityType, Role
from correlate.chain import canonical
from correlate.chain.entity_fields import (
    ACTORS,
    CLIENTS,
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
from correlate.chain.remembering import remembered

MAX_ENTITIES = 32
"""Entities taken of one document, in the order below; a document that names more is no evidence of a join."""

MAX_VALUES = 8
"""Values taken of one list field, in the order given."""

Named = tuple[EntityType, str, Role]
"""What an entity is; two of the same are one."""

Found = Iterator[Named]


@lru_cache(65_536)
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


_HOSTS = ("host.name", "host.hostname", "winlog.computer_name")


def host_of(fields: Fields) -> str:
    """Return the canonical name of the host that the document is about, or empty."""
    for name in _HOSTS:
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


def _host(fields: Fields, host: str) -> Found:
    if host:
        yield "host", host, "subject"


def _actor(name: str, role: Role, fields: Fields, host: str) -> Found:
    if (value := fields[name]) and (known := canonical.host(text(value))):
        yield "host", known, role


def _address(name: str, role: Role, fields: Fields, host: str) -> Found:
    if name == "source.ip" and _passes_on(fields):
        role = "observer"
    for one in texts(fields[name]):
        known = canonical.ip(one)
        if known and not canonical.is_link_local(known):
            yield "ip", known, role


def _passes_on(fields: Fields) -> bool:
    """Tell whether the source only passes on what another, who is named too, does."""
    for name in CLIENTS:
        if (value := fields.get(name)) and (client := canonical.ip(text(value))):
            return client != canonical.ip(text(fields["source.ip"]))
    return False


def _mac(name: str, role: Role, fields: Fields, host: str) -> Found:
    for one in texts(fields[name]):
        if known := canonical.mac(one):
            yield "mac", known, role


def _flow(fields: Fields, host: str) -> Found:
    if known := flow_of(fields):
        yield "flow", known, "object"


def _user(name: str, domain: str, role: Role, fields: Fields, host: str) -> Found:
    if (value := fields[name]) is not None:
        known = canonical.user(text(value), text(fields.get(domain)), host)
        if known:
            yield "user", known, role


def _principal(name: str, role: Role, fields: Fields, host: str) -> Found:
    # The directory's own name of an account in the cloud (UPN); with the other it says that both are one.
    if "@" in (one := text(fields[name]).strip().lower()):
        yield "user", canonical.bounded(one), role


def _logon(name: str, role: Role, fields: Fields, host: str) -> Found:
    if (value := fields[name]) is not None and (logon := canonical.logon(text(value))):
        yield "session", f"{host}|{logon}", role


def _process(id_name: str, pid_name: str, role: Role, fields: Fields, host: str) -> Found:
    if known := process_of(fields, host, id_name, pid_name):
        yield "process", known, role


def _file(name: str, role: Role, fields: Fields, host: str) -> Found:
    for one in texts(fields[name]) if host else ():
        if known := canonical.path(one):
            yield "file", f"{host}|{known}", role


def _hash(name: str, role: Role, fields: Fields, host: str) -> Found:
    if digest := text(fields[name]).lower():
        yield "hash", f"{name.rpartition('.')[2]}:{digest}", role


def _thing(name: str, kind: EntityType, fields: Fields, host: str) -> Found:
    known = text(fields[name]).strip().lower()
    if host and known not in canonical.NOTHING:
        yield kind, canonical.bounded(f"{host}|{known}"), "object"


def _name(name: str, kind: EntityType, role: Role, fields: Fields, host: str) -> Found:
    for one in texts(fields[name]):
        known = one.strip() if kind == "url" else one.strip().rstrip(".").lower()
        if known not in canonical.NOTHING and canonical.ip(known) is None:
            yield kind, canonical.bounded(known), role


Reader: TypeAlias = Callable[[Fields, str], Found]


class _Row(NamedTuple):
    """What reads an entity: of which fields one must be there, which others the reader looks at, and the reader."""

    needs: tuple[str, ...]
    also: tuple[str, ...]
    read: Reader


def _row(needs: tuple[str, ...], read: Reader, *also: str) -> _Row:
    return _Row(needs, also, read)


_FLOW = ("network.transport", "network.iana_number", "source.ip", "source.port", "destination.ip")
_ROWS: tuple[_Row, ...] = (
    _row(_HOSTS, _host),
    *(_row(row[:1], partial(_actor, *row)) for row in ACTORS),
    *(_row(row[:1], partial(_address, *row), *CLIENTS) for row in IPS),
    *(_row(row[:1], partial(_mac, *row)) for row in MACS),
    *(_row(row[:1], partial(_user, *row), row[1], *_HOSTS) for row in USERS),
    *(_row(row[:1], partial(_principal, *row)) for row in PRINCIPALS),
    *(_row(row[:1], partial(_logon, *row), *_HOSTS) for row in LOGONS),
    *(_row(row[:2], partial(_process, *row), *_HOSTS) for row in PROCESSES),
    *(_row(row[:1], partial(_file, *row), *_HOSTS) for row in PATHS),
    *(_row(row[:1], partial(_hash, *row)) for row in HASHES),
    _row(("network.community_id", "destination.port"), _flow, *_FLOW),
    *(_row(row[:1], partial(_thing, *row), *_HOSTS) for row in THINGS),
    *(_row(row[:1], partial(_name, *row)) for row in NAMES),
)
"""In the order in which entities are told."""


class _Column:
    """A reader over documents that have some of the fields that it looks at.

    Args:
        read: the reader.
        names: of those fields.

    Attributes:
        values: returns their values in a document.
    """

    __slots__ = ("_names", "_read", "values")

    def __init__(self, read: Reader, names: tuple[str, ...]) -> None:
        self._names = names
        self._read = read
        self.values: Callable[[Fields], Any] = (
            itemgetter(*names) if len(names) > 1 else lambda fields: (fields[names[0]],)
        )

    def found(self, *values: Any) -> tuple[Named, ...]:
        """Return what the reader finds where the fields have these values."""
        fields = dict(zip(self._names, values, strict=True))
        return tuple(self._read(fields, host_of(fields)))


@lru_cache(8192)
def _columns_of(names: tuple[str, ...]) -> tuple[_Column, ...]:
    """Return what there is to read in documents of these fields; remembered, since documents of a kind have the same."""
    rows = (row for row in _ROWS if not set(row.needs).isdisjoint(names))
    return tuple(_column(row.read, _in(names, (*row.needs, *row.also))) for row in rows)


def _in(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(wanted) if name in names)


_column = lru_cache(8192)(_Column)


@remembered
def _found(column: _Column, *values: Any) -> tuple[Named, ...]:
    """Return what a column finds in a document with these values."""
    return column.found(*values)


JOIN_FIELDS: frozenset[str] = frozenset(name for row in _ROWS for name in row.needs) | SUPPORT
"""Names of the fields that joins read: what an observation, and an alert's agreed fields, should keep."""


def names_of(fields: Fields) -> tuple[Named, ...]:
    """Return (type, value, role) of what a flat ECS document names, each once, at most `MAX_ENTITIES`, in a fixed order.

    Hosts come first, then addresses, accounts and sessions, processes, files, flows, other things. The same
    thing in two parts (a process as subject and as target) is two entities. About 3 µs a document of things that were named before.
    """
    found: list[Named] = []
    for column in _columns_of(tuple(fields)):
        found += _found(column, *column.values(fields))
    return tuple(islice(dict.fromkeys(found), MAX_ENTITIES))


def entities_of(fields: Fields) -> tuple[Entity, ...]:
    """Return `names_of` a document as entities."""
    return tuple([entity(*one) for one in names_of(fields)])


def keep(fields: Fields, names: Iterable[str] = JOIN_FIELDS) -> Fields:
    """Return only the fields that joins read. O(the smaller of both)."""
    return {name: fields[name] for name in fields if name in names}
