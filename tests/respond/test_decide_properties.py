"""What holds of deciding whatever comes in, in whatever order, with a restart anywhere."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from contract.document import read
from contract.records import Chain, ChainStage, Command, Decision, Entity, Outcome
from contract.timestamps import from_datetime
from respond.decide import KEY, decide
from respond.guard import Guard, GuardSettings
from respond.ledger import Ledger
from respond.playbook import load
from respond.verdict import DecideSettings, Point

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ADMIN = "203.0.113.3"
BOOKS = """\
name: low
priority: 50
when: {score: 10}
action: deny
target: {type: ip, role: source, limit: 2}
duration: 10m
impact: low
---
name: high
priority: 10
when: {score: 40}
action: deny
target: {type: ip, role: source, limit: 2}
duration: 20m
impact: high
"""
LOADED = load(read(BOOKS, "p.yml"))
STAGE = ChainStage(tactic="impact", technique="T1499", alert="a", time=NOON)

Step = tuple[Any, ...]


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """Chain revisions, merges, commands on decisions made so far, outcomes, and time that only grows."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["chain", "chain", "chain", "merge", "say", "outcome", "time"]))
        one = draw(st.integers(0, 2))
        if kind == "chain":
            sources = draw(st.sets(st.integers(1, 4), max_size=3))
            score = draw(st.sampled_from([5, 9, 12, 20, 45, 90]))
            steps.append((kind, one, score, draw(st.integers(0, 1500)), tuple(sorted(sources))))
        elif kind == "merge":
            steps.append((kind, one, draw(st.integers(0, 2))))
        elif kind == "say":
            verb = draw(st.sampled_from(["approve", "reject", "revert"]))
            steps.append((kind, verb, draw(st.integers(0, 5)), draw(st.integers(0, 1500))))
        elif kind == "outcome":
            result = draw(st.sampled_from(["applied", "failed", "expired", "drifted"]))
            steps.append((kind, result, draw(st.integers(0, 5))))
        else:
            steps.append((kind, draw(st.integers(0, 2000))))
    return steps


@dataclass
class Play:
    """A script played; `restarts` says after which steps the logic is opened anew from its parts."""

    mode: str
    restarts: frozenset[int] = frozenset()
    parts: dict[str, bytes] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    policy: dict[str, Decision] = field(default_factory=dict)
    history: list[Decision] = field(default_factory=list)
    revisions: dict[int, int] = field(default_factory=dict)
    now_us: int = 0

    def __post_init__(self) -> None:
        rails = {"admin_networks": [ADMIN], "rate": 3, "live": 2}
        guard = Guard(GuardSettings.model_validate(rails))
        policy = DecideSettings.model_validate({"mode": self.mode, "memory": "1h"})
        points = (Point("edge", "memory"),)
        self.stage = decide(LOADED.playbooks, guard, points, policy)
        self.logic = self.stage.open(KEY, {})

    def run(self, script: list[Step], *, twice: bool = False) -> "Play":
        for number, step in enumerate(script):
            item = self._item(step)
            if item is not None:
                self._take(self.logic.on_item(item))
                if twice and isinstance(item, Chain):
                    self._take(self.logic.on_item(item))
            elif step[0] == "time":
                self.advance(from_datetime(NOON + timedelta(seconds=step[1])))
            if number in self.restarts:
                self.save()
                self.logic = self.stage.open(KEY, dict(sorted(self.parts.items(), reverse=True)))
        self.save()
        return self

    def advance(self, to_us: int) -> None:
        self.now_us = max(self.now_us, to_us)
        wake = self.logic.wake_at()
        if wake is not None and wake <= self.now_us:
            self._take(self.logic.on_time(self.now_us))

    def save(self) -> None:
        for part, data in self.logic.snapshot().items():
            if data is None:
                self.parts.pop(part, None)
            else:
                self.parts[part] = data

    def _take(self, out: Any) -> None:
        for one in out:
            if isinstance(one, Decision):
                self.said.append(one.model_dump_json())
                self.policy[one.id] = one
                self.history.append(one)
            else:
                self.said.append(repr(one))

    def _item(self, step: Step) -> Any:
        if step[0] in ("chain", "merge"):
            revision = self.revisions[step[1]] = self.revisions.get(step[1], 0) + 1
            if step[0] == "merge":
                if step[1] == step[2]:
                    return None
                return _chain(step[1], revision, 0, 0, (), merged_into=f"c{step[2]}")
            return _chain(step[1], revision, *step[2:])
        if step[0] == "time" or not self.policy:
            return None
        ids = sorted(self.policy)
        if step[0] == "say":
            time = NOON + timedelta(seconds=step[3])
            values = {"id": "x", "verb": step[1], "decision": ids[step[2] % len(ids)], "by": "ann"}
            return Command.model_validate({**values, "time": time})
        decision = self.policy[ids[step[2] % len(ids)]]
        values = {"id": "o", "decision": decision.id, "revision": decision.revision}
        return Outcome.model_validate({**values, "point": "edge", "result": step[1], "time": NOON})


def _chain(
    number: int, revision: int, score: float, at: int, sources: tuple[int, ...], **more: Any
) -> Chain:
    return Chain(
        id=f"c{number}",
        revision=revision,
        score=score,
        first=NOON,
        last=NOON + timedelta(seconds=at),
        alerts=() if more else ("a",),
        entities=tuple(
            Entity(type="ip", value=f"203.0.113.{one}", role="source") for one in sources
        ),
        stages=(STAGE,),
        **more,
    )


MODES = st.sampled_from(["observe", "approve", "enforce"])


@settings(max_examples=150, deadline=None)
@given(scripts(), MODES, st.frozensets(st.integers(0, 13)))
def test_a_restart_anywhere_changes_nothing(
    script: list[Step], mode: str, restarts: frozenset[int]
) -> None:
    straight = Play(mode).run(script)
    broken = Play(mode, restarts).run(script)
    assert broken.said == straight.said
    assert broken.parts == straight.parts


@settings(max_examples=100, deadline=None)
@given(scripts(), MODES)
def test_a_repeated_chain_changes_no_decision(script: list[Step], mode: str) -> None:
    assert Play(mode).run(script, twice=True).history == Play(mode).run(script).history


@settings(max_examples=150, deadline=None)
@given(scripts(), MODES)
@example([("chain", 2, 12, 0, (4,)), ("chain", 0, 45, 0, (1, 2, 4)), ("merge", 2, 0)], "enforce")
def test_the_rails_hold_at_every_step(script: list[Step], mode: str) -> None:
    play = Play(mode).run(script)
    seen: dict[str, Decision] = {}
    for one in play.history:
        known = seen.get(one.id)
        assert one.revision == (known.revision + 1 if known else 1)
        if known is not None:
            same = ("chain", "playbook", "action", "target")
            assert all(getattr(one, name) == getattr(known, name) for name in same)
            assert known.state != one.state or one.state in ("approved", "proposed")
        seen[one.id] = one
        if one.state == "approved":
            assert one.target.value != ADMIN
            assert mode != "observe"
            assert one.by or (mode == "enforce" and one.playbook == "low")
            assert one.expires > one.made


@settings(max_examples=100, deadline=None)
@given(scripts(), MODES)
def test_the_state_is_the_ledger_of_what_was_said(script: list[Step], mode: str) -> None:
    play = Play(mode).run(script)
    inner = play.logic._claims.ledger  # type: ignore[attr-defined]
    assert inner.fingerprint(0) == Ledger(play.history).fingerprint(0)


@settings(max_examples=100, deadline=None)
@given(scripts(), MODES)
def test_everything_ends(script: list[Step], mode: str) -> None:
    play = Play(mode).run(script)
    end_us = from_datetime(NOON + timedelta(days=40))
    for _ in range(3):
        play.advance(end_us)
    play.save()
    assert play.parts == {}
    assert play.logic.is_empty()
    assert all(one.state not in ("approved", "proposed") for one in play.policy.values())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 4000), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
    st.sampled_from(["approve", "enforce"]),
)
def test_the_end_does_not_depend_on_the_revisions_between(
    times: list[int], left_out: set[int], mode: str
) -> None:
    times = sorted(times)
    every = [("chain", 0, 20, at, (1,)) for at in (0, *times)]
    some = [one for n, one in enumerate(every) if n in (0, len(times)) or n not in left_out]
    ends = [
        {(one.state, one.made, one.expires) for one in Play(mode).run(script).policy.values()}
        for script in (every, some)
    ]
    assert ends[0] == ends[1]
