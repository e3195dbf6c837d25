r"""ArcSight Common Event Format: `CEF:0|vendor|product|version|class|name|severity|key=value …`.

Source: Micro Focus (OpenText) Security ArcSight Common Event Format, implementation standard version
26 (2022), and what devices make of it: no `CEF:` after a forwarder, a blank behind it, keys that stand
twice, `=` not escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = re.compile(r"CEF:\s{0,4}(\d{1,2}(?:\.\d{1,2})?)\|")
_BARE_HEAD = re.compile(r"(?:^|\s)(\d{1,2})\|(?=[^|]{0,128}\|[^|]{0,128}\|[^|]{0,128}\|)").match
# Vendor, product, device version, class, name, severity; the extension, and the bar before it, may be absent.
_PARTS = re.compile(r"\|".join([r"((?:[^|\\]++|\\.|\\\Z)*+)"] * 6) + r"(?:\||\Z)", re.DOTALL).match
_UNESCAPE_HEADER = re.compile(r"\\([\\|])").sub
_UNESCAPE = re.compile(r"\\([\\=|nrt\"])").sub
_MEANT = {"n": "\n", "r": "\r", "t": "\t"}
_SEVERITIES = {
    "unknown": None, "low": 3, "medium": 6, "high": 8, "very-high": 10, "very high": 10, "critical": 10,
}  # fmt: skip


@dataclass(slots=True)
class Cef:
    """One record's header.

    Attributes:
        start: where it begins in the text; before it stands the transport's header.
        extension: where the extension begins.
        severity: as written; see `severity_number`.
    """

    start: int
    vendor: str
    product: str
    version: str
    event_class: str
    name: str
    severity: str
    extension: int


def read(text: str) -> Cef | None:
    """Return the CEF header in a text, or None when there is none. O(length of the header)."""
    match = _HEAD.search(text, 0, 1024) or _BARE_HEAD(text)
    if match is None:
        return None
    found = _PARTS(text, match.end())
    if found is None:
        return None
    parts = [part.strip() for part in found.groups()]
    if "\\" in found[0]:
        parts = [_UNESCAPE_HEADER(r"\1", part) for part in parts]
    vendor, product, version, event_class, name, severity = parts
    start = match.start() + match[0][:1].isspace()
    return Cef(start, vendor, product, version, event_class, name, severity, found.end())


def unescape(value: str) -> str:
    r"""Undo the escapes of an extension's value: `\=`, `\\`, `\|`, `\n`, `\r`."""
    if "\\" not in value:
        return value
    return _UNESCAPE(lambda found: _MEANT.get(found[1], found[1]), value)


def cleaned(values: Sequence[str], text: str) -> list[str]:
    """Return values without the blanks around them and with their escapes undone; `text` is what they stand in."""
    stripped = [value.strip() for value in values]
    if "\\" in text:
        return [unescape(value) if "\\" in value else value for value in stripped]
    return stripped


def severity_number(text: str) -> int | None:
    """Return 0 to 10; the words of the specification give the upper end of their range; else None."""
    if text.isdecimal() and len(text) <= 2:  # noqa: PLR2004 - 0 to 10
        return int(text)
    return _SEVERITIES.get(text.lower())
