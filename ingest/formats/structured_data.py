r"""RFC 5424 structured data: `[id name="value" …][id2 …]`, with its three escapes.

Source: RFC 5424, section 6.3. Inside a value `"`, `\` and `]` must be escaped by `\`; a `\` before
any other character stands for itself.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from contract.errors import ParseError

StructuredData: TypeAlias = dict[str, dict[str, str]]
"""Parameters by element id; of a name that stands twice the last value."""

_ELEMENT = re.compile(r"\[([!#-<>-\\^-~]{1,32})").match
_PARAMETER = re.compile(r' +([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\.)*)"', re.DOTALL).match
_UNESCAPE = re.compile(r'\\(["\\\]])').sub


def read_structured_data(text: str, start: int) -> tuple[StructuredData | None, int]:
    """Read the structured data that begins at `start`; return it and where it ends.

    `-` gives None. O(length).

    Raises:
        ParseError: malformed; the text names the column (from 0).
    """
    if text[start : start + 1] == "-":
        return None, start + 1
    elements: StructuredData = {}
    at = start
    while match := _ELEMENT(text, at):
        parameters = elements.setdefault(match[1], {})
        at = match.end()
        while parameter := _PARAMETER(text, at):
            name, value = parameter.groups()
            parameters[name] = _UNESCAPE(r"\1", value) if "\\" in value else value
            at = parameter.end()
        if text[at : at + 1] != "]":
            raise ParseError(f"structured data: expected a parameter or ']' at column {at}")
        at += 1
    if at == start:
        raise ParseError(f"structured data: expected '-' or '[' and an id at column {at}")
    return elements, at
