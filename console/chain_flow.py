"""A chain for other programs: an Attack Flow bundle.

An action for each stage, an asset for each host; between two actions the condition that joins them: the link's evidence.

Sources: Attack Flow 2.0.0 schema (a STIX 2.1 extension; version 3 of the builder reads the same bundles) by the Center for
Threat-Informed Defense; STIX 2.1 (ids are UUIDv5, so that an export of the same revision is the same bundle).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from console.plain import plain
from contract.records import Alert, Chain, Link
from correlate.chain.attack import TACTICS, name_of
from correlate.chain.edges import STRONG

Alerts = Mapping[str, Alert]

EXTENSION: Final = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4"
_NAMESPACE: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace that STIX 2.1, section 2.9, gives for derived identifiers."""
_EXTENDED: Final = {EXTENSION: {"extension_type": "new-sdo"}}
_PUBLISHED: Final = "2022-08-02T19:34:35.143Z"
_SCHEMA: Final = "https://center-for-threat-informed-defense.github.io/attack-flow/stix/attack-flow-schema-2.0.0.json"


def attack_flow(chain: Chain, alerts: Alerts) -> str:
    """Return a STIX bundle: the flow, an action for each stage, an asset for each host, joined as the chain is."""
    made = _stamp(chain.last)
    author = _id("identity", "opsonin")
    steps = _steps(chain, alerts)
    assets = {
        host: _id("attack-asset", chain.id, host)
        for host in dict.fromkeys(h for *_, h in steps)
        if host
    }
    actions = [_action(chain, step, alerts, assets, made) for step in steps]
    between = _joins(chain, steps, actions, made)
    targets = {
        ref
        for one in (*actions, *between)
        for ref in (*one.get("effect_refs", ()), *one.get("on_true_refs", ()))
    }
    starts = [one["id"] for one in actions if one["id"] not in targets] or [actions[0]["id"]]
    flow = {
        "type": "attack-flow", "spec_version": "2.1", "id": _id("attack-flow", chain.id),
        "created_by_ref": author, "created": _stamp(chain.first), "modified": made,
        "name": f"Attack chain {chain.id}", "scope": "incident", "start_refs": starts,
        "description": f"Score {chain.score:g}, {len(chain.alerts)} alerts, revision {chain.revision}.",
        "extensions": _EXTENDED,
    }  # fmt: skip
    objects = [
        _definition(),
        {
            "type": "identity", "spec_version": "2.1", "id": author, "created": _PUBLISHED,
            "modified": _PUBLISHED, "name": "Opsonin", "identity_class": "system",
        },
        flow, *actions, *between,
        *(
            {
                "type": "attack-asset", "spec_version": "2.1", "id": asset, "created": made,
                "modified": made, "name": plain(host), "extensions": _EXTENDED,
                "description": _asset_words(host, steps, alerts),
            }
            for host, asset in assets.items()
        ),
    ]  # fmt: skip
    bundle = {
        "type": "bundle",
        "id": _id("bundle", chain.id, str(chain.revision)),
        "objects": objects,
    }
    return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"


_Step = tuple[str, str, str, str]  # alert, tactic, technique, host


def _steps(chain: Chain, alerts: Alerts) -> list[_Step]:
    """Stages in order of time; an alert without one is a step named by its rule."""
    repeated = {one.to for one in chain.links if one.edge == "repeat"}
    staged: dict[str, list[tuple[str, str]]] = {}
    for one in chain.stages:
        staged.setdefault(one.alert, []).append((one.tactic, one.technique))
    return [
        (alert, tactic, technique, _host(alerts.get(alert)))
        for alert in chain.alerts
        if alert not in repeated
        for tactic, technique in staged.get(alert, [("", "")])
    ]


def _action(
    chain: Chain, step: _Step, alerts: Alerts, assets: Mapping[str, str], made: str
) -> dict[str, Any]:
    alert, tactic, technique, host = step
    known = alerts.get(alert)
    title = plain(known.rule.name) if known else alert
    action: dict[str, Any] = {
        "type": "attack-action", "spec_version": "2.1",
        "id": _id("attack-action", chain.id, alert, tactic, technique),
        "created": made, "modified": made,
        "name": name_of(technique) if technique else tactic or title,
        "description": title, "extensions": _EXTENDED,
    }  # fmt: skip
    if technique:
        action["technique_id"] = technique
    if tactic in TACTICS:
        action["tactic_id"] = TACTICS[tactic]
    if known is not None:
        action["execution_start"] = _stamp(known.time)
        action["execution_end"] = _stamp(known.last)
    if host in assets:
        action["asset_refs"] = [assets[host]]
    return action


def _joins(
    chain: Chain, steps: list[_Step], actions: list[dict[str, Any]], made: str
) -> list[dict[str, Any]]:
    """Lead from the last action of the earlier alert to the first of the later; return what stands between them.

    Each link is a condition that says its evidence. Of medium links none joins by itself: they meet in an AND.
    """
    own: dict[str, list[dict[str, Any]]] = {}
    for step, action in zip(steps, actions, strict=True):
        own.setdefault(step[0], []).append(action)
    for several in own.values():
        for one, following in pairwise(several):
            one.setdefault("effect_refs", []).append(following["id"])
    owner = {one.to: one.from_ for one in chain.links if one.edge == "repeat"}
    between: list[dict[str, Any]] = []
    medium: dict[str, list[dict[str, Any]]] = {}
    for link in chain.links:
        early, late = owner.get(link.from_, link.from_), owner.get(link.to, link.to)
        if link.edge == "repeat" or early not in own or late not in own or early == late:
            continue
        condition = _condition(chain, link, own[late][0]["id"], made)
        own[early][-1].setdefault("effect_refs", []).append(condition["id"])
        between.append(condition)
        if link.weight < STRONG:
            medium.setdefault(late, []).append(condition)
    for late, conditions in medium.items():
        if len(conditions) > 1:
            between.append(_both(chain, late, conditions, made))
    return between


def _condition(chain: Chain, link: Link, then: str, made: str) -> dict[str, Any]:
    return {
        "type": "attack-condition", "spec_version": "2.1",
        "id": _id("attack-condition", chain.id, link.from_, link.to, link.edge, link.evidence),
        "created": made, "modified": made, "extensions": _EXTENDED, "on_true_refs": [then],
        "description": f"{plain(link.evidence)} ({link.edge}, weight {link.weight:.2f})",
    }  # fmt: skip


def _both(chain: Chain, late: str, conditions: list[dict[str, Any]], made: str) -> dict[str, Any]:
    """Return the operator in which conditions meet, put between them and what they led to."""
    operator = {
        "type": "attack-operator", "spec_version": "2.1", "operator": "AND",
        "id": _id("attack-operator", chain.id, late), "created": made, "modified": made,
        "extensions": _EXTENDED, "effect_refs": list(conditions[0]["on_true_refs"]),
    }  # fmt: skip
    for one in conditions:
        one["on_true_refs"] = [operator["id"]]
    return operator


def _asset_words(host: str, steps: list[_Step], alerts: Alerts) -> str:
    """Return what an asset is, and which accounts acted on it."""
    named = [
        one for alert, *_, at in steps if at == host and alert in alerts for one in alerts[alert].entities
    ]  # fmt: skip
    kind = "address" if any(one.type == "ip" and one.value == host for one in named) else "host"
    users = dict.fromkeys(
        one.value for one in named if one.type == "user" and one.role == "subject"
    )
    return plain(f"{kind}; accounts: {', '.join(users)}" if users else kind)


def _definition() -> dict[str, Any]:
    return {
        "type": "extension-definition", "id": EXTENSION, "spec_version": "2.1", "name": "Attack Flow",
        "description": "Extends STIX 2.1 with features to create Attack Flows.",
        "created": _PUBLISHED, "modified": _PUBLISHED,
        "created_by_ref": "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c",
        "schema": _SCHEMA, "version": "2.0.0", "extension_types": ["new-sdo"],
    }  # fmt: skip


def _host(alert: Alert | None) -> str:
    if alert is None:
        return ""
    for role in ("subject", "target"):
        for one in alert.entities:
            if one.role == role and one.type in ("host", "ip"):
                return one.value
    return ""


def _id(kind: str, *causes: str) -> str:
    return f"{kind}--{uuid5(_NAMESPACE, '|'.join(('opsonin', kind, *causes)))}"


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
