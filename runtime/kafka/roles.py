"""The roles of the distributed engine: what each reads, keeps and sends, and with which stages of the engine.

    events ─▶ detect ─▶ matches ─▶ aggregate ─▶ observations ─▶ link ─▶ chains ─▶ decide ─▶ policy ─▶ enforce
                 └──────────────────────────────────▲  └▶ alerts ▲        ▲ outcomes ◀──────────────────┘
                                                            commands (a person's words)

`detect` and `aggregate` scale by partitions. The state of `link` is one graph and that of `decide` one ledger, so each runs
on one partition, in one process at a time; another takes over. Correlations of correlations run with `link`: their inputs
come from all partitions. What `link` takes (observations, alerts, some matches) shares a topic, so that one mark orders all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from contract.ports import Meter, Stage
from contract.records import Alert, Chain, Decision
from contract.timestamps import microseconds
from contract.topics import (
    AGGREGATE_STATE,
    ALERTS,
    CHAINS,
    COMMANDS,
    DECIDE_STATE,
    DETECT_STATE,
    EVENTS,
    LINK_STATE,
    MATCHES,
    OBSERVATIONS,
    OUTCOMES,
    POLICY,
    Topic,
)
from correlate.aggregate import SILENT
from respond.claims import CLAIM
from runtime.compose import Composition
from runtime.engine import Engine, Output
from runtime.kafka.detect import DetectTask
from runtime.kafka.order import Taken, Upstreams
from runtime.kafka.outlet import RULE_END, At, Outlet, Sent, partition_of
from runtime.kafka.task import StageTask, Task, Tie
from runtime.settings import Settings
from runtime.stage_runner import Changes
from runtime.tally import Tally
from runtime.watermark import Watermarks

RoleName: TypeAlias = Literal["detect", "aggregate", "link", "decide"]
ROLES: Final[tuple[RoleName, ...]] = ("detect", "aggregate", "link", "decide")


@dataclass(slots=True, frozen=True)
class Role:
    """One kind of work.

    Attributes:
        inputs: topics; partition p of each is read by the same task.
        state: its changelog.
        make: makes the task of a partition.
        buried: what is to be said when parts of the state go.
    """

    name: RoleName
    inputs: tuple[Topic, ...]
    state: Topic
    make: Callable[[int], Task]
    buried: Callable[[Changes], Iterable[Sent]] = lambda _: ()


class Roles:
    """Makes the roles' tasks.

    Args:
        settings: checked, with `[kafka]`.
        composition: rules, compiled.
        meter: is told what each task counts.
    """

    def __init__(self, settings: Settings, composition: Composition, meter: Meter) -> None:
        self._settings = settings
        self._rules = composition
        self._meter = meter
        self._kafka = settings.kafka
        self._partitions = self._kafka.partitions
        self._sources = tuple(one.name for one in settings.sources)

    def renew(self, composition: Composition) -> None:
        """Make tasks with other rules from now on."""
        self._rules = composition

    def role(self, name: RoleName) -> Role:
        """Return the role of this name."""
        match name:
            case "detect":
                return Role(name, (EVENTS,), DETECT_STATE, self._detect)
            case "aggregate":
                return Role(name, (MATCHES,), AGGREGATE_STATE, self._aggregate)
            case "link":
                return Role(name, (OBSERVATIONS, COMMANDS), LINK_STATE, self._link)
            case "decide":
                inputs = (CHAINS, OUTCOMES, COMMANDS)
                return Role(name, inputs, DECIDE_STATE, self._decide, _buried)

    # -------------------------------------------------------------- tasks

    def _detect(self, partition: int) -> Task:
        engine = self._settings.engine
        marks = Watermarks(microseconds(engine.lateness), microseconds(engine.idle_after))
        name = f"detect/{partition}"
        return DetectTask(
            name,
            self._rules.fresh(),
            self._rules.outer,
            self._partitions,
            marks,
            self._sources,
            microseconds(engine.lateness),
            self._outlet(name),
            Tally(self._meter),
            self._canary("detect"),
            ends=engine.stop_at_end,
        )

    def _aggregate(self, partition: int) -> Task:
        outer, partitions = self._rules.outer, self._partitions

        def is_here(key: str) -> bool:
            rule = key.partition(RULE_END)[0]
            return rule not in outer and partition_of(key, partitions) == partition

        rules = self._rules.fresh()
        parts = replace(
            rules,
            aggregate=_only(rules.aggregate, is_here),
            link=_none(rules.link),
            decide=_none(rules.decide),
        )
        name = f"aggregate/{partition}"
        outlet = self._outlet(name)

        def route(output: Output, at: At) -> Iterator[Sent]:
            if isinstance(output, Alert):
                yield from outlet.send(output, _places_of(output), "", at)

        upstreams = Upstreams(f"detect/{one}" for one in range(partitions))
        engine = Engine(parts, tells_inner=True)
        tie = _Ties(rules.aggregate.keys, lambda: engine.aggregate.woken)
        return self._task(name, engine, upstreams, outlet, route, ((OBSERVATIONS, 0),), tie)

    def _link(self, partition: int) -> Task:
        outer = self._rules.outer

        def is_here(key: str) -> bool:
            return key.partition(RULE_END)[0] in outer

        rules = self._rules.fresh()
        parts = replace(
            rules, aggregate=_only(rules.aggregate, is_here), decide=_none(rules.decide)
        )
        name = f"link/{partition}"
        outlet = self._outlet(name)

        def route(output: Output, at: At) -> Iterator[Sent]:
            if isinstance(output, Chain):
                yield from outlet.send(output, ((CHAINS, 0),), "", at)
            elif isinstance(output, Alert):  # of correlations of correlations
                yield from outlet.send(output, ((ALERTS, 0),), "", at)

        upstreams = Upstreams(
            f"{role}/{one}" for role in ("detect", "aggregate") for one in range(self._partitions)
        )
        return self._task(name, Engine(parts), upstreams, outlet, route, ((CHAINS, 0),))

    def _decide(self, partition: int) -> Task:
        rules = self._rules.fresh()
        parts = replace(rules, aggregate=_none(rules.aggregate), link=_none(rules.link))
        name = f"decide/{partition}"
        outlet = self._outlet(name)

        def route(output: Output, at: At) -> Iterator[Sent]:
            if isinstance(output, Decision):
                yield from outlet.send(output, ((POLICY, 0),), output.id, at)

        upstreams = Upstreams(("link/0",))
        return self._task(name, Engine(parts), upstreams, outlet, route, (), canary_to=(POLICY, 0))

    # -------------------------------------------------------------- parts

    def _task(
        self,
        name: str,
        engine: Engine,
        upstreams: Upstreams,
        outlet: Outlet,
        route: Callable[[Output, At], Iterator[Sent]],
        marks_to: Iterable[tuple[Topic, int]],
        tie: Tie | None = None,
        canary_to: tuple[Topic, int] | None = None,
    ) -> Task:
        watch = self._canary(name.partition("/")[0])
        tally = Tally(self._meter)
        return StageTask(
            name, engine, upstreams, outlet, route, marks_to, tally,
            microseconds(self._settings.engine.lateness), self._kafka.max_waiting, watch, tie, canary_to,
        )  # fmt: skip

    def _outlet(self, name: str) -> Outlet:
        kept = self._settings.normalize.dead_letter_bytes
        return Outlet(name, self._kafka.max_record_bytes, kept)

    def _canary(self, role: str) -> Callable[[int, int], None]:
        def watch(sent_us: int, now_us: int) -> None:
            self._meter.set("canary_age_seconds", (now_us - sent_us) / 1e6, role=role)
            self._meter.set("canary_seen_timestamp_seconds", now_us / 1e6, role=role)

        return watch


class _Ties:
    """Orders alerts as one process would: by the match that caused each, then by the order of its keys.

    Args:
        keys: of the whole stage, not of this partition alone.
        woken: tells the key that time has brought about an alert of.
    """

    def __init__(self, keys: Callable[[Any], Iterable[str]], woken: Callable[[], str]) -> None:
        self._keys = keys
        self._woken = woken
        self._of: Taken | None = None
        self._rules: list[str] = []
        self._count = 0

    def __call__(self, taken: Taken | None, output: Output) -> str:
        if not isinstance(output, Alert):
            return ""
        if taken is None:
            return self._woken()
        if taken is not self._of:
            self._of, self._count = taken, 0
            self._rules = [_rule_of(key) for key in self._keys(taken.item)]
        self._count += 1
        rules, rule = self._rules, output.rule.id
        place = rules.index(rule) if rule in rules else len(rules)
        return f"{taken.tie} {place:03d} {self._count:04d}"


def _rule_of(key: str) -> str:
    """Return the rule that a key of `aggregate` is of; those of folded detections have it second."""
    first, _, rest = key.partition(RULE_END)
    return rest.partition(RULE_END)[0] if first == "fold" else first


def _buried(changes: Changes) -> Iterator[Sent]:
    """Yield a tombstone for each decision that `decide` has forgotten, so that the compacted topic forgets it too."""
    for (stage, _, part), data in changes.items():
        if stage == "decide" and data is None and part.startswith(CLAIM):
            yield Sent(POLICY, 0, part.removeprefix(CLAIM).encode(), None)


def _places_of(alert: Alert) -> tuple[tuple[Topic, int], ...]:
    """Return where an alert goes: what only outer correlations hear of is told to nobody else."""
    inside = (OBSERVATIONS, 0)
    return (inside,) if SILENT in alert.fields else ((ALERTS, 0), inside)


def _only(stage: Stage[Any, Any], is_here: Callable[[str], bool]) -> Stage[Any, Any]:
    """Return the stage for those keys alone."""
    keys = stage.keys
    return Stage(stage.name, lambda item: [key for key in keys(item) if is_here(key)], stage.open)


def _none(stage: Stage[Any, Any]) -> Stage[Any, Any]:
    """Return the stage for no key: another role runs it."""
    return Stage(stage.name, lambda _: (), stage.open)
