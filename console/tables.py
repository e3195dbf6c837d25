"""Tables for people, JSON lines for programs: one place that decides how a listing looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from console.output import write_record
from console.plain import cell

_PIPE_WIDTH = 10_000


def show(
    rows: Iterable[BaseModel], columns: Sequence[tuple[str, Any]], *, as_json: bool, empty: str
) -> None:
    """Print records as a table, or as JSON lines.

    Args:
        rows: the records.
        columns: heading and function from a record to its cell's text.
        as_json: whole records, one a line.
        empty: what to say when there is none (on standard error).
    """
    if as_json:
        for row in rows:
            write_record(row.model_dump(mode="json"))
        return
    table = Table(box=None, pad_edge=False)
    for number, (heading, _) in enumerate(columns, 1):
        # The last column is the free text: it alone folds.
        table.add_column(heading, overflow="fold", no_wrap=number < len(columns))
    count = 0
    for row in rows:
        count += 1
        table.add_row(*(cell(read(row)) for _, read in columns))
    if count:
        # A pipe has no width of its own; rows are not folded for it.
        Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
    else:
        Console(stderr=True).print(empty)


def moment(time: datetime) -> str:
    """Return a time as people read it: UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ")
