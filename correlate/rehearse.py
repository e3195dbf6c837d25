"""Runs a stage in memory as a host would, and rules on the cases that stand beside them.

A rule's file `x.yml` has its cases in `x.test.yml`. `opsonin rules test` and the project's own suite read
them through here, so that an author sees what the engine would say.

    event: {observer.type: firewall}        # fields that all events of all cases share
    cases:
      - name: twenty ports in a minute
        events:
          - repeat: 20                      # so many times; {n} counts from 0
            every: 2s                       # apart
            at: 10s                         # the first, from the start of the case; default: after the one before
            fields: {source.ip: 203.0.113.7, destination.port: "{n}"}
        alerts:
          - {rule: Port scan, count: 20, entities: [ip 203.0.113.7]}
      - name: near miss
        events: []
        alerts: []
      - name: what a detection by itself says
        events: []
        matches: 0

`alerts` lists all final alerts of the file's rules, in any order; `rule` is an id, name or title. `matches` is how
many events the file's detections match. Case by
case, time starts at the same instant and ends long after the last event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from contract.document import Document
from contract.event import ECS_VERSION, Event, Fields, Match, Notice
from contract.ids import derive_id
from contract.ports import Logic, Stage
from contract.records import Alert
from contract.timespan import parse as parse_span
from contract.timestamps import iso, microseconds
from correlate.window.report import SILENT

In = TypeVar("In")
Out = TypeVar("Out")

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
END_US = START_US + 400 * 86_400_000_000
"""Later than any time frame of a case: all that waits has happened."""

MAX_REPEAT = 10_000


class MemoryHost(Generic[In, Out]):
    """Hosts one stage: logics by key, wake-ups in order of time, state parts as a store would hold them."""

    def __init__(self, stage: Stage[In, Out]) -> None:
        self.stage = stage
        self.logics: dict[str, Logic[In, Out]] = {}
        self.stored: dict[str, dict[str, bytes]] = {}

    def take(self, item: In) -> list[Out]:
        """Give an item to the logic of each of its keys."""
        outputs: list[Out] = []
        for key in self.stage.keys(item):
            logic = self.logics.get(key)
            if logic is None:
                logic = self.logics[key] = self.stage.open(key, self.stored.get(key, {}))
            outputs.extend(logic.on_item(item))
        return outputs

    def time(self, now_us: int) -> Iterator[Out]:
        """Move the watermark: wake what is due, earliest first, ties by key; what comes out may wake more."""
        while due := [
            (wake, key)
            for key, logic in self.logics.items()
            if (wake := logic.wake_at()) is not None and wake <= now_us
        ]:
            yield from self.logics[min(due)[1]].on_time(now_us)

    def store(self) -> None:
        """Take the snapshots of an epoch; forget what is empty."""
        for key, logic in list(self.logics.items()):
            parts = self.stored.setdefault(key, {})
            for name, part in logic.snapshot().items():
                if part is None:
                    parts.pop(name, None)
                else:
                    parts[name] = part
            if logic.is_empty():
                del self.logics[key]
            if not parts:
                del self.stored[key]

    def restart(self) -> None:
        """Store, forget all, and open again what was stored."""
        self.store()
        self.logics = {key: self.stage.open(key, dict(parts)) for key, parts in self.stored.items()}


class Alerts:
    """Drives the stage `aggregate` with matches; alerts that correlations refer to go back in."""

    def __init__(self, stage: Stage[Match | Alert, Alert | Notice]) -> None:
        self.host = MemoryHost(stage)
        self.latest: dict[str, Alert] = {}
        self.notices: list[Notice] = []
        self.told: list[Alert] = []

    def take(self, match: Match) -> None:
        """Give a match."""
        self._out(self.host.take(match))

    def time(self, now_us: int) -> None:
        """Move the watermark."""
        self._out(self.host.time(now_us))

    def _out(self, outputs: Iterable[Alert | Notice]) -> None:
        for one in outputs:
            if isinstance(one, Notice):
                self.notices.append(one)
                continue
            self.told.append(one)
            known = self.latest.get(one.id)
            if known is None or one.revision > known.revision:
                self.latest[one.id] = one
            self._out(self.host.take(one))

    def final(self) -> list[Alert]:
        """Return the last revision of each alert that stands and is not silent, in order of time."""
        return sorted(
            (one for one in self.latest.values() if not one.retracted and SILENT not in one.fields),
            key=lambda one: (one.time, one.id),
        )


# ------------------------------------------------------------------ cases


@dataclass(slots=True)
class Case:
    """One case of a rule's test file.

    Attributes:
        alerts: expectations: mappings with `rule` and, optionally, `count`, `level`, `entities`; None: any.
        matches: how many events the detections at stake match; None: any.
    """

    name: str
    events: list[Event]
    alerts: list[dict[str, Any]] | None = None
    matches: int | None = None


def cases(document: Document) -> Iterator[Case]:
    """Read the cases of a test file.

    Raises:
        RuleError: a fault, with its place.
    """
    rows = document.data.get("cases")
    if not isinstance(rows, list) or not rows:
        raise document.error("expected 'cases', a list of at least one", "cases")
    shared = _mapping(document, document.data.get("event") or {}, "event")
    for at, row in enumerate(rows):
        given = _mapping(document, row, "cases", at)
        if unknown := given.keys() - {"name", "events", "alerts", "matches"}:
            raise document.error(f"{min(unknown)!r} is unknown", "cases", at, min(unknown))
        if not given.keys() & {"alerts", "matches"}:
            raise document.error("expected 'alerts' or 'matches'", "cases", at)
        name = str(given.get("name", f"case {at + 1}"))
        case = Case(name, [], given.get("alerts"), given.get("matches"))
        time = START_US
        for number, spec in enumerate(given.get("events") or []):
            time = _events(document, case, shared, spec, time, ("cases", at, "events", number))
        yield case


_STEP_US = 1_000_000


def _events(
    document: Document,
    case: Case,
    shared: Fields,
    spec: Any,
    time: int,
    path: tuple[str | int, ...],
) -> int:
    """Add the events of one row; return the time after the last."""
    row = _mapping(document, spec, *path)
    if unknown := row.keys() - {"repeat", "every", "at", "fields"}:
        raise document.error(f"{min(unknown)!r} is unknown", *path, min(unknown))
    repeat = row.get("repeat", 1)
    if type(repeat) is not int or not 1 <= repeat <= MAX_REPEAT:
        raise document.error(f"'repeat' is {repeat!r}; expected 1 to {MAX_REPEAT}", *path, "repeat")
    try:
        every = microseconds(parse_span(str(row.get("every", "1s"))))
        if "at" in row:
            time = START_US + microseconds(parse_span(str(row["at"])))
    except ValueError as error:
        raise document.error(str(error), *path) from error
    own = _mapping(document, row.get("fields") or {}, *path, "fields")
    for n in range(repeat):
        case.events.append(_event(case, {**shared, **own}, n, time + n * every))
    return time + (repeat - 1) * every + _STEP_US


def _event(case: Case, fields: Fields, n: int, time: int) -> Event:
    id = derive_id("event", case.name, str(len(case.events)))
    filled = {name: _fill(value, n) for name, value in fields.items()}
    filled |= {"@timestamp": iso(time), "event.id": id, "ecs.version": ECS_VERSION}
    return Event.of(filled, id=id, time_us=time, source="test")


def _fill(value: Any, n: int) -> Any:
    if value == "{n}":
        return n
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, list):
        return [_fill(one, n) for one in value]
    return value


def _mapping(document: Document, value: Any, *path: str | int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise document.error(f"expected a mapping, came {value!r}", *path)
    return value


def rehearse(
    case: Case,
    match: Callable[[Event], Iterable[Match]],
    stage: Stage[Match | Alert, Alert | Notice],
    names: Mapping[str, str],
) -> list[str]:
    """Run a case; return what differs from its expectation, in words; empty: it passes.

    Args:
        case: the events, and the alerts that they must give.
        match: the detector's.
        stage: `aggregate` of all rules that may be referred to.
        names: ids, names and titles of the rules at stake, to their ids; alerts of other rules do not count.
    """
    run = Alerts(stage)
    matched = 0
    is_met = False
    at_stake = set(names.values())
    for event in case.events:
        for one in match(event):
            is_met = True
            matched += one.rule in at_stake
            run.take(one)
        run.time(event.time_us)
    run.time(END_US)
    problems = []
    if case.matches is not None and matched != case.matches:
        problems.append(f"{case.name}: {matched} matches, expected {case.matches}")
    if case.alerts is not None:
        found = [one for one in run.final() if one.rule.id in at_stake]
        problems += _compare(case, found, names)
        if problems and not is_met:
            problems.append(
                f"{case.name}: no detection holds for any of its {len(case.events)} events; `opsonin rules explain` says why"
            )
    return problems


def _compare(case: Case, found: list[Alert], names: Mapping[str, str]) -> Iterator[str]:
    for wanted in case.alerts or ():
        id = names.get(str(wanted.get("rule")))
        near = [one for one in found if one.rule.id == id]
        fits = [one for one in near if not any(_differs(one, wanted))]
        if fits:
            found.remove(fits[0])
            continue
        said = "; ".join(", ".join(_differs(one, wanted)) for one in near) or "none came"
        yield f"{case.name}: expected an alert of {wanted.get('rule')!r}: {said}"
    for one in found:
        yield f"{case.name}: unexpected alert of {one.rule.name!r} ({one.event_count} events)"


def _differs(alert: Alert, wanted: Mapping[str, Any]) -> Iterator[str]:
    if "count" in wanted and alert.event_count != wanted["count"]:
        yield f"{alert.event_count} events, expected {wanted['count']}"
    if "level" in wanted and alert.rule.level != wanted["level"]:
        yield f"level {alert.rule.level}, expected {wanted['level']}"
    named = {f"{entity.type} {entity.value}" for entity in alert.entities}
    for entity in wanted.get("entities") or []:
        if entity not in named:
            yield f"names {', '.join(sorted(named)) or 'nobody'}, expected {entity}"
