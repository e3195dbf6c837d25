"""Which search identifiers of a rule its conditions use."""

from __future__ import annotations

from typing import Any

from correlate.sigma.condition import ConditionError, parse
from correlate.sigma.node import TRUE


def unused(detection: Any) -> list[str]:
    """Return the search identifiers in no condition, in order; none where a condition cannot be read."""
    if not isinstance(detection, dict):
        return []
    names = [str(name) for name in detection if name not in ("condition", "timeframe")]
    conditions = detection.get("condition")
    used: set[str] = set()
    for text in conditions if isinstance(conditions, list) else [conditions]:
        try:
            parse(str(text), names, lambda _: TRUE, used)
        except ConditionError:
            return []
    return [name for name in names if name not in used]
