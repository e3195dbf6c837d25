"""Juniper SRX and Junos: security logs in structured and plain form, and Junos's own system messages.

Source: Juniper Junos OS System Log Explorer, Junos 23.4; sd-syslog (RFC 5424, `[junos@2636.…]`) and the
plain form of `RT_FLOW`. System messages give their tag, user, command and address.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.device import Device
from ingest.formats.keytable import KeyTable, Plan, holes_of
from ingest.formats.shapes import QUOTED, Shapes
from ingest.formats.srx import complete, complete_system
from ingest.formats.srx_plain import FILTER_TAG, read_plain
from ingest.formats.structured_data import read_structured_data
from ingest.formats.text import decode
from ingest.tables import juniper_srx as table

_OWN = table.PREFIX
_DEVICE = Device(
    {
        "event.module": "juniper",
        "event.dataset": "juniper.srx",
        "observer.vendor": "Juniper Networks",
        "observer.product": "SRX",
        "observer.type": "firewall",
    }
)
_TABLE = KeyTable(_OWN, table.NAMES, table.NULLS)
_LINES: Shapes[Plan] = Shapes(QUOTED, _TABLE.plan)
_TAG_BEFORE = re.compile(r"([A-Z][A-Z0-9_]{2,63})(?::)?\s*$").search
_TAG = re.compile(
    r"(?:^|[\s:])(?:RT_[A-Z]{1,16}(?:\[\d{1,9}\])?: )?([A-Z][A-Z0-9]{1,31}_[A-Z0-9_]{1,63}): "
).search
_SYSTEM = re.compile(r"(?:^|\s)([\w/.\-]{1,64})(?:\[(\d{1,9})\])?: ").search
_BARE = re.compile(r"<\d{1,3}>\d (?:\S+ ){5}- ").match
_FILTER = re.compile(r"(?:^|\s)FW: ").search
_END = r"(\S+)/(\d+)->([^\s/]+)/(\d+)"
_TAGGED = r" (?:(0x\S+) )?"
_CREATED = re.compile(
    rf"session created {_END}{_TAGGED}(\S+) {_END}{_TAGGED}(.{{0,512}}?) ?\b(\d{{1,3}}) (\S+) (\S+) (\S+) (\d+)"
    r"(?: ([^\s(]*)\(([^)]*)\))?(?: (\S+))?(?: (\S+))?(?: (\S+))?(?: (\S+))?"
).match
_CLOSED = re.compile(
    rf"session closed ([^:]{{0,128}}): {_END}{_TAGGED}(\S+) {_END}{_TAGGED}(.{{0,512}}?) ?\b(\d{{1,3}}) (\S+) (\S+) (\S+) (\d+)"
    r" (\d+)\((\d+)\) (\d+)\((\d+)\) (\d+)(?: (\S+))?(?: (\S+))?(?: ([^\s(]*)\(([^)]*)\))?(?: (\S+))?(?: (\S+))?"
).match
_DENIED = re.compile(
    rf"session denied {_END}{_TAGGED}(\S+) (\d{{1,3}})\((\d+)\) (\S+?)(?:\(global\))? (\S+) (\S+)"
    r"(?: (\S+))?(?: (\S+))?(?: ([^\s(]*)\(([^)]*)\))?(?: (\S+))?(?: (\S+))?"
    r"(?: (.{1,128}?)(?: \d+ (?:\S+ ){2}-?\d+ \S+.*)?$)?"  # since Junos 18 the session, and four words of the application
).match
_PLAIN = (
    ("session created", _CREATED, _TABLE.plan(table.CREATE)),
    ("session closed", _CLOSED, _TABLE.plan(table.CLOSE)),
    ("session denied", _DENIED, _TABLE.plan(table.DENY)),
)
_MOST_TEXT = 4096


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither structured nor plain security log, nor a tagged system message.
    """
    text = decode(raw)
    at = text.find("[junos@")
    if at >= 0:
        return [_structured(text, at, context)]
    found = _TAG(text, 0, 1024)
    if found is not None:
        return [_tagged(text, found, context)]
    bare = _FILTER(text, 0, 256)
    if bare is not None and (said := read_plain(FILTER_TAG, text[bare.end() :][:_MOST_TEXT])):
        start = _start(_head(text, bare.start()), context)
        fields = _TABLE.fill(_plan(tuple(said)), list(said.values()), start)
        return [complete(fields, FILTER_TAG)]
    plain = _BARE(text)
    if plain is not None:
        fields = dict(_DEVICE.start(plain[0], context))
        return [complete_system(fields, "", text[plain.end() :])]
    found = _SYSTEM(text, 0, 256)
    if found is None:
        raise ParseError("expected [junos@…], a message tag or a process name, came none")
    fields = dict(_DEVICE.start(_head(text, found.start()), context))
    _process(fields, found[1], found[2])
    return [complete_system(fields, "", text[found.end() :])]


def _head(text: str, end: int) -> str:
    """Return the syslog header up to the tag, for reading time and host alone."""
    return text[:end] + " " if end > 0 else ""


def _structured(text: str, at: int, context: Context) -> Fields:
    head = text[:at]
    found = _TAG_BEFORE(head[-96:])
    tag = found[1] if found else ""
    start = text.find(" ", at) + 1
    if start <= 0:
        raise ParseError("structured data ends behind its id")
    if '\\"' in text:
        elements, _ = read_structured_data(text, at)
        pairs = next(iter((elements or {}).values()), {})
        plan = _plan(tuple(pairs))
        fields = _TABLE.fill(plan, list(pairs.values()), _start(head, context))
    else:
        end = text.find('"]', start)
        body = text[start : end + 1] if end >= 0 else text[start:]
        plan, values = _LINES.read(body)
        fields = _TABLE.fill(plan, values, _start(head, context))
    if not plan.names:
        raise ParseError("no parameter stands in the structured data")
    return complete(fields, tag)


@lru_cache(1024)
def _plan(keys: tuple[str, ...]) -> Plan:
    return _TABLE.plan(keys)


@lru_cache(1024)
def _header_text(head: str) -> str:
    """Return a header without the message tag, which the reader of syslog would take for an app."""
    match = re.match(r"(<\d{1,3}>\d \S+ \S+ \S+ \S+ \S+ )", head)
    return (
        f"{match[1]}- "
        if match
        else re.sub(r"(?:RT_\w+(?:\[\d+\])?: )?\b[A-Z][A-Z0-9]*_[A-Z0-9_]+:?\s*$", "", head)
    )


def _start(head: str, context: Context) -> Fields:
    return _DEVICE.start(_header_text(head) if len(head) <= _MOST_TEXT else "", context)


def _tagged(text: str, found: re.Match[str], context: Context) -> Fields:
    tag, message = found[1], text[found.end() :]
    head = text[: found.start() + (found[0][0] in " :")]
    for words, match, plan in _PLAIN:
        if message.startswith(words):
            said = match(message[:_MOST_TEXT])
            if said is not None:
                values = [value or "" for value in said.groups()]
                fields = _TABLE.fill(plan, values, _start(head, context))
                return complete(fields, tag)
    if plain := read_plain(tag, message[:_MOST_TEXT]):
        fields = _TABLE.fill(_plan(tuple(plain)), list(plain.values()), _start(head, context))
        fields["message"] = message.rstrip("\r\n")
        return complete(fields, tag)
    fields = dict(_start(head, context))
    process = _SYSTEM(head + " ")
    if process is not None:
        _process(fields, process[1], process[2])
    return complete_system(fields, tag, message)


def _process(fields: Fields, program: str, pid: str | None) -> None:
    fields["process.name"] = program.rpartition("/")[2]
    if "/" in program:
        fields["process.executable"] = program
    if pid is not None:
        fields["process.pid"] = int(pid)


_HOLES = holes_of(table.NAMES, count="session-id-32 session-id elapsed-time", epoch="epoch-time")
_HOLES["port"].append("port ")
_HOLES["count"].append("[")

ADAPTER = Adapter(name="juniper.srx", parse=parse, typed=True, holes=_HOLES)
