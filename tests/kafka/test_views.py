"""Live views: what is looked at is counted once, over restarts of the Faust process and records sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka_broker import Broker

from contract.meter import MemoryMeter
from contract.records import Alert, Chain, Rule
from contract.topics import ALERTS, CHAINS
from runtime.kafka.client import admin, producer
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.view import FEED, MAX_NAMES, OTHER, View
from runtime.kafka.views import ROLE, Views
from runtime.kafka.wire import encode
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(number: int, revision: int = 1, name: str = "Port scan") -> Alert:
    return Alert(
        id=f"a{number}", revision=revision, rule=Rule(id="r", name=name, level="high"),
        time=NOW, last=NOW + timedelta(seconds=number), events=("e",), event_count=1,
        tactics=("discovery",), fields={"event.dataset": "suricata.eve"},
    )  # fmt: skip


def test_a_revision_is_no_new_alert_and_an_older_one_is_no_news() -> None:
    view = View()
    assert view.take("alerts", 0, alert(1))
    assert view.take("alerts", 1, alert(1, revision=2))
    assert not view.take("alerts", 2, alert(1))
    assert view.counts["rules"] == {"Port scan": 1}
    assert [one["revision"] for one in view.feed] == [1, 2]


def test_what_is_read_again_is_passed_over_after_a_restart_too() -> None:
    view = View()
    for number in range(5):
        view.take("alerts", number, alert(number))
    again = View(view.row())
    for number in range(5):
        assert not again.take("alerts", number, alert(number))
    assert again.row() == view.row()


def test_a_record_sent_anew_after_an_abort_counts_once() -> None:
    view = View()
    view.take("alerts", 0, alert(1))
    assert not view.take("alerts", 7, alert(1))
    assert view.counts["tactics"] == {"discovery": 1}


def test_views_are_bounded() -> None:
    view = View()
    for number in range(MAX_NAMES + 5):
        view.take("alerts", number, alert(number, name=f"rule {number}"))
    assert len(view.counts["rules"]) == MAX_NAMES + 1
    assert view.counts["rules"][OTHER] == 5
    assert len(view.feed) == FEED


@pytest.fixture
def settings(kafka: str, prefix: str, tmp_path: Path) -> Settings:
    return settings_of(tmp_path, kafka, prefix)


def write(settings: Settings, records: Sequence[Alert | Chain]) -> None:
    client = producer(settings.kafka)
    for record in records:
        value, headers = encode(record)
        topic = ALERTS if isinstance(record, Alert) else CHAINS
        client.send(name_of(settings.kafka, topic), value, headers=headers)
    client.flush()
    client.close()


async def look(settings: Settings, alerts: int) -> Views:
    """Run the role until it has counted so many alerts; return it at rest."""
    views = Views(settings, MemoryMeter())
    running = asyncio.create_task(views.run())
    async with asyncio.timeout(PATIENCE_S):
        while views.view.counts["rules"].total() < alerts:
            await asyncio.sleep(0.1)
            if running.done():
                running.result()
        await asyncio.sleep(1.5)  # more would be counted now, and what was is committed
    views.stop()
    await running
    return views


def test_counts_go_on_after_a_restart_and_nothing_is_counted_twice(settings: Settings) -> None:
    chain = Chain(id="c", revision=1, score=9.0, first=NOW, last=NOW, alerts=("a1", "a2"))
    write(settings, [*(alert(number) for number in range(20)), chain])
    first = asyncio.run(look(settings, 20))
    assert first.row()["counts"]["sources"] == {"suricata.eve": 20}
    write(settings, [alert(number) for number in range(10, 30)])
    second = asyncio.run(look(settings, 30))
    assert second.row()["counts"]["rules"] == {"Port scan": 30}
    assert {one["kind"] for one in second.row()["feed"]} == {"alert", "chain"}


def test_a_group_position_ahead_of_the_view_loses_nothing(settings: Settings) -> None:
    write(settings, [alert(number) for number in range(600)])
    name = name_of(settings.kafka, ALERTS)
    group = KafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, group_id=f"{settings.kafka.prefix}{ROLE}",
        enable_auto_commit=False,
    )  # fmt: skip
    group.assign([TopicPartition(name, 0)])
    group.commit({TopicPartition(name, 0): OffsetAndMetadata(100, "", -1)})
    group.close()
    found = asyncio.run(look(settings, 600))
    assert found.row()["counts"]["rules"] == {"Port scan": 600}


def settings_of(tmp_path: Path, bootstrap: str, prefix: str) -> Settings:
    table = {"bootstrap": [bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1}
    made = resolve({"engine": {"data_dir": str(tmp_path)}, "kafka": table})
    client = admin(made.kafka)
    bring_in_line(client, wanted(made.kafka))
    client.close()
    return made


async def counted(views: Views, running: asyncio.Task[None], alerts: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while views.view.counts["rules"].total() < alerts:
            assert not running.done()
            await asyncio.sleep(0.1)


def test_brokers_that_come_late_or_an_end_of_faust_end_nothing(
    tmp_path: Path, own_broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, own_broker.bootstrap, prefix)
    made: list[Any] = []
    make = Views._app
    monkeypatch.setattr("runtime.kafka.views.RETRY_LAST_S", 1.0)

    def noted(self: Views) -> Any:
        made.append(make(self))
        return made[-1]

    monkeypatch.setattr(Views, "_app", noted)

    async def trial() -> None:
        meter = MemoryMeter()
        views = Views(settings, meter)
        own_broker.kill()
        running = asyncio.create_task(views.run())
        async with asyncio.timeout(PATIENCE_S):
            while not views.last_error:  # noqa: ASYNC110  as above: nothing else is told
                await asyncio.sleep(0.1)
        assert not views.ready.is_set()
        own_broker.start(wait=False)
        await asyncio.to_thread(own_broker.wait)
        await asyncio.to_thread(write, settings, [alert(number) for number in range(10)])
        await counted(views, running, 10)
        assert not views.last_error
        crash = made[-1].crash(RuntimeError("a thread of Faust's ended"))
        asyncio.run_coroutine_threadsafe(crash, made[-1].loop)
        await asyncio.to_thread(write, settings, [alert(number) for number in range(5, 20)])
        await counted(views, running, 20)
        assert views.row()["counts"]["rules"] == {"Port scan": 20}
        assert meter.total("loop_restarts_total") >= 2
        views.stop()
        await running

    asyncio.run(trial())
