"""A person's word to workers: `opsonin policy` and `opsonin chains` with `--kafka`, on a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli import opsonin
from contract.records import Chain, Decision, Outcome
from contract.topics import OUTCOMES
from runtime.compose import Composition, compose
from runtime.kafka.client import admin, producer
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import encode
from runtime.settings import Settings
from tests.conftest import PATIENCE_S
from tests.kafka.test_roles import feed, replayed, settings_of, worker


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    made = settings_of(kafka, prefix, tmp_path)
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


@pytest.fixture
def rules(settings: Settings) -> Composition:
    return compose(settings)


def told(settings: Settings, *words: str) -> str:
    """Run a command; return what it prints, or its error."""
    config = settings.engine.data_dir / "opsonin.toml"
    config.write_text(
        f'[engine]\ndata_dir = "{settings.engine.data_dir}"\n[kafka]\nprefix = "{settings.kafka.prefix}"\n'
        f'bootstrap = ["{settings.kafka.bootstrap[0]}"]\nreplication = 1\nmin_in_sync = 1\n'
    )
    done = CliRunner().invoke(opsonin, [*words, "--kafka", "--config", str(config)])
    return done.output + str(done.exception) if done.exit_code else done.stdout


def ask(settings: Settings, *words: str) -> list[Any]:
    """Run a command; return its lines, without those that the workers of this process log meanwhile."""
    lines = told(settings, *words).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def until(found: Callable[[], Any]) -> Any:
    limit = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < limit
        time.sleep(0.5)
    return value


@contextmanager
def running(settings: Settings, rules: Composition) -> Iterator[dict[tuple[str, str], Any]]:
    """Run a worker that has taken all of the example; give the rows that a replay of it tells."""
    events, expected = replayed(settings, rules)
    wanted = {id for kind, id in expected if kind == "decision"}
    with worker(settings, rules, "a"):
        feed(settings, events, ends=False)
        until(lambda: wanted <= {one["id"] for one in ask(settings, "policy", "list", "--json")})
        yield expected


def in_state(settings: Settings, state: str) -> list[str]:
    told = ask(settings, "policy", "list", "--json", "--state", state)
    return [one["id"] for one in told]


def answered(settings: Settings, decision: str, revision: int) -> Outcome:
    """Write what an enforcement point answers."""
    outcome = Outcome(
        id="o1", decision=decision, revision=revision, point="memory", result="applied",
        time=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    value, headers = encode(outcome)
    client = producer(settings.kafka)
    topic = name_of(settings.kafka, OUTCOMES)
    client.send(topic, value, decision.encode(), headers, 0).get(PATIENCE_S)
    client.close()
    return outcome


def test_a_decision_is_approved_shown_with_its_outcomes_and_reverted_through_the_topics(
    settings: Settings, rules: Composition
) -> None:
    with running(settings, rules) as expected:
        (proposed,) = in_state(settings, "proposed")
        assert expected["decision", proposed]["state"] == "proposed"
        (answer,) = ask(settings, "policy", "approve", proposed[:8], "--note", "seen")
        approved = Decision.model_validate(answer)
        assert (approved.state, approved.reason.rpartition(": ")[2]) == ("approved", "seen")
        outcome = answered(settings, proposed, approved.revision)
        shown = ask(settings, "policy", "show", proposed[:8], "--json")
        assert [one.get("state") for one in shown] == ["proposed", "approved", None]
        assert Outcome.model_validate(shown[-1]) == outcome
        answer, *_ = ask(settings, "policy", "revert", proposed, "--note", "a mistake")
        assert answer["state"] == "reverted"
        assert proposed not in in_state(settings, "approved")
        assert "begins with 'ffff" in told(settings, "policy", "approve", "ffffffff")
        assert "begins with 'ffff" in told(settings, "policy", "show", "ffffffff")


def test_a_decision_is_rejected_through_the_topics(settings: Settings, rules: Composition) -> None:
    with running(settings, rules):
        (proposed,) = in_state(settings, "proposed")
        (answer,) = ask(settings, "policy", "reject", proposed[:8], "--note", "a test of ours")
        assert answer["state"] == "rejected"
        assert answer["reason"].endswith(": a test of ours")
        assert in_state(settings, "rejected") == [proposed]


def test_chains_are_shown_parted_and_merged_through_the_topics(
    settings: Settings, rules: Composition
) -> None:
    with running(settings, rules) as expected:
        listed = [Chain.model_validate(one) for one in ask(settings, "chains", "list", "--json")]
        wanted = {id for (kind, id), one in expected.items() if kind == "chain" and one["alerts"]}
        assert {one.id for one in listed} == wanted
        whole = max(listed, key=lambda one: len(one.alerts))
        shown = told(settings, "chains", "show", whole.id[:8])
        assert all(expected["alert", one]["rule"]["name"] in shown for one in whole.alerts)
        (answer,) = ask(settings, "chains", "split", whole.id[:8], whole.alerts[-1], "--json")
        parts = [Chain.model_validate(one) for one in answer["chains"]]
        assert sorted(len(one.alerts) for one in parts) == [1, len(whole.alerts) - 1]
        (undone,) = ask(settings, "chains", "undo", answer["correction"], "--json")
        assert any(len(one["alerts"]) == len(whole.alerts) for one in undone["chains"])
        (answer,) = ask(settings, "chains", "split", whole.id, whole.alerts[0], "--json")
        one, two = (one["id"] for one in answer["chains"])
        (merged,) = ask(settings, "chains", "merge", one[:10], two, "--json")
        assert max(len(one["alerts"]) for one in merged["chains"]) == len(whole.alerts)
        assert "begins with 'ffff" in told(settings, "chains", "merge", "ffff", whole.id)
        assert "cannot stand together" in told(settings, "chains", "list", "--records", "x")
