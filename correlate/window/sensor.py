"""A sensor's own alert as a rule: its id, name, level, tactics and techniques, as the event says.

Sources: ECS 9.4 (`rule.*`, `event.severity`, `threat.*`); Suricata 7 and Snort 3 priorities (1 is worst);
classes of Wazuh rule levels (15, 12, 7, 1); Keylime severities (1 to 7); CEF severities (0 to 10). A sensor that says nothing is `medium`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from contract.event import Fields
from contract.ids import derive_id
from contract.records import Level
from correlate.chain.remembering import remembered

_PRIORITY: dict[int, Level] = {1: "high", 2: "medium", 3: "low", 4: "informational"}
_PRIORITY_MODULES = frozenset({"suricata", "snort"})
_WORDS: dict[str, Level] = {
    "critical": "critical", "crit": "critical", "fatal": "critical", "emergency": "critical",
    "high": "high", "severe": "high", "alert": "high", "error": "high", "err": "high",
    "medium": "medium", "moderate": "medium", "warning": "medium", "warn": "medium",
    "low": "low", "minor": "low", "notice": "low",
    "informational": "informational", "information": "informational", "info": "informational",
    "debug": "informational",
}  # fmt: skip
_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?", re.ASCII)
_TOPS = {"keylime": 7}
_WAZUH: tuple[tuple[int, Level], ...] = ((15, "critical"), (12, "high"), (7, "medium"), (1, "low"))
"""The classes of Wazuh's own dashboards."""
_CEF_TOP = 10
_DIGITS = 3
MAX_NAMES = 16
"""Tactics or techniques taken of one event."""


@dataclass(slots=True, frozen=True)
class SensorRule:
    """A signature, in the shape of a detection rule.

    Attributes:
        group: text that is the same for all alerts of this signature; part of their keys.
    """

    id: str
    title: str
    level: Level
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    group: str


def sensor_rule(fields: Fields) -> SensorRule:
    """Return the signature that a sensor's alert names; remembered by what it is made of."""
    get = fields.get
    return _made(
        _text(get("rule.id")), _text(get("rule.name")), _text(get("message"))[:120],
        _text(get("event.module")) or _text(get("event.provider")), level(fields),
        _texts(get("threat.tactic.name")), _texts(get("threat.technique.id")),
        _texts(get("threat.technique.subtechnique.id")),
    )  # fmt: skip


def level(fields: Fields) -> Level:
    """Return the level that a sensor gives its alert."""
    module = _text(fields.get("event.module")).lower()
    severity = fields.get("event.severity")
    if type(severity) is str and severity.isdecimal() and len(severity) <= _DIGITS:
        severity = int(severity)
    if type(severity) is int:
        if module in _PRIORITY_MODULES or "suricata.eve.event_type" in fields:
            return _PRIORITY.get(max(1, severity), "informational")
        if "wazuh" in (module, fields.get("agent.type")):
            return next((level for least, level in _WAZUH if severity >= least), "informational")
        top = _TOPS.get(module, _CEF_TOP if severity <= _CEF_TOP else 100)
        return _scaled(severity, top)
    risk = fields.get("event.risk_score")
    if isinstance(risk, (int, float)) and not isinstance(risk, bool):
        return _scaled(risk, 100)
    for name in ("rule.severity", "event.severity", "log.level"):
        word = _WORDS.get(_text(fields.get(name)).lower())
        if word is not None:
            return word
    return "medium"


def _scaled(value: float, top: int) -> Level:
    share = value / top
    if share >= 0.9:  # noqa: PLR2004  CEF: 9-10 very high, 7-8 high, 4-6 medium, 0-3 low
        return "critical"
    if share >= 0.7:  # noqa: PLR2004
        return "high"
    if share >= 0.4:  # noqa: PLR2004
        return "medium"
    return "low" if share > 0 else "informational"


@remembered
def _made(
    id: str, name: str, message: str, module: str, level: Level,
    tactics: tuple[str, ...], techniques: tuple[str, ...], finer: tuple[str, ...],
) -> SensorRule:  # fmt: skip
    title = name or message or id or f"alert of {module or 'a sensor'}"
    known = id or f"{module}:{title}"
    # A technique whose sub-technique is named too says nothing more.
    parents = {one.partition(".")[0] for one in finer}
    kept = [one.upper() for one in (*finer, *techniques) if one not in parents]
    return SensorRule(
        id=known,
        title=title,
        level=level,
        tactics=tuple(
            dict.fromkeys(
                one.strip().lower().replace(" ", "-").replace("_", "-") for one in tactics
            )
        ),
        techniques=tuple(dict.fromkeys(one for one in kept if _TECHNIQUE.fullmatch(one))),
        group=derive_id("sensor", module, known, title, level, *tactics, "", *techniques, *finer),
    )


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, list):
        return _text(value[0]) if value else ""
    return "" if value is None else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(one for one in value if type(one) is str)[:MAX_NAMES]
    return (value,) if type(value) is str else ()
