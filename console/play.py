"""`opsonin play`: recorded logs sent to a running engine's own sockets, re-dated to now, as their sensors would."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from console.places import config_option, settings_of
from console.senders import open_sender
from contract.errors import SettingsError
from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.timestamps import MAX_US, from_datetime, from_iso, to_datetime
from ingest.normalize import Normalizer
from runtime import clock
from runtime.input_files import open_input, read_records
from runtime.settings import Settings, SourceConfig

_ISO = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?")
_CTIME = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d \d{4}"
)
_CTIME_FORM = "%a %b %d %H:%M:%S %Y"


@dataclass(slots=True, order=True)
class Line:
    """One record of a recording; ordered by time, then place."""

    time_us: int
    number: int
    adapter: str
    raw: bytes


@click.command(epilog="Example: opsonin play --config examples/run.toml examples/webshop")
@click.argument("files", nargs=-1, required=True, metavar="FOLDER | ADAPTER=PATH…")
@click.option("--speed", default=1.0, show_default=True, help="times as fast as it was recorded")
@config_option
def play(files: tuple[str, ...], speed: float, config: Path | None) -> None:
    """Send recorded logs, re-dated to now, to the sources that the settings name for their adapters."""
    sent = asyncio.run(send(settings_of(config), read_lines(files), speed))
    click.echo(f"{sent} records sent", err=True)


def read_lines(arguments: tuple[str, ...]) -> list[Line]:
    """Return the records of files, in order of event time. A FOLDER names its adapters in a file `adapters`.

    Raises:
        SettingsError: a file is not there, or its adapter is unknown.
    """
    lines: list[Line] = []
    for argument in arguments:
        for adapter, path in _files(argument):
            lines += _lines_of(adapter, path, len(lines))
    return sorted(lines)


def _files(argument: str) -> list[tuple[str, Path]]:
    if Path(argument).is_dir():
        listing = Path(argument) / "adapters"
        try:
            rows = [
                row.split()
                for row in listing.read_text(encoding="utf-8").splitlines()
                if row.strip()
            ]
        except OSError as error:
            raise SettingsError(
                "expected a file `adapters` in it, with lines of FILE ADAPTER", file=argument
            ) from error
        return [(adapter, Path(argument) / name) for name, adapter in rows]
    adapter, _, path = argument.partition("=")
    if not path:
        raise SettingsError("expected ADAPTER=PATH or a folder", file=argument)
    return [(adapter, Path(path))]


def _lines_of(adapter: str, path: Path, start: int) -> list[Line]:
    """Read a file; a record that its adapter cannot read goes with its predecessor."""
    found = load_named("ingest.adapters", adapter, "ADAPTER", Adapter)
    normalizer = Normalizer(found, "play", meter=MemoryMeter())
    context = Context(clock.now_us())
    lines, last_us = [], 0
    with open_input(path) as file:
        for number, raw in enumerate(read_records(file), start):
            times = [one.time_us for one in normalizer.take(raw, context) if isinstance(one, Event)]
            last_us = min(times, default=last_us)
            if raw:
                lines.append(Line(last_us, number, adapter, raw))
    return lines


async def send(settings: Settings, lines: list[Line], speed: float) -> int:
    """Send each record when its time has come, counted from now; return how many.

    Raises:
        SettingsError: no source of the settings takes one of the adapters.
    """
    senders = {
        name: await open_sender(_source(settings, name))
        for name in {one.adapter: 0 for one in lines}
    }
    start_us, first_us = (
        clock.now_us(),
        min((one.time_us for one in lines if one.time_us), default=0),
    )
    try:
        for line in lines:
            due_us = start_us + round(max(0, line.time_us - first_us) / speed)
            await asyncio.sleep(max(0, due_us - clock.now_us()) / 1e6)
            await senders[line.adapter].send(redate(line.raw, first_us, start_us, speed))
    finally:
        for sender in senders.values():
            await sender.close()
    return len(lines)


def _source(settings: Settings, adapter: str) -> SourceConfig:
    for one in settings.sources:
        if one.adapter.name == adapter:
            return one
    raise SettingsError(f"no [[source]] has the adapter {adapter}; add one to play its records to")


def redate(raw: bytes, first_us: int, start_us: int, speed: float) -> bytes:
    """Return the record with every ISO or C time stamp moved as if the recording began at `start_us`."""

    def moved(time_us: int) -> datetime:
        return to_datetime(max(0, min(MAX_US, start_us + round((time_us - first_us) / speed))))

    def iso(found: re.Match[bytes]) -> bytes:
        text = found[0].decode()
        try:
            time = moved(from_iso(text))
        except ValueError:
            return found[0]
        zone = "+0000" if re.search(r"[+-]\d{4}$", text) else "+00:00"
        return f"{time:%Y-%m-%dT%H:%M:%S.%f}{zone}".encode()

    def ctime(found: re.Match[bytes]) -> bytes:
        time = datetime.strptime(found[0].decode(), _CTIME_FORM).replace(tzinfo=UTC)
        return moved(from_datetime(time)).strftime(_CTIME_FORM).encode()

    return _CTIME.sub(ctime, _ISO.sub(iso, raw))
