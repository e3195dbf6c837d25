"""Records of files and standard input, for commands that read to the end: plain or gzip, one record a line or by NUL.

Following files that grow is `ingest.sources.file`'s work.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from contract.errors import SettingsError

CHUNK_BYTES = 1 << 20
MAX_RECORD_BYTES = 16 << 20
"""A longer record is cut into pieces of this size, each given on (and refused by its adapter)."""
_GZIP_MAGIC = b"\x1f\x8b"


def open_input(path: Path | None) -> BinaryIO:
    """Open a file, unpacking gzip by its first bytes; None is standard input.

    Raises:
        SettingsError: it cannot be opened.
    """
    if path is None:
        return sys.stdin.buffer
    try:
        file = path.open("rb")
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", file=str(path)) from error
    packed = file.peek(2)[:2] == _GZIP_MAGIC
    return cast("BinaryIO", gzip.open(file, "rb")) if packed else file


def read_records(file: BinaryIO, separator: bytes = b"\n") -> Iterator[bytes]:
    """Yield records in order, without separator (nor a carriage return before a newline); empty ones too.

    Memory is bounded by one chunk and one record.
    """
    rest = b""
    while chunk := file.read1(CHUNK_BYTES) if hasattr(file, "read1") else file.read(CHUNK_BYTES):
        *records, rest = (rest + chunk).split(separator)
        yield from map(_without_return, records) if separator == b"\n" else records
        while len(rest) > MAX_RECORD_BYTES:
            yield rest[:MAX_RECORD_BYTES]
            rest = rest[MAX_RECORD_BYTES:]
    if rest:
        yield _without_return(rest) if separator == b"\n" else rest


def _without_return(record: bytes) -> bytes:
    return record[:-1] if record.endswith(b"\r") else record
