r"""Key=value text, as firewalls and audit trails write it.

Four readers for the four habits: `spaced` (values without blanks, as netfilter), `quoted` (values
with blanks stand in double quotes, as FortiGate or SonicWall), `delimited` (stated separators, as
LEEF), `trailing` (blanks allowed in a value, which ends where the next key begins, as CEF).

All return strings; of a key that stands twice the first value holds unless stated otherwise,
because products put the packet itself before what it encloses (the inner header of an ICMP error).
All are linear in the length of the text.
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
_KEY_AHEAD = re.compile(r"(?:^|\s)([\w.\-\[\]]+)(?<!\\)=")


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


def delimited(text: str, pair: str, assign: str = "=") -> dict[str, str]:
    """Read pairs parted by `pair`, name and value parted by the first `assign`.

    A part without `assign` belongs to the value before it, since the separator may stand unescaped
    in a value. Blanks around names are cut, those in values kept.
    """
    pairs: dict[str, str] = {}
    last = ""
    for part in text.split(pair):
        key, found, value = part.partition(assign)
        key = key.strip()
        if found and key:
            if key not in pairs:
                pairs[key] = value
            last = key
        elif last:
            pairs[last] += pair + part
    return pairs


def trailing(text: str) -> dict[str, str]:
    r"""Read `key=value with blanks key2=…`: a value ends where the next `key=` begins; the first of equal keys holds.

    An `=` after a backslash is part of a value; escapes are left as they are.
    """
    pairs: dict[str, str] = {}
    found = list(_KEY_AHEAD.finditer(text))
    ends = [match.start() for match in found[1:]]
    ends.append(len(text))
    for match, end in zip(found, ends, strict=False):
        key = match[1]
        if key not in pairs:
            pairs[key] = text[match.end() : end].strip()
    return pairs
