"""Records as flat ECS documents: what Elasticsearch holds, and what `opsonin search` answers from the embedded store too.

Events are documents already. Alerts carry the fields that Elastic Security reads of third-party alerts (`event.kind: alert`,
`event.severity`, `rule.*`, `threat.*`). The record itself stays whole under `opsonin.record`. Source: ECS 9.4, the event, rule, threat,
related and error field sets; ATT&CK's ids for tactics.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from contract.event import ECS_VERSION, Event, Fields
from contract.records import Alert, Chain, DeadLetter, Decision, Entity, Level, Outcome
from contract.timestamps import from_datetime, from_iso, iso
from correlate.chain.attack import TACTICS, name_of
from correlate.window.report import FIRED
from respond.feedback import fields_of
from runtime.elastic.fields import KEPT

Indexed: TypeAlias = Event | Alert | Chain | Decision | Outcome | DeadLetter

SEVERITY: Final[dict[Level, int]] = {
    "informational": 5,
    "low": 21,
    "medium": 47,
    "high": 73,
    "critical": 99,
}
"""`event.severity` as Elastic's own detection rules count it."""

_RELATED: Final = {"ip": "related.ip", "user": "related.user", "host": "related.hosts", "hash": "related.hash"}  # fmt: skip
_LEFT_OUT: Final = frozenset({"event.original", FIRED})
_SHOWN_BYTES: Final = 512


def kind_of(record: Indexed) -> str:
    """Return the kind of data stream or index that a record belongs to."""
    return "event" if isinstance(record, Event) else record.kind


def document_of(record: Indexed, decision: Decision | None = None) -> Fields:
    """Return the flat document of a record.

    Args:
        record: any that is indexed.
        decision: that an outcome answers, where it is at hand.
    """
    match record:
        case Event():
            return record.fields
        case Alert():
            return _of_alert(record)
        case Chain():
            return _of_chain(record)
        case Decision():
            return _of_decision(record)
        case Outcome():
            return _of_outcome(record, decision)
        case DeadLetter():
            return _of_dead_letter(record)


def version_of(record: Indexed) -> int | None:
    """Return the revision by which a newer document replaces an older one; None for what never changes."""
    return record.revision if isinstance(record, Alert | Chain | Decision) else None


def _head(record: Alert | Chain | Decision | DeadLetter, kind: str, time: Any) -> Fields:
    return {
        "@timestamp": iso(from_datetime(time)),
        "ecs.version": ECS_VERSION,
        "event.id": record.id,
        "event.kind": kind,
        "event.module": "opsonin",
        "event.provider": "opsonin",
        "event.dataset": f"opsonin.{record.kind}",
        "opsonin.kind": record.kind,
    }


def _of_alert(alert: Alert) -> Fields:
    fields: Fields = {
        # What all events agree on, under the alert's own words.
        **{name: value for name, value in alert.fields.items() if name not in _LEFT_OUT},
        **_head(alert, "alert", alert.last),
        **_span(alert.time, alert.last),
        "event.severity": SEVERITY[alert.rule.level],
        "event.risk_score": float(SEVERITY[alert.rule.level]),
        "rule.id": alert.rule.id,
        "rule.name": alert.rule.name,
        "message": f"retracted: {alert.rule.name}" if alert.retracted else alert.rule.name,
        "opsonin.alert.level": alert.rule.level,
        "opsonin.alert.revision": alert.revision,
        "opsonin.alert.event_count": alert.event_count,
        "opsonin.alert.events": list(alert.events),
        "opsonin.alert.retracted": alert.retracted,
        **_delay(alert),
        **_entities(alert.entities),
        **_threat(alert.tactics, alert.techniques),
        KEPT: alert.model_dump(mode="json"),
    }
    fields.setdefault("event.category", ["intrusion_detection"])
    fields.setdefault("event.type", ["info"])
    return fields


def _delay(alert: Alert) -> Fields:
    """Return the seconds from the first event to the one that made the rule hold, in event time."""
    fired = alert.fields.get(FIRED)
    if not isinstance(fired, str):
        return {}
    return {"opsonin.delay": max(0.0, (from_iso(fired) - from_datetime(alert.time)) / 1e6)}


def _of_chain(chain: Chain) -> Fields:
    tactics = list(dict.fromkeys(stage.tactic for stage in chain.stages if stage.tactic))
    techniques = list(dict.fromkeys(stage.technique for stage in chain.stages if stage.technique))
    return {
        **_head(chain, "state", chain.last),
        **_span(chain.first, chain.last),
        "event.category": ["threat"],
        "event.type": ["indicator"],
        "message": f"chain of {len(chain.alerts)} alerts: {' > '.join(tactics) or 'no tactic known'}",
        "opsonin.chain.id": chain.id,
        "opsonin.chain.revision": chain.revision,
        "opsonin.chain.score": chain.score,
        "opsonin.chain.alerts": list(chain.alerts),
        "opsonin.chain.alert_count": len(chain.alerts),
        "opsonin.chain.entity_count": len(chain.entities),
        "opsonin.chain.patterns": list(chain.patterns),
        **({"opsonin.chain.merged_into": chain.merged_into} if chain.merged_into else {}),
        **_entities(chain.entities),
        **_threat(tactics, techniques),
        KEPT: chain.model_dump(mode="json"),
    }


def _of_decision(decision: Decision) -> Fields:
    made, expires = from_datetime(decision.made), from_datetime(decision.expires)
    return {
        **_head(decision, "state", decision.made),
        "event.category": ["configuration"],
        "event.type": ["change"],
        "event.action": f"policy-{decision.state}",
        "event.reason": decision.reason,
        "message": f"{decision.state}: {decision.action} {decision.target.value}",
        "opsonin.decision.id": decision.id,
        "opsonin.decision.revision": decision.revision,
        "opsonin.decision.state": decision.state,
        "opsonin.decision.made": iso(made),
        "opsonin.decision.expires_in": (expires - made) // 1_000_000,
        **({"opsonin.decision.by": decision.by} if decision.by else {}),
        "opsonin.action": decision.action,
        "opsonin.chain.id": decision.chain,
        "opsonin.playbook": decision.playbook,
        "opsonin.point": list(decision.points),
        "opsonin.target.type": decision.target.type,
        "opsonin.target.value": decision.target.value,
        "opsonin.expires": iso(expires),
        KEPT: decision.model_dump(mode="json"),
    }


def _of_outcome(outcome: Outcome, decision: Decision | None) -> Fields:
    fields = {"opsonin.kind": "outcome", **fields_of(outcome, decision)}
    if decision is not None:
        fields["opsonin.delay"] = (outcome.time - decision.made).total_seconds()
    return fields


def _of_dead_letter(letter: DeadLetter) -> Fields:
    return {
        **_head(letter, "pipeline_error", letter.time),
        "error.message": letter.reason,
        "message": letter.raw[:_SHOWN_BYTES].decode("utf-8", "replace"),
        "opsonin.dead_letter.stage": letter.stage,
        "opsonin.dead_letter.source": letter.source,
        "opsonin.dead_letter.adapter": letter.adapter,
        "opsonin.dead_letter.size": letter.size_bytes,
        "opsonin.dead_letter.truncated": letter.truncated,
        KEPT: letter.model_dump(mode="json"),
    }


def _span(first: Any, last: Any) -> Fields:
    first_us, last_us = from_datetime(first), from_datetime(last)
    return {
        "event.start": iso(first_us),
        "event.end": iso(last_us),
        "event.duration": (last_us - first_us) * 1000,  # nanoseconds, says ECS
    }


def _entities(entities: Iterable[Entity]) -> Fields:
    found: dict[str, list[str]] = {}
    for entity in entities:
        found.setdefault("opsonin.entity", []).append(f"{entity.type}:{entity.value}")
        name = _RELATED.get(entity.type)
        if name:
            found.setdefault(name, []).append(entity.value)
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def _threat(tactics: Iterable[str], techniques: Iterable[str]) -> Fields:
    names, ids = list(tactics), list(techniques)
    if not names and not ids:
        return {}
    fields: Fields = {"threat.framework": "MITRE ATT&CK"}
    if names:
        fields["threat.tactic.name"] = names
        fields["threat.tactic.id"] = [TACTICS[name] for name in names if name in TACTICS]
    if ids:
        whole = list(dict.fromkeys(id.partition(".")[0] for id in ids))
        fields["threat.technique.id"] = whole
        fields["threat.technique.name"] = [name for name in map(name_of, whole) if name]
        parts = [id for id in ids if "." in id]
        if parts:
            fields["threat.technique.subtechnique.id"] = parts
    return fields
