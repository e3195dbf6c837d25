"""Each role's rights are enough, none is too much, and one that is missing is named; by password and by certificate."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import KafkaAdminClient
from kafka_broker import Broker

from console.topics import topics as topics_command
from contract.errors import BrokerError, SettingsError
from contract.meter import MemoryMeter
from contract.topics import EVENTS, POLICY
from ingest.streams.kafka_batches import abandon
from runtime import clock
from runtime.kafka import client
from runtime.kafka.ingest import Ingest
from runtime.kafka.rights import ACCESS, Right, acl, command, grant, missing, rights
from runtime.kafka.settings import KafkaSettings
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[2]
LIST = ROOT / "deploy" / "kafka" / "acls.sh"
HEAD = """\
#!/bin/sh
# The least rights of each role, for the default prefix; written by tests/kafka/test_rights.py (OPSONIN_ACCEPT=1).
# Other prefix or users: `opsonin topics acls --principal 'User:siem-{role}'`, or let it give them: `--apply`.
# Usage: BOOTSTRAP=host:9093 ADMIN=admin.properties deploy/kafka/acls.sh
set -eu
acl() { kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN" "$@"; }

"""


def test_list_of_rights_in_deploy_is_the_tables() -> None:
    body = "".join(f"acl {command(right)}\n" for right in rights("opsonin."))
    if os.environ.get("OPSONIN_ACCEPT"):
        LIST.write_text(HEAD + body)
        LIST.chmod(0o755)
    assert LIST.read_text() == HEAD + body, "OPSONIN_ACCEPT=1 writes it anew"


def test_only_decide_writes_policy_and_only_ingest_and_enforcers_write_events() -> None:
    writers = {
        topic.name: {role for role, access in ACCESS.items() if topic in access.writes}
        for topic in (POLICY, EVENTS)
    }
    assert writers == {"policy": {"decide"}, "events": {"ingest", "enforce"}}


# ------------------------------------------------------------------ on a broker


@pytest.fixture
def boss(secure_broker: Broker) -> Iterator[KafkaAdminClient]:
    made = KafkaAdminClient(**secure_broker.arguments())
    yield made
    made.close()


def access(
    secure_broker: Broker, folder: Path, user: str, prefix: str, **more: Any
) -> dict[str, Any]:
    secret = folder / f"{user}.password"
    secret.write_text(secure_broker.password(user) + "\n")
    assert secure_broker.authority is not None
    return {
        "bootstrap": [secure_broker.bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1,
        "security": "sasl_ssl", "user": user, "password_file": str(secret), "member": "one",
        "ca_file": str(secure_broker.authority.file), "connect_within": "60s", **more,
    }  # fmt: skip


def by_certificate(secure_broker: Broker, folder: Path, user: str, prefix: str) -> dict[str, Any]:
    pair = secure_broker.pair(user)
    tree = access(secure_broker, folder, user, prefix)
    del tree["user"], tree["password_file"]
    return tree | {
        "bootstrap": [secure_broker.certificate_bootstrap], "security": "ssl",
        "certificate_file": str(pair.certificate), "key_file": str(pair.key),
    }  # fmt: skip


def ingest_settings(folder: Path, kafka: dict[str, Any]) -> Settings:
    log = folder / "auth.log"
    log.write_text(
        "2026-03-01T12:00:00Z web sshd[1]: Accepted password for root from 192.0.2.7 port 22 ssh2\n"
    )
    source = {
        "name": "auth",
        "type": "file",
        "path": str(log),
        "adapter": "linux.auth",
        "follow": False,
    }
    return resolve(
        {
            "engine": {"data_dir": str(folder / "var"), "epoch": "50ms", "stop_at_end": True},
            "kafka": kafka,
            "source": [source],
        }
    )


def make_topics(boss: KafkaAdminClient, prefix: str) -> None:
    bring_in_line(boss, wanted(KafkaSettings(prefix=prefix, replication=1, min_in_sync=1)))


def ingest(settings: Settings) -> None:
    asyncio.run(asyncio.wait_for(Ingest(settings, MemoryMeter(), clock.now_us).run(), PATIENCE_S))


def settle(boss: KafkaAdminClient, check: Callable[[], bool]) -> None:
    """Rights reach the broker's own view a moment after they are given."""
    limit = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < limit
        time.sleep(0.1)
    time.sleep(0.3)


def give(boss: KafkaAdminClient, *given: Right) -> None:
    grant(boss, given)
    settle(boss, lambda: not missing(boss, given))


def test_password_and_certificate_prove_the_same_user(
    secure_broker: Broker, boss: KafkaAdminClient, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    give(boss, *rights(prefix, ["ingest"]))
    ingest(ingest_settings(tmp_path, access(secure_broker, tmp_path, "opsonin-ingest", prefix)))
    ingest(
        ingest_settings(tmp_path, by_certificate(secure_broker, tmp_path, "opsonin-ingest", prefix))
    )


LEFT_OUT = (
    "Write on topic {}events",
    "Write on topic {}dead-letters",
    "Write on topic {}ingest-state",
    "Read on topic {}ingest-state",
    "Write on transactional-id {}ingest.*",
)


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_ingest_without_one_of_its_rights_is_refused_and_says_which(
    secure_broker: Broker, boss: KafkaAdminClient, tmp_path: Path, prefix: str, left_out: str
) -> None:
    make_topics(boss, prefix)
    wanted_rights = list(rights(prefix, ["ingest"]))
    without = [one for one in wanted_rights if one.words() != left_out.format(prefix)]
    assert len(without) == len(wanted_rights) - 1
    give(boss, *without)
    settings = ingest_settings(tmp_path, access(secure_broker, tmp_path, "opsonin-ingest", prefix))
    with pytest.raises(BrokerError) as refused:
        ingest(settings)
    said = str(refused.value)
    assert "missing right: " in said
    assert left_out.format(prefix).removesuffix("*") in said


def test_command_gives_what_its_own_role_needs(
    secure_broker: Broker, boss: KafkaAdminClient, tmp_path: Path, prefix: str
) -> None:
    file = tmp_path / "opsonin.toml"

    def run(user: str, *words: str) -> tuple[int, str]:
        lines = [
            f"{key} = {json.dumps(value)}"
            for key, value in access(secure_broker, tmp_path, user, prefix).items()
        ]
        file.write_text("[kafka]\n" + "\n".join(lines))
        done = CliRunner(mix_stderr=False).invoke(
            topics_command, [*words, "--config", str(file)], standalone_mode=False
        )
        if done.exception:
            raise done.exception
        return done.return_value, done.stdout

    code, said = run("admin", "acls", "--check", "--role", "topics")
    assert (code, len(said.splitlines())) == (1, 5)
    with pytest.raises(BrokerError, match="missing right"):
        run("opsonin-topics", "apply")
    assert run("admin", "acls", "--apply", "--role", "topics")[0] == 0
    settle(boss, lambda: run("admin", "acls", "--check", "--role", "topics") == (0, ""))
    assert run("opsonin-topics", "apply")[0] == 0
    assert run("opsonin-topics", "check")[0] == 0
    with pytest.raises(BrokerError, match="missing right: Alter on the cluster"):
        run("opsonin-topics", "acls", "--apply", "--role", "ingest")


def test_roles_write_and_read_nothing_that_is_not_theirs(
    secure_broker: Broker, boss: KafkaAdminClient, tmp_path: Path, prefix: str
) -> None:
    make_topics(boss, prefix)
    give(boss, *rights(prefix, ["ingest"]))
    settings = KafkaSettings(**access(secure_broker, tmp_path, "opsonin-ingest", prefix))
    producer = client.producer(settings, max_block_ms=60_000)
    policy = name_of(settings, POLICY)
    with (
        pytest.raises(BrokerError, match=f"missing right: Write on topic {policy}"),
        client.translated(f"write to {policy}", f"Write on topic {policy}"),
    ):
        producer.send(policy, b"{}", partition=0).get(PATIENCE_S)
    abandon(producer)


# ------------------------------------------------------------------ who is not let in


def refused(tree: dict[str, Any]) -> BrokerError:
    """Return what is said to whom no broker lets in; a slow machine may come to no answer within the first limit."""
    for limit in ("3s", "60s"):
        with pytest.raises(BrokerError) as said:
            client.admin(KafkaSettings(**tree | {"connect_within": limit}))
        if not said.value.passes:
            break
    return said.value


def test_wrong_password_is_no_outage(secure_broker: Broker, tmp_path: Path, prefix: str) -> None:
    tree = access(secure_broker, tmp_path, "stranger", prefix)
    Path(tree["password_file"]).write_text("guess")
    said = refused(tree)
    assert not said.passes
    assert "does not let user 'stranger' in" in str(said)
    assert "guess" not in str(said)


def test_broker_that_is_away_may_come_back(tmp_path: Path) -> None:
    settings = KafkaSettings(bootstrap=("127.0.0.1:9",), connect_within="1s")
    with pytest.raises(BrokerError, match="cannot be reached within 1 s") as away:
        client.admin(settings)
    assert away.value.passes


def test_broker_of_another_authority_is_refused(
    secure_broker: Broker, tmp_path: Path, prefix: str
) -> None:
    tree = access(secure_broker, tmp_path, "opsonin-ingest", prefix)
    del tree["ca_file"]
    said = refused(tree)
    assert not said.passes
    assert "kafka.ca_file" in str(said)


def test_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    tree = {"security": "sasl_ssl", "user": "me", "password_file": tmp_path / "none"}
    with pytest.raises(SettingsError, match=r"kafka\.password_file: cannot be read"):
        client.admin(KafkaSettings(**tree))
    (tmp_path / "none").write_text("\n")
    with pytest.raises(SettingsError, match=r"is empty; expected a secret"):
        client.admin(KafkaSettings(**tree))


def test_acl_of_a_right_names_the_roles_user() -> None:
    made = acl(next(rights("x.", ["detect"])))
    assert made.principal == "User:opsonin-detect"
    assert made.resource_pattern.resource_name == "x.events"
