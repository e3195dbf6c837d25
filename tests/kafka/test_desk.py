"""A person's word to workers: `opsonin policy` and `opsonin chains` with `--kafka`, on a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli import opsonin
from contract.records import Chain, Decision
from runtime.compose import Composition, compose
from runtime.kafka.client import admin
from runtime.kafka.desk import Desk
from runtime.kafka.topics import bring_in_line, wanted
from runtime.settings import Settings
from tests.kafka.test_roles import feed, replayed, settings_of, worker

LIMIT_S = 90


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


def ask(settings: Settings, *words: str) -> Any:
    """Run a command; return its lines, or its error."""
    config = settings.engine.data_dir / "opsonin.toml"
    config.write_text(
        f'[engine]\ndata_dir = "{settings.engine.data_dir}"\n[kafka]\nprefix = "{settings.kafka.prefix}"\n'
        f'bootstrap = ["{settings.kafka.bootstrap[0]}"]\nreplication = 1\nmin_in_sync = 1\n'
    )
    done = CliRunner().invoke(opsonin, [*words, "--kafka", "--config", str(config)])
    if done.exit_code:
        return done.output + str(done.exception)
    return [json.loads(line) for line in done.stdout.splitlines()]


def until(found: Callable[[], Any]) -> Any:
    limit = time.monotonic() + LIMIT_S
    while not (value := found()):
        assert time.monotonic() < limit
        time.sleep(0.5)
    return value


def test_decisions_are_approved_and_chains_parted_through_the_topics(
    settings: Settings, rules: Composition
) -> None:
    events, expected = replayed(settings, rules)
    (proposed,) = (
        id for (_, id), row in expected.items() if isinstance(row, dict) and row.get("state") == "proposed"
    )  # fmt: skip
    desk = Desk(settings.kafka)
    with worker(settings, rules, "a"):
        feed(settings, events, ends=False)
        until(lambda: any(one.id == proposed for one in desk.decisions()))
        listed = ask(settings, "policy", "list", "--json", "--state", "proposed")
        assert [one["id"] for one in listed] == [proposed]
        (told,) = ask(settings, "policy", "approve", proposed[:8], "--note", "seen")
        assert Decision.model_validate(told).state == "approved"
        assert told["reason"].endswith(": seen")
        (whole,) = (one for one in desk.chains() if one.alerts)
        (answer,) = ask(settings, "chains", "split", whole.id[:8], whole.alerts[-1], "--json")
        parts = [Chain.model_validate(one) for one in answer["chains"]]
        assert sorted(len(one.alerts) for one in parts) == [1, len(whole.alerts) - 1]
        (undone,) = ask(settings, "chains", "undo", answer["correction"], "--json")
        assert any(len(one["alerts"]) == len(whole.alerts) for one in undone["chains"])
    assert "begins with 'ffff" in ask(settings, "policy", "approve", "ffffffff")
