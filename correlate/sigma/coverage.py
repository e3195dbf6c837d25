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
    """Return a layer: each technique with the number of rules as score and their titles as comment.

    A technique of which only parts are covered has no score; it is there to be unfolded.
    """
    counts: Counter[str] = Counter()
    titles: dict[str, list[str]] = {}
    highest: dict[str, int] = {}
    for rule in rules:
        for technique in rule.techniques:
            counts[technique] += 1
            titles.setdefault(technique, []).append(rule.title)
            level = LEVELS.index(rule.level)
            highest[technique] = max(highest.get(technique, 0), level)
    parents = {technique.partition(".")[0] for technique in counts if "." in technique}
    return {
        "name": name,
        "versions": {"attack": _ATTACK_VERSION, "navigator": _NAVIGATOR_VERSION, "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": "Rules a technique; the score is their number.",
        "techniques": [
            {
                "techniqueID": technique,
                **(
                    {
                        "score": counts[technique],
                        "comment": "\n".join(sorted(titles[technique])[:20]),
                        "metadata": [
                            {"name": "highest level", "value": LEVELS[highest[technique]]}
                        ],
                    }
                    if technique in counts
                    else {}
                ),
                "enabled": True,
                "showSubtechniques": technique in parents,
            }
            for technique in sorted(counts.keys() | parents)
        ],
        "gradient": {
            "colors": ["#ffffff", "#66b1ff"],
            "minValue": 0,
            "maxValue": max(counts.values(), default=1),
        },
        "sorting": 3,
        "hideDisabled": False,
    }
