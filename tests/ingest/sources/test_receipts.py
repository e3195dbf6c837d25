"""RELP and Lumberjack over real sockets: an answer comes when the records are durable, and not before."""

import asyncio
import contextlib
import shutil
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.meter import MemoryMeter
from contract.ports import Batch
from ingest.sources.lumberjack import LumberjackSettings, LumberjackSource
from ingest.sources.relp import RelpSettings, RelpSource
from ingest.streams import connection
from ingest.streams.listener import Listener
from tests.conftest import PATIENCE_S, require

OPEN = b"1 open 30 relp_version=0\ncommands=syslog\n"
RSYSLOG_MODULES = Path("/usr/lib/x86_64-linux-gnu/rsyslog")


@contextlib.asynccontextmanager
async def running(source: Listener) -> AsyncIterator[list[Batch]]:
    batches: list[Batch] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            batches.append(batch)  # noqa: PERF401 - the list is read while it grows

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.01)
        yield batches
        await source.close()


async def until(batches: list[Batch], count: int) -> None:
    while sum(len(one.records) for one in batches) < count:  # noqa: ASYNC110 - others fill the list
        await asyncio.sleep(0.01)


async def _relp() -> None:
    source = RelpSource("gw", RelpSettings(port=0), MemoryMeter(), lambda: 0)
    async with running(source) as batches:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(OPEN)
        assert (await reader.readuntil(b"syslog\n")).startswith(b"1 rsp ")
        writer.write(b"2 syslog 4 <1>a\n3 syslog 4 <1>b\n")
        await until(batches, 2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        source.confirm(batches[-1].position)
        assert await reader.readexactly(30) == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n"
        writer.write(b"4 close 0\n")
        assert await reader.read() == b"4 rsp 0\n0 serverclose 0\n"
        writer.close()


def test_relp_answers_when_the_records_are_durable() -> None:
    asyncio.run(_relp())


async def _lumberjack() -> None:
    settings = LumberjackSettings(port=0, unwrap="message")
    source = LumberjackSource("beats", settings, MemoryMeter(), lambda: 0)
    async with running(source) as batches:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        event = b'{"message":"<13>a"}'
        events = b"".join(
            b"2J" + struct.pack(">II", number, len(event)) + event for number in (1, 2, 3)
        )
        body = zlib.compress(events)
        writer.write(b"2W" + struct.pack(">I", 3) + b"2C" + struct.pack(">I", len(body)) + body)
        await until(batches, 3)
        assert batches[0].records == [b"<13>a"] * 3
        # A client that waits is told that its events are being worked on.
        assert await reader.readexactly(6) == b"2A" + struct.pack(">I", 0)
        source.confirm(batches[-1].position)
        while (answer := await reader.readexactly(6)) == b"2A" + struct.pack(">I", 0):
            pass
        assert answer == b"2A" + struct.pack(">I", 3)
        writer.close()


def test_lumberjack_answers_when_the_events_are_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", 0.05)
    asyncio.run(_lumberjack())


async def _closing() -> bytes:
    source = RelpSource("gw", RelpSettings(port=0), MemoryMeter(), lambda: 0)
    async with running(source) as batches:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(OPEN + b"2 syslog 4 <1>a\n")
        await until(batches, 1)
        await reader.readuntil(b"syslog\n")
        closing = asyncio.create_task(source.close())
        await asyncio.sleep(0.05)
        source.confirm(batches[-1].position)
        await closing
        said = await reader.read()
        writer.close()
    return said


def test_receipts_of_the_last_records_are_given_before_we_hang_up() -> None:
    assert asyncio.run(_closing()) == b"2 rsp 6 200 OK\n0 serverclose 0\n"


async def _nonsense() -> MemoryMeter:
    meter = MemoryMeter()
    source = LumberjackSource("beats", LumberjackSettings(port=0), meter, lambda: 0)
    async with running(source) as batches:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert not batches
    return meter


def test_who_speaks_something_else_is_hung_up_on_and_counted() -> None:
    assert asyncio.run(_nonsense()).total("protocol_errors") == 1


async def _held() -> MemoryMeter:
    meter = MemoryMeter()
    settings = LumberjackSettings(port=0, max_held_bytes=10_000)
    source = LumberjackSource("beats", settings, meter, lambda: 0)
    async with running(source) as batches:
        opened = [await asyncio.open_connection("127.0.0.1", source.port) for _ in range(3)]
        for _, writer in opened:  # each begins an event that it does not finish
            writer.write(b"2J" + struct.pack(">II", 1, 1_000_000) + bytes(4_000))
        while not meter.total("dropped_connections"):  # noqa: ASYNC110 - a count cannot wake us
            await asyncio.sleep(0.01)
        _, first = opened[0]
        first.close()
        _, again = await asyncio.open_connection("127.0.0.1", source.port)
        again.write(b"2W" + struct.pack(">I", 1) + b"2J" + struct.pack(">II", 1, 2) + b"{}")
        await until(batches, 1)
        for _, writer in (*opened[1:], (None, again)):
            writer.close()
    return meter


def test_what_all_connections_hold_unfinished_is_bounded() -> None:
    assert asyncio.run(_held()).total("dropped_connections") == 1


RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
module(load="omrelp")
input(type="imuxsock" Socket="{folder}/log" RateLimit.Interval="0")
action(type="omrelp" target="127.0.0.1" port="{port}" template="RSYSLOG_SyslogProtocol23Format"
       action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="LinkedList" timeout="5")
"""


async def _from_rsyslog(folder: Path, count: int) -> set[bytes]:
    """Let rsyslog send to a source that is closed midway without a receipt; return what came to it or the next one."""
    first = RelpSource("gw", RelpSettings(port=0), MemoryMeter(), lambda: 0)
    port = first.port
    settings = folder / "rsyslog.conf"
    settings.write_text(RSYSLOG.format(folder=folder, port=port))
    process = await asyncio.create_subprocess_exec(
        "rsyslogd", "-n", "-f", str(settings), "-i", str(folder / "pid"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    durable: set[bytes] = set()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (folder / "log").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(folder / "log"))
            async with running(first) as batches:
                for number in range(count):
                    sender.send(b"<14>Jun 15 11:00:00 test: record %d" % number)
                await until(batches, count // 2)
                kept = batches[0]  # the rest of what came is lost, as with an engine that is killed
                durable.update(record.rpartition(b"- ")[2].strip() for record in kept.records)
                first.confirm(kept.position)
                first.confirm = lambda position: None  # type: ignore[method-assign]
        second = RelpSource("gw", RelpSettings(port=port), MemoryMeter(), lambda: 0)
        async with running(second) as batches:
            while len(durable) < count:
                await asyncio.sleep(0.05)
                for batch in batches:
                    durable.update(record.rpartition(b"- ")[2].strip() for record in batch.records)
                if batches:
                    second.confirm(batches[-1].position)
    finally:
        process.kill()
        await process.wait()
    return durable


def test_rsyslog_sends_again_what_was_not_answered(tmp_path: Path) -> None:
    found = shutil.which("rsyslogd") is not None and (RSYSLOG_MODULES / "omrelp.so").exists()
    require(found, "needs rsyslog with omrelp (Debian: rsyslog, rsyslog-relp)")
    durable = asyncio.run(_from_rsyslog(tmp_path, 500))
    assert durable == {b"record %d" % number for number in range(500)}
