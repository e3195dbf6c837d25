"""How grave a sensor calls its own alert, on whatever scale it has."""

from __future__ import annotations

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
