"""Trials: the tests that stand beside playbooks, chains in and decisions out, run through the real `decide`.

`<name>.test.yml` beside `<name>.yml`: `playbook` names it, `trials` lists cases with a `chain` (only what matters;
the rest has defaults) and the `decisions` expected of it, each with the fields that the author cares for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from contract.document import Document
from contract.records import Chain, ChainStage, Decision, Entity
from contract.timespan import Timespan
from respond.decide import KEY, decide
from respond.guard import Guard, GuardSettings
from respond.playbook import Playbook, fault_words
from respond.verdict import DecideSettings, Point

MAX_ALERTS = 10_000
"""Of a trial's chain."""

_TIME = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrialStage(_Model):
    """One step of a trial's chain; `alert` numbers the alert that shows it, from 1; absent: one of its own."""

    tactic: str
    technique: str = ""
    alert: Annotated[int, Field(ge=1, le=MAX_ALERTS)] | None = None
    entities: tuple[Entity, ...] = ()


class TrialChain(_Model):
    """A chain as a test writes it; it has at least as many alerts as stages."""

    score: float
    first: AwareDatetime = _TIME
    last: AwareDatetime = _TIME
    alerts: Annotated[int, Field(ge=1, le=MAX_ALERTS)] = 1
    entities: tuple[Entity, ...] = ()
    stages: tuple[TrialStage, ...] = ()
    patterns: tuple[str, ...] = ()
    trusted: tuple[Entity, ...] = ()

    def chain(self) -> Chain:
        """Return the record."""
        count = max([self.alerts, len(self.stages), *(one.alert or 0 for one in self.stages)])
        alerts = tuple(f"alert-{number}" for number in range(1, count + 1))
        return Chain(
            id="chain",
            revision=1,
            score=self.score,
            first=self.first,
            last=self.last,
            alerts=alerts,
            entities=self.entities,
            stages=tuple(
                ChainStage(
                    tactic=stage.tactic,
                    technique=stage.technique,
                    alert=f"alert-{stage.alert or number}",
                    time=self.first,
                    entities=stage.entities,
                )
                for number, stage in enumerate(self.stages, 1)
            ),
            patterns=self.patterns,
            trusted=self.trusted,
        )


class Expected(_Model):
    """What a decision must say; absent fields are free.

    Attributes:
        target: the target's value.
        lasts: from the chain's last alert to the expiry.
        reason: a part of it.
    """

    target: str
    action: str | None = None
    state: str | None = None
    points: tuple[str, ...] | None = None
    lasts: Timespan | None = None
    reason: str | None = None

    def differs(self, decision: Decision, chain: Chain) -> list[str]:
        """Return each difference in words."""
        lasts = decision.expires - chain.last
        pairs: tuple[tuple[str, Any, Any], ...] = (
            ("action", self.action, decision.action),
            ("state", self.state, decision.state),
            ("points", self.points, decision.points),
            ("lasts", self.lasts, lasts),
        )
        found = [
            f"{name}: expected {want}, came {came}"
            for name, want, came in pairs
            if want is not None and want != came
        ]
        if self.reason is not None and self.reason not in decision.reason:
            found.append(f"reason: expected {self.reason!r} in it, came {decision.reason!r}")
        return found


class Trial(_Model):
    """One case."""

    name: str
    mode: Literal["observe", "approve", "enforce"] = "enforce"
    points: dict[str, str] = {"firewall": "nftables"}
    guard: GuardSettings = GuardSettings()
    chain: TrialChain
    decisions: tuple[Expected, ...]


class Trials(_Model):
    """A test file; at least one trial must expect a decision and one none, or the test shows little."""

    playbook: str
    trials: Annotated[tuple[Trial, ...], Field(min_length=1)]


def load(document: Document) -> Trials:
    """Read a test file.

    Raises:
        contract.errors.RuleError: names file, line and column.
    """
    try:
        trials = Trials.model_validate(document.data)
    except ValidationError as error:
        raise fault_words(document, error) from error
    if not all(any(bool(one.decisions) is some for one in trials.trials) for some in (True, False)):
        raise document.error(
            "expected at least one trial with decisions and one with none", "trials"
        )
    return trials


def run(playbook: Playbook, trials: Trials) -> list[str]:
    """Run the trials of a playbook and return what did not hold, in words; empty: all held."""
    faults: list[str] = []
    for trial in trials.trials:
        faults.extend(f"{playbook.name}: {trial.name}: {fault}" for fault in _try(playbook, trial))
    return faults


def _try(playbook: Playbook, trial: Trial) -> list[str]:
    points = [Point(name, kind) for name, kind in sorted(trial.points.items())]
    stage = decide((playbook,), Guard(trial.guard), points, DecideSettings(mode=trial.mode))
    chain = trial.chain.chain()
    made = {
        decision.target.value: decision
        for decision in stage.open(KEY, {}).on_item(chain)
        if isinstance(decision, Decision)
    }
    faults: list[str] = []
    for expected in trial.decisions:
        decision = made.pop(expected.target, None)
        if decision is None:
            faults.append(f"expected a decision on {expected.target}, came none")
        else:
            faults.extend(
                f"decision on {expected.target}: {difference}"
                for difference in expected.differs(decision, chain)
            )
    faults.extend(
        f"decision on {value} ({decision.state}) was not expected"
        for value, decision in made.items()
    )
    return faults
