"""Files followed and read once: rotation, truncation, restarts at any line, nothing skipped or repeated."""

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from contract.errors import SettingsError, StoreError
from contract.meter import MemoryMeter
from contract.ports import Batch
from ingest.sources import file
from ingest.sources.file import FileSource
from ingest.streams import tail
from ingest.streams.file_settings import FileSettings
from tests.conftest import PATIENCE_S, until


def source(path: Path, *, meter: MemoryMeter | None = None, **settings: Any) -> FileSource:
    given = {"check": timedelta(milliseconds=20), "settle": timedelta(milliseconds=60), **settings}
    return FileSource(
        "logs", FileSettings(path=str(path), **given), meter or MemoryMeter(), lambda: 0
    )


def read_once(path: Path, position: Any = None, **settings: Any) -> list[Batch]:
    async def run() -> list[Batch]:
        return [batch async for batch in source(path, follow=False, **settings).batches(position)]

    return asyncio.run(run())


def records(batches: list[Batch]) -> list[bytes]:
    return [record for batch in batches for record in batch.records]


class Following:
    """A followed source whose batches are taken one by one."""

    def __init__(self, path: Path, position: Any = None, **settings: Any) -> None:
        self.meter = MemoryMeter()
        self._source = source(path, meter=self.meter, **settings)
        self._batches: AsyncIterator[Batch] = self._source.batches(position)
        self.position: Any = position

    async def take(self, count: int) -> list[bytes]:
        found: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < count:
                batch = await anext(self._batches)
                self.position = batch.position
                found += batch.records
        return found

    async def nothing(self, seconds: float = 0.15) -> None:
        pulled = asyncio.ensure_future(self._next())
        await asyncio.sleep(seconds)
        assert not pulled.done(), pulled.result()
        await self._source.close()
        with pytest.raises(StopAsyncIteration):
            await pulled

    async def _next(self) -> Batch:
        while not (batch := await anext(self._batches)).records:
            assert not batch.has_more  # without records, it only says that the source has caught up
        return batch

    async def end(self) -> None:
        await self._source.close()
        await cast("AsyncGenerator[Batch, None]", self._batches).aclose()


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_a_file_is_read_once_to_its_end_with_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\r\ntwo\n\nthree")
    batches = read_once(path)
    assert records(batches) == [b"one", b"two", b"three"]
    assert batches[0].sender == str(path)
    assert read_once(path, batches[-1].position) == []


def test_a_folder_is_read_oldest_first_and_gzip_unpacked(tmp_path: Path) -> None:
    for age, (name, data) in enumerate(
        [("b.log", b"3\n"), ("a.log.1", b"2\n"), ("a.log.2.gz", gzip.compress(b"1\n"))]
    ):
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    assert records(read_once(tmp_path)) == [b"1", b"2", b"3"]
    assert records(read_once(tmp_path / "a.*")) == [b"1", b"2"]


def test_damaged_gzip_ends_that_file_alone_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n" * 100_000)[:-20])
    (tmp_path / "b.log").write_bytes(b"2\n")
    assert records(read_once(tmp_path))[-1:] == [b"2"]


def test_more_files_than_may_be_open_are_read_one_after_another(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.log").write_bytes(b"%d\n" % number)
    assert sorted(records(read_once(tmp_path, max_files=1))) == [
        b"%d" % number for number in range(10)
    ]


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_reading_goes_on_after_any_batch_without_gap_or_repetition(
    tmp_path: Path, stop_after: int
) -> None:
    path = tmp_path / "a.log"
    lines = [b"line %06d %s" % (number, b"x" * (number % 300)) for number in range(20_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")

    async def run() -> list[bytes]:
        found: list[bytes] = []
        position, taken = None, -1
        while taken:
            taken = 0
            batches = source(path, follow=False, batch_records=1).batches(position)
            async for batch in batches:
                found += batch.records
                position = batch.position
                taken += 1
                if taken == stop_after:
                    break
            await batches.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(run()) == lines


def test_following_holds_a_half_written_line_until_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntw")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"one"]
        kept = following.position
        add(path, b"o\nthree\n")
        assert await following.take(2) == [b"two", b"three"]
        await following.end()
        again = Following(path, kept)
        assert await again.take(2) == [b"two", b"three"]
        await again.nothing()

    asyncio.run(run())


def test_a_file_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later" / "a.log"

    async def run() -> None:
        following = Following(path)
        pulled = asyncio.ensure_future(following.take(1))
        await asyncio.sleep(0.05)
        path.parent.mkdir()
        path.write_bytes(b"one\n")
        assert await pulled == [b"one"]
        await following.nothing()

    asyncio.run(run())


def test_rotation_by_rename_reads_the_old_file_out_and_the_new_from_its_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"1"]
        path.rename(tmp_path / "a.log.1")
        add(tmp_path / "a.log.1", b"2\n")
        path.write_bytes(b"3\n")
        add(tmp_path / "a.log.1", b"4")
        assert sorted(await following.take(3)) == [b"2", b"3", b"4"]
        add(path, b"5\n")
        assert await following.take(1) == [b"5"]
        await following.nothing()

    asyncio.run(run())


def test_rotation_while_nobody_looked_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"1"]
        await following.end()
        add(path, b"2\n")
        path.rename(tmp_path / "a.log.1")
        path.write_bytes(b"3\n")
        again = Following(path, following.position)
        assert await again.take(2) == [b"2", b"3"]
        await asyncio.sleep(0.1)
        add(path, b"4\n")
        assert await again.take(1) == [b"4"]
        await again.nothing()

    asyncio.run(run())


@pytest.mark.parametrize("followed", ["a.log", "*.log"])
@pytest.mark.parametrize("seam", ["by_age", "place_of", "copies"])
def test_rotation_while_files_are_opened_skips_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, followed: str, seam: str
) -> None:
    path = tmp_path / "a.log"
    add(path, b"one\ntwo\n")
    step = getattr(file, seam)
    seen: list[None] = []

    def rotating(*given: Any) -> Any:
        found = step(*given)
        if not seen:
            seen.append(None)
            path.rename(tmp_path / "a.log.1")
            add(path, b"four\nfive\nsix\nseven\n")
        return found

    async def run() -> None:
        first = Following(tmp_path / followed)
        assert await first.take(2) == [b"one", b"two"]
        await first.end()
        add(path, b"three\n")
        monkeypatch.setattr(file, seam, rotating)
        again = Following(tmp_path / followed, first.position)
        assert await again.take(5) == [b"three", b"four", b"five", b"six", b"seven"]
        await again.nothing()
        assert seen

    asyncio.run(run())


def test_two_rotations_while_nobody_looked_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    (tmp_path / "a.log.9").write_bytes(b"older than all\n")
    os.utime(tmp_path / "a.log.9", (1, 1))
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"1"]
        await following.end()
        add(path, b"2\n")
        path.rename(tmp_path / "a.log.2")
        (tmp_path / "a.log.1").write_bytes(b"3\n")
        path.write_bytes(b"4\n")
        again = Following(path, following.position)
        assert sorted(await again.take(3)) == [b"2", b"3", b"4"]
        await again.nothing()

    asyncio.run(run())


def test_copy_and_truncate_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n2\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(2) == [b"1", b"2"]
        with path.open("r+b") as file:
            file.truncate(0)
        add(path, b"3\n")
        assert await following.take(1) == [b"3"]
        assert following.meter.total("files_truncated") == 1
        await following.nothing()

    asyncio.run(run())


def test_what_was_not_read_before_a_truncation_is_read_of_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n2\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(2) == [b"1", b"2"]
        add(path, b"3\nhalf")
        shutil.copy2(path, tmp_path / "a.log.1")
        os.truncate(path, 0)
        add(path, b"5\n")
        assert await following.take(2) == [b"3", b"5"]
        assert await following.take(1) == [b"half"]  # when nothing more came behind it
        await following.nothing()

    asyncio.run(run())


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_log_copied_or_packed_while_nobody_looked_is_read_to_its_end(
    tmp_path: Path, *, packed: bool, rotated: bool
) -> None:
    """And what was rotated after it from its beginning."""
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n2\n")
    older = tmp_path / "a.log.9"
    older.write_bytes(b"1\nanother log that begins like it\n")
    os.utime(older, (0, 0))

    async def run() -> None:
        following = Following(path)
        assert await following.take(2) == [b"1", b"2"]
        await following.end()
        add(path, b"3\n")
        status, copy = path.stat(), tmp_path / ("a.log.2.gz" if packed else "a.log.2")
        copy.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.truncate(path, 0)
        if rotated:
            (tmp_path / "a.log.1").write_bytes(b"4\n")
            await asyncio.sleep(0.02)  # files are told apart in time by no less
        add(path, b"5\n")
        again = Following(path, following.position)
        expected = [b"3", b"4", b"5"] if rotated else [b"3", b"5"]
        assert await again.take(len(expected)) == expected
        await again.nothing()

    asyncio.run(run())


def test_packing_what_a_pattern_matches_gives_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n2\n")

    async def run() -> None:
        following = Following(tmp_path / "a.log*")
        assert await following.take(2) == [b"1", b"2"]
        path.rename(tmp_path / "a.log.1")
        (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(b"1\n2\n"))
        (tmp_path / "a.log.1").unlink()
        path.write_bytes(b"3\n")
        assert await following.take(1) == [b"3"]
        await following.nothing()

    asyncio.run(run())


def rotate(path: Path, way: str) -> None:
    """Rotate as logrotate does: what was rotated before is numbered anew."""
    for number in (2, 1):
        for end in ("", ".gz"):
            if (old := Path(f"{path}.{number}{end}")).exists():
                old.rename(f"{path}.{number + 1}{end}")
    first = Path(f"{path}.1")
    if way == "copied":
        shutil.copy(path, first)
        os.truncate(path, 0)
        return
    path.rename(first)
    path.touch()
    if way == "packed":
        status = first.stat()
        packed = Path(f"{first}.gz")
        packed.write_bytes(gzip.compress(first.read_bytes()))
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        first.unlink()


@pytest.mark.parametrize("way", ["renamed", "copied", "packed"])
@pytest.mark.parametrize(
    ("pattern", "when"),
    [("a.log", "empty and down"), ("a.log", "twice at once"), ("a.log", "new and at once"), ("a.log*", "twice at once")],
)  # fmt: skip
def test_a_log_that_was_rotated_before_it_was_looked_at_is_read_once(
    tmp_path: Path, way: str, pattern: str, when: str
) -> None:
    """And history that was there before stays unread, where the path does not name it."""
    path, history = tmp_path / "a.log", tmp_path / "a.log.9"
    history.write_bytes(b"history\n")
    os.utime(history, (1, 1))
    expected = [b"history"] if pattern == "a.log*" else []

    async def run() -> None:
        if when != "new and at once":
            path.write_bytes(b"1\n" if when == "twice at once" else b"")
        following = Following(tmp_path / pattern)
        stood = [*expected, *([b"1"] if when == "twice at once" else [])]
        while not stood and not following.position:
            following.position = (await anext(following._batches)).position
        assert sorted(await following.take(len(stood))) == sorted(stood)
        if when == "empty and down":
            await following.end()
        add(path, b"2\n")
        rotate(path, way)
        add(path, b"3\n")
        if when != "new and at once":
            rotate(path, way)
            add(path, b"4\n")
        if when == "empty and down":
            following = Following(tmp_path / pattern, following.position)
        new = [b"2", b"3"] if when == "new and at once" else [b"2", b"3", b"4"]
        assert sorted(await following.take(len(new))) == new
        await following.nothing(0.1)

    asyncio.run(run())


def test_what_was_rotated_after_a_copy_is_read_though_it_changed_before_the_last_look(
    tmp_path: Path,
) -> None:
    """A copy may keep the time of change of what it was made of, which may have been long in reading."""
    path, older, newer = (tmp_path / name for name in ("a.log", "a.log.2", "a.log.1"))
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"1"]
        await following.end()
        older.write_bytes(b"1\n2\n")
        os.utime(older, (1000, 1000))
        newer.write_bytes(b"3\n")
        os.utime(newer, (2000, 2000))
        path.write_bytes(b"4\n")
        again = Following(path, following.position)
        assert sorted(await again.take(3)) == [b"2", b"3", b"4"]
        await again.nothing()

    asyncio.run(run())


def test_what_waits_to_rest_is_still_read_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path, settle=timedelta(hours=1))
        assert await following.take(1) == [b"1"]
        for text in (b"2\n", b"3\n"):
            path.write_bytes(text)
            rotate(path, "renamed")
        path.write_bytes(b"4\n")
        found: list[bytes] = []
        while b"4" not in found:
            found += await following.take(1)
        await asyncio.sleep(0.1)
        add(path, b"5\n")
        found += await following.take(1)
        await following.end()
        again = Following(path, following.position)
        while len(found) < 4:
            found += await again.take(1)
        assert sorted(set(found)) == [b"2", b"3", b"4", b"5"]
        await again.nothing()

    asyncio.run(run())


def test_a_packed_file_is_read_when_it_is_no_longer_written(tmp_path: Path) -> None:
    packed, path = gzip.compress(b"line\n" * 1000), tmp_path / "a.log.1.gz"

    async def run() -> None:
        following = Following(tmp_path / "a.log*", settle=timedelta(hours=1))
        await anext(following._batches)
        path.write_bytes(packed[:20])
        await asyncio.sleep(0.1)
        path.write_bytes(packed)
        os.utime(path, (1, 1))  # as gzip does at its end
        assert len(await following.take(1000)) == 1000
        assert following.meter.total("file_errors") == 0
        await following.nothing()

    asyncio.run(run())


def test_another_log_under_a_like_name_is_not_taken_for_a_rotated_one(tmp_path: Path) -> None:
    path, other = tmp_path / "app", tmp_path / "app-1"
    path.write_bytes(b"1\n")

    async def run() -> None:
        following = Following(path)
        assert await following.take(1) == [b"1"]
        add(other, b"of another\n")
        await following.nothing(0.3)

    asyncio.run(run())


def test_a_used_again_inode_is_told_by_the_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old 1\nold 2\n")
    position = read_once(path)[-1].position
    with path.open("r+b") as file:  # the same inode with other content, and longer
        file.write(b"new 1\nnew 2\nnew 3\n")
    assert records(read_once(path, position)) == [b"new 1", b"new 2", b"new 3"]


def long_lines(name: str, first: int, count: int) -> bytes:
    """Lines of a kilobyte, so that few of them fill a turn."""
    return b"".join(
        b"%s %06d %s\n" % (name.encode(), number, b"x" * 1000)
        for number in range(first, first + count)
    )


def words(found: list[bytes]) -> list[bytes]:
    return [line[:-1001] for line in found]


def test_a_file_that_is_written_faster_than_it_is_read_keeps_no_other_waiting(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        busy, calm = tmp_path / "busy.log", tmp_path / "calm.log"
        busy.write_bytes(long_lines("b", 0, 1))
        calm.write_bytes(b"")
        following = Following(tmp_path, batch_records=100)
        assert len(await following.take(1)) == 1
        written, found = 1, list[bytes]()
        with busy.open("ab", buffering=0) as out, calm.open("ab", buffering=0) as little:
            little.write(long_lines("c", 0, 1))
            for turn in range(40):
                out.write(long_lines("b", written, 300))
                written += 300
                found += await following.take(100)
                if turn == 20:  # a file that comes while another is never read to its end
                    (tmp_path / "late.log").write_bytes(long_lines("l", 0, 1))
                    await asyncio.sleep(0.05)
        assert b"c 000000" in words(found)
        assert b"l 000000" in words(found)
        again = Following(tmp_path, following.position, batch_records=100)
        found += await again.take(written + 1 - len(found))
        assert sorted(words(found)) == sorted(
            [b"c 000000", b"l 000000", *(b"b %06d" % number for number in range(1, written))]
        )
        await again.nothing()

    asyncio.run(run())


def test_a_rotated_file_is_read_to_its_end_before_the_one_that_follows_it(tmp_path: Path) -> None:
    async def run() -> None:
        live = tmp_path / "app.log"
        live.write_bytes(long_lines("a", 0, 1))
        following = Following(tmp_path / "app.log", batch_records=100)
        found = await following.take(1)
        with live.open("ab") as out:
            out.write(long_lines("a", 1, 3000))
        found += await following.take(100)
        live.rename(tmp_path / "app.log.1")
        live.write_bytes(long_lines("a", 3001, 3000))
        found += await following.take(6001 - len(found))
        assert words(found) == [b"a %06d" % number for number in range(6001)]
        await following.nothing()

    asyncio.run(run())


def test_what_stood_when_reading_began_is_read_file_by_file(tmp_path: Path) -> None:
    async def run() -> None:
        for age, name in ((20, "one"), (10, "two")):
            path = tmp_path / f"{name}.log"
            path.write_bytes(long_lines(name, 0, 2000))
            os.utime(path, (1_700_000_000 - age,) * 2)
        found = words(await Following(tmp_path, batch_records=100).take(4000))
        assert found == [
            b"%s %06d" % (name, number) for name in (b"one", b"two") for number in range(2000)
        ]

    asyncio.run(run())


def test_from_the_end_only_what_comes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old\nhal")

    async def run() -> None:
        following = Following(path, start="end")
        pulled = asyncio.ensure_future(following.take(2))
        await until(lambda: following.meter.total("files_open"))
        add(path, b"f\nnew\n")
        assert await pulled == [b"half", b"new"]
        await following.nothing()

    asyncio.run(run())


def test_an_overlong_line_is_cut_counted_and_held_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"1\n" + b"x" * 10_000_000 + b"\n2\n")
    meter = MemoryMeter()

    async def run() -> list[Batch]:
        opened = source(path, follow=False, meter=meter, max_record_bytes=1000)
        return [batch async for batch in opened.batches(None)]

    batches = asyncio.run(run())
    assert [len(record) for record in records(batches)] == [1, 1001, 1]
    assert meter.total("dropped_bound") == 1
    assert read_once(path, batches[-1].position) == []


def test_long_lines_are_handed_over_in_batches_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MAX_BATCH_BYTES", 1_000_000)
    path = tmp_path / "a.log"
    path.write_bytes((b"x" * 300_000 + b"\n") * 20)
    batches = read_once(path)
    assert len(records(batches)) == 20
    assert max(len(one.records) for one in batches) <= 5
    assert all(one.has_more for one in batches[:-1])


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(SettingsError, match="no file matches"):
        source(Path("/nonexistent/opsonin.log"), follow=False)


@pytest.mark.parametrize(
    "position", [{"version": 99, "files": []}, {"files": 1}, 5, {"version": 1, "files": [{"x": 1}]}]
)
def test_a_position_that_cannot_be_read_is_refused(tmp_path: Path, position: Any) -> None:
    (tmp_path / "a.log").write_bytes(b"1\n")
    with pytest.raises(StoreError, match="position"):
        read_once(tmp_path / "a.log", position)


def test_a_followed_file_says_when_it_has_caught_up(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    add(path, b"one\ntwo\n")

    async def run() -> list[tuple[list[bytes], bool]]:
        one = source(path)
        said = []
        async with asyncio.timeout(PATIENCE_S):
            async for batch in one.batches(None):
                said.append((batch.records, batch.has_more))
                if not batch.has_more and not batch.records:
                    add(path, b"three\n")
                if batch.records == [b"three"]:
                    await one.close()
        return said

    assert asyncio.run(run()) == [([b"one", b"two"], True), ([], False), ([b"three"], False)]
