"""The stateless stage: events to matches of rules, and sensors' own alerts."""

from __future__ import annotations

from contract.event import SENSOR_RULE, Event, Match
from correlate.sigma.engine import Engine
from correlate.sigma.rules import RuleSet


class Detector:
    """Matches events of the engine (flat ECS) against a rule set.

    Not safe for use by several threads: it remembers what it saw, within bounds.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        # Fields are flat but for rare objects that adapters keep as they came.
        self._engine = Engine(rules.detections.values(), nested=True)

    def prepare(self, before: Detector) -> None:
        """Get ready for the events that the detector of earlier rules sees; it may run in another thread."""
        self._engine.prepare(before._engine)

    def match(self, event: Event) -> list[Match]:
        """Return the sensor's own alert, if the event is one, then rules in order of their set."""
        matches = [Match(rule.id, event) for rule in self._engine.match(event.fields, event.json)]
        if event.fields.get("event.kind") == "alert":
            matches.insert(0, Match(SENSOR_RULE, event))
        return matches
