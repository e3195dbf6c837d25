"""A rule made ready to run on one group after another: which field groups, what is kept, how it folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from contract.event import Fields
from contract.records import Rule
from correlate.window.condition import Number, Test, number
from correlate.window.distinct import DistinctValues
from correlate.window.entry import Value
from correlate.window.evaluate import Always, AtLeast, Evaluator
from correlate.window.grouping import SEPARATOR, alternatives, lookup, scalar
from correlate.window.measure import (
    Average,
    Count,
    Distinct,
    Measure,
    Percentile,
    Share,
    Sum,
)
from correlate.window.measured import Measured, Ranked, Summed
from correlate.window.presence import AllPresent, InOrder
from correlate.window.rule import Correlation
from correlate.window.young import Highest, Outlook, Parts, Total, Unknown

Reader: TypeAlias = Callable[[Fields], Value]

FEW_JUDGED = 5
"""Fewer values are judged anew each time, which costs less than to keep what is known of them."""

NO_END = 2**62
"""More entries than any group has."""


@dataclass(slots=True, frozen=True)
class Plan:
    """One rule, ready to run.

    Attributes:
        rule: as its alerts name it.
        key: prefix of the keys of its groups; also a cause of its alerts' ids.
        digest: of everything that gives old state its meaning; other state is not read.
        parts: rule id (or `SENSOR_RULE`) to the part it plays.
        span_us: how far back evidence reaches.
        keep_us: how far back before the horizon entries must be kept.
        gap_us: quiet time after which a firing is a new alert.
        close_us: quiet time after which nothing can join the alert any more.
        each: each firing is an alert of its own; those of one time are one.
        refire_us: a firing this long after an alert's first one starts a new alert.
        evaluator: makes the decider of one group.
        reader: field values that are measured; None where none are. A None value takes no part.
        inner: other correlations take its alerts.
        carried: fields that outer correlations group this one's alerts by.
        aliased: places in group-by of own aliases that outer correlations group by.
        correlation: None for folding of detections and sensors' alerts.
        silent: its alerts are for outer correlations alone.
        spread: whether an alert must list one event of each part first.
        mode: when it is decided; see `mode_of`.
        absence: parts that must not follow.
        unwanted: parts whose events are no evidence.
        later: parts that are evidence only behind another; see `trimming`.
        few: a group with fewer entries is kept as no more than them while the rule does not hold; 0: it may wait for something.
        outlook: tells at which entry the rule may hold for the first time; None: at none before there are `few`.
        judged: where it may hold with fewer than `FEW_JUDGED` entries, whether it does is looked at anew each time.
        whole: what holds may hold no longer as more comes at the same time: all of one time is judged together.
        alone: tells whether an entry of a value, alone in its group, fires; None: it may, or waits for its deadline.
        slot_us: how coarsely times are rounded at which entries are let go of.
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
    aliased: tuple[int, ...] = ()
    correlation: Correlation | None = None
    silent: bool = False
    inner: bool = False
    each: bool = False
    spread: bool = False
    mode: str = "sliding"
    absence: frozenset[int] = frozenset()
    unwanted: frozenset[int] = frozenset()
    later: frozenset[int] = frozenset()
    few: int = 0
    outlook: Outlook | None = None
    judged: bool = False
    whole: bool = False
    alone: Callable[[Value], bool] | None = None
    slot_us: int = field(init=False)

    def __post_init__(self) -> None:
        # Asked for by every first entry of a group, so it is worked out once.
        object.__setattr__(self, "slot_us", max(self.keep_us // 4, 1_000_000))

    @property
    def is_fold(self) -> bool:
        """Whether each event satisfies by itself."""
        return self.correlation is None


# ------------------------------------------------------------------ values


def reader_of(correlation: Correlation) -> Reader | None:
    """Return what reads the measured value of an event."""
    if not correlation.fields:
        return None
    (first, *rest) = correlation.fields
    if correlation.type in ("value_sum", "value_avg", "value_median") or (
        correlation.type == "value_percentile" and correlation.percentile is not None
    ):
        names = (first, *alternatives(first))

        def measured(fields: Fields) -> Value:
            for name in names:
                value = fields.get(name)
                if value is not None:
                    return value if type(value) is int else number(value)
            return None

        return measured
    if rest:
        several = correlation.fields

        def together(fields: Fields) -> Value:
            texts = [_text(lookup(fields, name)) for name in several]
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
        parts = len(correlation.rules)
        if correlation.type == "temporal":
            return lambda: AllPresent(span, parts, present)
        return lambda: InOrder(span, parts, present)
    if threshold is None or mode == "frame":
        return Always
    least = threshold.least()
    if correlation.type == "event_count" and least is not None:
        shared = AtLeast(span, max(1, least))
        return lambda: shared
    return _measuring(correlation, threshold.test(), max_values)


def _measuring(correlation: Correlation, test: Test, max_values: int) -> Callable[[], Evaluator]:
    span = correlation.span_us
    if correlation.type == "value_count":
        return lambda: DistinctValues(span, test, max_values)
    if correlation.type in ("value_sum", "value_avg"):
        is_mean = correlation.type == "value_avg"
        return lambda: Summed(span, test, is_mean=is_mean)
    percentile, threshold = correlation.percentile, correlation.threshold
    if percentile is not None and threshold is not None and len(threshold.tests) == 1:
        ((name, bound),) = threshold.tests
        if name in ("gt", "gte"):
            return lambda: Ranked(span, percentile, name, bound)
    measure = measure_of(correlation)
    return lambda: Measured(span, measure(), test)


def alone_of(correlation: Correlation, mode: str) -> Callable[[Value], bool] | None:
    """Return what tells whether one entry alone can satisfy; see `Plan.alone`."""
    if mode != "sliding":
        return None
    present, threshold = correlation.presence, correlation.threshold
    if present is not None:
        return None if any(len(wanted) < 2 for wanted, _ in present.clauses) else _never  # noqa: PLR2004
    if threshold is None:
        return None
    if correlation.type in ("event_count", "value_count"):
        return None if threshold.holds(1) else _never
    if correlation.type == "value_percentile" and correlation.percentile is None:
        return None if threshold.holds(100) else _never
    test = threshold.test()
    # Of one value the sum, the mean and every rank are the value.
    return lambda value: test(cast("Number", value), 1)


def _never(value: Value) -> bool:
    return False


def few_of(correlation: Correlation, mode: str) -> tuple[int, Outlook | None, bool]:
    """Return (few, outlook, judged) of a plan; see there."""
    if mode != "sliding":
        return 0, None, False
    if correlation.presence is not None:
        return NO_END, Parts(correlation.presence), False
    threshold = correlation.threshold
    if threshold is not None and correlation.type in ("event_count", "value_count"):
        return threshold.lowest(), None, False
    if threshold is None or (
        correlation.type == "value_percentile" and correlation.percentile is None
    ):
        return FEW_JUDGED, Unknown(), True
    kind = Total if correlation.type == "value_sum" else Highest
    return NO_END, kind(threshold.at_least()), True


def later_of(correlation: Correlation, mode: str) -> frozenset[int]:
    """Return the parts that mean nothing while no first step of a sequence is there; see `Plan.later`."""
    present = correlation.presence
    if mode != "sliding" or present is None or correlation.type != "temporal_ordered":
        return frozenset()
    first = {min(wanted) for wanted, _ in present.clauses}
    refused = frozenset().union(*(one for _, one in present.clauses))
    return frozenset(range(len(correlation.rules))) - first - refused


def whole_of(correlation: Correlation, mode: str) -> bool:
    """Return whether what comes later at one time may undo what held; see `Plan.whole`."""
    if correlation.presence is not None:
        return any(refused for _, refused in correlation.presence.clauses)
    threshold = correlation.threshold
    if mode != "sliding" or threshold is None:
        return False
    if correlation.type in ("event_count", "value_count"):
        return threshold.has_upper
    return correlation.type != "value_percentile" or correlation.percentile is not None


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
