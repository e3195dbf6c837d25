"""Files whose records are packets, or that are one record each, followed and read once; the kernel's own files."""

import asyncio
import gzip
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from contract.meter import MemoryMeter
from contract.ports import Batch
from ingest.sources.file import FileSource
from ingest.sources.unix_stream import UnixStream, UnixStreamSettings
from ingest.streams import tail_forms
from ingest.streams.file_settings import FileSettings
from ingest.streams.pcap_cutter import PcapCutter
from ingest.streams.tail import Tail
from runtime.input_files import open_input, read_records, read_whole
from tests.conftest import PATIENCE_S, until

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 117)


def packet(number: int, size: int = 10) -> bytes:
    return struct.pack("<IIII", number, 0, size, size) + bytes([number]) * size


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def rotate(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


class Follower:
    """A source that is pulled in the background."""

    def __init__(self, path: Path, position: Any = None, **settings: Any) -> None:
        made = FileSettings.model_validate(
            {"path": path, "check": "20ms", "settle": "60ms"} | settings
        )
        self.meter = MemoryMeter()
        self.source = FileSource("f", made, self.meter, lambda: 0)
        self.batches: list[Batch] = []
        self.position = position
        self.task = asyncio.create_task(self._pull())

    async def _pull(self) -> None:
        async for batch in self.source.batches(self.position):
            self.batches.append(batch)
            self.position = batch.position

    @property
    def records(self) -> list[bytes]:
        return [record for batch in self.batches for record in batch.records]

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.records) < count:  # noqa: ASYNC110 - the source fills the list
                await asyncio.sleep(0.01)
        return self.records

    async def close(self) -> None:
        await self.source.close()
        await self.task


async def _growing_capture(path: Path) -> None:
    write(path, HEADER[:10])
    first = Follower(path, records="pcap")
    with path.open("ab", buffering=0) as out:
        out.write(HEADER[10:] + packet(1) + packet(2, 300)[:100])
        assert await first.until(1) == [HEADER + packet(1)]
        out.write(packet(2, 300)[100:])
        assert (await first.until(2))[1] == HEADER + packet(2, 300)
        out.write(packet(3)[:5])
        await asyncio.sleep(0.05)
        await first.close()
        out.write(packet(3)[5:] + packet(4))
    again = Follower(path, first.position, records="pcap")
    assert await again.until(2) == [HEADER + packet(3), HEADER + packet(4)]
    rotate(path)  # as newsyslog does
    write(path, HEADER + packet(5))
    assert (await again.until(3))[2] == HEADER + packet(5)
    await again.close()


def test_a_capture_is_followed_packet_by_packet_over_restarts_and_rotation(tmp_path: Path) -> None:
    asyncio.run(_growing_capture(tmp_path / "pflog"))


async def _at_end(path: Path) -> list[bytes]:
    write(path, HEADER + packet(1) + packet(2) + packet(3)[:7])
    follower = Follower(path, records="pcap", start="end")
    await until(lambda: follower.meter.total("files_open"))
    with path.open("ab") as out:
        out.write(packet(3)[7:] + packet(4))
    found = await follower.until(2)
    await follower.close()
    return found


def test_a_capture_can_be_followed_from_its_end(tmp_path: Path) -> None:
    assert asyncio.run(_at_end(tmp_path / "pflog")) == [HEADER + packet(3), HEADER + packet(4)]


async def _once(path: Path, **settings: Any) -> Follower:
    follower = Follower(path, follow=False, **settings)
    async with asyncio.timeout(PATIENCE_S):
        await follower.task
    return follower


def test_a_cut_capture_gives_its_rest_to_be_refused_and_a_damaged_one_is_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pflog"
    path.write_bytes(HEADER + packet(1) + packet(2)[:-1])
    follower = asyncio.run(_once(path, records="pcap"))
    assert follower.records == [HEADER + packet(1), HEADER + packet(2)[:-1]]
    path.write_bytes(HEADER + packet(1) + b"\xff" * 40)
    follower = asyncio.run(_once(path, records="pcap"))
    assert follower.meter.total("file_errors") == 1


class Clock:
    """Stands in for the module `time`, and may stop."""

    def __init__(self) -> None:
        self._stopped: float | None = None

    def stop(self) -> None:
        self._stopped = time.monotonic()

    def go_on(self) -> None:
        self._stopped = None

    def monotonic(self) -> float:
        return time.monotonic() if self._stopped is None else self._stopped


async def _dropped_files(folder: Path, clock: Clock) -> None:
    follower = Follower(folder, records="whole")
    clock.stop()  # a machine that stands still meanwhile must not settle the file
    with (folder / "a").open("wb", buffering=0) as out:
        for part in (b"one\0two\n", b"three\xff"):
            out.write(part)
            await asyncio.sleep(0.05)
    assert follower.records == []
    clock.go_on()
    assert await follower.until(1) == [b"one\0two\nthree\xff"]
    (folder / "b.gz").write_bytes(gzip.compress(b"packed"))
    assert (await follower.until(2))[1] == b"packed"
    (folder / "a").write_bytes(b"another")
    assert (await follower.until(3))[2] == b"another"
    await follower.close()
    again = Follower(folder, follower.position, records="whole")
    (folder / "c").write_bytes(b"new")
    assert await again.until(1) == [b"new"]
    await asyncio.sleep(0.15)
    assert again.records == [b"new"]
    await again.close()


def test_a_whole_file_is_given_once_and_again_when_it_has_become_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(tail_forms, "time", clock)
    asyncio.run(_dropped_files(tmp_path, clock))


def test_a_whole_file_beyond_the_bound_is_cut_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 500)
    follower = asyncio.run(_once(tmp_path / "a", records="whole", max_record_bytes=100))
    assert [len(record) for record in follower.records] == [101]
    assert follower.meter.total("dropped_bound") == 1


def test_the_kernel_s_own_files_have_no_size_and_are_not_read_again() -> None:
    path = Path("/proc/cpuinfo")
    tail = Tail(path, 100_000)
    assert tail.lines(100_000)
    assert os.stat(path).st_size == 0  # noqa: PTH116 - says what it means
    assert not tail.was_truncated()
    tail.close()


def test_an_emptied_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path, 1000)
    assert tail.lines(10) == [b"one", b"two"]
    path.write_bytes(b"")
    assert tail.was_truncated()
    tail.close()


@pytest.mark.parametrize("size", [1, 7, 24, 1000])
def test_a_capture_over_a_socket_is_cut_wherever_its_chunks_end(size: int) -> None:
    stream = HEADER + b"".join(packet(number, 3 * number) for number in range(1, 60))
    cutter = PcapCutter()
    parts = [cutter.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert [one for part in parts for one in part] == [HEADER + packet(number, 3 * number) for number in range(1, 60)]  # fmt: skip
    assert cutter.taken == len(stream)


async def _over_a_socket(path: Path) -> list[bytes]:
    settings = UnixStreamSettings(path=path, records="pcap")
    source = UnixStream("pf", settings, MemoryMeter(), lambda: 0)
    found: list[bytes] = []

    async def send() -> None:
        await asyncio.sleep(0.02)
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(HEADER + packet(1))
        await writer.drain()
        writer.write(packet(10))  # a newline is no end here
        writer.close()

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(send())
        async for batch in source.batches(None):
            found += batch.records
            if len(found) == 2:
                await source.close()
    return found


def test_a_capture_comes_over_a_unix_socket(tmp_path: Path) -> None:
    assert asyncio.run(_over_a_socket(tmp_path / "s")) == [HEADER + packet(1), HEADER + packet(10)]


def test_commands_read_captures_packet_by_packet_and_files_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(HEADER + packet(1) + packet(2)))
    with open_input(path) as file:
        assert list(read_records(file)) == [HEADER + packet(1), HEADER + packet(2)]
    with open_input(path) as file:
        assert read_whole(file) == HEADER + packet(1) + packet(2)
