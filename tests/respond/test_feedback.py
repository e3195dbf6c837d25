from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from contract.event import Event
from contract.records import Decision, Outcome, Target
from respond.feedback import fields_of

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def outcome(result: str = "applied", detail: str = "") -> Outcome:
    return Outcome.model_validate(
        {"id": "o1", "decision": "d1", "revision": 2, "point": "edge", "result": result,
         "time": NOON, "detail": detail}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "kind", "said"),
    [
        ("applied", "change", "success"),
        ("drifted", "change", "success"),
        ("removed", "deletion", "success"),
        ("expired", "deletion", "success"),
        ("failed", "change", "failure"),
        ("unsupported", "change", "failure"),
    ],
)
def test_an_outcome_becomes_an_ecs_event(
    make_decision: Callable[..., Decision], result: str, kind: str, said: str
) -> None:
    fields = fields_of(outcome(result, "why"), make_decision(id="d1"))
    assert fields["event.category"] == ["network", "configuration"]
    assert fields["event.type"] == [kind]
    assert fields["event.outcome"] == said
    assert fields["event.action"] == f"policy-{result}"
    assert fields["event.reason"] == "why"
    assert fields["related.ip"] == ["203.0.113.9"]
    assert fields["opsonin.chain.id"] == "chain-1"
    assert fields["opsonin.playbook"] == "deny_source"


def test_an_answer_can_be_no_alert_and_names_no_source(
    make_decision: Callable[..., Decision],
) -> None:
    fields = fields_of(outcome(), make_decision(id="d1"))
    assert fields["event.kind"] == "event"
    assert not any(name.startswith(("source.", "client.", "host.")) for name in fields)


def test_it_is_a_whole_event(make_decision: Callable[..., Decision]) -> None:
    fields = fields_of(outcome(), make_decision(id="d1"))
    event = Event.of(fields, id="o1", time_us=0, source="edge")
    assert Event.decode(event.json, "edge").fields == fields


def test_without_its_decision_the_answer_is_still_told() -> None:
    fields = fields_of(outcome(), None)
    assert fields["opsonin.decision.id"] == "d1"
    assert fields["event.category"] == ["configuration"]


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        (Target(type="user", value="ann"), "related.user", ["ann"]),
        (Target(type="host", value="web-1"), "related.hosts", ["web-1"]),
        (Target(type="ipv4_net", value="203.0.113.0/24"), "related.ip", None),
        (Target(type="ipv4_net", value="nonsense"), "related.ip", None),
    ],
)
def test_related_names_single_things_only(
    make_decision: Callable[..., Decision], target: Target, name: str, value: list[str] | None
) -> None:
    assert fields_of(outcome(), make_decision(target=target)).get(name) == value
