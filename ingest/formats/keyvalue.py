r"""Key=value text, as firewalls and audit trails write it.

Two readers for two habits: `spaced` (values without blanks, as netfilter) and `quoted` (values
with blanks stand in double quotes, as FortiGate or SonicWall).

Both return strings; of a key that stands twice the first value holds unless stated otherwise,
because products put the packet itself before what it encloses (the inner header of an ICMP error).
Both are linear in the length of the text.
"""

from __future__ import annotations

import re

# The first look-behind and the possessive `++` keep a long word without `=` from being read once for each of its
# letters; the second look-behind makes one group do for both forms, so that `findall` yields plain pairs.
_QUOTED = re.compile(r'(?<![\w.\-/:])([\w.\-/:]++)="?((?<=")[^"]*|[^\s"]\S*|)').findall
_ESCAPED = re.compile(
    r'(?<![\w.\-/:])([\w.\-/:]++)="?((?<=")(?:[^"\\]|\\.)*|[^\s"]\S*|)', re.DOTALL
).findall
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL).sub


def spaced(text: str) -> dict[str, str]:
    """Read `KEY=value KEY= FLAG`; a word without `=` is a key with an empty value."""
    pairs: dict[str, str] = {}
    for word in text.split():
        key, _, value = word.partition("=")
        if key not in pairs:
            pairs[key] = value
    return pairs


def quoted(text: str) -> dict[str, str]:
    r"""Read `key=value key="value with blanks"`; the last of equal keys holds.

    `\"` and `\\` inside quotes are undone. Words without `=` are passed over. An unclosed quote
    holds the rest of the text.
    """
    if "\\" not in text:
        return dict(_QUOTED(text))
    return {
        key: _UNESCAPE(r"\1", value) if '\\"' in value or "\\\\" in value else value
        for key, value in _ESCAPED(text)
    }
