"""What rules cover of ATT&CK, as a layer of the Navigator.

Source: MITRE ATT&CK Navigator layer file format 4.5 (mitre-attack/attack-navigator, layers/spec/v4.5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from contract.records import LEVELS
from correlate.sigma.rules import Detection

_ATTACK_VERSION = "17"
_NAVIGATOR_VERSION = "5.1.0"


def layer(rules: Iterable[Detection], name: str = "Opsonin detections") -> dict[str, Any]:
    """Return a layer: each technique with the number of rules as score and their titles as comment."""
    counts: Counter[str] = Counter()
    titles: dict[str, list[str]] = {}
    highest: dict[str, int] = {}
    for rule in rules:
        for technique in rule.techniques:
            counts[technique] += 1
            titles.setdefault(technique, []).append(rule.title)
            level = LEVELS.index(rule.level)
            highest[technique] = max(highest.get(technique, 0), level)
    return {
        "name": name,
        "versions": {"attack": _ATTACK_VERSION, "navigator": _NAVIGATOR_VERSION, "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": "Rules a technique; the score is their number.",
        "techniques": [
            {
                "techniqueID": technique,
                "score": count,
                "enabled": True,
                "comment": "\n".join(sorted(titles[technique])[:20]),
                "metadata": [{"name": "highest level", "value": LEVELS[highest[technique]]}],
                "showSubtechniques": "." in technique,
            }
            for technique, count in sorted(counts.items())
        ],
        "gradient": {
            "colors": ["#ffffff", "#66b1ff"],
            "minValue": 0,
            "maxValue": max(counts.values(), default=1),
        },
        "sorting": 3,
        "hideDisabled": False,
    }
