"""Linux audit (auditd): the records of one event put together by their serial number.

Sources: github.com/linux-audit/audit-documentation and the manual pages auditd.conf(5), ausearch(8), read
2026-11. The kernel writes one event as several records (SYSCALL, EXECVE, CWD, PATH…, PROCTITLE) that others may
interleave; they share time and serial number. An event is whole at its EOE or PROCTITLE record, when
others have long begun, or at the end of the stream. Records of user space stand alone. Laurel's JSON has
an event in one line; other shippers' JSON carries the record as its message.

Every field stays under `auditd.log.<name>` as decoded.
"""

from __future__ import annotations

import re
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ids import derive_id
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.audit import HEAD, stamp_us, type_name
from ingest.formats.audit_event import Record, event_fields
from ingest.formats.audit_fields import fields_of
from ingest.formats.audit_laurel import records_of
from ingest.formats.json import load_object
from ingest.formats.text import decode
from ingest.tables.audit import GROUPED

NAME: Final = "linux.auditd"
MAX_OPEN: Final = 32
"""Events held unfinished; records of one event come within a few milliseconds."""
MAX_RECORDS: Final = 512
"""Records of one event; beyond, what there is becomes an event and the rest another."""


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the events that this record, or these lines, complete.

    Several lines in one record are taken as whole: nothing of them is held back.

    Raises:
        ParseError: a line is no audit record.
    """
    if raw[:1] == b"{":
        item = load_object(raw)
        if "ID" in item:
            return _laurel(item, context)
        text = _carried(item)
    else:
        text = decode(raw)
    if "\n" not in text:
        return _take(text, context)
    found: list[Fields] = []
    before = set(_open(context))
    for line in text.split("\n"):
        if line and not line.isspace():
            found += _take(line, context)
    for key in [key for key in _open(context) if key not in before]:
        found += _close(key, context)
    return found


def flush(context: Context) -> list[Fields]:
    """Return the events still unfinished, oldest first."""
    return [event for key in list(_open(context)) for event in _close(key, context)]


def _open(context: Context) -> dict[str, list[str]]:
    """The lines of unfinished events by node, time and serial, in order of their first record."""
    state: dict[str, list[str]] = context.state.setdefault("open", {})
    return state


def _take(line: str, context: Context) -> list[Fields]:
    match = HEAD.search(line)
    if match is None:
        if line.startswith(("----", "time->")):
            return []
        raise ParseError("no audit record: expected type=… msg=audit(time:serial):")
    node, kind, stamp, serial = match.groups()
    name = type_name(kind)
    key = f"{node or ''} {stamp}:{serial}"
    waiting = _open(context)
    if name not in GROUPED and not name.startswith("UNKNOWN["):
        if key in waiting:
            waiting[key].append(line)
            return _close(key, context)
        return [_event([line], context, match)]
    lines = waiting.setdefault(key, [])
    lines.append(line)
    found: list[Fields] = []
    # ausearch prints the title first; in the log it is the last.
    if name == "EOE" or (name == "PROCTITLE" and len(lines) > 1) or len(lines) >= MAX_RECORDS:
        found += _close(key, context)
    while len(waiting) > MAX_OPEN:
        found += _close(next(iter(waiting)), context)
    return found


def _close(key: str, context: Context) -> list[Fields]:
    lines = _open(context).pop(key)
    if len(lines) == 1 and " type=EOE " in " " + lines[0]:
        # The end of an event that was whole before: its title had come, or it was cut at the bound.
        return []
    return [_event(lines, context)]


def _event(lines: list[str], context: Context, head: re.Match[str] | None = None) -> Fields:
    """Return the event of these lines; `head` is that of the only one, where it is known."""
    records: list[Record] = []
    node = stamp = serial = ""
    for line in lines:
        match = head or HEAD.search(line)
        if match is None:
            continue
        node, stamp, serial = match[1] or node, match[3], match[4]
        body = line[match.end() :]
        records.append((type_name(match[2]), fields_of(body), body))
    try:
        time_us = stamp_us(stamp, context.zone)
    except (ValueError, OverflowError) as error:
        raise ParseError(str(error)) from None
    fields = event_fields(records)
    return _finish(fields, node, serial, time_us, lines)


def _carried(item: dict[str, Any]) -> str:
    """Return the record that a shipper carries in JSON (journald, Filebeat, Azure Monitor).

    Raises:
        ParseError: no member holds one.
    """
    for name in ("message", "MESSAGE", "SyslogMessage", "msg", "log"):
        text = item.get(name)
        if type(text) is str and "audit(" in text[:512]:
            return text.strip("\n")
    raise ParseError("no audit event: expected ID, or a record in message or SyslogMessage")


def _laurel(item: dict[str, Any], context: Context) -> list[Fields]:
    node, stamp, serial, records = records_of(item)
    try:
        time_us = stamp_us(stamp, context.zone)
    except (ValueError, OverflowError) as error:
        raise ParseError(str(error)) from None
    return [_finish(event_fields(records), node, serial, time_us, [])]


def _finish(fields: Fields, node: str, serial: str, time_us: int, lines: list[str]) -> Fields:
    fields["@timestamp"] = iso(time_us)
    if serial.isdecimal() and len(serial) < 19:  # noqa: PLR2004 - 64 bits
        fields["event.sequence"] = int(serial)
    if node:
        fields["host.name"] = node
        fields["host.hostname"] = node.partition(".")[0]
    if len(lines) > 1:
        # The record that completes an event is not its cause; all its records are.
        fields["event.id"] = derive_id("event", NAME, *sorted(lines))
    return fields


ADAPTER = Adapter(NAME, parse, flush, typed=True)
