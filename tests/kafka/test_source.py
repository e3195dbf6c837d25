"""Topics of others as a source, on a real broker: exact alone, shared in a group, adapters by header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka_broker import Broker
from pydantic import ValidationError

from contract.errors import BrokerError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.ports import Batch
from ingest.sources.kafka import KafkaSource, KafkaSourceSettings
from runtime import clock
from runtime.compose import compose
from runtime.embedded import Embedded
from runtime.flow import Seen
from runtime.settings import resolve
from runtime.store import Store
from tests.conftest import PATIENCE_S, until


def make_topic(bootstrap: str, name: str, partitions: int = 2) -> None:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}})
    client.wait_for_topics([name])
    client.close()


def fill(
    bootstrap: str, topic: str, records: list[bytes], headers: list[tuple[str, bytes]] | None = None,
    partitions: int = 2, when_ms: int | None = None,
) -> None:  # fmt: skip
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number, record in enumerate(records):
        producer.send(
            topic,
            record,
            headers=headers or [],
            partition=number % partitions,
            timestamp_ms=when_ms,
        )
    producer.flush()
    producer.close()


def numbered(*span: int) -> list[bytes]:
    return [b"record %d" % number for number in range(*span)]


def source(bootstrap: str, meter: MemoryMeter | None = None, **more: Any) -> KafkaSource:
    settings = KafkaSourceSettings.model_validate({"bootstrap": [bootstrap], **more})
    return KafkaSource("theirs", settings, meter or MemoryMeter(), clock.now_us)


async def take(
    batches: AsyncIterator[Batch], count: int, seconds: float = PATIENCE_S
) -> list[Batch]:
    """Return batches until they hold so many records."""
    found: list[Batch] = []
    async with asyncio.timeout(PATIENCE_S):
        while sum(len(one.records) for one in found) < count:
            found.append(await anext(batches))
    return found


def records(batches: list[Batch]) -> list[bytes]:
    return sorted(record for batch in batches for record in batch.records)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(main(), PATIENCE_S)

    asyncio.run(bounded())


async def end(one: KafkaSource, batches: AsyncIterator[Batch]) -> None:
    await one.close()
    assert [batch async for batch in batches] == []


def test_positions_alone_are_exact_at_every_batch(kafka: str, prefix: str) -> None:
    topic = f"{prefix}lines"
    make_topic(kafka, topic)
    fill(kafka, topic, numbered(0, 100))

    async def main() -> None:
        position: Any = None
        found: list[Batch] = []
        for _ in range(10):  # each life ends after one batch
            one = source(kafka, topics=[topic], batch_records=10)
            batches = one.batches(position)
            found += await take(batches, 1)
            position = found[-1].position
            await one.close()
            await batches.aclose()  # type: ignore[attr-defined]
        assert records(found) == sorted(numbered(0, 100))
        assert {one.sender for one in found} == {f"{topic}/0", f"{topic}/1"}

    run(main)


def test_new_partitions_and_topics_of_a_pattern_are_read_from_their_beginning(
    kafka: str, prefix: str
) -> None:
    make_topic(kafka, f"{prefix}web.one")
    fill(kafka, f"{prefix}web.one", numbered(0, 4))

    async def main() -> None:
        one = source(kafka, pattern=rf"{prefix}web\..*", look="500ms", start="end")
        batches = one.batches(None)
        waiting = asyncio.create_task(take(batches, 7))
        await until(lambda: one._at)  # from then on it knows what the end is
        await asyncio.to_thread(make_topic, kafka, f"{prefix}web.two")
        await asyncio.to_thread(make_topic, kafka, f"{prefix}other")
        await asyncio.to_thread(fill, kafka, f"{prefix}other", [b"not this"])
        await asyncio.to_thread(fill, kafka, f"{prefix}web.two", numbered(10, 14))
        await asyncio.to_thread(fill, kafka, f"{prefix}web.one", numbered(20, 23))
        assert records(await waiting) == sorted(numbered(10, 14) + numbered(20, 23))
        await end(one, batches)

    run(main)


def test_topic_that_is_not_there_yet_is_waited_for(kafka: str, prefix: str) -> None:
    async def main() -> None:
        one = source(kafka, topics=[f"{prefix}later"])
        batches = one.batches(None)
        waiting = asyncio.create_task(take(batches, 2))
        await asyncio.sleep(1)
        await asyncio.to_thread(make_topic, kafka, f"{prefix}later")
        await asyncio.to_thread(fill, kafka, f"{prefix}later", numbered(0, 2))
        assert records(await waiting) == numbered(0, 2)
        await end(one, batches)

    run(main)


def test_group_shares_partitions_and_goes_on_behind_what_is_durable(
    kafka: str, prefix: str
) -> None:
    topic = f"{prefix}shared"
    make_topic(kafka, topic, 4)
    fill(kafka, topic, numbered(0, 40), partitions=4)

    async def main() -> None:
        first = source(kafka, topics=[topic], group=f"{prefix}g", batch_records=10)
        batches = first.batches(None)
        found = await take(batches, 20)
        first.confirm(found[-1].position)
        await take(batches, 20)  # read, never durable
        await first.close()
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
        second = source(kafka, topics=[topic], group=f"{prefix}g")
        again = second.batches({"ignored": {"0": 5}})
        rest = await take(again, 20)
        assert records(found + rest) == sorted(numbered(0, 40))
        await end(second, again)

    run(main)


def test_header_names_the_adapter_and_arrival_is_when_it_came_to_kafka(
    kafka: str, prefix: str
) -> None:
    topic = f"{prefix}mixed"
    make_topic(kafka, topic, 1)
    fill(kafka, topic, numbered(0, 2), [("adapter", b"linux.auth")], 1, when_ms=1_700_000_000_000)
    fill(kafka, topic, numbered(2, 3), None, 1)
    fill(kafka, topic, numbered(3, 4), [("adapter", b"\xff")], 1)

    async def main() -> None:
        one = source(kafka, topics=[topic], adapter_header="adapter")
        batches = one.batches(None)
        found = await take(batches, 4)
        assert [(batch.adapter, len(batch.records)) for batch in found] == [
            ("linux.auth", 2),
            ("", 1),
            ("\ufffd", 1),
        ]
        assert [batch.position[topic]["0"] for batch in found] == [2, 3, 4]
        assert found[0].received_us == 1_700_000_000_000_000
        await end(one, batches)

    run(main)


def test_shippers_envelope_is_taken_off_and_a_record_too_long_is_cut(
    kafka: str, prefix: str
) -> None:
    topic = f"{prefix}beats"
    make_topic(kafka, topic, 1)
    fill(kafka, topic, [b'{"message":"the line","agent":{"type":"filebeat"}}', b"x" * 500], None, 1)

    async def main() -> None:
        one = source(kafka, topics=[topic], unwrap="message", max_record_bytes=100)
        batches = one.batches(None)
        assert records(await take(batches, 2)) == [b"the line", b"x" * 101]
        await end(one, batches)

    run(main)


def test_embedded_engine_reads_it_and_goes_on_where_it_was(
    tmp_path: Path, kafka: str, prefix: str
) -> None:
    topic = f"{prefix}ecs"
    make_topic(kafka, topic)
    (tmp_path / "rules").mkdir()
    settings = resolve(
        {
            "engine": {"data_dir": "var", "epoch": "20ms", "rules": ["rules"]},
            "source": [
                {"name": "theirs", "type": "kafka", "adapter": "generic.ecs", "bootstrap": [kafka], "topics": [topic]}
            ],
        },
        folder=tmp_path,
    )  # fmt: skip

    def life(expected: int) -> list[str]:
        seen: list[str] = []

        def watch(item: Seen) -> None:
            if isinstance(item, Event):
                seen.append(item.fields["message"])

        async def main() -> None:
            store = Store(settings.engine.data_dir / "opsonin.db")
            host = Embedded(
                settings, compose(settings).pipeline, store, MemoryMeter(), clock.now_us, watch
            )
            running = asyncio.create_task(host.run())
            await until(lambda: len(seen) >= expected)
            await host.stop()
            await running
            store.close()

        asyncio.run(main())
        return sorted(seen)

    def ecs(*span: int) -> list[bytes]:
        return [
            b'{"@timestamp":"2026-03-01T12:00:00Z","message":"%d"}' % one for one in range(*span)
        ]

    fill(kafka, topic, ecs(0, 5))
    assert life(5) == ["0", "1", "2", "3", "4"]
    fill(kafka, topic, ecs(5, 8))
    assert life(3) == ["5", "6", "7"]


def test_broker_restarted_is_waited_for(own_broker: Broker, prefix: str) -> None:
    topic = f"{prefix}lines"
    make_topic(own_broker.bootstrap, topic, 1)
    fill(own_broker.bootstrap, topic, numbered(0, 5), None, 1)

    async def main() -> None:
        one = source(own_broker.bootstrap, topics=[topic])
        batches = one.batches(None)
        assert records(await take(batches, 5)) == numbered(0, 5)
        waiting = asyncio.create_task(take(batches, 3))
        own_broker.kill()
        own_broker.start(wait=False)
        await asyncio.to_thread(own_broker.wait)
        await asyncio.to_thread(fill, own_broker.bootstrap, topic, numbered(5, 8), None, 1)
        assert records(await waiting) == numbered(5, 8)
        await end(one, batches)

    run(main)


def test_reader_without_the_right_is_told_which(
    secure_broker: Broker, tmp_path: Path, prefix: str
) -> None:
    topic = f"{prefix}lines"
    admin = KafkaAdminClient(**secure_broker.arguments())
    admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    (tmp_path / "secret").write_text(secure_broker.password("stranger"))
    assert secure_broker.authority is not None
    one = source(
        secure_broker.bootstrap, topics=[topic], group="readers", security="sasl_ssl", user="stranger",
        password_file=tmp_path / "secret", ca_file=secure_broker.authority.file,
    )  # fmt: skip

    async def main() -> None:
        with pytest.raises(
            BrokerError, match=f"source theirs: missing right: Read on {topic} and its group"
        ):
            await anext(one.batches(None))

    run(main)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "either topics or pattern"),
        ({"topics": ["a"], "pattern": "b"}, "either topics or pattern"),
        ({"pattern": "("}, "not a regular expression"),
        ({"topics": ["a"], "security": "sasl_ssl"}, "user and password_file"),
        ({"topics": ["a"], "ca_file": "x"}, "need ssl"),
    ],
)
def test_settings_that_disagree_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        KafkaSourceSettings.model_validate(wrong)
