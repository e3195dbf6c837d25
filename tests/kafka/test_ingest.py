"""The role ingest on a real broker: each event of a file once, whatever is killed; nothing lost while Kafka is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka_broker import Broker
from ports import free_ports

from contract.errors import BrokerError, SettingsError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import DeadLetter
from contract.topics import DEAD_LETTERS, EVENTS
from runtime import clock
from runtime.kafka.client import admin, consumer
from runtime.kafka.ingest import Ingest
from runtime.kafka.topics import bring_in_line, name_of, wanted
from runtime.kafka.wire import Canary, Item, Mark, decode
from runtime.settings import Settings, resolve
from tests.conftest import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
LINE = "2026-03-01T12:{:02}:{:02}Z web sshd[1]: Failed password for root from 192.0.2.{} port 22 ssh2\n"

RUNNER = """
import asyncio, signal, sys
from pathlib import Path
from contract.meter import MemoryMeter
from runtime import clock
from runtime.kafka.ingest import Ingest
from runtime.settings import load
async def main():
    host = Ingest(load(Path(sys.argv[1]), {}), MemoryMeter(), clock.now_us)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(host.stop()))
    await host.run()
asyncio.run(main())
"""


def lines(count: int, start: int = 0) -> str:
    return "".join(
        LINE.format(number // 60 % 60, number % 60, number % 250)
        for number in range(start, start + count)
    )


def settings_of(folder: Path, bootstrap: str, prefix: str, **more: Any) -> Settings:
    tree: dict[str, Any] = {
        "engine": {"data_dir": str(folder / "var"), "epoch": "50ms", "epoch_records": 500},
        "kafka": {
            "bootstrap": [bootstrap], "prefix": prefix, "replication": 1, "min_in_sync": 1,
            "member": "one", "linger": "0s",
        },
        "source": [
            {
                "name": "auth", "type": "file", "path": str(folder / "auth.log"),
                "adapter": "linux.auth", "batch_records": 100,
            }
        ],
    }  # fmt: skip
    for table, values in more.items():
        tree[table] = {**tree[table], **values} if isinstance(values, dict) else values
    return resolve(tree)


def make_topics(settings: Settings) -> None:
    client = admin(settings.kafka)
    bring_in_line(client, wanted(settings.kafka))
    client.close()


def read(settings: Settings, topic: Any = EVENTS) -> Iterator[tuple[int, Item]]:
    """Yield partition and record of what is committed now."""
    name = name_of(settings.kafka, topic)
    reader: KafkaConsumer = consumer(settings.kafka)
    places = [TopicPartition(name, number) for number in sorted(reader.partitions_for_topic(name))]
    reader.assign(places)
    reader.seek_to_beginning()
    ends = reader.end_offsets(places)
    limit = time.monotonic() + PATIENCE_S
    while any(reader.position(place) < ends[place] for place in places):
        assert time.monotonic() < limit
        for place, found in reader.poll(200).items():
            for one in found:
                yield place.partition, decode(one.value, one.headers)
    reader.close()


def events(settings: Settings) -> Counter[str]:
    return Counter(item.fields["event.id"] for _, item in read(settings) if isinstance(item, Event))


def during(settings: Settings, do: Callable[[Ingest], Awaitable[None]]) -> MemoryMeter:
    """Run the role while `do` runs, then stop it in order."""
    meter = MemoryMeter()

    async def main() -> None:
        host = Ingest(settings, meter, clock.now_us)
        running = asyncio.create_task(host.run())
        ready = asyncio.create_task(host.ready.wait())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            ready.cancel()
            running.result()
        try:
            await do(host)
        finally:
            await host.stop()
            await running

    asyncio.run(main())
    return meter


def written(meter: MemoryMeter) -> int:
    return int(meter.total("events_total"))


def test_file_is_written_once_over_restarts(tmp_path: Path, kafka: str, prefix: str) -> None:
    settings = settings_of(tmp_path, kafka, prefix)
    make_topics(settings)
    log = tmp_path / "auth.log"
    log.write_text(lines(1_000))

    async def idle(_: Ingest) -> None:
        await until(lambda: log.stat().st_size > 0 and sum(events(settings).values()) >= expected)

    for expected in (1_000, 1_500, 1_500):
        during(settings, idle)
        found = events(settings)
        assert sum(found.values()) == expected
        assert set(found.values()) == {1}
        if expected == 1_000:
            with log.open("a") as more:
                more.write(lines(500, 1_000))


def test_marks_and_a_canary_reach_every_partition_behind_their_events(
    tmp_path: Path, kafka: str, prefix: str
) -> None:
    settings = settings_of(
        tmp_path, kafka, prefix, engine={"stop_at_end": True}, kafka={"spread": "event"},
        source=[{"name": "auth", "type": "file", "path": str(tmp_path / "auth.log"), "adapter": "linux.auth", "follow": False}],
    )  # fmt: skip
    make_topics(settings)
    (tmp_path / "auth.log").write_text(lines(3_000))
    asyncio.run(Ingest(settings, MemoryMeter(), clock.now_us).run())
    found: dict[int, list[Item]] = {}
    for partition, item in read(settings):
        found.setdefault(partition, []).append(item)
    assert sorted(found) == [0, 1, 2, 3]
    for items in found.values():
        assert sum(isinstance(item, Event) for item in items) >= 500
        assert sum(isinstance(item, Canary) for item in items) == 1
        latest = [item for item in items if isinstance(item, Mark)][-1]
        assert (latest.of, latest.ended) == ("auth", True)
        assert latest.time_us >= max(item.time_us for item in items if isinstance(item, Event))


def test_one_sender_keeps_to_one_partition(tmp_path: Path, kafka: str, prefix: str) -> None:
    settings = settings_of(tmp_path, kafka, prefix)
    make_topics(settings)
    (tmp_path / "auth.log").write_text(lines(300))

    async def idle(_: Ingest) -> None:
        await until(lambda: sum(events(settings).values()) == 300)

    during(settings, idle)
    assert len({place for place, item in read(settings) if isinstance(item, Event)}) == 1


def test_what_cannot_be_read_or_is_too_large_becomes_a_dead_letter(
    tmp_path: Path, kafka: str, prefix: str
) -> None:
    settings = settings_of(
        tmp_path, kafka, prefix, kafka={"max_record_bytes": 16_384},
        source=[{"name": "ecs", "type": "file", "path": str(tmp_path / "in.json"), "adapter": "generic.ecs"}],
    )  # fmt: skip
    make_topics(settings)
    good = {"@timestamp": "2026-03-01T12:00:00Z", "message": "fits"}
    large = {"@timestamp": "2026-03-01T12:00:01Z", "message": "x" * 20_000}
    (tmp_path / "in.json").write_text(f"{json.dumps(good)}\nnone\n{json.dumps(large)}\n")

    async def idle(_: Ingest) -> None:
        await until(lambda: len(list(read(settings, DEAD_LETTERS))) == 2)

    during(settings, idle)
    letters = [item for _, item in read(settings, DEAD_LETTERS) if isinstance(item, DeadLetter)]
    assert sum(events(settings).values()) == 1
    assert {one.source for one in letters} == {"ecs"}
    assert any(
        "kafka.max_record_bytes" in one.reason and one.size_bytes > 20_000 for one in letters
    )


def write_settings(folder: Path, bootstrap: str, prefix: str) -> Path:
    file = folder / "opsonin.toml"
    file.write_text(
        f'[engine]\ndata_dir = "var"\nepoch = "20ms"\nepoch_records = 200\n'
        f'[kafka]\nbootstrap = ["{bootstrap}"]\nprefix = "{prefix}"\nmember = "one"\nreplication = 1\nmin_in_sync = 1\n'
        f'[[source]]\nname = "auth"\ntype = "file"\npath = "auth.log"\nadapter = "linux.auth"\nbatch_records = 100\n'
    )
    return file


def test_each_event_once_over_kill_9(tmp_path: Path, kafka: str, prefix: str) -> None:
    settings = settings_of(tmp_path, kafka, prefix)
    make_topics(settings)
    file = write_settings(tmp_path, kafka, prefix)
    log = tmp_path / "auth.log"
    log.write_text("")
    total = 0
    for life in range(6):
        process = subprocess.Popen([sys.executable, "-c", RUNNER, str(file)], cwd=ROOT)
        reach = total + 1_000
        while sum(events(settings).values()) < reach - 500:
            if total < reach:
                with log.open("a") as more:
                    more.write(lines(1_000, total))
                total = reach
            assert process.poll() is None
        time.sleep(0.01 * life)
        process.send_signal(signal.SIGKILL if life < 5 else signal.SIGTERM)
        process.wait(PATIENCE_S)
    found = events(settings)
    assert set(found.values()) == {1}
    assert len(found) == total


def test_second_process_of_one_name_ends_the_first(tmp_path: Path, kafka: str, prefix: str) -> None:
    settings = settings_of(tmp_path, kafka, prefix)
    make_topics(settings)
    log = tmp_path / "auth.log"
    log.write_text(lines(10))

    async def main() -> None:
        first = Ingest(settings, MemoryMeter(), clock.now_us)
        running = asyncio.create_task(first.run())
        await until(lambda: sum(events(settings).values()) == 10)
        second = Ingest(settings, MemoryMeter(), clock.now_us)
        other = asyncio.create_task(second.run())
        await second.ready.wait()
        with log.open("a") as more:
            more.write(lines(10, 10))
        with pytest.raises(BrokerError, match=r"another process ingests as 'one'"):
            await asyncio.wait_for(running, PATIENCE_S)
        with log.open("a") as more:
            more.write(lines(10, 20))
        await until(lambda: len(events(settings)) == 30)
        await second.stop()
        await other

    asyncio.run(main())
    assert set(events(settings).values()) == {1}


def test_absent_topics_are_said(tmp_path: Path, kafka: str, prefix: str) -> None:
    settings = settings_of(tmp_path, kafka, prefix, kafka={"connect_within": "2s"})
    (tmp_path / "auth.log").write_text("")
    with pytest.raises(BrokerError, match=r"opsonin topics apply"):
        asyncio.run(Ingest(settings, MemoryMeter(), clock.now_us).run())


def test_broker_killed_and_back_loses_nothing_of_file_tcp_and_udp(
    tmp_path: Path, own_broker: Broker, prefix: str
) -> None:
    port, tcp = free_ports(2)
    settings = settings_of(
        tmp_path, own_broker.bootstrap, prefix, engine={"queue_records": 500},
        source=[
            {"name": "auth", "type": "file", "path": str(tmp_path / "auth.log"), "adapter": "linux.auth", "batch_records": 100},
            {"name": "udp", "type": "syslog_udp", "port": port, "adapter": "linux.auth"},
            {"name": "tcp", "type": "syslog_tcp", "port": tcp, "adapter": "linux.auth"},
        ],
    )  # fmt: skip
    make_topics(settings)
    (tmp_path / "auth.log").write_text(lines(500))
    meter = MemoryMeter()

    async def main() -> None:
        host = Ingest(settings, meter, clock.now_us)
        running = asyncio.create_task(host.run())
        await until(lambda: meter.total("kafka_written_total") >= 500)
        _, stream = await asyncio.open_connection("127.0.0.1", tcp)
        own_broker.kill()
        with (tmp_path / "auth.log").open("a") as more:
            more.write(lines(2_000, 500))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(20_000):
                out.sendto(
                    b"<38>Mar  1 12:00:00 web sshd[%d]: Accepted password for root from 192.0.2.7 port 22 ssh2"
                    % number,
                    ("127.0.0.1", port),
                )
                if number % 100 == 0:
                    await asyncio.sleep(0.005)
        stream.writelines(
            b"<38>Mar  1 12:00:00 web sshd[%d]: Accepted publickey for root from 192.0.2.7 port 22 ssh2\n"
            % number
            for number in range(5_000)
        )
        await until(lambda: meter.total("spooled_records") > 5_000)
        assert not running.done()
        own_broker.start(wait=False)
        await asyncio.to_thread(own_broker.wait)
        await asyncio.wait_for(stream.drain(), PATIENCE_S)
        await until(lambda: meter.total("events_total") == 27_500)
        stream.close()
        await host.stop()
        await asyncio.wait_for(running, PATIENCE_S)

    asyncio.run(main())
    found = events(settings)
    assert (len(found), set(found.values())) == (27_500, {1})
    assert meter.total("dropped_spool") == 0
    assert sum(1 for _ in (tmp_path / "var" / "spool" / "udp").iterdir()) == 0


async def connection(port: int) -> asyncio.StreamWriter:
    """Connect to a source as soon as it listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return (await asyncio.open_connection("127.0.0.1", port))[1]
            await asyncio.sleep(0.05)


def test_sources_are_open_while_kafka_is_away_from_the_start(
    tmp_path: Path, own_broker: Broker, prefix: str
) -> None:
    port, tcp = free_ports(2)
    settings = settings_of(
        tmp_path, own_broker.bootstrap, prefix, engine={"queue_records": 500}, kafka={"connect_within": "1s"},
        source=[
            {"name": "auth", "type": "file", "path": str(tmp_path / "auth.log"), "adapter": "linux.auth"},
            {"name": "udp", "type": "syslog_udp", "port": port, "adapter": "linux.auth"},
            {"name": "tcp", "type": "syslog_tcp", "port": tcp, "adapter": "linux.auth"},
        ],
    )  # fmt: skip
    make_topics(settings)
    own_broker.kill()
    (tmp_path / "auth.log").write_text(lines(500))
    meter = MemoryMeter()
    line = b"<38>Mar  1 12:00:00 web sshd[%d]: Accepted %b for root from 192.0.2.7 port 22 ssh2"

    async def main() -> None:
        host = Ingest(settings, meter, clock.now_us)
        running = asyncio.create_task(host.run())
        stream = await connection(tcp)
        stream.writelines(line % (number, b"publickey") + b"\n" for number in range(5_000))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number in range(7_000):
                out.sendto(line % (number, b"password"), ("127.0.0.1", port))
                if number % 100 == 0:
                    await asyncio.sleep(0.005)
        await asyncio.sleep(2)  # longer than one try to connect
        await until(lambda: meter.total("spooled_records") > 1_000)  # memory holds 5,000
        assert not running.done()
        assert not host.ready.is_set()
        own_broker.start(wait=False)
        await asyncio.to_thread(own_broker.wait)
        await asyncio.wait_for(host.ready.wait(), PATIENCE_S)
        await until(lambda: meter.total("events_total") == 12_500)
        stream.close()
        await host.stop()
        await asyncio.wait_for(running, PATIENCE_S)

    asyncio.run(main())
    found = events(settings)
    assert (len(found), set(found.values())) == (12_500, {1})


def test_a_process_that_never_finds_kafka_ends_when_told(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, f"127.0.0.1:{free_ports(1)[0]}", "t.", kafka={"connect_within": "1s"}
    )

    async def main() -> None:
        host = Ingest(settings, MemoryMeter(), clock.now_us)
        running = asyncio.create_task(host.run())
        await asyncio.sleep(1.5)
        assert not running.done()
        host.give_up()
        with pytest.raises(BrokerError):
            await asyncio.wait_for(running, PATIENCE_S)

    asyncio.run(main())


def test_an_address_that_is_taken_is_said_also_while_kafka_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        source = {"name": "tcp", "type": "syslog_tcp", "adapter": "linux.auth"}
        settings = settings_of(
            tmp_path, f"127.0.0.1:{free_ports(1)[0]}", "t.",
            source=[source | {"port": taken.getsockname()[1]}], kafka={"connect_within": "1s"},
        )  # fmt: skip
        with pytest.raises(SettingsError, match="cannot listen"):
            asyncio.run(Ingest(settings, MemoryMeter(), clock.now_us).run())


def test_broker_that_never_comes_back_is_given_up_when_told(
    tmp_path: Path, own_broker: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.kafka.sink._BLOCK_MS", 3_000)
    settings = settings_of(tmp_path, own_broker.bootstrap, prefix, kafka={"connect_within": "1s"})
    make_topics(settings)
    (tmp_path / "auth.log").write_text(lines(10))
    meter = MemoryMeter()

    async def main() -> None:
        host = Ingest(settings, meter, clock.now_us)
        running = asyncio.create_task(host.run())
        await host.ready.wait()
        own_broker.kill()
        with (tmp_path / "auth.log").open("a") as more:
            more.write(lines(10, 10))
        await until(lambda: meter.total("records_read") == 20)
        await host.stop()
        assert not running.done()
        host.give_up()
        with pytest.raises(BrokerError, match="gave up"):
            await asyncio.wait_for(running, PATIENCE_S)

    asyncio.run(main())
    own_broker.start()
    assert sum(events(settings).values()) <= 20
