"""Which rules an event is tried on: its log sources, and its fields' names in them.

An event may have several log sources. A rule fits one when each attribute it states is equal there;
so a rule that names only a product, or only a category, fits every source of that product or category.
An event of which nothing is known fits every rule: what cannot be told must not be missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from typing_extensions import override

from correlate.sigma import taxonomy
from correlate.sigma.taxonomy import Names, Source
from correlate.sigma.text import text_of

ANY = "*"
"""In a log source of an event: cannot be told, so every rule fits."""
MAX_ROUTES = 4096
"""Routes kept; all are forgotten when there are more."""

_WINLOG_FIELDS = ("winlog.channel", "event.code", "winlog.event_id", "winlog.provider_name")
_PROCESS = "process.name"
_PROCESSES = frozenset(
    name for row in taxonomy.ROWS for name in row.when.get(_PROCESS, frozenset())
)
_ROUTING = tuple(sorted({name for row in taxonomy.ROWS for name in row.when}))
_ECS_FIELDS = tuple(name for name in _ROUTING if name != _PROCESS)
_OF_CHANNEL = frozenset({"Channel", "EventID"})
_OF_CODE = frozenset({"EventID"})
_OF_WINLOG = frozenset(_WINLOG_FIELDS)
_OF_ECS = frozenset(_ECS_FIELDS)


class Shape(NamedTuple):
    """Events whose route the same fields decide.

    Attributes:
        gate: the text field that they have and that those of the shapes before have not; empty: any event.
        values: fields whose values decide.
        presence: fields that decide by being there.
        texts: fields with the only texts of each that decide; all others are alike.
    """

    gate: str
    values: tuple[str, ...]
    presence: tuple[str, ...] = ()
    texts: Mapping[str, frozenset[str]] = {}


SHAPES: Final = (
    Shape("Channel", ("Channel", "EventID"), ("SourceName", "Provider_Name")),
    Shape("winlog.channel", _WINLOG_FIELDS),
    Shape("", _ECS_FIELDS, texts={_PROCESS: _PROCESSES}),
)
"""Of flat events with a channel, or without channel and `EventID`: the first whose gate is there. What `Router.key` tells apart, these do."""
Sources: TypeAlias = list[tuple[Source, Names]]
_PLAIN = Names({})
_NXLOG = Names(taxonomy.NXLOG)
_WINLOG = Names(taxonomy.WINLOG, taxonomy.WINLOG_DATA)
_DEFENDER = Names(taxonomy.DEFENDER, taxonomy.WINLOG_DATA)
_WINLOG_ID = Names(taxonomy.WINLOG | {"EventID": "winlog.event_id"}, taxonomy.WINLOG_DATA)


def _audit(names: Names) -> Names:
    """Return the names of process creation in the Security log, in the same shape."""
    mapped = {
        mine: names.fields.get(theirs, names.prefix + theirs)
        for mine, theirs in taxonomy.PROCESS_AUDIT.items()
    }
    if names.prefix:  # rules that a pipeline brought to the event's names already
        mapped |= {names.prefix + mine: theirs for mine, theirs in mapped.items()}
    return Names({**names.fields, **mapped}, names.prefix)


_AUDIT = {id(names): _audit(names) for names in (_PLAIN, _NXLOG, _WINLOG, _WINLOG_ID)}


@dataclass(frozen=True)
class Route:
    """What is known of an event's origin.

    Attributes:
        sources: log sources with their field names; empty: unknown, every rule fits.
        shape: how field names are found where the rule is not bound to one of `sources`.
    """

    sources: tuple[tuple[Source, Names], ...] = ()
    shape: Names = _PLAIN

    @override
    def __hash__(self) -> int:
        """Hash by the sources; their names are data, and equal where the sources and shape are."""
        return hash(tuple([source for source, _ in self.sources]))

    def names_for(self, wanted: Source) -> list[Names]:
        """Return the ways in which a rule of this log source reads the event; none: it does not fit."""
        if not self.sources:
            return [self.shape]
        found: list[Names] = []
        for source, names in self.sources:
            if fits(wanted, source) and names not in found:
                found.append(names)
        return found


def fits(wanted: Source, source: Source) -> bool:
    """Tell whether each attribute that a rule states is equal in `source`."""
    return all(
        not mine or theirs in (mine, ANY) for mine, theirs in zip(wanted, source, strict=True)
    )


_SYSMON = "microsoft-windows-sysmon/operational"
_LINUX_SYSMON = "linux-sysmon/operational"


def _windows_sources(channel: str, code: str, names: Names) -> Sources:
    if channel == _LINUX_SYSMON:  # the same events of another system
        kinds = taxonomy.CATEGORIES.get((_SYSMON, code), ())
        sources = [(Source("linux"), names), (Source("linux", "", "sysmon"), names)]
        return [*sources, *((Source("linux", kind, "sysmon"), names) for kind in kinds)]
    services = taxonomy.SERVICES.get(channel, ())
    categories = taxonomy.CATEGORIES.get((channel, code), ())
    if channel.startswith(taxonomy.KERNEL_FILE):
        categories = (*categories, *taxonomy.KERNEL_FILE_CATEGORIES)
    sources = [(Source("windows"), names)]
    sources += [(Source("windows", "", service), names) for service in services]
    for category in categories:
        renamed = _AUDIT[id(names)] if channel == "security" else names
        sources += [
            (Source("windows", category, service), renamed) for service in services or ("",)
        ]
    return sources


def _ecs_rows(values: Mapping[str, frozenset[str]]) -> Sources:
    return [
        (row.source, row.names)
        for row in taxonomy.ROWS
        if all(values.get(name, frozenset()) & wanted for name, wanted in row.when.items())
    ]


def _with_product(sources: Sources) -> Sources:
    """Add each category under each product of the event: `linux` + `process_creation` is both."""
    products = {source.product for source, _ in sources if source.product}
    made = list(sources)
    for source, names in sources:
        if not source.product:
            made += [(source._replace(product=product), names) for product in sorted(products)]
    return made


def _texts(value: Any) -> frozenset[str]:
    values = value if type(value) in (list, tuple) else [value]
    return frozenset(text for one in values if (text := text_of(one)) is not None)


class Router:
    """Tells the route of an event; remembers it by the few fields that decide.

    Args:
        stated: the log source of all events, as a user states it; what it leaves open is told from
            the event where possible.
        match_unknown: an event of which nothing is known fits every rule (else none).
    """

    def __init__(self, stated: Source | None = None, *, match_unknown: bool = True) -> None:
        self._stated = stated
        self._unknown = Route() if match_unknown else Route(((Source("\0", "\0", "\0"), _PLAIN),))
        self._routes: dict[Route, Route] = {self._unknown: self._unknown}

    deciding = frozenset({"Channel", "EventID", *_WINLOG_FIELDS, *_ECS_FIELDS})
    """All fields that `deciders` may name."""

    def deciders(self, event: Mapping[str, Any]) -> frozenset[str]:
        """Return the fields whose values the key of such an event holds, where they are texts or absent, or `EventID`."""
        if event.get("Channel"):
            return _OF_CHANNEL
        if event.get("EventID") is not None:
            return _OF_CODE
        return _OF_WINLOG if "winlog.channel" in event else _OF_ECS

    def key(self, event: Mapping[str, Any]) -> Any:
        """Return what decides the route of an event without `Channel`."""
        get = event.get
        code = get("EventID")
        if code is not None:
            return (2, code, code.__class__, get("Provider_Name"), get("SourceName"))
        if "winlog.channel" in event:
            values = [get(name) for name in _WINLOG_FIELDS]
            return (1, *values, *[value.__class__ for value in values])
        # Any name may come; only those that the table knows decide.
        process = get(_PROCESS)
        known = process if process.__class__ is not str or process in _PROCESSES else None
        # Lists cannot be looked up; nearly every event has some (`event.category`).
        values = [get(name) for name in _ECS_FIELDS]
        return (known, *[one if one.__class__ is not list else tuple(one) for one in values])

    def route(self, event: Mapping[str, Any]) -> Route:
        """Return the route of a flat event; equal routes are the same object. Not cheap: remember it."""
        if event.get("Channel") is not None or event.get("EventID") is not None:
            made = self._windows(event, _windows_flat(event))
        elif "winlog.channel" in event:
            made = _winlog(event)
        else:
            made = self._ecs(event)
        if self._stated is not None:
            made = _restricted(made, self._stated)
        if len(self._routes) >= MAX_ROUTES:
            self._routes = {self._unknown: self._unknown}
        return self._routes.setdefault(made, made)

    def _windows(self, event: Mapping[str, Any], sources: Sources) -> Route:
        return _route(sources) if sources else self._ecs(event)

    def _ecs(self, event: Mapping[str, Any]) -> Route:
        values = {name: _texts(event[name]) for name in _ROUTING if event.get(name) is not None}
        sources = _with_product(_ecs_rows(values))
        module = next(iter(sorted(_texts(event.get("event.module")))), "").lower()
        if module and module not in taxonomy.UNNAMED:
            # Rules may name any sensor as product, and a part of its logs as service.
            sources.append((Source(module), _PLAIN))
            for name in sorted(_texts(event.get("event.dataset"))):
                service = name.removeprefix(module + ".")
                sources += [(Source(module, "", one), _PLAIN) for one in (service, name)]
        elif sources:
            # The product cannot be told, so rules of any product fit the category.
            sources += [
                (source._replace(product=ANY), names)
                for source, names in sources
                if not source.product
            ]
        return _route(sources) if sources else self._unknown


def _route(sources: Sources) -> Route:
    unique = {(source, id(names)): (source, names) for source, names in sources}
    return Route(tuple(unique.values()))


def _restricted(route: Route, stated: Source) -> Route:
    kept = [(source, names) for source, names in route.sources if fits(stated, source)]
    shape = route.sources[0][1] if route.sources else route.shape
    if stated not in (source for source, _ in kept):
        names = next((names for source, names in kept if fits(stated, source)), shape)
        kept.append((stated, names))
    return Route(tuple(kept))


def _is_nxlog(event: Mapping[str, Any]) -> bool:
    return "SourceName" in event and "Provider_Name" not in event


def _windows_flat(event: Mapping[str, Any]) -> Sources:
    names = _NXLOG if _is_nxlog(event) else _PLAIN
    channel = event.get("Channel") or taxonomy.PROVIDER_CHANNELS.get(
        (text_of(event.get("Provider_Name") or event.get("SourceName")) or "").lower(), ""
    )
    if not channel:  # a Windows event for its EventID; which log wrote it cannot be told
        return [(Source("windows", ANY, ANY), names)] if "EventID" in event else []
    code = text_of(event.get("EventID")) or ""
    return _windows_sources((text_of(channel) or "").lower(), code, names)


def _winlog(event: Mapping[str, Any]) -> Route:
    names = _WINLOG
    code = text_of(event.get("event.code", event.get("winlog.event_id"))) or ""
    if "event.code" not in event:
        names = _WINLOG_ID
    channel = (text_of(event["winlog.channel"]) or "").lower()
    if channel == taxonomy.DEFENDER_CHANNEL:
        names = _DEFENDER
    return _route(_windows_sources(channel, code, names))


def rename(name: str, names: Names) -> str:
    """Return a rule's field as the event calls it."""
    renamed = names.fields.get(name)
    if renamed is not None:
        return renamed
    if names.prefix and ("." not in name or name.split(".", 1)[0] in names.roots):
        return names.prefix + name
    return name
