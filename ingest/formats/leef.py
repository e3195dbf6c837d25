r"""IBM QRadar Log Event Extended Format: `LEEF:1.0|vendor|product|version|event id|` and, in 2.0, a delimiter.

Source: IBM Security QRadar, "LEEF overview" and "predefined event attributes" (LEEF 1.0 and 2.0). The
delimiter of 2.0 is a character or its code (`x5E`, `0x5E`, `\x5E`); where it is left out, and in 1.0, a
tab. What devices make of it: no delimiter field at all, blanks for tabs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"LEEF:\s{0,4}([12](?:\.\d)?)\|")
_PIPED = re.compile(r"[\w.\-]++=[^|]*+\|[\w.\-]++=").match
_CODE = re.compile(r"(?:0x|\\?x|\\u00)([0-9A-Fa-f]{1,4})").fullmatch
_BLANKS = re.compile(r"(?:^|\s)([A-Za-z_][\w.\-]*)=")
_PARTS = 4  # vendor, product, version, event id
_NAMED = {"\\t": "\t", "": "\t", "tab": "\t"}


@dataclass(slots=True)
class Leef:
    """One record's header; `start` and `extension` are places in the text."""

    start: int
    vendor: str
    product: str
    version: str
    event_id: str
    delimiter: str
    extension: int


def read(text: str) -> Leef | None:
    """Return the LEEF header in a text, or None when there is none. O(length of the header)."""
    match = _HEAD.search(text, 0, 1024)
    if match is None:
        return None
    parts: list[str] = []
    at = match.end()
    for _ in range(_PARTS):
        end = text.find("|", at)
        if end < 0:
            if len(parts) < _PARTS - 1:
                return None
            end = len(text)
        parts.append(text[at:end].strip())
        at = min(end + 1, len(text))
    delimiter = "\t"
    if match[1].startswith("2"):
        end = text.find("|", at, at + 8)
        found = delimiter_of(text[at:end]) if end >= 0 else None
        if found is not None:
            delimiter, at = found, end + 1
    vendor, product, version, event_id = parts
    return Leef(match.start(), vendor, product, version, event_id, delimiter, at)


def delimiter_of(text: str) -> str | None:
    """Return the delimiter that a header's field states, or None when the field is none (an attribute already)."""
    if text in _NAMED:
        return _NAMED[text]
    if len(text) == 1:
        return text
    code = _CODE(text)
    return chr(int(code[1], 16)) if code else None


def pairs(text: str, start: int, delimiter: str) -> tuple[list[str], list[str]]:
    """Return keys and values from `start` on.

    A part without `=` belongs to the value before it. Text without any delimiter is read as pairs parted by `|`
    (so PAN-OS's format for QRadar), else by blanks, each value ending where the next `key=` begins. O(length).
    """
    rest = text[start:].strip("\r\n")
    if delimiter not in rest and _PIPED(rest):
        delimiter = "|"
    if delimiter not in rest and rest.count("=") > 1:
        parts = _BLANKS.split(rest)
        return parts[1::2], [value.strip() for value in parts[2::2]]
    keys: list[str] = []
    values: list[str] = []
    for part in rest.split(delimiter):
        key, found, value = part.partition("=")
        key = key.strip()
        if found and key:
            keys.append(key)
            values.append(value.strip())
        elif values and part.strip():
            values[-1] += delimiter + part
    return keys, values
