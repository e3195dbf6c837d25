"""The stage that turns alerts into attack chains, one graph a site.

`on_item` takes alerts and observations and gives every chain that changed at once; repetitions are gathered and given
after `refresh`. A chain's id comes from its first alert. When two chains become one, the one with the earlier
first alert goes on and the other is given once more, empty, with `merged_into`; when late evidence parts them, its id
comes back to life with the next revision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from contract.event import Notice, Observation
from contract.ports import Logic, Parts, Stage
from contract.records import Alert, Chain, Correction
from contract.timestamps import microseconds, to_datetime
from correlate.chain import state
from correlate.chain.correct import correct
from correlate.chain.edges import MINUTE_US
from correlate.chain.graph import Graph
from correlate.chain.knots import Change, Knot
from correlate.chain.patterns import Pattern
from correlate.chain.runs import LEVEL_OF, Run
from correlate.chain.settings import LinkSettings
from correlate.chain.story import chain_id, tell

Input: TypeAlias = Alert | Observation | Correction
Output: TypeAlias = Chain | Notice

_AT_ONCE: Final = 32
"""Runs of a chain up to which each new one is published at once; a longer one when it grew by a sixteenth."""

_SWEEP_US: Final = 5 * MINUTE_US
"""Event time between two looks for what is too old to be remembered; each look passes over all of it."""

_MAX_HOPS: Final = 64
"""Merges followed from an old id to the chain that goes on."""

_WORDS: Final = {
    "runs": "graph is full: alerts that joined nothing, then the oldest chains, were closed early",
    "run_alerts": "more alerts of one kind than a run keeps; the latest are counted, not listed",
    "chain_runs": "chain is full: an edge was found and the chains were not joined",
    "names": "more chain ids than are remembered; the oldest cannot come back to life",
    "relations": "more processes, connections and files than are remembered; the oldest went",
    "addresses": "more addresses than are remembered; the one longest unbound went",
    "habits": "more hosts, or rules on one host, than habits are learnt of; they count as never seen",
    "crowd": "one rule against one target from many sources; these alerts make no chain of their own",
}


@dataclass(slots=True, frozen=True)
class Name:
    """An id under which a chain was published.

    Attributes:
        anchor: its first alert then.
        revision: its last.
        last_us: of its alerts.
        merged_into: the id that goes on instead.
        shown: digest of what was last published; empty when it holds nothing.
    """

    anchor: str
    revision: int
    last_us: int
    merged_into: str = ""
    shown: str = ""


class Linker:
    """The `contract.ports.Logic` of one site."""

    def __init__(
        self, settings: LinkSettings, patterns: Sequence[Pattern], parts: Mapping[str, bytes]
    ) -> None:
        self._settings = settings
        self._patterns = patterns
        self._graph = Graph(settings)
        self._names: dict[str, Name] = {}
        self._now_us = 0
        self._swept_us = 0
        self._due: list[tuple[int, int]] = []
        self._knots: dict[int, Knot] = {}
        self._changed_knots: set[int] = set()
        self._changed_names: set[str] = set()
        self._saved = set(parts)
        self._single = LEVEL_OF[settings.single_level]
        self._refresh_us = microseconds(settings.refresh)
        self._gap_us = microseconds(settings.run_gap)
        self._lateness_us = microseconds(settings.lateness)
        self._lifetime_us = microseconds(settings.lifetime)
        if parts:
            self._restore(parts)

    def renew(self, patterns: Sequence[Pattern]) -> None:
        """Go on with other patterns: a chain bears their names from its next change on."""
        self._patterns = patterns

    # -------------------------------------------------------------- Logic

    def on_item(self, item: Input) -> Iterable[Output]:
        """Take an alert, its revision or retraction, an observation, or a person's correction."""
        change = Change()
        if isinstance(item, Observation):
            self._graph.observe(item, change)
        elif isinstance(item, Correction):
            refused = correct(self._graph, item, self._anchor, change)
            if refused is not None:
                return [refused]
        else:
            repeated = self._graph.take(item, change)
            if repeated is not None and not change.touched:
                self._later(repeated.knot)
                return self._notices() if self._graph.lost else ()
        return self._settle(change)

    def on_time(self, now_us: int) -> Iterable[Output]:
        """Publish what is due and forget what ended."""
        self._now_us = max(self._now_us, now_us)
        out: list[Output] = []
        change = Change()
        self._graph.ripen(now_us, change)
        if change.touched:
            out.extend(self._settle(change))
        while self._due and self._due[0][0] <= now_us:
            due_us, number = heappop(self._due)
            knot = self._knots.get(number)
            if knot is None or knot.due_us != due_us:
                continue
            knot.due_us = None
            if not knot.names and knot.last_us + self._gap_us > now_us:
                self._later(knot)
                continue
            change = Change({knot})
            self._graph.settle(knot, change)
            out.extend(self._settle(change, at_due=True))
        for knot in self._graph.expired(now_us):
            self._forget(knot)
        self._graph.baseline.absorb(now_us)
        if now_us >= self._swept_us + _SWEEP_US:
            self._swept_us = now_us
            self._forget_names(now_us)
        return out

    def wake_at(self) -> int | None:
        """Return when something is due or ends."""
        times = [self._due[0][0]] if self._due else []
        ends = self._graph.wake_at()
        return min([*times, ends]) if ends is not None else min(times, default=None)

    def snapshot(self) -> Parts:
        """Return the parts that changed."""
        parts = state.changed(self._graph)
        for number in sorted(self._changed_knots):
            knot = self._knots.get(number)
            # A run that is no chain needs no part to say that it stands alone.
            alone = knot is None or (len(knot.runs) == 1 and not knot.names)
            parts[f"knot/{number}"] = None if alone or knot is None else state.knot_part(knot)
        for one in sorted(self._changed_names):
            name = self._names.get(one)
            parts[f"name/{one}"] = (
                None
                if name is None
                else state.encode(
                    {
                        "row": [
                            name.anchor,
                            name.revision,
                            name.last_us,
                            name.merged_into,
                            name.shown,
                        ]
                    }
                )
            )
        self._changed_knots.clear()
        self._changed_names.clear()
        for part in [one for one, data in parts.items() if data is None]:
            if part not in self._saved:
                del parts[part]  # it came and went between two snapshots
        if parts:
            parts["meta"] = state.encode(
                {
                    "now": self._now_us,
                    "swept": self._swept_us,
                    "next_run": self._graph.next_run,
                    "next_knot": self._graph.weave.next_number,
                    "base": self._graph.baseline.meta(),
                }
            )
        for part, data in parts.items():
            (self._saved.discard if data is None else self._saved.add)(part)
        return parts

    def is_empty(self) -> bool:
        """Tell whether nothing is known any more."""
        return not (self._graph.runs or self._names or self._graph.gone)

    # -------------------------------------------------------------- publication

    def _settle(self, change: Change, *, at_due: bool = False) -> list[Output]:
        """Give ids to what changed and publish it."""
        if change.full:
            self._graph.lost["chain_runs"] += change.full
        if self._graph.words:
            self._graph.weave.respect(change)
        touched = change.touched
        for knot in self._graph.crowded_out():
            self._forget(knot)
            touched.discard(knot)
        for knot in list(touched):
            touched |= self._return_names(knot)
        out: list[Output] = []
        live = sorted((knot for knot in touched if knot.runs), key=lambda knot: knot.first)
        for knot in touched:
            self._changed_knots.add(knot.number)
            if not knot.runs:
                self._knots.pop(knot.number, None)
                out.extend(self._withdraw(one) for one in sorted(knot.names))
                knot.names = set()
        for knot in live:
            self._knots[knot.number] = knot
            out.extend(self._publish(knot, at_due=at_due))
        out.extend(self._notices())
        return out

    def _return_names(self, knot: Knot) -> set[Knot]:
        """Give each id of a knot to the knot that now holds its first alert."""
        moved: set[Knot] = set()
        for one in sorted(knot.names):
            run = self._graph.by_alert.get(self._names[one].anchor)
            if run is not None and run.knot is not knot:
                knot.names.discard(one)
                run.knot.names.add(one)
                moved.add(run.knot)
        return moved

    def _publish(self, knot: Knot, *, at_due: bool) -> Iterable[Output]:
        if not self._is_worth(knot):
            for one in sorted(knot.names):
                yield self._withdraw(one)
            knot.names = set()
            if len(knot.runs) == 1:
                self._graph.loosen(knot.first)
            return
        if not at_due and not self._is_material(knot):
            self._later(knot)
            return
        own = chain_id(knot.runs)
        known = self._names.get(own)
        revision = known.revision + 1 if known else 1
        chain = tell(
            knot.runs,
            revision,
            self._rarity,
            self._trust,
            patterns=self._shapes(knot),
            corrections=self._said(knot),
            trusted=self._graph.regain.trusted(knot.runs),
        )
        shown = _digest(chain)
        late = at_due and self._now_us >= knot.last_us + self._lateness_us
        if known is None or shown != known.shown or own not in knot.names:
            yield chain
            self._name(own, Name(knot.first.head, chain.revision, knot.last_us, shown=shown))
            knot.shown_runs = len(knot.runs)
            knot.shown_alerts = len(chain.alerts)
        for one in sorted(knot.names - {own}):
            yield self._merge(one, own, chain)
        knot.names = {own}
        if not late:
            self._plan(knot, knot.last_us + self._lateness_us)

    def _is_worth(self, knot: Knot) -> bool:
        """Tell whether a knot is a chain: two rules joined, or one alert that is grave enough by itself."""
        if len({run.rule.id for run in knot.runs}) > 1 or self._said(knot):
            return True
        run = knot.first
        # What names no peer and no process gives nothing to act on: alone it must be graver.
        if max(one.level - one.is_blind for one in knot.runs) < self._single:
            return False
        if len(knot.runs) == 1 and self._graph.postings.in_crowd(run):
            self._graph.lost["crowd"] += 1
            return False
        return True

    def _is_material(self, knot: Knot) -> bool:
        size = len(knot.runs)
        if size <= _AT_ONCE or knot.names != {chain_id(knot.runs)}:
            return True
        return abs(size - knot.shown_runs) * 16 >= size

    def _later(self, knot: Knot) -> None:
        """Plan to look at a knot that only grew by repetitions; once planned, it is not put off.

        One that is no chain yet is looked at when its repetitions end.
        """
        if knot.due_us is None:
            wait_us = self._refresh_us if knot.names else self._gap_us
            self._plan(knot, knot.last_us + wait_us)

    def _plan(self, knot: Knot, due_us: int) -> None:
        if knot.due_us is None or knot.due_us > due_us:
            knot.due_us = due_us
            heappush(self._due, (due_us, knot.number))
            self._changed_knots.add(knot.number)

    def _merge(self, one: str, into: str, chain: Chain) -> Chain:
        name = self._names[one]
        self._name(one, replace(name, revision=name.revision + 1, merged_into=into, shown=""))
        return Chain(
            id=one, revision=name.revision + 1, score=0.0, first=chain.first, last=chain.last,
            alerts=(), merged_into=into,
        )  # fmt: skip

    def _withdraw(self, one: str) -> Chain:
        """Return the last revision of a chain whose alerts were all retracted."""
        name = self._names[one]
        self._name(one, replace(name, revision=name.revision + 1, shown=""))
        at = to_datetime(name.last_us)
        return Chain(id=one, revision=name.revision + 1, score=0.0, first=at, last=at, alerts=())

    def _name(self, one: str, name: Name) -> None:
        self._names[one] = name
        self._changed_names.add(one)

    def _said(self, knot: Knot) -> tuple[str, ...]:
        """Return the ids of the corrections about a knot."""
        if not self._graph.words:
            return ()
        return self._graph.words.of(one for run in knot.runs for one in run.members)

    def _anchor(self, one: str) -> Run | None:
        """Return the run with the first alert of the open chain that an id, or one merged into it, stands for."""
        for _ in range(_MAX_HOPS):
            name = self._names.get(one)
            if name is None:
                return None
            if not name.merged_into:
                run = self._graph.by_alert.get(name.anchor)
                return run if run is not None and one in run.knot.names else None
            one = name.merged_into
        return None

    def _shapes(self, knot: Knot) -> tuple[str, ...]:
        """Return the names of the patterns that a knot satisfies."""
        if not self._patterns or len(knot.runs) == 1:
            return ()
        runs = sorted(knot.runs)
        return tuple(one.pattern for one in self._patterns if one.find(runs) is not None)

    def _rarity(self, run: Run) -> float:
        return run.rarity.factor

    def _trust(self, run: Run) -> float:
        keys = tuple(
            f"{one.type}|{one.value}"
            for one in run.signing
            if one.role in ("subject", "target") and one.type in ("host", "ip", "key")
        )
        return self._graph.trust.at(keys, run.last_us)

    def _notices(self) -> list[Output]:
        lost, self._graph.lost = self._graph.lost, Counter()
        for name, part in (
            ("relations", self._graph.relations),
            ("addresses", self._graph.identity),
            ("habits", self._graph.baseline),
        ):
            if part.lost:
                lost[name] += part.lost
                part.lost = 0
        return [
            Notice("link_left_out", amount, label, _WORDS[label]) for label, amount in lost.items()
        ]

    # -------------------------------------------------------------- forgetting and restoring

    def _forget(self, knot: Knot) -> None:
        self._knots.pop(knot.number, None)
        self._changed_knots.add(knot.number)

    def _forget_names(self, now_us: int) -> None:
        """Drop ids and retractions older than a lifetime, and the oldest beyond the bound."""
        old_us = now_us - self._lifetime_us
        held = {one for knot in self._knots.values() for one in knot.names}
        gone = [
            one for one, name in self._names.items() if name.last_us < old_us and one not in held
        ]
        over = len(self._names) - len(gone) - self._settings.max_names
        if over > 0:
            rest = sorted(
                (name.last_us, one) for one, name in self._names.items() if one not in held
            )
            gone.extend(one for _, one in rest[:over])
            self._graph.lost["names"] += over
        for one in set(gone):
            del self._names[one]
            self._changed_names.add(one)
        for alert in [one for one, (_, at_us) in self._graph.gone.items() if at_us < old_us]:
            del self._graph.gone[alert]
            self._graph.changed_gone.add(alert)
        self._graph.forget_words(old_us)
        self._graph.forget(now_us)

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        meta = state.decode("meta", parts["meta"])
        self._now_us, self._swept_us = meta["now"], meta["swept"]
        self._graph.next_run = meta["next_run"]
        self._graph.weave.next_number = meta["next_knot"]
        self._graph.baseline.restore_meta(meta["base"])
        state.restore(self._graph, parts)
        for run in self._graph.runs.values():
            knot = self._knots[run.knot.number] = run.knot
            if run.grown and len(knot.runs) == 1 and not knot.names:
                knot.due_us = run.last_us + self._gap_us
        for name, data in parts.items():
            if name.startswith("name/"):
                self._names[name.removeprefix("name/")] = Name(*state.decode(name, data)["row"])
        self._due = [
            (knot.due_us, knot.number) for knot in self._knots.values() if knot.due_us is not None
        ]
        heapify(self._due)
        for number in sorted(self._knots):
            knot = self._knots[number]
            if len(knot.runs) == 1 and not knot.names:
                self._graph.loosen(knot.first)


def _digest(chain: Chain) -> str:
    """Return a digest of what a chain says, its revision left out."""
    data = chain.model_dump_json(exclude={"revision"}).encode()
    return blake2b(data, digest_size=8).hexdigest()


def link(
    patterns: Sequence[Pattern] = (), settings: LinkSettings | None = None
) -> Stage[Input, Output]:
    """Return the stage that links alerts into chains.

    Args:
        patterns: declared shapes of chains, the values of `correlate.chain.patterns.load(...).patterns`.
        settings: bounds and spans; None takes the defaults.
    """
    chosen = settings or LinkSettings()

    def keys(item: Input) -> Iterable[str]:
        return (chosen.site,)

    def open_(key: str, parts: Mapping[str, bytes]) -> Logic[Input, Output]:
        return Linker(chosen, patterns, parts)

    def renew(_: str, logic: Logic[Input, Output]) -> Logic[Input, Output]:
        if isinstance(logic, Linker):
            logic.renew(patterns)
        return logic

    return Stage("link", keys, open_, renew)
