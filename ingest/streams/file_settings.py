"""What a source of files reads, and how."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.timespan import Timespan


class FileSettings(BaseModel):
    """Which files, and how.

    Attributes:
        path: a file, a folder (all files in it), or a pattern such as `/var/log/*.log`.
        follow: wait for more; without, read to the end and stop.
        start: where to begin in a file seen for the first time at the first start; files that appear
            later are always read from their beginning.
        check: how often folders are looked through where the kernel's word does not come.
        records: what a record is: a line; a packet of a capture (`pcap`: pf's log); or the `whole` file, once it stays as it is
            for `settle` (boot event logs, measurement lists, quotes dropped into a folder).
        settle: how long a file that was rotated away is still read, and how long a packed one must rest before it is.
        max_record_bytes: longer lines are cut to one byte more, and refused by the normalizer.
        batch_records: about how many lines are handed over at once.
        max_files: open at once; more matching files wait and are counted in `files_waiting`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    follow: bool = True
    start: Literal["beginning", "end"] = "beginning"
    records: Literal["lines", "pcap", "whole"] = "lines"
    check: Timespan = timedelta(seconds=1)
    settle: Timespan = timedelta(seconds=5)
    max_record_bytes: Annotated[int, Field(ge=64, le=268_435_456)] = 1_048_576
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    max_files: Annotated[int, Field(ge=1, le=10_000)] = 512
