"""The systemd journal, followed through `journalctl`, each entry as the syslog line that it would have been.

Source: systemd 257 journalctl(1), systemd.journal-fields(7). A line `<PRI>TIME HOST IDENT[PID]: MESSAGE`, with the time to the
microsecond, is what the adapters for Linux read. The position is the journal's own cursor, so that a restart
goes on behind the last entry handed over, also after a reboot.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from contract.errors import SettingsError, StoreError
from contract.ports import Batch, Meter, SourceType
from contract.timestamps import iso

POSITION_VERSION = 1
STEADY_S: Final = 10.0
"""A journalctl that ends sooner than so after its start could not do its work: rights, a wrong match."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class JournaldSettings(BaseModel):
    """Which entries.

    Attributes:
        matches: journal matches such as `_SYSTEMD_UNIT=ssh.service` or `SYSLOG_FACILITY=10`; none: all entries.
        from_start: at the first start, read what the journal already holds; otherwise only what comes.
        follow: wait for more; without, read to the end and stop.
        max_record_bytes: longer entries are cut to one byte more, and refused by the normalizer.
        batch_records: about how many entries are handed over at once.
        journalctl: the program.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    matches: tuple[Annotated[str, Field(pattern=r"^(?:[A-Z_0-9]+=.*|\+)$")], ...] = ()
    from_start: bool = False
    follow: bool = True
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    journalctl: str = "journalctl"


class Journald:
    """A running `journalctl`. Its pipe is the back-pressure: nothing is read ahead beyond one entry's bound."""

    def __init__(
        self, name: str, settings: JournaldSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self._program = shutil.which(settings.journalctl)
        if self._program is None:
            raise SettingsError(f"source {name}: there is no program {settings.journalctl!r}")
        self._process: Process | None = None
        self._runs = 0
        self._complaint = ""
        self._is_closed = False

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield entries behind the position's cursor until closed, or the end without `follow`.

        A journalctl that ends is started again behind the last entry.

        Raises:
            StoreError: `position` cannot be read, or journalctl ended by itself soon after its start.
        """
        clock, since = asyncio.get_running_loop().time, f"@{self._now_us() / 1e6:.6f}"
        while True:
            began = clock()
            async with contextlib.aclosing(self._run(position, since)) as run:
                async for batch in run:
                    position = batch.position
                    yield batch
            if self._is_closed or not self._settings.follow:
                return
            if clock() - began < STEADY_S:
                raise StoreError(f"source {self._name}: journalctl ended: {self._complaint}")
            self._meter.add("journal_restarts", source=self._name)

    async def _run(self, position: Any, since: str) -> AsyncGenerator[Batch]:
        """Yield what one journalctl says, until it ends."""
        process = await asyncio.create_subprocess_exec(
            *self._command(position, since),
            stdout=PIPE,
            stderr=PIPE,
            limit=8 * self._settings.max_record_bytes,
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101 - asked for above
        is_over = False
        try:
            async for records, cursor in self._entries(process.stdout):
                at = {"version": POSITION_VERSION, "cursor": cursor}
                yield Batch(self._name, records, self._now_us(), at)
            is_over = True
        finally:
            # A process that has ended must not be told to: its status would be taken from the loop, which warns.
            if not is_over:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            _, complaint = await process.communicate()
            words = complaint.decode("utf-8", "replace").strip()[-300:]
            self._complaint = words or str(process.returncode)

    async def close(self) -> None:
        """End journalctl; what it has written is still handed over."""
        self._is_closed = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def _command(self, position: Any, since: str) -> list[str]:
        settings = self._settings
        command = [str(self._program), "--output=json", "--all", "--no-pager", "--quiet"]
        if position is not None:
            try:
                if position["version"] != POSITION_VERSION:
                    raise StoreError(f"a journal position of version {position['version']}")
                command.append(f"--after-cursor={position['cursor']}")
            except (KeyError, TypeError) as error:
                raise StoreError(f"a journal position that cannot be read: {error}") from error
        if settings.follow:
            # With a number of lines, --follow begins at the end; all lines begin at the cursor or the start.
            is_again, self._runs = self._runs > 0, self._runs + 1
            is_all = position is not None or settings.from_start or is_again
            command += ["--follow", f"--lines={'all' if is_all else '0'}"]
            if is_again and position is None and not settings.from_start:
                command.append(f"--since={since}")
        return [*command, *settings.matches]

    async def _entries(self, pipe: asyncio.StreamReader) -> AsyncIterator[tuple[list[bytes], str]]:
        """Yield lines and the cursor of the last: an entry alone at once, many together."""
        held, cursor = [], ""
        while True:
            try:
                raw = await pipe.readline()
            except ValueError:  # beyond the pipe's limit; asyncio has thrown the line away
                self._meter.add("dropped_bound", source=self._name)
                continue
            if not raw:
                break
            entry = _entry(raw)
            if entry is None:
                self._meter.add("journal_errors", source=self._name)
                continue
            line, cursor = entry
            self._meter.add("records_read", source=self._name)
            self._meter.add("bytes_read", len(raw), source=self._name)
            held.append(line[: self._settings.max_record_bytes + 1])
            is_more = b"\n" in pipe._buffer  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way to ask
            if not is_more or len(held) >= self._settings.batch_records:
                yield held, cursor
                held = []
        if held:
            yield held, cursor


def _entry(raw: bytes) -> tuple[bytes, str] | None:
    """Return the syslog line and the cursor of one exported entry."""
    try:
        entry = _decode(raw)
        stamp = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry["__REALTIME_TIMESTAMP"]
        time = iso(int(stamp))
        cursor = str(entry["__CURSOR"])
        priority = int(entry.get("SYSLOG_FACILITY", 1)) * 8 + int(entry.get("PRIORITY", 6))
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
        KeyError,
        ValueError,
        TypeError,
        OverflowError,
    ):
        return None
    message = _text(entry.get("MESSAGE"))
    identifier = _text(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM")) or b"-"
    pid = _text(entry.get("SYSLOG_PID") or entry.get("_PID"))
    tag = identifier + (b"[" + pid + b"]" if pid and identifier != b"kernel" else b"")
    host = _text(entry.get("_HOSTNAME")) or b"-"
    head = f"<{min(max(priority, 0), 191)}>{time} ".encode()
    return head + host + b" " + tag + b": " + message, cursor


def _text(value: Any) -> bytes:
    """Return a field's bytes: text, or (where it is not UTF-8) a list of numbers, or the first of several values."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, list) and value:
        if all(isinstance(one, int) and 0 <= one <= 255 for one in value):  # noqa: PLR2004 - a byte
            return bytes(value)
        return _text(value[0])
    return b""


SOURCE = SourceType("journald", JournaldSettings, Journald)
