"""DHCP servers of Linux and BSD as they log: ISC dhcpd, dnsmasq and Kea; who was given which address, and who gave it back.

Sources, read 2026-11: ISC DHCP 4.4, `dhcpd(8)` and its log messages (`DHCPACK on ADDRESS to MAC (NAME) via INTERFACE`); dnsmasq(8), `--log-dhcp`
(`DHCPACK(INTERFACE) ADDRESS MAC NAME`, before it a transaction's number); Kea 2.6 message manual (DHCP4_LEASE_ALLOC, DHCP4_RELEASE,
DHCP4_RELEASE_EXPIRED, DHCP4_DECLINE_LEASE). Only what was acknowledged is the client's: what it asks for, or is offered, stands apart.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.device import Device
from ingest.formats.text import decode

_OWN: Final = "linux.dhcp."
_DEVICE = Device(
    {
        "event.kind": "event",
        "event.module": "linux",
        "event.dataset": "linux.dhcp",
        "event.category": ["network"],
        "network.protocol": "dhcp",
        "network.transport": "udp",
        "network.iana_number": "17",
    }
)
_TYPES: Final = {
    "ack": ["protocol", "start"], "nak": ["protocol", "denied"], "release": ["protocol", "end"],
    "expire": ["protocol", "end"], "decline": ["protocol", "denied"],
}  # fmt: skip
_HELD: Final = frozenset({"ack", "release", "expire"})
"""Messages whose address is the client's, or was until now."""

_MAC = r"(?:[0-9A-Fa-f]{1,2}[:\-]){5,19}[0-9A-Fa-f]{1,2}"
_IP = r"[0-9A-Fa-f.:]{2,45}"
_VERB = "(DISCOVER|OFFER|REQUEST|ACK|NAK|RELEASE|DECLINE|EXPIRE)"
_ISC = re.compile(
    rf"\bDHCP{_VERB}(?: (?:on|for|of|to) ({_IP})(?: \(({_IP})\))?)?(?: (?:to|from))? \(?({_MAC})\)?(?: \(([^()]{{1,255}})\))?"
    r"(?: via ([^\s:]{1,45}))?(.{0,4096})"
).search
_DNSMASQ = re.compile(
    rf"(?:(\d{{1,10}}) )?\bDHCP{_VERB}\(([^()\s]{{1,64}})\)(?: ({_IP}))? ({_MAC})(?: (.{{0,4096}}))?$"
).search
_KEA = re.compile(
    rf"(?:(?:DEBUG|INFO|WARN|ERROR) {{1,4}}(?:\[[^\[\]]{{1,128}}\] )?)?\bDHCP4_(LEASE_ALLOC|LEASE_OFFER|LEASE_ADVERT|RELEASE|RELEASE_EXPIRED|RELEASE_DELETED|DECLINE_LEASE|LEASE_RECLAIM)\b"
    rf".{{0,512}}?\[hwtype=\d{{1,3}} ({_MAC})\](.{{0,4096}})"
).search
_KEA_ADDRESS = re.compile(rf"\b(?:lease|address|addr) ({_IP})(?=[\s,.:]|$)").search
_SECONDS = re.compile(r"\bfor (\d{1,10}) seconds").search
_KEA_VERBS: Final = {
    "LEASE_ALLOC": "ack", "LEASE_OFFER": "offer", "LEASE_ADVERT": "offer", "RELEASE": "release",
    "RELEASE_EXPIRED": "release", "RELEASE_DELETED": "release", "DECLINE_LEASE": "decline",
    "LEASE_RECLAIM": "expire",
}  # fmt: skip
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,252})").fullmatch


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line.

    Raises:
        ParseError: it tells of no address asked for, given or given back.
    """
    text = decode(raw).rstrip()
    for read in (_isc, _dnsmasq, _kea):
        found = read(text)
        if found is not None:
            start, verb, address, mac, said = found
            fields = _DEVICE.start(text[:start], context) | said
            fields["event.action"] = f"dhcp-{verb}"
            fields["event.type"] = _TYPES.get(verb, ["protocol"])
            fields["client.mac"] = canonical_mac(mac) or mac
            if (ip := canonical_ip(address)) is not None:
                fields["client.ip" if verb in _HELD else f"{_OWN}address"] = ip
                fields["related.ip"] = [ip]
            if "client.domain" in fields:
                fields["related.hosts"] = [fields["client.domain"]]
            fields["message"] = text[start:]
            return [fields]
    raise ParseError("expected a lease asked for, given or given back, of dhcpd, dnsmasq or Kea")


_Found = tuple[int, str, str, str, Fields]
"""Where the message begins, what it is, of which address and hardware address, and what else it says."""


def _isc(text: str) -> _Found | None:
    found = _ISC(text)
    if found is None:
        return None
    verb, address, server, mac, name, via, rest = found.groups()
    said: Fields = {}
    if server:
        said[f"{_OWN}server"] = server
    if via and canonical_ip(via) is not None:
        said[f"{_OWN}relay"] = via
    elif via:
        said["observer.ingress.interface.name"] = via
    if reason := rest.strip(" :"):
        said["event.reason"] = reason
    return found.start(), verb.lower(), address or "", mac, said | _named(name)


def _dnsmasq(text: str) -> _Found | None:
    found = _DNSMASQ(text)
    if found is None:
        return None
    number, verb, interface, address, mac, rest = found.groups()
    said: Fields = {"observer.ingress.interface.name": interface}
    if number:
        said[f"{_OWN}transaction"] = number
    if verb == "ACK":
        said |= _named(rest)
    elif rest:
        said["event.reason"] = rest
    return found.start(), verb.lower(), address or "", mac, said


def _kea(text: str) -> _Found | None:
    found = _KEA(text)
    if found is None:
        return None
    kind, mac, rest = found.groups()
    # Of a declined lease the address stands before the client.
    address = _KEA_ADDRESS(rest) or _KEA_ADDRESS(text, found.start(), found.start(2))
    said: Fields = {}
    if kind == "LEASE_ALLOC" and (seconds := _SECONDS(rest)):
        said[f"{_OWN}seconds"] = seconds[1]
    return found.start(), _KEA_VERBS[kind], address[1] if address else "", mac, said


def _named(name: str | None) -> Fields:
    """Return the client's name, where it is one: clients send what they please."""
    if not name:
        return {}
    return {"client.domain": name} if _HOST(name) else {f"{_OWN}name": name}


ADAPTER = Adapter(name="linux.dhcp", parse=parse)
