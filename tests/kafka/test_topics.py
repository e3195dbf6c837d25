"""Topics on a real broker: made, compared, mended; never shrunk, and nothing deleted without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaAdminClient

from console.topics import topics as command
from contract.errors import BrokerError
from contract.topics import ALERTS, EVENTS, POLICY, STATES, TOPICS, Topic
from runtime.kafka import topics
from runtime.kafka.client import admin as make_admin
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import Difference, bring_in_line, compare, wanted

FEW = (EVENTS, ALERTS, POLICY)


@pytest.fixture
def settings(kafka: str, prefix: str) -> KafkaSettings:
    return KafkaSettings(bootstrap=(kafka,), prefix=prefix, replication=1, min_in_sync=1)


@pytest.fixture
def admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    client = make_admin(settings)
    yield client
    client.close()


def told(found: list[Difference]) -> set[tuple[str, str]]:
    return {(one.what, one.remedy) for one in found}


def test_absent_topics_are_made_as_declared(
    settings: KafkaSettings, admin: KafkaAdminClient
) -> None:
    wants = wanted(settings)
    assert {one.what for one in compare(admin, wants)} == {"topic"}
    done = bring_in_line(admin, wants)
    assert len(done) == len(TOPICS) + len(STATES)
    assert compare(admin, wants) == []
    assert bring_in_line(admin, wants) == []
    found = {one["name"]: len(one["partitions"]) for one in admin.describe_topics()}
    assert found[settings.prefix + "events"] == 4
    assert found[settings.prefix + "alerts"] == 1


def changed(settings: KafkaSettings, **changes: Any) -> KafkaSettings:
    return settings.model_copy(update=changes)


def test_longer_retention_is_mended_and_a_shorter_one_waits_for_a_word(
    settings: KafkaSettings, admin: KafkaAdminClient
) -> None:
    bring_in_line(admin, wanted(settings, FEW))
    longer = wanted(changed(settings, keep_bulk=timedelta(days=4)), FEW)
    assert told(bring_in_line(admin, longer)) == {("retention.ms", "apply")}
    shorter = wanted(changed(settings, keep_bulk=timedelta(days=1)), FEW)
    assert bring_in_line(admin, shorter) == []
    assert told(compare(admin, shorter)) == {("retention.ms", "lose")}
    bring_in_line(admin, shorter, lose=True)
    assert compare(admin, shorter) == []


def test_partitions_grow_only_when_told_and_never_shrink(
    settings: KafkaSettings, admin: KafkaAdminClient
) -> None:
    bring_in_line(admin, wanted(settings, FEW))
    more = wanted(changed(settings, partitions=6), FEW)
    assert bring_in_line(admin, more) == []
    assert told(compare(admin, more)) == {("partitions", "grow")}
    bring_in_line(admin, more, grow=True)
    assert compare(admin, more) == []
    assert bring_in_line(admin, wanted(settings, FEW), grow=True, lose=True) == []
    assert told(compare(admin, wanted(settings, FEW))) == {("partitions", "by hand")}


def test_what_was_done_is_waited_for_until_the_brokers_show_it(
    settings: KafkaSettings, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in_line(admin, wanted(settings, FEW))
    before = {one["name"]: one for one in admin.describe_topics()}
    describe, create = admin.describe_topics, admin.create_partitions
    stale: list[str] = []

    def grown(partitions: dict[str, int]) -> Any:
        stale.extend(["a broker that is behind"] * 3)
        return create(partitions)

    def described(names: list[str]) -> Any:
        if not stale:
            return describe(names)
        stale.pop()
        return [before[name] for name in names]

    monkeypatch.setattr(admin, "create_partitions", grown)
    monkeypatch.setattr(admin, "describe_topics", described)
    more = wanted(changed(settings, partitions=6), FEW)
    assert told(bring_in_line(admin, more, grow=True)) == {("partitions", "grow")}
    assert stale == []
    monkeypatch.setattr(topics, "SHOWN_WITHIN_S", 0)
    monkeypatch.setattr(admin, "create_partitions", lambda partitions: None)
    with pytest.raises(BrokerError, match="acknowledged, but not seen after 0 s"):
        bring_in_line(admin, wanted(changed(settings, partitions=8), FEW), grow=True)


def test_clean_up_of_another_kind_waits_for_a_word(
    settings: KafkaSettings, admin: KafkaAdminClient
) -> None:
    bring_in_line(admin, wanted(settings, [Topic("policy", "id", bytes)]))
    assert ("cleanup.policy", "lose") in told(compare(admin, wanted(settings, [POLICY])))


def test_too_few_brokers_for_the_replication_are_said(
    settings: KafkaSettings, admin: KafkaAdminClient
) -> None:
    three = wanted(changed(settings, replication=3, min_in_sync=2), FEW)
    with pytest.raises(BrokerError, match=r"set kafka\.replication and kafka\.min_in_sync"):
        bring_in_line(admin, three)


def test_command_applies_checks_and_says_what_differs(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    file = tmp_path / "opsonin.toml"

    def run(*words: str, partitions: int = 4) -> tuple[int, list[dict[str, Any]]]:
        file.write_text(
            f'[kafka]\nbootstrap = ["{settings.bootstrap[0]}"]\nprefix = "{settings.prefix}"\n'
            f"replication = 1\nmin_in_sync = 1\npartitions = {partitions}\n"
        )
        done = CliRunner(mix_stderr=False).invoke(
            command, [*words, "--json", "--config", str(file)], standalone_mode=False
        )
        assert done.exception is None, done.exception
        return done.return_value, [json.loads(line) for line in done.stdout.splitlines()]

    assert run("check")[0] == 1
    code, said = run("apply")
    assert (code, {one["state"] for one in said}) == (0, {"done"})
    assert run("check") == (0, [])
    code, said = run("check", partitions=8)
    assert code == 1
    assert {one["remedy"] for one in said} == {"grow"}
