"""The generic rule for Cisco messages that no template reads: addresses, interface, user, protocol, as their text shows them.

Shared by ASA, FTD, IOS and NX-OS. Nothing is certain here but the form of an address; which of two is the
source is told by the word before it, else by their order.
"""

from __future__ import annotations

import re

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.cisco_flow import place_people
from ingest.tables.protocols import transport_fields

_ADDRESS = re.compile(
    r"(?<![\w.:])(?:([A-Za-z][\w.\-]{0,63}):)?((?:\d{1,3}\.){3}\d{1,3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})"
    r"(?:/(\d{1,5}))?(?!\w|\.\w)"
)
_ACCOUNT = re.compile(
    r"\b(?:[Uu]ser(?:name)?|Uname)\s?[=:]?\s?[<'\"]([^>'\"\s]{1,128})[>'\"]|\b(?:[Uu]ser(?:name)?|Uname)\s?[=:]\s?([^\s,;()]{1,128})"
    r"|\b[Uu]ser ([^\s,;()]{1,128}), (?:Assigned )?(?:IP|TunnelGroup)\b"
    r"|\b(?:for|of|by) (?:(?:admin|network|the) )?[Uu]ser(?:name)? ([^\s,;:()<>'\"]{1,128}?)(?=[,;:.]?(?:\s|$))"
).search
_WORD = re.compile(r"\b(TCP|UDP|ICMP|ICMPv6|GRE|ESP|AH|SCTP|OSPF|EIGRP)\b", re.IGNORECASE).search
_MOST_ADDRESSES = 2


_TO = re.compile(
    r"\b(?:[Tt]o|[Dd]st|[Dd]est(?:ination)?(?:[ _](?:IP|address))?|[Ss]erver)[\s=:]+$"
).search
_NO_INTERFACE = re.compile(
    r"(?i:(?:.*[_.\-])?(?:ip|addr|address|host|server|client|peer|local|remote|src|dst|dest|source|destination|nbr|neighbor))$"
).match
_ON_INTERFACE = re.compile(r"\bon (?:the )?interface (\S{1,64}?)(?=[.,;:]?(?:\s|$))").search
_MASK = "255."
_BEFORE = 24
"""Characters before an address in which a word may say that it is a destination."""


def guess(fields: Fields, message: str) -> None:
    """Take what can be told of any message: the first two addresses, an interface, a user, a protocol."""
    found = _guess_ends(fields, message)
    if on := _ON_INTERFACE(message):
        fields.setdefault("observer.ingress.interface.name", on[1])
    if who := _ACCOUNT(message):
        fields["user.name"] = who[1] or who[2] or who[3] or who[4]
        place_people(fields)
    if found == _MOST_ADDRESSES and (word := _WORD(message)):
        fields.update(transport_fields(word[1]))


def _guess_ends(fields: Fields, message: str) -> int:
    """Place the first two addresses, with what stands about them; return how many there are."""
    found, end = 0, len(message)
    for match in _ADDRESS.finditer(message):
        interface, address, port = match.groups()
        if canonical_ip(address) is None or address.startswith(_MASK):
            continue
        mapped = message[end : match.start()].strip() == "("
        end = match.end()
        if mapped:  # `192.0.2.1/443 (198.51.100.1/443)`: the first end again, as it is mapped
            continue
        side, way = ("source", "ingress") if found == 0 else ("destination", "egress")
        if found == 0 and _TO(message, max(match.start() - _BEFORE, 0), match.start()):
            side, way = "destination", "egress"
        elif f"{side}.ip" in fields:
            side, way = "source", "ingress"
        fields[f"{side}.ip"] = address
        if port is not None:
            fields[f"{side}.port"] = int(port)
        if interface is not None and not _NO_INTERFACE(interface):
            fields[f"observer.{way}.interface.name"] = interface
        found += 1
        if found == _MOST_ADDRESSES:
            break
    return found
