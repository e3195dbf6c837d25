"""Linux IMA measurement lists in ASCII: `ascii_runtime_measurements`, a line an entry.

Source: Linux 6.10 security/integrity/ima/ima_fs.c (`ima_ascii_measurements_show`) and ima_template_lib.c, read 2026-11. All
fields are parted by one blank, empty ones too; blanks in a path became underscores, in older kernels they stand.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from ingest.formats.ima import (
    AS_TEXT,
    IMA_NAME_BYTES,
    LARGEST_PCR,
    ImaEntry,
    fields_of,
    place_field,
)

_LINE = re.compile(r"(\d{1,2}) ([0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}) (\S{1,64}) (.*)", re.DOTALL)  # fmt: skip
_HEX_WORD = re.compile(r"(?:[0-9a-f]{2})+").fullmatch
_HEX_OR_NONE = re.compile(r"(?:[0-9a-f]{2})*").fullmatch
_SIGNATURE = re.compile(r"(?:0[0-9a-f](?:[0-9a-f]{2})*)?").fullmatch
"""A signature begins with its type, as 03; a path's last word may look like a number."""
_MODULE_DIGEST = re.compile(r"(?:[\w\-]+:[0-9a-f]+)?").fullmatch
_NUMBER = re.compile(r"\d{1,10}").fullmatch
_FITS: Final = {
    "sig": _SIGNATURE, "evmsig": _SIGNATURE, "buf": _HEX_OR_NONE, "d-modsig": _MODULE_DIGEST, "modsig": _HEX_OR_NONE,
    "xattrnames": re.compile(r"[\w.\-|]*").fullmatch, "xattrlengths": _HEX_OR_NONE, "xattrvalues": _HEX_OR_NONE,
    "iuid": _NUMBER, "igid": _NUMBER, "imode": _NUMBER,
}  # fmt: skip
"""What a field may look like in the ASCII form."""


def of_line(line: str) -> ImaEntry:
    """Return the entry of one line of `ascii_runtime_measurements`.

    Raises:
        ParseError: another form, or a template that is not known.
    """
    match = _LINE.match(line)
    if match is None:
        raise ParseError("no IMA entry: expected PCR, template hash, template name and its fields")
    pcr, template_hash, template, rest = match.groups()
    if int(pcr) > LARGEST_PCR:
        raise ParseError(f"IMA entry of PCR {pcr}; there are 24")
    entry = ImaEntry(int(pcr), bytes.fromhex(template_hash), template)
    names = fields_of(template)
    first, _, rest = rest.partition(" ")
    _digest_text(entry, first, names[0])
    tail = _tail(entry, rest, names[2:])
    entry.data = _template_data(entry, first, names, tail)
    return entry


def _digest_text(entry: ImaEntry, text: str, kind: str) -> None:
    *_, algorithm, value = ["sha1", *text.split(":")] if ":" not in text else text.split(":")
    try:
        entry.digest = bytes.fromhex(value)
    except ValueError:
        raise ParseError("no IMA entry: the digest is no hexadecimal number") from None
    entry.algorithm = algorithm


def _tail(entry: ImaEntry, rest: str, names: tuple[str, ...]) -> list[bytes]:
    """Read the path and the fields behind it, which may be absent; a path may hold blanks."""
    if not names:
        entry.path = rest.rstrip(" ")
        return []
    words = rest.split(" ")
    found: list[str] = []
    if len(words) > len(names) and all(
        _FITS.get(name, _HEX_OR_NONE)(word)
        for name, word in zip(names, words[-len(names) :], strict=True)
    ):
        # The kernel parts all fields by a blank, empty ones too; what follows is for lines that lost the last blanks.
        words, found = words[: -len(names)], words[-len(names) :]
    elif names == ("sig", "d-modsig", "modsig"):
        while len(words) > 1 and len(found) < 3 and (_is_hex(words[-1]) or ":" in words[-1]):  # noqa: PLR2004 - the three fields
            found.insert(0, words.pop())
        found = _modsig(found)
    else:
        while len(words) > 1 and len(found) < len(names) and _is_hex(words[-1]):
            found.insert(0, words.pop())
        if found and names[-1] == "sig" and not found[-1].startswith("0"):
            # A signature begins with its type, 03; a path's last word may look like a number.
            words.append(found.pop())
    while words and not words[-1]:
        words.pop()
    entry.path = " ".join(words)
    values: list[bytes] = []
    for name, text in zip(names, found + [""] * (len(names) - len(found)), strict=True):
        value = bytes.fromhex(text) if name not in AS_TEXT and _is_hex(text) else text.encode()
        place_field(entry, name, value)
        values.append(value)
    return values


def _modsig(found: list[str]) -> list[str]:
    """Tell which of signature, module digest and module signature are there."""
    at = next((number for number, word in enumerate(found) if ":" in word), -1)
    if at < 0:
        return [*found[:1], "", ""] if found else ["", "", ""]
    return [found[at - 1] if at else "", found[at], found[at + 1] if at + 1 < len(found) else ""]


def _is_hex(word: str) -> bool:
    return _HEX_WORD(word) is not None


def _template_data(entry: ImaEntry, first: str, names: tuple[str, ...], tail: list[bytes]) -> bytes:
    """Rebuild what was hashed from the text; empty where the text does not hold it all."""
    if entry.template == "ima":
        return entry.digest + entry.path.encode()[: IMA_NAME_BYTES - 1].ljust(IMA_NAME_BYTES, b"\0")
    prefix = first.rpartition(":")[0]
    parts = [
        _sized(f"{prefix}:".encode() + b"\0" + entry.digest),
        _sized(entry.path.encode() + b"\0"),
    ]
    for name, value in zip(names[2:], tail, strict=True):
        if name == "d-modsig" and value:
            algorithm, _, text = value.decode("utf-8", "replace").rpartition(":")
            if not _is_hex(text):
                return b""
            value = f"{algorithm}:".encode() + b"\0" + bytes.fromhex(text)  # noqa: PLW2901 - rebuilt
        elif name not in ("sig", "buf", "modsig", "d-modsig", "evmsig"):
            return b""
        parts.append(_sized(value))
    return b"".join(parts)


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data
