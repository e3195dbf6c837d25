"""Try a chain pattern on a few alerts: what stands in the test file beside it.

    pattern: break_in_then_untrusted
    trials:
      - name: an exploit, then a changed file, on one host
        holds: true
        alerts:
          - {rule: exploit, at: 0s, level: high, tactics: [initial-access], techniques: [T1190],
             fields: {source.ip: 203.0.113.7, destination.ip: 10.0.0.5}}

The alerts go through the link stage itself, so that a trial shows what really joins.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from contract.document import Document
from contract.errors import RuleError
from contract.ids import derive_id
from contract.records import Alert, Chain, Level, Rule
from contract.timespan import Timespan
from contract.timestamps import from_datetime
from correlate.chain.entities import entities_of
from correlate.chain.patterns import Pattern, Strict, Texts
from correlate.link import link

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
END_US: Final = from_datetime(START + timedelta(days=30))


class TrialAlert(Strict):
    """One alert; `at` is from the start of the trial."""

    rule: str
    at: Timespan
    level: Level = "medium"
    tactics: Texts = ()
    techniques: Texts = ()
    fields: dict[str, Any]


class Trial(Strict):
    """Some alerts, and whether a chain of theirs satisfies the pattern."""

    name: str
    holds: bool
    alerts: tuple[TrialAlert, ...]


class Trials(Strict):
    """One test file."""

    pattern: str
    trials: tuple[Trial, ...]


def run(document: Document, patterns: Iterable[Pattern]) -> list[RuleError]:
    """Run the trials of a test file; return what does not hold, each with file and line."""
    try:
        file = Trials.model_validate(document.data)
    except ValidationError as error:
        return [document.error(one["msg"], *one["loc"]) for one in error.errors()]
    pattern = next((one for one in patterns if one.pattern == file.pattern), None)
    if pattern is None:
        return [document.error(f"there is no pattern {file.pattern!r}", "pattern")]
    if {trial.holds for trial in file.trials} != {True, False}:
        return [
            document.error("expected a trial that holds and a near miss that does not", "trials")
        ]
    return [
        document.error(
            f"{trial.name!r}: the pattern {'does not hold' if trial.holds else 'holds'}",
            "trials",
            place,
        )
        for place, trial in enumerate(file.trials)
        if _holds(pattern, trial) != trial.holds
    ]


def _holds(pattern: Pattern, trial: Trial) -> bool:
    logic = link((pattern,)).open("trial", {})
    said: list[Any] = []
    for number, one in enumerate(trial.alerts):
        said.extend(logic.on_item(_alert(number, one)))
    said.extend(logic.on_time(END_US))
    chains = {out.id: out for out in said if isinstance(out, Chain)}
    return any(pattern.pattern in chain.patterns for chain in chains.values())


def _alert(number: int, one: TrialAlert) -> Alert:
    time = START + one.at
    id = derive_id("alert", "trial", str(number))
    return Alert(
        id=id, revision=1, rule=Rule(id=one.rule, name=one.rule, level=one.level), time=time, last=time,
        events=(derive_id("event", id),), event_count=1, entities=entities_of(one.fields),
        tactics=one.tactics, techniques=one.techniques, fields=one.fields,
    )  # fmt: skip
