"""The journal through a stand-in for journalctl: lines, cursors, ends, faults."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import SettingsError, StoreError
from contract.meter import MemoryMeter
from contract.ports import Batch
from ingest.formats import syslog
from ingest.sources.journald import Journald, JournaldSettings
from tests.conftest import PATIENCE_S


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {
        "__CURSOR": f"s=1;i={number}", "__REALTIME_TIMESTAMP": str(1_781_521_200_000_000 + number), "_HOSTNAME": "web",
        "SYSLOG_IDENTIFIER": "sshd", "_PID": "42", "PRIORITY": "6", "SYSLOG_FACILITY": "10", "MESSAGE": f"message {number}", **more,
    }  # fmt: skip


def stand_in(folder: Path, *entries: Any, follow: str = "exec sleep 60", code: str = "") -> str:
    """Write a journalctl that notes its arguments, prints the entries, and then follows."""
    lines = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in entries)
    (folder / "entries").write_text(lines + "\n" if lines else "")
    program = folder / "journalctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" > {folder}/arguments\ncat {folder}/entries\n{code}\ncase "$*" in *--follow*) {follow};; esac\n'
    )
    program.chmod(0o755)
    return str(program)


async def pull(
    program: str, position: Any = None, *, count: int = 0, now_us: int = 0, **settings: Any
) -> tuple[list[Batch], MemoryMeter]:
    meter = MemoryMeter()
    source = Journald(
        "log", JournaldSettings(journalctl=program, **settings), meter, lambda: now_us
    )
    found: list[Batch] = []
    async with asyncio.timeout(PATIENCE_S):
        async for batch in source.batches(position):
            found.append(batch)
            if count and sum(len(one.records) for one in found) >= count:
                await source.close()
    return found, meter


def test_entries_become_syslog_lines_with_their_time(tmp_path: Path) -> None:
    batches, meter = asyncio.run(pull(stand_in(tmp_path, entry(1), entry(2)), count=2))
    lines = [line for batch in batches for line in batch.records]
    assert lines[0] == b"<86>2026-06-15T11:00:00.000001Z web sshd[42]: message 1"
    header = syslog.read(lines[1].decode(), 0)
    assert (header.host, header.app, header.pid, header.message) == (
        "web",
        "sshd",
        "42",
        "message 2",
    )
    assert batches[-1].position == {"version": 1, "cursor": "s=1;i=2"}
    assert meter.total("records_read") == 2
    assert (tmp_path / "arguments").read_text().split()[-2:] == ["--follow", "--lines=0"]


def test_a_restart_goes_on_behind_the_cursor(tmp_path: Path) -> None:
    program = stand_in(tmp_path, entry(3))
    asyncio.run(
        pull(program, {"version": 1, "cursor": "s=1;i=2"}, count=1, matches=("_COMM=sshd",))
    )
    arguments = (tmp_path / "arguments").read_text().split()
    assert {"--after-cursor=s=1;i=2", "--lines=all", "_COMM=sshd"} <= set(arguments)


def test_without_follow_it_ends_at_the_end(tmp_path: Path) -> None:
    batches, _ = asyncio.run(pull(stand_in(tmp_path, entry(1)), follow=False))
    assert len(batches) == 1


def test_binary_and_missing_values_are_survived_and_rubbish_is_counted(tmp_path: Path) -> None:
    program = stand_in(
        tmp_path, entry(1, MESSAGE=[255, 65]), "rubbish", {"MESSAGE": "no cursor"}, entry(2, MESSAGE=None, SYSLOG_IDENTIFIER="kernel"),
        entry(3, MESSAGE=["first", "second"]),
    )  # fmt: skip
    batches, meter = asyncio.run(pull(program, follow=False))
    lines = [line.partition(b"web ")[2] for batch in batches for line in batch.records]
    assert lines == [b"sshd[42]: \xffA", b"kernel: ", b"sshd[42]: first"]
    assert meter.total("journal_errors") == 2


def test_an_entry_beyond_the_bound_is_cut(tmp_path: Path) -> None:
    batches, _ = asyncio.run(
        pull(stand_in(tmp_path, entry(1, MESSAGE="x" * 300)), follow=False, max_record_bytes=100)
    )
    assert len(batches[0].records[0]) == 101


def test_a_journalctl_that_ends_by_itself_is_an_error(tmp_path: Path) -> None:
    program = stand_in(tmp_path, entry(1), code="echo 'no rights' >&2; exit 1")
    with pytest.raises(StoreError, match="journalctl ended: no rights"):
        asyncio.run(pull(program))


@pytest.mark.parametrize(
    ("before", "settings", "expected"),
    [
        ([entry(1)], {"from_start": True}, "--after-cursor=s=1;i=1"),
        ([], {}, "--lines=all --since=@7.000000"),
    ],
)
def test_a_journalctl_that_ends_later_is_started_again_behind_its_last_entry(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: list[Any],
    settings: dict[str, Any],
    expected: str,
) -> None:
    monkeypatch.setattr("ingest.sources.journald.STEADY_S", 0.0)
    again = f"mv {tmp_path}/next {tmp_path}/entries && exit 1"
    program = stand_in(tmp_path, *before, code=again)
    (tmp_path / "next").write_text(json.dumps(entry(2)) + "\n")
    batches, meter = asyncio.run(pull(program, count=len(before) + 1, now_us=7_000_000, **settings))
    lines = [line for batch in batches for line in batch.records]
    assert [line[-1:] for line in lines] == [b"1", b"2"][-len(lines) :]
    assert len(lines) == len(before) + 1
    assert meter.total("journal_restarts") == 1
    assert expected in (tmp_path / "arguments").read_text()


def test_what_is_missing_or_malformed_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no program"):
        Journald(
            "log", JournaldSettings(journalctl=str(tmp_path / "none")), MemoryMeter(), lambda: 0
        )
    for position in (5, {"version": 2, "cursor": "x"}, {"version": 1}):
        with pytest.raises(StoreError, match="position"):
            asyncio.run(pull(stand_in(tmp_path), position))
