"""`opsonin search`: events, alerts, chains, decisions, outcomes and dead letters by a query."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.table import Table

from console.output import write_record
from console.places import config_option, json_option, open_store, settings_of
from console.plain import cell
from contract.errors import InputError, QueryError
from contract.timespan import parse as parse_span
from contract.timestamps import MAX_US, MIN_US, microseconds
from runtime import clock
from runtime.elastic.client import connect
from runtime.query import indexed, stored
from runtime.query.request import KINDS, Hit, Kind, Request, request
from runtime.query.values import time_span
from runtime.settings import Settings

_SHOWN = (
    "event.action", "rule.name", "host.name", "user.name", "source.ip", "destination.ip", "opsonin.chain.score",
    "opsonin.decision.state", "opsonin.target.value", "message",
)  # fmt: skip
_CELL = 60


@click.command(epilog="Example: opsonin search 'source.ip: 203.0.113.0/24 and event.kind: alert' --last 24h")  # fmt: skip
@click.argument("query", default="")
@config_option
@json_option
@click.option("--kind", type=click.Choice(KINDS), default="event", show_default=True, help="of records")  # fmt: skip
@click.option("--from", "first", help="earliest time, e.g. 2026-01-31, 2026-01-31T12:00:00Z, now-1h")  # fmt: skip
@click.option("--to", "last", help="latest time; a day is meant whole")
@click.option("--last", "span", help="instead of --from: the last 15m, 24h, 7d")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="newest so many")  # fmt: skip
@click.option("--in", "place", type=click.Choice(["store", "elastic"]), default="store", show_default=True, help="where to look")  # fmt: skip
def search(
    query: str,
    config: Path | None,
    as_json: bool,
    kind: str,
    first: str | None,
    last: str | None,
    span: str | None,
    limit: int,
    place: str,
) -> None:
    """Find records by a query in KQL, the newest first; see docs/search.md."""
    settings = settings_of(config)
    now_us = clock.now_us()
    first_us, last_us = _times(first, last, span, now_us)
    try:
        asked = request(
            query, cast("Kind", kind), now_us, first_us=first_us, last_us=last_us, limit=limit
        )
    except QueryError as error:
        raise QueryError(error.message, file="query", line=1 if error.column else 0, column=error.column) from error  # fmt: skip
    with _hits(settings, asked, place) as hits:
        if as_json:
            for hit in hits:
                write_record({"id": hit.id, **hit.document})
        else:
            _show(hits)


@contextmanager
def _hits(settings: Settings, asked: Request, place: str) -> Iterator[Iterator[Hit]]:
    if place == "elastic":
        client = connect(settings.elastic)
        try:
            yield indexed.search(client, settings.elastic.namespace, asked)
        finally:
            client.close()
    else:
        store = open_store(settings)
        try:
            yield stored.search(store, asked)
        finally:
            store.close()


def _times(first: str | None, last: str | None, span: str | None, now_us: int) -> tuple[int, int]:
    if first and span:
        raise click.UsageError("--from and --last cannot stand together")
    first_us, last_us = MIN_US, MAX_US
    try:
        if span:
            first_us = now_us - microseconds(parse_span(span))
        if first:
            first_us = time_span("--from", first, now_us)[0] * 1_000
        if last:
            last_us = time_span("--to", last, now_us)[1] * 1_000
    except (ValueError, InputError) as error:
        raise click.UsageError(str(error)) from error
    return max(first_us, MIN_US), last_us


def _show(hits: Iterator[Hit]) -> None:
    """Print a table of the columns that any hit has."""
    found = list(hits)
    if not found:
        click.echo("nothing found", err=True)
        return
    columns = [name for name in _SHOWN if any(name in hit.document for hit in found)]
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(("id", "@timestamp", *columns)):
        table.add_column(name, overflow="fold", no_wrap=number <= len(columns))
    for hit in found:
        cells = (cell(_cell(hit.document.get(name, ""))) for name in columns)
        table.add_row(cell(hit.id[:12]), cell(hit.document.get("@timestamp", "")), *cells)
    width = None if os.isatty(1) else (len(columns) + 2) * (_CELL + 2)
    Console(width=width, highlight=False).print(table)


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
