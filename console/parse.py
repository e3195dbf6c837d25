"""`opsonin parse`: normalization alone, to see what an adapter makes of a log."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import msgspec

from console.output import write
from console.time_options import Arrival, Zone
from contract.event import Event
from contract.meter import MemoryMeter
from contract.plugins import load, load_named
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings
from ingest.recognize import CLEAR_LEAD, CONFIDENCE, SAMPLE, Fit, recognize
from runtime import clock
from runtime.input_files import open_input, read_records, read_whole


@click.command(epilog="Example: opsonin parse --adapter linux.netfilter kern.log | head -1")
@click.option(
    "--adapter", help="e.g. suricata.eve; an unknown name is answered with all that there are"
)
@click.option(
    "--detect", is_flag=True, help="say which adapters fit the first records, and how well, instead"
)
@click.option("-0", "by_nul", is_flag=True, help="records are separated by NUL, not by newline")
@click.option(
    "--whole", is_flag=True, help="each file is one record: boot event logs, binary lists"
)
@click.option(
    "--zone", type=Zone(), default="UTC", show_default=True, help="of time stamps that name none"
)
@click.option("--received", type=Arrival(), help="ISO time of arrival (default: now)")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
def parse(
    adapter: str | None,
    detect: bool,
    by_nul: bool,
    whole: bool,
    zone: ZoneInfo,
    received: int | None,
    files: tuple[Path, ...],
) -> None:
    """Print what an adapter makes of each record: `{"record": N, "event": {…}}` or a dead letter with its reason."""
    separator = b"\0" if by_nul else b"\n"
    received_us = clock.now_us() if received is None else received
    if detect:
        _detect(files, separator, received_us)
        return
    if adapter is None:
        raise click.UsageError("say --adapter NAME, or --detect")
    found = load_named("ingest.adapters", adapter, "ADAPTER", Adapter)
    normalizer = Normalizer(found, "parse", settings=NormalizeSettings(), meter=MemoryMeter())
    context = Context(received_us, zone)
    number = -1
    for path in files or (None,):
        with open_input(path) as file:
            for raw in [read_whole(file)] if whole else read_records(file, separator):
                number += 1
                if not raw and not by_nul:
                    continue
                _print(number, normalizer.take(raw, context))
                if by_nul:  # such records are whole: nothing of one belongs to the next
                    _print(number, normalizer.flush(context))
        _print(number, normalizer.flush(context))
    sys.stdout.flush()


def _detect(files: tuple[Path, ...], separator: bytes, received_us: int) -> None:
    adapters = load("ingest.adapters", "ADAPTER", Adapter)
    for path in files or (None,):
        with open_input(path) as file:
            sample = list(islice(read_records(file, separator), SAMPLE))
        fits = recognize(sample, adapters, received_us)
        for fit in fits:
            told = {"file": str(path or "-"), "adapter": fit.adapter, "confidence": fit.confidence}
            write(msgspec.json.encode(told | {"parsed": fit.parsed}))
        sys.stdout.flush()
        if doubt := _doubt(fits) if sample else "no record to look at":
            click.echo(f"{path or 'standard input'}: {doubt}", err=True)


def _doubt(fits: list[Fit]) -> str:
    """Return what a person should know before the first adapter named is believed; empty: nothing."""
    if not fits:
        return "no adapter reads it (those whose events take several records, such as linux.auditd, were tried too)"
    if fits[0].confidence < CONFIDENCE:
        return (
            f"no adapter reaches a confidence of {CONFIDENCE}. Where several products write into one file, parse each one's lines alone, "
            'or name adapters by [[source.route]]; adapter = "detect" finds one for each sender'
        )
    if len(fits) > 1 and fits[0].confidence - fits[1].confidence < CLEAR_LEAD:
        return f"{fits[0].adapter} and {fits[1].adapter} are close: look at what both make of it"
    return ""


def _print(number: int, items: list[Event | DeadLetter]) -> None:
    for item in items:
        if isinstance(item, Event):
            write(b'{"record":%d,"event":%b}' % (number, item.json))
        else:
            write(msgspec.json.encode({"record": number, "dead_letter": {"reason": item.reason}}))
