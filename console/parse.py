"""`opsonin parse`: normalization alone, to see what an adapter makes of a log."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from console.output import write
from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from contract.timestamps import from_iso
from ingest.normalize import Normalizer, NormalizeSettings
from runtime import clock
from runtime.input_files import open_input, read_records


@click.command(epilog="Example: opsonin parse --adapter linux.netfilter kern.log | head -1")
@click.option("--adapter", required=True, help="e.g. suricata.eve")
@click.option("-0", "by_nul", is_flag=True, help="records are separated by NUL, not by newline")
@click.option("--zone", default="UTC", show_default=True, help="of time stamps that name none")
@click.option("--received", help="ISO time of arrival (default: now)")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
def parse(
    adapter: str, by_nul: bool, zone: str, received: str | None, files: tuple[Path, ...]
) -> None:
    """Print what an adapter makes of each record: `{"record": N, "event": {…}}` or a dead letter with its reason."""
    found = load_named("ingest.adapters", adapter, "ADAPTER", Adapter)
    normalizer = Normalizer(found, "parse", settings=NormalizeSettings(), meter=MemoryMeter())
    context = Context(from_iso(received) if received else clock.now_us(), ZoneInfo(zone))
    number = -1
    for path in files or (None,):
        with open_input(path) as file:
            for raw in read_records(file, b"\0" if by_nul else b"\n"):
                number += 1
                if not raw and not by_nul:
                    continue
                _print(number, normalizer.take(raw, context))
                if by_nul:  # such records are whole: nothing of one belongs to the next
                    _print(number, normalizer.flush(context))
        _print(number, normalizer.flush(context))
    sys.stdout.flush()


def _print(number: int, items: list[Event | DeadLetter]) -> None:
    for item in items:
        if isinstance(item, Event):
            write(b'{"record":%d,"event":%b}' % (number, item.json))
        else:
            write(msgspec.json.encode({"record": number, "dead_letter": {"reason": item.reason}}))
