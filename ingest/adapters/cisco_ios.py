"""Cisco IOS, IOS XE and NX-OS: access lists, logons, configuration, links, and any other `%FACILITY-n-MNEMONIC:`.

Source: Cisco IOS XE 17 System Message Guide; NX-OS 10.x System Messages Reference. A mnemonic that no
table names still gives its code, severity, and what its text shows: addresses, interface, user, VLAN.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.address import canonical_mac
from ingest.formats.cisco_guess import guess
from ingest.formats.device import Device
from ingest.formats.finish import finish
from ingest.formats.sides import add_totals, settle
from ingest.formats.text import decode
from ingest.formats.url import url_fields
from ingest.tables import cisco_ios as table
from ingest.tables.protocols import transport_fields

_OWN = table.PREFIX
_HEAD = re.compile(
    r"%(?:\$VDC-\d{1,3}%\$\s?%)?([A-Z][A-Z0-9_]{0,63}\+?(?:-[A-Za-z][A-Za-z0-9_]{0,63})?)-(?:(?:SW|SP|RP|STBY|DFC)\d{0,2}-)?"
    r"([0-7])-([A-Z0-9_]{1,96})\s?:\s?"
).search
_MOST_TEXT = 2048
_INNER_WITHIN = 256
_DEVICES = {
    product: Device(
        {
            "event.module": "cisco",
            "event.dataset": "cisco.ios",
            "observer.vendor": "Cisco",
            "observer.product": product,
            "observer.type": "router",
        },
        tag_is_host=True,
    )
    for product in ("IOS", "IOS XR", "NX-OS")
}
# IOS XR names the node before the stamp and the process behind it; NX-OS puts the year first.
_XR = re.compile(
    r"((?:RP|LC|B?FCC?|SP|DRP)/\d{1,3}/\w{1,8}/CPU\d{1,2}): ?([^%]*?)(?: ?: | )([\w\-.]{1,64})\[(\d{1,9})\] ?: $"
).search
_NAMED_STAMP = re.compile(r"([\w.\-]+) ((?:\d{4} )?[A-Z][a-z]{2} +\d.*)$").match
_NEXUS = re.compile(r"\b(?:19|20)\d\d [A-Z][a-z]{2} [ \d]\d \d\d:|%\$ ?VDC-").search
_LEVELS = (
    "emergency", "alert", "critical", "error", "warning", "notification", "informational", "debugging",
)  # fmt: skip
_PATTERNS = {
    mnemonic: re.compile(pattern).search
    for mnemonics, pattern in table.PATTERNS.items()
    for mnemonic in mnemonics.split()
}
_FINDERS = tuple((word, re.compile(pattern).search) for word, pattern in table.FINDERS)
_REPEATED = re.compile(r" \(message repeated (\d{1,9}) times?\)$").search


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: no `%FACILITY-severity-MNEMONIC:` stands in it.
    """
    text = decode(raw)
    head = _HEAD(text, 0, 1024)
    if head is None:
        raise ParseError("expected %FACILITY-severity-MNEMONIC:, came none")
    facility, level, mnemonic = head.groups()
    fields = _start(text[: head.start()], text[: head.start(1)], context)
    message = text[head.end() :].rstrip()
    fields |= _constants(facility.upper(), level, mnemonic)
    fields["event.provider"] = facility
    if message:
        fields["message"] = message
    cut = message[:_MOST_TEXT]
    # The data plane of IOS XE hands its own messages on, whole, inside %IOSXE-6-PLATFORM.
    if facility == "IOSXE" and (inner := _HEAD(cut, 0, _INNER_WITHIN)) is not None:
        fields |= _constants(inner[1].upper(), level, inner[3]) | {"event.code": mnemonic}
        mnemonic = inner[3]
    search = _PATTERNS.get(mnemonic)
    found = search(cut) if search is not None else None
    if found is not None:
        for name, value in found.groupdict().items():
            if value:
                fields[table.FIELDS[name]] = value
    else:
        _find(fields, cut)
    _complete(fields, mnemonic, cut)
    return [fields]


def _start(before: str, to_name: str, context: Context) -> Fields:
    """Read what stands before the `%`: which system writes so, its header, and what IOS XR adds to it."""
    if found := _XR(before[-256:]):
        node, stamp, process, pid = found.groups()
        outer = before[: len(before) - len(before[-256:]) + found.start()]
        if named := _NAMED_STAMP(stamp):
            stamp = f"{named[2]} {named[1]}: "
        fields = _DEVICES["IOS XR"].start(outer + stamp, context).copy()
        fields["cisco.ios.node"] = node
        fields["process.name"], fields["process.pid"] = process, int(pid)
        return fields
    product = "NX-OS" if _NEXUS(to_name[:256]) else "IOS"
    return _DEVICES[product].start(before, context).copy()


def _find(fields: Fields, text: str) -> None:
    for word, search in _FINDERS:
        if word in text:
            found = search(text)
            if found is not None:
                for name, value in found.groupdict().items():
                    if value:
                        fields.setdefault(table.FIELDS[name], value)
    if (
        "source.ip" not in fields
        and "destination.ip" not in fields
        and not fields.get("source.mac")
    ):
        guess(fields, text)


def _complete(fields: Fields, mnemonic: str, text: str) -> None:
    get = fields.get
    _sides(fields)
    icmp = _flow(fields) if "network.transport" in fields else None
    _judge(fields)
    if "user.name" in fields or "source.user.name" in fields:
        fields.setdefault("source.user.name", get("user.name"))
        fields.setdefault("user.name", get("source.user.name"))
    if "url.original" in fields:
        fields.update(url_fields(fields["url.original"]))
    command = get("process.command_line")
    if command and mnemonic == "VSHD_SYSLOG_CMD_EXEC":
        fields["process.name"] = command.split(None, 1)[0]
    if repeated := _REPEATED(text):
        fields[_OWN + "repeated"] = repeated[1]
    _outcome(fields, mnemonic, text)
    finish(fields, icmp)


def _sides(fields: Fields) -> None:
    for side in ("source", "destination"):
        port = fields.get(f"{side}.port")
        if port is not None:
            fields[f"{side}.port"] = int(port)
        address = fields.get(f"{side}.mac")
        if address is not None:
            fields[f"{side}.mac"] = canonical_mac(address) or address
        if f"{side}.ip" in fields:
            settle(fields, side)
    for name in ("network.packets", "source.bytes", "destination.bytes", "process.pid"):
        if name in fields:
            fields[name] = int(fields[name])


def _flow(fields: Fields) -> tuple[int, int] | None:
    said = fields.pop("network.transport")
    fields.update(transport_fields(said) or {"network.transport": said.lower()})
    if fields["network.transport"] in ("icmp", "ipv6-icmp"):
        for port in ("source.port", "destination.port"):
            if fields.get(port) == 0:  # written for every protocol; ICMP has none
                del fields[port]
    add_totals(fields)
    kind = fields.get(_OWN + "icmp_type")
    return None if kind is None else (int(kind), int(fields.get(_OWN + "icmp_code") or 0))


def _judge(fields: Fields) -> None:
    """Turn a verdict, or the begin or end of a session, into ECS's types."""
    action = fields.get("event.action", "")
    verdict = {"permit": "permitted", "deny": "denied"}.get(action.lower(), action)
    if verdict in ("permitted", "denied"):
        fields["event.action"] = verdict
        fields["event.category"] = ["network"]
        fields["event.type"] = ["connection", "allowed" if verdict == "permitted" else "denied"]
        fields["event.outcome"] = "success"
    elif action in ("Start", "Stop"):
        fields["event.type"] = ["connection", "start" if action == "Start" else "end"]
        fields["event.action"] = "flow-creation" if action == "Start" else "flow-expiration"


def _outcome(fields: Fields, mnemonic: str, text: str) -> None:
    if "authentication" in fields["event.category"]:
        failed = "FAIL" in mnemonic or "ailed" in text[:256] or "ailure" in text[:256]
        fields.setdefault("event.outcome", "failure" if failed else "success")
    elif mnemonic == "DROP_PKT":
        fields["event.type"] = ["connection", "denied"]
        fields["event.outcome"] = "success"


@lru_cache(4096)
def _constants(facility: str, level: str, mnemonic: str) -> Fields:
    categories, types = (
        table.MNEMONIC_CLASSES.get(mnemonic)
        or table.CLASSES.get(facility)
        or table.CLASSES.get(facility.partition("-")[0])
        or ("host", "info")
    )
    return {
        "event.kind": "alert" if "intrusion_detection" in categories else "event",
        "event.category": categories.split(),
        "event.type": types.split(),
        "event.code": mnemonic,
        "event.provider": facility,
        "event.severity": int(level),
        "log.level": _LEVELS[int(level)],
    }


_HOLES = {"count": (">", "[", "sent "), "port": ("Port: ",), "clock": ("at ",), "name": ("user: ",)}

ADAPTER = Adapter(name="cisco.ios", parse=parse, typed=True, holes=_HOLES)
