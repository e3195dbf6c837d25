"""The stage that turns alerts into attack chains, one graph a site.

What has causes of one time is one moment: it is taken as a whole, in an order of its own, and every chain that it
changed is told once, when the moment is over (`on_moment`, `on_time`). So what is told does not depend on the order in which
such items came, nor on how they were batched. Repetitions are gathered and told after `refresh`.

A chain's id comes from its first alert. When two chains become one, the one with the earlier first alert goes on and the
other is given once more, empty, with `merged_into`; when late evidence parts them, its id comes back to life with
the next revision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from contract.event import Notice, Observation
from contract.ports import UNCHANGED, Logic, Parts, Stage
from contract.records import Alert, Chain, Correction
from contract.timestamps import microseconds
from correlate.chain import state
from correlate.chain.bounds import notices
from correlate.chain.correct import correct
from correlate.chain.edges import MINUTE_US
from correlate.chain.graph import Graph
from correlate.chain.knots import Change
from correlate.chain.moment import MAX_ITEMS, Moment
from correlate.chain.patterns import Pattern
from correlate.chain.publication import Publication
from correlate.chain.runs import Knot
from correlate.chain.settings import LinkSettings

Input: TypeAlias = Alert | Observation | Correction
Output: TypeAlias = Chain | Notice

_SWEEP_US: Final = 5 * MINUTE_US
"""Event time between two looks for what is too old to be remembered; each look passes over all of it."""


class Linker:
    """The `contract.ports.Logic` of one site, and `contract.ports.Momentary`."""

    def __init__(
        self, settings: LinkSettings, patterns: Sequence[Pattern], parts: Mapping[str, bytes]
    ) -> None:
        self._graph = Graph(settings)
        self._told = Publication(self._graph, settings, patterns)
        self._moment = Moment()
        self._now_us = 0
        self._swept_us = 0
        self._saved = set(parts)
        self._saved_base = self._graph.weighing.baseline.meta()
        self._lifetime_us = microseconds(settings.lifetime)
        if parts:
            self._restore(parts)

    def renew(self, patterns: Sequence[Pattern]) -> None:
        """Go on with other patterns: a chain bears their names from its next change on."""
        self._told.telling.patterns = patterns

    # -------------------------------------------------------------- Logic

    def on_item(self, item: Input) -> Iterable[Output]:
        """Hold an alert, its revision or retraction, or an observation; carry out a person's correction at once."""
        if isinstance(item, Correction):
            out = self._end_moment()
            change = Change()
            refused = correct(self._graph, item, self._told.anchor, change)
            if refused is not None:
                return [*out, refused]
            return [*out, *self._told.settle(change), *notices(self._graph)]
        held = self._moment.add(item)
        if held >= MAX_ITEMS:
            return self._end_moment()
        return () if held == 1 else UNCHANGED

    def on_moment(self, cause_us: int) -> Iterable[Output]:
        """See `contract.ports.Momentary`."""
        moment = self._moment
        if cause_us <= moment.at_us:
            return ()
        moment.at_us = cause_us
        return self._end_moment()

    def on_time(self, now_us: int) -> Iterable[Output]:
        """End the moment, tell what is due and what passed a bound, and forget what ended, deadline by deadline.

        So it does not show in how many steps time passed.
        """
        out = self._end_moment()
        while (wake_us := self._due_at()) is not None and wake_us <= now_us:
            self._now_us = max(self._now_us, wake_us)
            out.extend(self._ripen())
        self._now_us = max(self._now_us, now_us)
        if not self._graph.held.runs:
            self._graph.weighing.baseline.absorb(
                now_us
            )  # else as runs ripen; memory fades without them too
        if now_us >= self._swept_us + _SWEEP_US:
            self._swept_us = now_us
            self._forget()
        return [*out, *notices(self._graph)]

    def wake_at(self) -> int | None:
        """Return when something is due or ends; what is held, or passed a bound, is told at the next watermark at the latest."""
        due_us = self._due_at()
        if not self._moment and not self._graph.lost:
            return due_us
        next_us = self._now_us + 1
        return next_us if due_us is None else min(due_us, next_us)

    def snapshot(self) -> Parts:
        """Return the parts that changed."""
        parts = state.changed(self._graph)
        parts.update(self._told.parts())
        for held in self._moment.parts():
            parts["moment"] = None if held is None else state.encode(held)
        for part in [one for one, data in parts.items() if data is None]:
            if part not in self._saved:
                del parts[part]  # it came and went between two snapshots
        base = self._graph.weighing.baseline.meta()
        if parts or base != self._saved_base:
            self._saved_base = base
            parts["meta"] = state.encode(
                {
                    "now": self._now_us,
                    "swept": self._swept_us,
                    "moment": self._moment.at_us,
                    "next_run": self._graph.held.next_number,
                    "next_knot": self._graph.weave.next_number,
                    "base": base,
                }
            )
        for part, data in parts.items():
            (self._saved.discard if data is None else self._saved.add)(part)
        return parts

    def is_empty(self) -> bool:
        """Tell whether nothing was ever taken: what is usual for a host is remembered when all chains are over."""
        return self._graph.weighing.baseline.since_us is None and not self._moment

    # -------------------------------------------------------------- inside

    def _end_moment(self) -> list[Output]:
        """Take what is held and tell what it changed."""
        items = self._moment.end()
        if not items:
            return []
        change = Change()
        repeated: set[Knot] = set()
        for item in items:
            if isinstance(item, Observation):
                self._graph.observe(item, change)
            elif (run := self._graph.take(item, change)) is not None:
                repeated.add(run.knot)
        out: list[Output] = []
        if change.touched:
            out.extend(self._told.settle(change))
        for knot in repeated:
            if knot.runs and knot not in change.touched:  # else a bound has just put it out
                self._told.later(knot)
        return out

    def _due_at(self) -> int | None:
        due_us, ends_us = self._told.wake_at(), self._graph.wake_at()
        if due_us is None or ends_us is None:
            return ends_us if due_us is None else due_us
        return min(due_us, ends_us)

    def _ripen(self) -> list[Output]:
        """Do what is due now."""
        out: list[Output] = []
        change = Change()
        self._graph.ripen(self._now_us, change)
        if change.touched:
            out.extend(self._told.settle(change))
        out.extend(self._told.due(self._now_us))
        for knot in self._graph.expired(self._now_us):
            self._told.forget(knot)
        return out

    def _forget(self) -> None:
        """Drop what is older than a lifetime and held by nothing."""
        old_us = self._now_us - self._lifetime_us
        self._told.forget_names(old_us)
        self._graph.forget(self._now_us, old_us)

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        meta = state.decode("meta", parts["meta"])
        self._now_us, self._swept_us = meta["now"], meta["swept"]
        self._moment.at_us = meta.get("moment", 0)
        self._graph.held.next_number = meta["next_run"]
        self._graph.weave.next_number = meta["next_knot"]
        self._graph.weighing.baseline.restore_meta(meta["base"])
        self._saved_base = self._graph.weighing.baseline.meta()
        state.restore(self._graph, parts)
        self._told.restore(parts)
        if "moment" in parts:
            self._moment.restore(state.decode("moment", parts["moment"]))


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

    return Stage("link", keys, open_, renew, has_moments=True)
