"""Whether an IMA list explains the value of a PCR."""

from __future__ import annotations

from contract.errors import ParseError
from ingest.formats.evidence import decode_bytes
from ingest.formats.ima import ImaEntry, is_binary, read_binary
from ingest.formats.ima_text import of_line
from ingest.formats.tpm_algorithms import SIZES, extend

MAX_ENTRIES = 65_536


def explains(text: str, bank: str, pcr: int, value: bytes) -> str | None:
    """Return None when some begin of the list leaves the PCR at `value`; else why not.

    `ima.template_hash` or `ima.violation` where an entry up to there is altered or cannot be trusted,
    `ima.replay` where no begin of the list leaves that value, `ima.list` where it cannot be read.
    """
    size = SIZES.get(bank)
    if size is None:
        return "ima.bank"
    try:
        entries = entries_of(text)
    except ParseError:
        return "ima.list"
    current = bytes(size)
    worst = None
    for number, entry in enumerate(one for one in entries if one.pcr == pcr):
        # A PCR that was never extended is no begin of a list that has something for it.
        if number and current == value:
            return worst
        if entry.is_violation:
            worst = worst or "ima.violation"
        elif entry.is_consistent() is False:
            worst = "ima.template_hash"
        measured = entry.extension(bank)
        after = None if measured is None else extend(bank, current, measured)
        if after is None:
            return "ima.replay"
        current = after
    return worst if current == value else "ima.replay"


def entries_of(text: str) -> list[ImaEntry]:
    """Return the entries of a list as text, or as base64 of the binary form.

    Raises:
        ParseError: neither, or past the bound.
    """
    if " " in text[:4]:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > MAX_ENTRIES:
            raise ParseError(f"{len(lines)} IMA entries; the bound is {MAX_ENTRIES}")
        return [of_line(line) for line in lines]
    data = decode_bytes(text)
    if not is_binary(data):
        return entries_of(data.decode("utf-8", "replace") if b" " in data[:4] else "? ")
    return read_binary(data, MAX_ENTRIES)
