"""Groups of sensors' own alerts: whatever the signature, many of them are one logic."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from typing_extensions import override

from contract.event import Fields, Match, Notice
from contract.records import Alert
from correlate.window.decoding import rule_of
from correlate.window.facts import Facts
from correlate.window.forms import Head
from correlate.window.plan import Plan
from correlate.window.routing import Router
from correlate.window.sensor import SensorRule, sensor_rule
from correlate.window.settings import WindowSettings
from correlate.window.shard import Shard
from correlate.window.window import Window


class SensorShard(Shard):
    """Logic of the groups of sensors' own alerts: each has the rule that its first event names.

    Args:
        plan: for any signature; bounds and times are the same for all.
        key: of the stage.
        router: tells the groups of an item.
        settings: bounds.
        facts: shared by all groups.
        plan_of: makes the plan of one signature.
    """

    __slots__ = ("fields", "plan_of")

    def __init__(
        self,
        plan: Plan,
        key: str,
        router: Router,
        settings: WindowSettings,
        facts: Facts,
        plan_of: Callable[[SensorRule], Plan],
    ) -> None:
        super().__init__(plan, key, router, settings, facts)
        self.plan_of = plan_of
        self.fields: Fields = {}

    @override
    def on_item(self, item: Match | Alert) -> Iterable[Alert | Notice]:
        self.fields = item.event.fields if type(item) is Match else {}
        return super().on_item(item)

    @override
    def follow(self, plan: Plan) -> None:
        """Go on; what a group is about came with its events."""
        if not self.groups:
            super().follow(plan)

    @override
    def plan_at_hand(self) -> Plan:
        return self.plan_of(sensor_rule(self.fields))

    @override
    def opened(self, group: str, head: Head | None) -> Window:
        rule = rule_of(head) if head is not None else None
        plan = self.plan if rule is None else self.plan_of(rule)
        return self.kind(plan, group, self.settings, self.facts)
