"""`opsonin match`: Sigma detection alone, over JSON events of any known shape."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.output import write
from contract.errors import ParseError, SettingsError

if TYPE_CHECKING:
    from correlate.sigma.lines import LineMatcher
    from correlate.sigma.taxonomy import Source


@click.command(
    epilog="Example: opsonin match --rules rules/detection --count windows.jsonl\n\n"
    "Events are JSON objects, one a line: nested or dotted, Windows events as NXLog, Winlogbeat or "
    "an EVTX reader writes them. A line that is no JSON object is named on standard error."
)
@click.option(
    "--rules", "roots", required=True, multiple=True, type=click.Path(path_type=Path),
    help="folder or file of Sigma rules",
)  # fmt: skip
@click.option("--pipeline", "pipelines", multiple=True, help="by name (shipped) or file")
@click.option("--logsource", help="of all events, e.g. category=process_creation,product=windows")
@click.option("--count", is_flag=True, help="print only the counts")
@click.option("--slow-patterns", is_flag=True, help="allow look-around, under a time limit")
@click.option("--cache/--no-cache", default=True, help="keep compiled rules for the next time")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
def match(
    roots: tuple[Path, ...],
    pipelines: tuple[str, ...],
    logsource: str | None,
    count: bool,
    slow_patterns: bool,
    cache: bool,
    files: tuple[Path, ...],
) -> None:
    """Print which rules hold for which event: `{"record": 0, "rule": "<rule id>"}`."""
    from correlate.sigma.lines import LineMatcher  # noqa: PLC0415  # start of --help stays quick
    from correlate.sigma.rules import Options  # noqa: PLC0415
    from runtime.rule_cache import (  # noqa: PLC0415
        default_cache_folder,
        load_rules,
        pipelines_of,
    )

    began = time.perf_counter()
    loaded = load_rules(
        roots,
        pipelines=pipelines_of(pipelines),
        options=Options(allow_slow=slow_patterns),
        cache_folder=default_cache_folder() if cache else None,
    )
    for error in loaded.rules.errors:
        click.echo(f"refused: {error}", err=True)
    matcher = LineMatcher(loaded.rules.detections.values(), stated=_stated(logsource))
    load_seconds = time.perf_counter() - began
    began = time.perf_counter()
    events, hits, bad = _run(matcher, files, show=not count)
    if count:
        write(
            b'{"events": %d, "hits": %d, "seconds": %.3f, "load_seconds": %.3f}'
            % (events, hits, time.perf_counter() - began, load_seconds)
        )
    sys.stdout.buffer.flush()
    if bad:
        click.echo(f"{bad} lines were no JSON objects", err=True)


def _run(matcher: LineMatcher, files: tuple[Path, ...], *, show: bool) -> tuple[int, int, int]:
    """Match every line; return events, hits, and lines that are no events."""
    from runtime.input_files import open_input, read_records  # noqa: PLC0415

    record = -1
    hits = bad = empty = 0
    match_line = matcher.match
    for path in files or (None,):
        with open_input(path) as file:
            for line in read_records(file, b"\n"):
                record += 1
                if not line.strip():
                    empty += 1
                    continue
                try:
                    found = match_line(line)
                except ParseError as error:
                    bad += 1
                    click.echo(f"{path or 'standard input'}, record {record}: {error}", err=True)
                    continue
                if found:
                    hits += len(found)
                    if show:
                        for rule in found:
                            write(b'{"record": %d, "rule": "%b"}' % (record, _quoted(rule.id)))
                        sys.stdout.buffer.flush()
    return record + 1 - bad - empty, hits, bad


def _quoted(text: str) -> bytes:
    from msgspec.json import encode  # noqa: PLC0415

    return encode(text)[1:-1]


def _stated(text: str | None) -> Source | None:
    from correlate.sigma.rules import logsource_of  # noqa: PLC0415

    if not text:
        return None
    given = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    unknown = set(given) - {"category", "product", "service"}
    if unknown or len(given) != len(text.split(",")):
        raise SettingsError(
            f"--logsource is {text!r}; expected category=…, product=…, service=…, with commas between"
        )
    return logsource_of(given.get("product"), given.get("category"), given.get("service"))
