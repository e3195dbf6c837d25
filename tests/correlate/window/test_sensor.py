"""How grave a sensor calls its own alert, on whatever scale it has."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from correlate.window.sensor import sensor_rule


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        *(({"event.risk_score": risk}, level) for risk, level in
          [(100, "critical"), (90, "critical"), (89.5, "high"), (70, "high"), (69, "medium"), (40, "medium"), (39, "low"), (0, "informational")]),
        *(({"event.severity": severity}, level) for severity, level in
          [(10, "critical"), (9, "critical"), (8, "high"), (7, "high"), (6, "medium"), (4, "medium"), (3, "low"), (0, "informational"), (95, "critical")]),
        ({"event.severity": "High"}, "high"),
        ({"event.risk_score": True}, "medium"),
        ({}, "medium"),
    ],
)  # fmt: skip
def test_the_level_of_a_sensor_s_alert_is_read_from_its_scale(
    fields: dict[str, Any], level: str
) -> None:
    assert sensor_rule({"event.kind": "alert", "rule.id": "1", **fields}).level == level


@pytest.mark.parametrize("name", ["rule.id", "rule.name", "threat.tactic.name"])
def test_long_signatures_do_not_fill_the_memory(name: str) -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            assert sensor_rule({name: [f"{number}{'x' * 100_000}"]}).group
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000  # all of them together are 20,000,000
