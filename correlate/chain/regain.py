"""Trust lost and regained: which hosts of a chain failed their attestation and have passed it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from contract.records import Entity
from correlate.chain.runs import Run
from correlate.chain.stages import ATTESTATION_LEVEL, ATTESTATION_RESULT
from correlate.chain.trust import Trust

_APPRAISED: Final = frozenset({"host", "ip", "key"})


class Regain:
    """Attestation results as the graph learns them.

    Args:
        lasting_us: how long passes must have lasted.
    """

    def __init__(self, trust: Trust, lasting_us: int) -> None:
        self._trust = trust
        self._lasting_us = lasting_us

    def learn(self, entities: Iterable[Entity], time_us: int, result: str) -> frozenset[str]:
        """Note a result of those that it is about; return the keys of those whose trust is lost or regained by it."""
        changed: set[str] = set()
        for key in _keys(entities):
            before = self._is_regained((key,))
            if self._trust.learn(key, time_us, result) and self._is_regained((key,)) != before:
                changed.add(key)
        return frozenset(changed)

    def trusted(self, runs: Iterable[Run]) -> tuple[Entity, ...]:
        """Return whom the failures among these runs are about and who has passed for long enough since."""
        found: dict[Entity, None] = {}
        for run in runs:
            if is_failure(run) and self._is_regained(_keys(run.signing)):
                found.update(dict.fromkeys(one for one in run.signing if _is_appraised(one)))
        return tuple(sorted(found, key=lambda one: (one.type, one.value))) if found else ()

    def _is_regained(self, keys: Iterable[str]) -> bool:
        return self._trust.regained(keys, self._lasting_us)


def result_of(fields: Mapping[str, Any]) -> str:
    """Return what an attestation result says of trust: `pass`, `fail`, or nothing.

    A pass of the tier `warning` (AR4SI: a replayed quote, one whose values nothing was compared with, Secure Boot off)
    says nothing: it proves no state, so it neither raises trust nor lets a containment go.
    """
    result = str(fields.get(ATTESTATION_RESULT, ""))
    if result == "pass" and fields.get(ATTESTATION_LEVEL) == "warning":
        return ""
    return result


def is_failure(run: Run) -> bool:
    """Tell whether a run is a failed attestation."""
    return run.facts.get(ATTESTATION_RESULT) == "fail"


def concerned(runs: Iterable[Run], keys: frozenset[str]) -> list[Run]:
    """Return the failures of these things. O(runs)."""
    return [run for run in runs if is_failure(run) and not keys.isdisjoint(_keys(run.signing))]


def _keys(entities: Iterable[Entity]) -> list[str]:
    return [f"{one.type}|{one.value}" for one in entities if _is_appraised(one)]


def _is_appraised(entity: Entity) -> bool:
    return entity.role == "subject" and entity.type in _APPRAISED
