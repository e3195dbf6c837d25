"""A reader of a followed file is killed with SIGKILL at random moments, while lines are written and the file is rotated."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[3]
LINES = 6_000
KILLS = 8

# Keeps records and position in one line, as the engine keeps them in one transaction.
READER = """
import asyncio, json, sys
from pathlib import Path
from contract.meter import MemoryMeter
from ingest.sources.file import FileSource
from ingest.streams.file_settings import FileSettings

async def main(path, kept):
    whole = kept.read_bytes().rpartition(b"\\n")[0].split(b"\\n") if kept.exists() else []
    position = json.loads(whole[-1])["position"] if whole and whole[-1] else None
    part = kept.with_suffix(".part")  # a kill in the middle of writing must not empty what is kept
    part.write_bytes(b"".join(line + b"\\n" for line in whole if line))
    part.replace(kept)
    settings = FileSettings(path=path, check="50ms", settle="300ms", batch_records=7)
    with kept.open("ab", buffering=0) as out:
        async for batch in FileSource("log", settings, MemoryMeter(), lambda: 0).batches(position):
            records = [record.decode() for record in batch.records]
            out.write(json.dumps({"records": records, "position": batch.position}).encode() + b"\\n")
            await asyncio.sleep(0.001)

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


def kept_records(kept: Path) -> list[str]:
    lines = kept.read_bytes().split(b"\n")[:-1] if kept.exists() else []
    return [record for line in lines for record in json.loads(line)["records"]]


def start(path: Path, kept: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", READER, str(path), str(kept)], cwd=ROOT)


def wait_for(kept: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(kept_records(kept)) < count and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.mark.parametrize("followed", ["a.log", "*.log"])
def test_nothing_is_skipped_or_repeated_over_kill_9(tmp_path: Path, followed: str) -> None:
    """Of a pattern, a second log is written a tenth as fast, and never rotated."""
    chance = random.Random(5)  # noqa: S311 - repeatable, no secret
    path, kept = tmp_path / "a.log", tmp_path / "kept"
    calm = [f"calm {number}" for number in range(0, LINES, 10) if followed != path.name]
    expected = [f"line {number} {'x' * chance.randrange(80)}" for number in range(LINES)]
    rotations = {LINES // 3, 2 * LINES // 3}
    kill_at = sorted(chance.sample(range(LINES // 20, LINES), KILLS))
    path.touch()
    reader = start(tmp_path / followed, kept)
    try:
        file, other = path.open("a"), (tmp_path / "calm.log").open("a", buffering=1)
        for number, line in enumerate(expected):
            if number in rotations:
                file.close()
                (tmp_path / "a.log.1").rename(tmp_path / "a.log.2") if (
                    tmp_path / "a.log.1"
                ).exists() else None
                path.rename(tmp_path / "a.log.1")
                file = path.open("a")
            if calm and number % 10 == 0:
                other.write(calm[number // 10] + "\n")
            half = chance.randrange(len(line))
            file.write(line[:half])
            if number % 50 == 0:
                file.flush()
                time.sleep(0.01)
            file.write(line[half:] + "\n")
            if number == 0:  # a reader that has seen nothing yet cannot know what was rotated away
                file.flush()
                wait_for(kept, 1)
            if kill_at and number == kill_at[0]:
                file.flush()
                kill_at.pop(0)
                time.sleep(chance.random() * 0.5)
                reader.send_signal(signal.SIGKILL)
                reader.wait()
                reader = start(tmp_path / followed, kept)
        file.close()
        other.close()
        wait_for(kept, LINES + len(calm))
    finally:
        reader.kill()
        reader.wait()
    assert sorted(kept_records(kept)) == sorted(expected + calm)
