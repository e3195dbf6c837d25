"""Windows event log files (`.evtx`), through the `evtx` library where it is installed.

The library (github.com/omerbenamram/evtx, written in Rust) is the optional extra `opsonin[evtx]`: the binary
form of XML within those files is a parser's whole work, and only who reads files from disk needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from contract.errors import ParseError

MAGIC: Final = b"ElfFile\0"
MAX_RECORDS: Final = 1_000_000
MAX_FAULTS: Final = 1_000
"""Records of one file that cannot be read; beyond, the rest of the file is given up."""


def records_of_evtx(data: bytes) -> Iterator[str | ParseError]:
    """Yield the JSON text of each record, or the error of one that cannot be read.

    Raises:
        ParseError: no such file, or the library is not installed.
    """
    try:
        from evtx import PyEvtxParser  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ParseError(
            "an .evtx file; install opsonin[evtx] to read it, or export it as XML"
        ) from None
    try:
        records = iter(PyEvtxParser(BytesIO(data)).records_json())
    except (RuntimeError, ValueError, OSError) as error:
        raise ParseError(f"no .evtx file: {error}") from None
    faults = 0
    for _ in range(MAX_RECORDS):
        try:
            record: Any = next(records)
        except StopIteration:
            return
        except (RuntimeError, ValueError, OSError) as error:
            faults += 1
            yield ParseError(f"a record of the .evtx file: {error}")
            if faults >= MAX_FAULTS:
                return
            continue
        yield record["data"]
