"""What of an alert its run keeps, and what makes two alerts repetitions of each other."""

from __future__ import annotations

from typing import Any, Final

from contract.records import Alert, Entity
from contract.timestamps import from_datetime
from correlate.chain.entities import entities_of
from correlate.chain.runs import Member

_SIGNING: Final = frozenset(
    {"ip", "host", "user", "process", "service", "task", "registry", "domain", "key", "workload"}
)
"""Types that tell two runs of a rule apart; flows, sessions, files and hashes may differ within one."""

FACTS: Final = (
    "opsonin.attestation.result", "opsonin.attestation.level", "opsonin.attestation.evidence",
    "opsonin.attestation.reason", "rule.category", "event.dataset", "event.provider",
)  # fmt: skip
"""Fields of the first alert that a run keeps: trust, patterns and reports read them."""

_FACTS: Final = frozenset(FACTS)


def member_of(alert: Alert) -> Member:
    """Return what a run keeps of an alert, without its floating entities."""
    time, last = alert.time, alert.last
    time_us = from_datetime(time)
    last_us = time_us if last is time else from_datetime(last)
    return Member(alert.id, alert.revision, time_us, last_us, alert.event_count)


def sign(alert: Alert) -> tuple[str, tuple[Entity, ...], tuple[Entity, ...]]:
    """Return signature, signing and floating entities of an alert, in a fixed order.

    An alert that lists no entities is asked for those that its agreed fields name.
    """
    signing: dict[str, Entity] = {}
    floating: list[Entity] = []
    fields = alert.fields
    for one in alert.entities or entities_of(fields):
        role, kind = one.role, one.type
        if role == "observer":
            continue
        if kind in _SIGNING:
            signing[f"{kind}|{role}|{one.value}"] = one
        else:
            floating.append(one)
    marks = sorted(signing) if len(signing) > 1 else signing
    rule = alert.rule
    signature = "\n".join((rule.id, rule.level, *marks))
    if fields and not _FACTS.isdisjoint(fields):
        facts = "\n".join(f"{name}={fields[name]}" for name in FACTS if name in fields)
        signature = f"{signature}\n{facts}"
    return signature, tuple([signing[mark] for mark in marks]), tuple(floating)


def facts_of(alert: Alert) -> dict[str, Any]:
    """Return the fields of an alert that its run keeps."""
    fields = alert.fields
    return {name: fields[name] for name in FACTS if name in fields} if fields else {}
