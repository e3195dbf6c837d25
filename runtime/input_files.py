"""Records of files and standard input, for commands that read to the end: plain or gzip, one record a line or by NUL.

Following files that grow is `ingest.sources.file`'s work.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from contract.errors import ParseError, SettingsError
from ingest.formats.pcap import is_pcap
from ingest.streams.pcap_cutter import PcapCutter

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
    if file.peek(2)[:2] != _GZIP_MAGIC:
        return file
    file.close()  # a GzipFile closes only what it has opened itself
    return cast("BinaryIO", gzip.open(path, "rb"))


def read_records(file: BinaryIO, separator: bytes = b"\n") -> Iterator[bytes]:
    """Yield records in order, without separator (nor a carriage return before a newline); empty ones too.

    A capture (pcap) gives its packets, each as a capture of one. Memory is bounded by one chunk and one record.
    """
    first = file.peek(4)[:4] if isinstance(file, io.BufferedReader | gzip.GzipFile) else b""
    if is_pcap(first):
        yield from _packets(file)
        return
    rest = b""
    while chunk := file.read1(CHUNK_BYTES) if hasattr(file, "read1") else file.read(CHUNK_BYTES):
        *records, rest = (rest + chunk).split(separator)
        yield from map(_without_return, records) if separator == b"\n" else records
        while len(rest) > MAX_RECORD_BYTES:
            yield rest[:MAX_RECORD_BYTES]
            rest = rest[MAX_RECORD_BYTES:]
    if rest:
        yield _without_return(rest) if separator == b"\n" else rest


def read_whole(file: BinaryIO) -> bytes:
    """Return all of a file that is one record, cut at one byte more than the bound."""
    found = bytearray()
    while len(found) <= MAX_RECORD_BYTES and (part := file.read(CHUNK_BYTES)):
        found += part
    return bytes(found[: MAX_RECORD_BYTES + 1])


def _packets(file: BinaryIO) -> Iterator[bytes]:
    """Yield packets; what is damaged comes as it is, to be refused."""
    cutter = PcapCutter()
    while chunk := file.read(CHUNK_BYTES):
        try:
            yield from cutter.feed(chunk)
        except ParseError:
            break
    yield from cutter.end()


def _without_return(record: bytes) -> bytes:
    return record[:-1] if record.endswith(b"\r") else record
