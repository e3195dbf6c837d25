"""A rule made ready to run on one group after another: which field groups, what is kept, how it folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, TypeAlias

import msgspec

from contract.event import Event, Fields
from contract.ids import derive_id
from contract.records import Rule
from correlate.sigma import taxonomy
from correlate.window.condition import number
from correlate.window.evaluate import (
    AllPresent,
    Always,
    AtLeast,
    DistinctValues,
    Evaluator,
    InOrder,
    Measured,
    Value,
)
from correlate.window.measure import (
    Average,
    Count,
    Distinct,
    Measure,
    Percentile,
    Share,
    Sum,
)
from correlate.window.rule import Correlation

SEPARATOR = "\x1f"
"""Stands between the parts of a key; ASCII's own unit separator."""

MAX_GROUPS = 16
"""Groups that one event with list values joins; the rest are counted."""

MAX_KEY = 256
"""Characters of a key; a longer one is shortened to a digest, so that state stays small."""

ABSENT = "\x00"
"""The group value of a field that an event does not have, where the rule lets those form a group."""

Reader: TypeAlias = Callable[[Fields], Value]


@dataclass(slots=True, frozen=True)
class Plan:
    """One rule, ready to run.

    Attributes:
        rule: as its alerts name it.
        key: prefix of the stage keys of its groups; also a cause of its alerts' ids.
        digest: of everything that gives old state its meaning; other state is not read.
        parts: rule id (or `SENSOR_RULE`) to the part it plays.
        span_us: how far back evidence reaches.
        keep_us: how far back before the horizon entries must be kept.
        gap_us: quiet time after which a firing is a new alert.
        close_us: quiet time after which nothing can join the alert any more.
        refire_us: a firing this long after an alert's first one starts a new alert.
        evaluator: makes the decider of one group.
        reader: field values that are measured; None where none are. A None value takes no part.
        carried: fields that outer correlations group this one's alerts by.
        correlation: None for folding of detections and sensors' alerts.
        silent: its alerts are for outer correlations alone.
        spread: whether an alert must list one event of each part first.
        mode: when it is decided; see `mode_of`.
        absence: parts that must not follow.
        unwanted: parts whose events are no evidence.
    """

    rule: Rule
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    key: str
    digest: str
    parts: Mapping[str, int]
    span_us: int
    keep_us: int
    gap_us: int
    close_us: int
    refire_us: int
    lateness_us: int
    max_events: int
    evaluator: Callable[[], Evaluator]
    reader: Reader | None = None
    carried: tuple[str, ...] = ()
    correlation: Correlation | None = None
    silent: bool = False
    spread: bool = False
    mode: str = "sliding"
    absence: frozenset[int] = frozenset()
    unwanted: frozenset[int] = frozenset()

    @property
    def is_fold(self) -> bool:
        """Whether each event satisfies by itself."""
        return self.correlation is None


# ------------------------------------------------------------------ groups


def scalar(value: Any) -> str:
    """Return a group-by value as text: numbers and their texts are one, case does not count.

    Sigma compares values without regard to case; values that it calls equal are one group.
    """
    if type(value) is str:
        return value.lower()
    if value is True or value is False:
        return "true" if value else "false"
    exact = number(value)
    return str(exact) if exact is not None else str(value).lower()


@lru_cache(4096)
def alternatives(name: str) -> tuple[str, ...]:
    """Return what a field of Sigma's taxonomy is called in our events, besides its own name.

    A rule that groups by `IpAddress` means the same field that its detections match.
    """
    if "." in name:
        return ()
    tables = (taxonomy.WINLOG, taxonomy.PROCESS, taxonomy.NETWORK, taxonomy.AUDITD)
    named = [taxonomy.WINLOG_DATA + name, *(t[name] for t in tables if name in t)]
    return tuple(dict.fromkeys(named))


def lookup(fields: Fields, name: str) -> Any:
    """Return a field's value under its own name or, failing that, under what our events call it."""
    value = fields.get(name)
    if value is None:
        for other in alternatives(name):
            value = fields.get(other)
            if value is not None:
                return value
    return value


def groups(prefix: str, fields: Fields, names: Iterable[str], *, absent: bool) -> list[str]:
    """Return the keys of the groups that an event belongs to; none when it lacks a field.

    A list value stands for each of its values, as in Sigma's matching.
    """
    key = prefix
    for at, name in enumerate(names):
        value = fields.get(name)
        if value is None:
            value = lookup(fields, name)
        if type(value) is not str:
            if isinstance(value, list):
                return _many(prefix, fields, list(names)[at:], key, absent=absent)
            if value is None:
                if not absent:
                    return []
                value = ABSENT
            else:
                value = scalar(value)
        elif SEPARATOR in value:
            value = value.replace(SEPARATOR, "\\x1f")
        key = f"{key}{SEPARATOR}{value.lower()}"
    return [key if len(key) <= MAX_KEY else _short(prefix, key)]


def _many(prefix: str, fields: Fields, names: list[str], key: str, *, absent: bool) -> list[str]:
    """The slow way: some field holds a list."""
    columns = []
    for name in names:
        value = lookup(fields, name)
        given = value if isinstance(value, list) else [value]
        texts = dict.fromkeys(
            scalar(one).replace(SEPARATOR, "\\x1f") for one in given if one is not None
        )
        if not texts:
            if not absent:
                return []
            texts = {ABSENT: None}
        columns.append(list(texts))
    found = []
    for chosen, _ in zip(product(*columns), range(MAX_GROUPS), strict=False):
        whole = SEPARATOR.join((key, *chosen))
        found.append(whole if len(whole) <= MAX_KEY else _short(prefix, whole))
    return found


def _short(prefix: str, key: str) -> str:
    return f"{prefix}{SEPARATOR}#{derive_id('group', key)}"


# ------------------------------------------------------------------ values


def reader_of(correlation: Correlation) -> Reader | None:
    """Return what reads the measured value of an event."""
    if not correlation.fields:
        return None
    (first, *rest) = correlation.fields
    if correlation.type in ("value_sum", "value_avg", "value_median") or (
        correlation.type == "value_percentile" and correlation.percentile is not None
    ):
        return lambda fields: number(lookup(fields, first))
    if rest:
        names = correlation.fields

        def together(fields: Fields) -> Value:
            texts = [_text(lookup(fields, name)) for name in names]
            return None if None in texts else SEPARATOR.join(t for t in texts if t is not None)

        return together
    return lambda fields: _text(lookup(fields, first))


def _text(value: Any) -> str | None:
    if type(value) is str:
        return value.lower()
    if value is None:
        return None
    if isinstance(value, list):
        texts = sorted(scalar(one) for one in value if one is not None)
        return ",".join(texts) if texts else None
    return scalar(value)


_MEASURES: Mapping[str, Callable[[], Measure]] = {
    "event_count": Count,
    "value_count": Distinct,
    "value_sum": Sum,
    "value_avg": Average,
    "value_percentile": Share,
}


def measure_of(correlation: Correlation) -> Callable[[], Measure]:
    """Return what makes the measure of a correlation."""
    percentile = correlation.percentile
    if percentile is not None:
        return lambda: Percentile(percentile)
    return _MEASURES[correlation.type]


def evaluator_of(correlation: Correlation, mode: str, max_values: int) -> Callable[[], Evaluator]:
    """Return what makes the decider of one group of a correlation."""
    span = correlation.span_us
    present, threshold = correlation.presence, correlation.threshold
    if present is not None:
        if correlation.type == "temporal":
            return lambda: AllPresent(span, len(correlation.rules), present)
        return lambda: InOrder(span, present)
    if threshold is None or mode == "frame":
        return Always
    least = threshold.least()
    if correlation.type == "event_count" and least is not None:
        return lambda: AtLeast(span, max(1, least))
    if correlation.type == "value_count":
        return lambda: DistinctValues(span, threshold, max_values)
    measure = measure_of(correlation)
    return lambda: Measured(span, measure(), threshold)


def mode_of(correlation: Correlation) -> str:
    """Return when it can be decided: at an event, or only when the whole time frame has passed.

    `frame`: what fewer events satisfy too (`lt 3`) is only true once no more can come.
    """
    if correlation.absence:
        return "absence"
    threshold = correlation.threshold
    if threshold is None:
        return "sliding"
    if correlation.type in ("event_count", "value_count"):
        return "frame" if threshold.holds(1) and threshold.has_upper else "sliding"
    if correlation.type == "value_percentile" and correlation.percentile is None:
        return "sliding"  # a share is of what came before; it needs no more to be true
    return "sliding" if threshold.has_lower else "frame"


# ------------------------------------------------------------------ facts

_encode = msgspec.json.Encoder().encode


class Facts:
    """What all groups share: it keeps of an event what joining and telling need, as JSON.

    It remembers the last event's, since one event often matches several rules in a row.

    Attributes:
        names: of the fields kept.
        groups: how many groups hold something now.
        held: how many entries all groups hold now.
    """

    __slots__ = ("_event", "_json", "groups", "held", "names")

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.groups = 0
        self.held = 0
        self._event: Event | None = None
        self._json = b""

    def of(self, event: Event) -> bytes:
        """Return the kept fields of an event as JSON."""
        if event is not self._event:
            names = self.names
            fields = event.fields
            self._json = _encode({name: fields[name] for name in fields if name in names})
            self._event = event
        return self._json
