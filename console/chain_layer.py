"""A chain as an ATT&CK Navigator layer: which techniques it showed, and by what.

Source: layer file format 4.5 of the ATT&CK Navigator, which also asks that the gradient's upper bound is above its lower one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from console.plain import plain
from contract.records import Alert, Chain
from correlate.chain.stages import RANK

Alerts = Mapping[str, Alert]

ATTACK_VERSION: Final = "17"
MAX_SCORE: Final = 100


def navigator(chain: Chain, alerts: Alerts) -> str:
    """Return a layer that marks each technique, under each tactic it was used for, with what showed it."""
    cells: dict[tuple[str, str], list[str]] = {}
    for stage in chain.stages:
        if stage.technique and stage.tactic in RANK:
            known = alerts.get(stage.alert)
            words = f"{_stamp(stage.time)} {plain(known.rule.name) if known else stage.alert}"
            cells.setdefault((stage.technique, stage.tactic), []).append(words)
    layer = {
        "name": f"Attack chain {chain.id}",
        "versions": {"attack": ATTACK_VERSION, "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"Score {chain.score:g}, {len(chain.alerts)} alerts, revision {chain.revision}.",
        "layout": {"layout": "side", "expandedSubtechniques": "annotated"},
        "techniques": [
            {
                "techniqueID": technique, "tactic": tactic, "score": min(MAX_SCORE, len(words)),
                "color": "", "comment": "\n".join(words), "enabled": True,
            }
            for (technique, tactic), words in sorted(cells.items())
        ],
        "gradient": {"colors": ["#ffe766ff", "#ff6666ff"], "minValue": 0, "maxValue": _top(cells.values())},
    }  # fmt: skip
    return json.dumps(layer, indent=2, ensure_ascii=False) + "\n"


def _top(cells: Iterable[list[str]]) -> int:
    return min(MAX_SCORE, max((len(words) for words in cells), default=1))


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
