"""What stands among the words of a netfilter log line without being one: enclosed packets, options, fragments.

Source: Linux 6.12 `net/netfilter/nf_log_syslog.c`: `[SRC=… ] ` around the packet that an ICMP error encloses, which may
itself be `INCOMPLETE [8 bytes] `; `OPT (0204…) ` of IP before `PROTO=` and of TCP after it, with `--log-ip-options` and
`--log-tcp-options`; `FRAG:185 `, and of IPv6 `FRAG:0 INCOMPLETE ID:0000abcd `.
"""

from __future__ import annotations

import re
from typing import Final

from contract.event import Fields

_OPTIONS = re.compile(r" OPT \(([0-9A-F]{0,80})\)")
_FRAGMENT = re.compile(r" (FRAG|ID):([0-9a-f]{1,8})(?= |$)")
_INCOMPLETE: Final = "INCOMPLETE"
_FRAGMENT_NAMES: Final = {"FRAG": "netfilter.fragment_offset", "ID": "netfilter.fragment_id"}


def take_asides(fields: Fields, words: str) -> str:
    """Place what is no pair of word and value; return the words without it. O(length)."""
    words = _take_brackets(fields, words)
    if " OPT (" in words:
        behind = words.find(" PROTO=")
        for found in _OPTIONS.finditer(words):
            layer = "tcp" if 0 <= behind < found.start() else "ip"
            fields[f"netfilter.{layer}.options"] = found[1].lower()
        words = _OPTIONS.sub("", words)
    if " FRAG:" in words:
        for found in _FRAGMENT.finditer(words):
            fields[_FRAGMENT_NAMES[found[1]]] = found[2]
        words = _FRAGMENT.sub("", words)
    return words


def _take_brackets(fields: Fields, words: str) -> str:
    start = words.find(" [")
    while start >= 0:
        is_count = words.endswith(_INCOMPLETE, 0, start)
        end = words.find("]", start) if is_count else words.rfind("]", start)
        inner = words[start + 2 : end if end > 0 else None].strip()
        if is_count:
            fields["netfilter.incomplete_bytes"] = inner.removesuffix(" bytes")
        else:
            fields["netfilter.inner"] = inner or "-"
        words = words[:start] + (words[end + 1 :] if end > 0 else "")
        start = words.find(" [", start)
    return words
