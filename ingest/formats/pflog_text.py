"""What tcpdump prints of pf's log, a line a packet: the words of pf's header (`-e`) and those of the packet behind it.

Sources, read 2026-11: OpenBSD `usr.sbin/tcpdump/print-pflog.c` (`rule 4.ftp-proxy.def/(match) [uid 0, pid 9] block in on em0: [uid 0,
pid 7] [rewritten: src 192.0.2.1:80, dst …] …`, the brackets with `-v` only) and its `print-ip.c`, `print-tcp.c`, `print-ipsec.c`;
tcpdump.org 4.99 `print-pflog.c` (`rule 4/0(match): block in on em0: IP …`). Addresses and ports are parted by the last dot
(`192.0.2.1.443`), names of ports only where tcpdump ran without `-n`.
"""

from __future__ import annotations

import re
from typing import Final

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.number import whole
from ingest.tables.protocols import transport_fields

OWN: Final = "openbsd.pf."
MAX_HEAD: Final = 1024
"""Characters in which pf's words must stand."""
DENYING: Final = frozenset(("block", "synproxy drop", "synproxy-drop"))

_HEADER = re.compile(
    # An anchor's name may hold dots and slashes (`tftp-proxy/*`).
    r"rule (?P<rule>\d+|def)(?:\.(?P<anchor>[^\s(]{1,64})\.(?P<subrule>\d+|def))?/"
    r"(?:\d+)?\s?(?:(?:unkn)?\((?P<reason>[\w\- ]+)\)):?\s(?:\[[^\]]{0,200}\]:?\s)?"
    r"(?P<action>synproxy drop|[a-z][a-z\-]*(?:\(\d+\))?)\s(?P<way>in/out|in|out) on (?P<interface>[^\s:]+):\s"
).search
_SOCKET = re.compile(r"\[uid (?P<user>\d+), pid (?P<process>\d+)\] ").match
_REWRITTEN = re.compile(
    r"\[rewritten: src (?P<source>[^\s,\]]+):(?P<source_port>\d+), dst (?P<destination>[^\s,\]]+):(?P<destination_port>\d+)\] "
).match
_VERBOSE = re.compile(
    # tcpdump.org puts what `-v` tells in front and the packet on a line of its own.
    r"IP6? \((?:[^()]|\([^()]*\)){0,500}?proto (?P<protocol>[\w\-]+) \(\d+\)(?:[^()]|\([^()]*\)){0,500}\)\s*"
).match
_NEXT_HEADER = re.compile(r"next-header (?P<protocol>[\w\-]+) \(\d+\)").search
_ENDS = re.compile(
    r"(?:\([^)]*\)\s?)?(?:IP6? )?(?:(?P<protocol>esp|ah|carp|gre|etherip|ipcomp|pfsync):? )?"
    r"(?P<source>[^\s>]{1,300}) > (?P<destination>[^\s>]{1,300}?)(?::(?:\s|$)|\s(?=spi )|$)(?P<rest>.*)",
    re.DOTALL,
).match
_TCP = re.compile(r"(?:Flags \[[^\]]*\]|[SFRPEWU.]{1,8}(?: \[[^\]]*\])? (?:\d|ack|win))").match
_LENGTH = re.compile(r"(?:, length:? |udp |\(ttl \d{1,3}, id \d{1,18}, len )(\d{1,18})").search
_ICMP_TYPES: Final = {"echo request": (8, 0), "echo reply": (0, 0)}
_WORD = re.compile(
    r"(icmp6|icmp|igmp|ospf|vrrp|carp|pim|esp|ah|gre|eigrp|sctp|pfsync|etherip|ipcomp|l2tp|rsvp|udp|tcp|ip-proto-(\d{1,3}))"
).match
_NUMBERED: Final = {"carp": "vrrp", "icmp6": "ipv6-icmp", "pfsync": "240"}
"""CARP goes by VRRP's number."""
_NO_USER: Final = frozenset(("4294967295", "-1"))
_NO_PROCESS: Final = frozenset(("0", "99999", "100000", "100001", "32767"))
"""NO_PID is one more than the largest process number of the system."""


def search(text: str) -> re.Match[str] | None:
    """Find pf's words in a line; O(`MAX_HEAD`)."""
    return _HEADER(text, 0, MAX_HEAD)


def read(text: str, header: re.Match[str]) -> tuple[Fields, tuple[int, int] | None]:
    """Return the fields of a line in which `search` found pf's words, and ICMP type and code."""
    fields = _header(header)
    at = header.end()
    if found := _SOCKET(text, at):
        at = found.end()
        if found["process"] not in _NO_PROCESS and found["user"] not in _NO_USER:
            fields["process.pid"], fields["user.id"] = whole(found["process"]), found["user"]
    rewritten = _REWRITTEN(text, at)
    if rewritten is not None:
        at = rewritten.end()
    said = ""
    if verbose := _VERBOSE(text, at):
        at, said = verbose.end(), verbose["protocol"]
    elif text.startswith("IP6 (", at) and (found := _NEXT_HEADER(text, at, at + MAX_HEAD)):
        said = found["protocol"]
        at = max(at, text.find(") ", found.end()) + 2)
    return fields, _packet(fields, text[at:], said, rewritten)


def _header(found: re.Match[str]) -> Fields:
    action, inward = found["action"], found["way"] != "out"
    fields: Fields = {
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "denied" if action in DENYING else "allowed"],
        "event.outcome": "success",
        "event.action": action,
        "event.reason": found["reason"],
        "network.direction": "inbound" if inward else "outbound",
        f"observer.{'ingress' if inward else 'egress'}.interface.name": found["interface"],
        "rule.id": found["rule"],
    }
    if found["anchor"]:
        fields["rule.ruleset"] = found["anchor"]
        fields[OWN + "subrule"] = found["subrule"]
    return fields


def _packet(
    fields: Fields, text: str, said: str, rewritten: re.Match[str] | None
) -> tuple[int, int] | None:
    ends = _ENDS(text)
    if ends is None:
        fields.update(transport_fields(said))
        if text:
            fields["message"] = text
        return None
    rest = ends["rest"]
    ports = [_end(fields, side, ends[side]) for side in ("source", "destination")]
    fields["network.type"] = "ipv6" if ":" in ends["source"] else "ipv4"
    icmp = _protocol(fields, rest, said or ends["protocol"] or "", with_ports=all(ports))
    if length := _LENGTH(rest):
        fields["network.bytes"] = whole(length[1])
    if rest:
        fields[OWN + "packet"] = rest
    if rewritten is not None:
        _translated(fields, rewritten)
    return icmp


def _end(fields: Fields, side: str, text: str) -> bool:
    """Place an end of a packet; tell whether it has a port."""
    host, dot, port = text.rpartition(".")
    if canonical_ip(text) is None and dot and canonical_ip(host) is not None:
        fields[f"{side}.ip"] = host
        number = whole(port)
        if number is None:
            fields[OWN + f"{side}_service"] = port
        else:
            fields[f"{side}.port"] = number
        return True
    fields[f"{side}.ip"] = text
    return False


def _protocol(fields: Fields, rest: str, said: str, *, with_ports: bool) -> tuple[int, int] | None:
    lower = rest[:200].lower()
    found = _WORD(said.lower()) or _WORD(lower)
    word = found[1] if found else said
    if said and not found:
        fields.update(transport_fields(said))
    elif with_ports and word != "sctp":
        fields.update(transport_fields("tcp" if _TCP(rest) else "udp"))
    elif found:
        fields.update(transport_fields(found[2] or _NUMBERED.get(word, word)))
    if word == "icmp":
        return next((pair for words, pair in _ICMP_TYPES.items() if words in lower), None)
    return None


def _translated(fields: Fields, found: re.Match[str]) -> None:
    """Place what pf made of the ends; only what differs is a translation."""
    for side in ("source", "destination"):
        address, port = found[side], whole(found[f"{side}_port"])
        if address != fields.get(f"{side}.ip"):
            fields[f"{side}.nat.ip"] = address
        if f"{side}.port" in fields and port != fields[f"{side}.port"]:
            fields[f"{side}.nat.port"] = port
