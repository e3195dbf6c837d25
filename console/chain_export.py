"""A chain for other programs: an Attack Flow bundle and an ATT&CK Navigator layer.

Sources: Attack Flow 2.0.0 schema (a STIX 2.1 extension; version 3 of the builder reads the same bundles) by the Center for
Threat-Informed Defense; STIX 2.1 (ids are UUIDv5, so that an export of the same revision is the same bundle);
ATT&CK Navigator layer format 4.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from console.chain_graph import plain
from contract.records import Alert, Chain
from correlate.chain.attack import TACTICS, name_of
from correlate.chain.stages import RANK

Alerts = Mapping[str, Alert]

EXTENSION: Final = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4"
_NAMESPACE: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace that STIX 2.1, section 2.9, gives for derived identifiers."""
_EXTENDED: Final = {EXTENSION: {"extension_type": "new-sdo"}}
_PUBLISHED: Final = "2022-08-02T19:34:35.143Z"
_SCHEMA: Final = "https://center-for-threat-informed-defense.github.io/attack-flow/stix/attack-flow-schema-2.0.0.json"
ATTACK_VERSION: Final = "17"
MAX_SCORE: Final = 100


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
    _effects(chain, steps, actions)
    targets = {ref for one in actions for ref in one.get("effect_refs", ())}
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
        flow, *actions,
        *(
            {
                "type": "attack-asset", "spec_version": "2.1", "id": asset, "created": made,
                "modified": made, "name": plain(host), "extensions": _EXTENDED,
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


def _effects(chain: Chain, steps: list[_Step], actions: list[dict[str, Any]]) -> None:
    """Lead from the last action of the earlier alert to the first of the later, along each link."""
    own: dict[str, list[dict[str, Any]]] = {}
    for step, action in zip(steps, actions, strict=True):
        own.setdefault(step[0], []).append(action)
    owner = {one.to: one.from_ for one in chain.links if one.edge == "repeat"}
    for several in own.values():
        for one, following in pairwise(several):
            one.setdefault("effect_refs", []).append(following["id"])
    for link in chain.links:
        here = own.get(owner.get(link.from_, link.from_))
        there = own.get(owner.get(link.to, link.to))
        if link.edge == "repeat" or not here or not there:
            continue
        refs = here[-1].setdefault("effect_refs", [])
        if there[0]["id"] not in refs:
            refs.append(there[0]["id"])


def _definition() -> dict[str, Any]:
    return {
        "type": "extension-definition", "id": EXTENSION, "spec_version": "2.1", "name": "Attack Flow",
        "description": "Extends STIX 2.1 with features to create Attack Flows.",
        "created": _PUBLISHED, "modified": _PUBLISHED,
        "created_by_ref": "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c",
        "schema": _SCHEMA, "version": "2.0.0", "extension_types": ["new-sdo"],
    }  # fmt: skip


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
        "techniques": [
            {
                "techniqueID": technique, "tactic": tactic, "score": min(MAX_SCORE, len(words)),
                "color": "", "comment": "\n".join(words), "enabled": True,
                "showSubtechniques": "." in technique,
            }
            for (technique, tactic), words in sorted(cells.items())
        ],
        "gradient": {"colors": ["#ffe766ff", "#ff6666ff"], "minValue": 0, "maxValue": _top(cells.values())},
    }  # fmt: skip
    return json.dumps(layer, indent=2, ensure_ascii=False) + "\n"


def _top(cells: Iterable[list[str]]) -> int:
    return max((len(words) for words in cells), default=1)


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
