"""The words of a netfilter log line, read by learnt shapes: the kernel writes few sequences of them, always in one order.

Source: Linux 6.12 `net/netfilter/nf_log_syslog.c`. Words without `=` (`DF`, `SYN`) are flags; they belong to
the shape, since a pattern with them as literals reads pairs and flags in one match. What
`ingest.formats.netfilter_asides` takes out must have been taken out before.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any, Final

from contract.event import Fields
from ingest.formats.shapes import Grammar, Keys, Shapes, Values

_TCP_FLAGS: Final = frozenset(("SYN", "ACK", "FIN", "RST", "PSH", "URG", "ECE", "CWR", "AE"))
_FRAGMENT_FLAGS: Final = frozenset(("DF", "MF", "CE"))
_KNOWN_FLAGS: Final = _TCP_FLAGS | _FRAGMENT_FLAGS | {"ARP", "OPT", "(", ")", "[", "]"}
_MAY_BE_EMPTY: Final = frozenset(("IN", "OUT", "MAC"))
PLACED: Final = (
    "SRC",
    "DST",
    "IN",
    "OUT",
    "MAC",
    "LEN",
    "PROTO",
    "SPT",
    "DPT",
    "IPSRC",
    "IPDST",
    "MACSRC",
    "MACDST",
    "TUNNEL",
)
"""Words that the adapter places itself."""
_NAMES: Final = {
    "TOS": "tos", "PREC": "precedence", "TTL": "ttl", "ID": "id", "TC": "traffic_class", "HOPLIMIT": "ttl",
    "FLOWLBL": "flow_label", "WINDOW": "tcp.window", "SEQ": "tcp.sequence", "ACK": "tcp.acknowledgment", "RES": "tcp.reserved",
    "URGP": "tcp.urgent_pointer", "TYPE": "icmp.type", "CODE": "icmp.code", "MARK": "mark", "PHYSIN": "bridge.ingress",
    "PHYSOUT": "bridge.egress", "MACPROTO": "ethertype", "SPI": "spi", "GATEWAY": "icmp.gateway", "MTU": "icmp.mtu",
    "PARAMETER": "icmp.parameter", "HTYPE": "arp.hardware_type", "PTYPE": "arp.protocol_type", "OPCODE": "arp.opcode",
    "INCOMPLETE": "incomplete",
}  # fmt: skip
_ELSEWHERE: Final = {"UID": "user.id", "GID": "group.id", "VID": "network.vlan.id"}


class Plan:
    """Where the values of one sequence of words go.

    Attributes:
        placed: indexes of the words in `PLACED`; of those that are absent, of the empty text after the last.
        constant: fields that the flags make.
    """

    __slots__ = ("_names", "_one", "_take", "constant", "placed")

    def __init__(self, keys: Keys) -> None:
        flags: list[str] = []
        names: list[str] = []
        for key in keys:
            before, _, after = key.partition("\t")
            *first, name = before.split(" ")
            flags += [*first, *after.split()]
            names.append(name)
        self.placed: Any = itemgetter(
            *(names.index(name) if name in names else len(names) for name in PLACED)
        )
        # Of equal words the first is the packet's own: LEN of IP stands before LEN of UDP.
        kept = {
            _field(name): number
            for number, name in reversed(list(enumerate(names)))
            if name and name not in PLACED
        }
        self._names = tuple(reversed(kept))
        numbers = tuple(reversed(kept.values()))
        self._take: Any = itemgetter(*numbers) if len(numbers) > 1 else None
        self._one = numbers[0] if len(numbers) == 1 else -1
        self.constant: Fields = {}
        if tcp := [flag for flag in flags if flag in _TCP_FLAGS]:
            self.constant["netfilter.tcp.flags"] = tcp
        if fragment := [flag for flag in flags if flag in _FRAGMENT_FLAGS]:
            self.constant["netfilter.fragment_flags"] = fragment
        if other := [flag for flag in flags if flag not in _KNOWN_FLAGS]:
            self.constant["netfilter.flags"] = other
        if "ARP" in flags:
            self.constant["network.type"] = "arp"

    def keep(self, fields: Fields, values: Values) -> None:
        """Add what the adapter does not place itself."""
        if self._take is None:
            kept: tuple[str, ...] = (values[self._one],) if self._one >= 0 else ()
        else:
            kept = self._take(values)
        pairs = zip(self._names, kept, strict=True)
        if "" in kept:
            fields.update((name, value) for name, value in pairs if value)
        else:
            fields.update(pairs)


def _field(name: str) -> str:
    return _ELSEWHERE.get(name) or "netfilter." + (_NAMES.get(name) or name.lower())


def _pairs(text: str, start: int) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    values: list[str] = []
    flags: list[str] = []
    for word in text[start:].split():
        name, found, value = word.partition("=")
        if found:
            keys.append(" ".join([*flags, name]))
            values.append(value)
            flags.clear()
        else:
            flags.append(word)
    if flags and keys:
        keys[-1] += "\t" + " ".join(flags)
    return keys, values


def _source(text: str, start: int) -> str | None:
    parts = []
    for key in _pairs(text, start)[0]:
        before, _, after = key.partition("\t")
        empty = before.rpartition(" ")[2] in _MAY_BE_EMPTY
        value = r"=(\S*+)" if empty else r"=(\S++)"
        parts.append(re.escape(before) + value + (re.escape(" " + after) if after else ""))
    return " ".join(parts) + r" *+\Z"


WORDS: Final[Shapes[Plan]] = Shapes(Grammar(_pairs, _source), Plan)
