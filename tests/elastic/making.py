"""Small records for the tests of the index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contract.event import Event
from contract.records import (
    Alert,
    Chain,
    ChainStage,
    DeadLetter,
    Decision,
    Entity,
    Link,
    Outcome,
    Rule,
    Target,
)
from contract.timestamps import from_datetime, iso

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(number: int = 0, **fields: Any) -> Event:
    """An event at noon and as many seconds; `__` in a name stands for a dot."""
    at = from_datetime(NOON + timedelta(seconds=number))
    own = {name.replace("__", "."): value for name, value in fields.items()}
    body = {"@timestamp": iso(at), "event.id": f"e{number}", "ecs.version": "9.4.0", **own}
    return Event.of(body, id=body["event.id"], time_us=at, source="s")


def alert(revision: int = 1, id: str = "a1", **more: Any) -> Alert:
    values: dict[str, Any] = {
        "rule": Rule(id="r1", name="Web shell", level="high"),
        "time": NOON,
        "last": NOON + timedelta(seconds=revision),
        "events": ("e1",),
        "event_count": revision,
        "entities": (
            Entity(type="ip", value="203.0.113.7", role="source"),
            Entity(type="host", value="web"),
        ),
        "tactics": ("initial-access",),
        "techniques": ("T1505.003",),
        "fields": {"source.ip": "203.0.113.7", "opsonin.fired": iso(from_datetime(NOON))},
    }
    return Alert(id=id, revision=revision, **(values | more))


def chain(revision: int = 1, id: str = "c1") -> Chain:
    return Chain(
        id=id,
        revision=revision,
        score=42.5,
        first=NOON,
        last=NOON + timedelta(minutes=1),
        alerts=("a1", "a2"),
        links=(Link(from_="a1", to="a2", edge="process", weight=1.0, evidence="process 7 on web"),),
        entities=(Entity(type="host", value="web"), Entity(type="user", value="web\\www")),
        stages=(
            ChainStage(tactic="initial-access", technique="T1190", alert="a1", time=NOON),
            ChainStage(tactic="persistence", technique="T1505.003", alert="a2", time=NOON),
        ),
        patterns=("web-shell",),
    )


def decision(revision: int = 1, state: Any = "approved", id: str = "d1") -> Decision:
    return Decision(
        id=id,
        revision=revision,
        chain="c1",
        playbook="contain-web",
        action="deny",
        target=Target(type="ipv4_net", value="203.0.113.7/32"),
        points=("gate", "edge"),
        made=NOON,
        expires=NOON + timedelta(hours=1),
        state=state,
        reason="a web shell was used",
    )


def outcome(id: str = "o1", result: Any = "applied") -> Outcome:
    return Outcome(
        id=id,
        decision="d1",
        revision=1,
        point="gate",
        result=result,
        time=NOON + timedelta(seconds=2),
    )


def letter(id: str = "l1") -> DeadLetter:
    return DeadLetter(
        id=id,
        time=NOON,
        stage="ingest",
        source="ids",
        adapter="suricata.eve",
        reason="not JSON",
        raw=b"\xff{",
        size_bytes=2,
    )
