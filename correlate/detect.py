"""The stateless stage: what one event tells. Matches of rules, the sensor's own alert, and what joins may need of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from contract.event import SENSOR_RULE, Event, Match, Observation
from correlate import observe
from correlate.sigma import sieve
from correlate.sigma.engine import Engine
from correlate.sigma.node import Leaf
from correlate.sigma.rules import RuleSet

Told: TypeAlias = tuple[Observation | None, Sequence[Match]]
NOTHING: Final[Told] = (None, ())
_IDENTITY: Final = ("event.id", "@timestamp")
_WATCHED: Final = ((Leaf("equal", "event.kind", "alert"),), *observe.WATCHED)


class Detector:
    """Matches events of the engine (flat ECS) against a rule set, and picks those that joins need.

    Most events tell nothing. Where the native module is there, that is seen from their JSON, without the fields.
    Not safe for use by several threads: it remembers what it saw, within bounds.

    Args:
        rules: compiled.
        native: use the native sieve where it is there; tells the same without it.

    Attributes:
        ask: (an event's JSON, its time in microseconds) to an answer of the sieve. `sieve.NOTHING`: it is an event with this time,
            and it tells nothing; else `look` at it, with the answer.
    """

    def __init__(self, rules: RuleSet, *, native: bool = True) -> None:
        self.rules = rules
        made = sieve.made(_WATCHED, _IDENTITY) if native else None
        self.ask: Callable[[bytes, int], int] = _unserved if made is None else made.ask
        # Fields are flat but for rare objects that adapters keep as they came.
        self._engine = Engine(rules.detections.values(), nested=True, sieve=made)

    def prepare(self, before: Detector) -> None:
        """Get ready for the events that the detector of earlier rules sees; it may run in another thread."""
        self._engine.prepare(before._engine)

    def detect(self, event: Event) -> Told:
        """Return what an event tells."""
        answer = self.ask(event.json, event.time_us)
        return self.look(event, answer) if answer else NOTHING

    def look(self, event: Event, answer: int) -> Told:
        """Return what an event tells, whose JSON was asked about."""
        return observe.observe(event), self.match(event, answer)

    def match(self, event: Event, answer: int = sieve.UNSERVED) -> list[Match]:
        """Return the sensor's own alert, if the event is one, then rules in order of their set."""
        rules = self._engine.match(event.fields, event.json, answer)
        matches = [Match(rule.id, event) for rule in rules]
        if event.fields.get("event.kind") == "alert":
            matches.insert(0, Match(SENSOR_RULE, event))
        return matches


def _unserved(_json: bytes, _time_us: int) -> int:
    return sieve.UNSERVED
