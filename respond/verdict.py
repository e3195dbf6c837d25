"""The verdict on one request: approved at once, left to a person, or refused; and the settings that rule it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.records import Chain, DecisionState, Target
from contract.timespan import Timespan
from respond.guard import Guard
from respond.playbook import Playbook


class DecideSettings(BaseModel):
    """The `[policy]` table.

    Attributes:
        mode: `observe` only proposes, and nobody can approve; `approve`: a person does; `enforce`: the engine does,
            where impact and guard allow.
        patience: how long a proposal waits for a person, in event time.
        memory: how long what is over is remembered, so that it is not asked again; longer than chains live.
        again: a person who said no is asked again when the score has grown by this factor.
        release_ratio: a decision is taken back when the chain's score falls below this part of what is asked.
        renew_ratio: an expiry moves in steps of this part of the duration, so that not every
            alert of a long attack rewrites the policy.
        max_claims: decisions remembered at most; what is over is forgotten first, then new ones are not made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["observe", "approve", "enforce"] = "observe"
    patience: Annotated[Timespan, Field(gt=timedelta(0))] = timedelta(days=1)
    memory: Annotated[Timespan, Field(gt=timedelta(0))] = timedelta(days=30)
    again: Annotated[float, Field(ge=1)] = 1.5
    release_ratio: Annotated[float, Field(ge=0, le=1)] = 0.8
    renew_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_claims: Annotated[int, Field(ge=1)] = 50_000


@dataclass(slots=True, frozen=True)
class Point:
    """A configured enforcement point, as playbooks name it: by its own name or by its kind."""

    name: str
    kind: str


@dataclass(slots=True, frozen=True)
class Rails:
    """What every verdict of an installation is judged by."""

    guard: Guard
    settings: DecideSettings


@dataclass(slots=True, frozen=True)
class Verdict:
    """The state that a request gets, and why, for a person."""

    state: DecisionState
    reason: str


def points_of(playbook: Playbook, points: Sequence[Point]) -> tuple[str, ...]:
    """Return the names of the points that a playbook speaks of, sorted."""
    return tuple(
        sorted(
            point.name
            for point in points
            if not playbook.points or point.name in playbook.points or point.kind in playbook.points
        )
    )


@dataclass(slots=True, frozen=True)
class Situation:
    """What is in force when a verdict is asked.

    Attributes:
        live: distinct targets denied now.
        live_of_playbook: how many of them the playbook asked for.
        recent: the engine's own approvals within the rate window.
        held: the target is in force already; asking for it again passes no cap.
        is_sure: the chain says that it was this target, or names no other.
        settled: a person has said no to this before.
    """

    live: Sequence[Target]
    live_of_playbook: int
    recent: int
    held: bool
    is_sure: bool
    settled: bool


def judge(
    playbook: Playbook,
    target: Target,
    points: tuple[str, ...],
    situation: Situation,
    rails: Rails,
) -> Verdict:
    """Return the verdict on doing what `playbook` says to `target`."""
    guard, settings = rails.guard, rails.settings
    refusal = guard.refusal(target)
    if refusal is not None:
        return Verdict("refused", f"refused: {refusal}")
    doubts = []
    if settings.mode != "enforce":
        doubts.append(f"the mode is {settings.mode}")
    if playbook.impact == "high":
        doubts.append("its impact is high")
    if not points:
        doubts.append("no configured enforcement point is one that the playbook names")
    if not situation.is_sure:
        doubts.append("the chain names several such targets and does not say which of them did it")
    if situation.settled:
        doubts.append("a person said no before")
    if not situation.held:
        doubts.extend(guard.caps(target, situation.live, situation.recent))
        cap = playbook.caps.live
        if cap is not None and situation.live_of_playbook >= cap:
            doubts.append(
                f"{situation.live_of_playbook} targets are held by {playbook.name}, its cap is {cap}"
            )
    if doubts:
        return Verdict("proposed", f"waits for a person: {'; '.join(doubts)}")
    return Verdict("approved", "approved by the engine: the mode is enforce, no guard rail objects")


def grounds(playbook: Playbook, chain: Chain) -> str:
    """Return in words why a playbook asks this of a chain."""
    words = [f"{playbook.name}: score {chain.score:.1f}, {playbook.when.score:g} is asked"]
    words.append(f"{len(chain.alerts)} alerts")
    tactics = list(dict.fromkeys(stage.tactic for stage in chain.stages if stage.tactic))
    if tactics:
        words.append("stages " + " > ".join(tactics))
    if chain.patterns:
        words.append("patterns " + ", ".join(chain.patterns))
    if playbook.release is not None:
        words.append("ends early when the target is trusted again")
    return "; ".join(words)
