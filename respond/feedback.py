"""Outcomes as events: what an enforcement point answers comes back in through the same door as what sensors say.

`event.kind` is `event`, never `alert`, and `event.provider` is `opsonin`: rules can be written on answers, yet no
answer is by itself an alert that would ask for the next decision. Source: ECS 9.4, event and rule field sets.
"""

from __future__ import annotations

from contract.event import ECS_VERSION, Fields
from contract.records import Decision, Outcome
from contract.timestamps import from_datetime, iso
from respond.target import network_of

_ACTIONS = {
    "applied": "policy-applied",
    "removed": "policy-removed",
    "expired": "policy-expired",
    "failed": "policy-failed",
    "unsupported": "policy-unsupported",
    "drifted": "policy-drifted",
}
_NETWORK_TARGETS = ("ipv4_net", "ipv6_net", "ipv4_connection", "ipv6_connection")


def fields_of(outcome: Outcome, decision: Decision | None) -> Fields:
    """Return the flat ECS fields of an outcome.

    The denied address is in `opsonin.target.value`, not in `source.ip`: correlations by source count what the
    address did, not what was done to it.

    Args:
        outcome: as the point's driver reports it.
        decision: that it speaks of; None when it is no longer known.
    """
    result = outcome.result
    fields: Fields = {
        "@timestamp": iso(from_datetime(outcome.time)),
        "ecs.version": ECS_VERSION,
        "event.id": outcome.id,
        "event.kind": "event",
        "event.category": ["configuration"],
        "event.type": ["deletion" if result in ("removed", "expired") else "change"],
        "event.provider": "opsonin",
        "event.module": "opsonin",
        "event.dataset": "opsonin.outcome",
        "event.action": _ACTIONS[result],
        "event.outcome": "failure" if result in ("failed", "unsupported") else "success",
        "observer.name": outcome.point,
        "opsonin.decision.id": outcome.decision,
        "opsonin.decision.revision": outcome.revision,
        "opsonin.point": outcome.point,
        "opsonin.result": result,
    }
    if outcome.detail:
        fields["event.reason"] = outcome.detail
    if decision is not None:
        fields |= _decided(decision)
        if decision.target.type in _NETWORK_TARGETS:
            fields["event.category"] = ["network", "configuration"]
    return fields


def _decided(decision: Decision) -> Fields:
    fields: Fields = {
        "opsonin.action": decision.action,
        "opsonin.chain.id": decision.chain,
        "opsonin.playbook": decision.playbook,
        "opsonin.target.type": decision.target.type,
        "opsonin.target.value": decision.target.value,
        "opsonin.expires": iso(from_datetime(decision.expires)),
    }
    try:
        net = network_of(decision.target)
    except ValueError:
        return fields
    if net is not None and net.prefixlen == net.max_prefixlen:
        fields["related.ip"] = [str(net.network_address)]
    elif decision.target.type == "user":
        fields["related.user"] = [decision.target.value]
    elif decision.target.type == "host":
        fields["related.hosts"] = [decision.target.value]
    return fields
