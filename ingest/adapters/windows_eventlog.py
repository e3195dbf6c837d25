"""Windows event logs: Security, Sysmon (also for Linux), PowerShell, System, and any other channel.

Reads XML, the JSON of Winlogbeat and Elastic Agent, NXLog, Mordor, Azure Monitor, the EVTX dumpers and
Wazuh, `.evtx` files, and the bare message text. Every datum stays under `winlog.event_data.<Name>` exactly as Windows
names it, so that public Sigma rules for Windows match; the ECS fields are beside it. ECS 9.4; the tables
are `ingest.tables.windows_events` and `windows_data`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.text import decode
from ingest.formats.time import iso_us
from ingest.formats.winlog import of_json
from ingest.formats.winlog_details import COMPLETE
from ingest.formats.winlog_evtx import MAGIC, records_of_evtx
from ingest.formats.winlog_message import of_message
from ingest.formats.winlog_record import WindowsRecord
from ingest.formats.winlog_values import Read, compile_plan, utc_text
from ingest.formats.winlog_xml import events_of_xml
from ingest.tables.windows_data import PARENTS, PLANS
from ingest.tables.windows_events import (
    ALERTS,
    LEVELS,
    OPCODES,
    OTHERS,
    SECURITY,
    SECURITY_PROVIDERS,
    SYSMON,
    SYSMON_PROVIDERS,
    Row,
)

NAME = "windows.eventlog"
_START = re.compile(rb'\{\s*"|<Event[\s>s]|<\?xml')
_HEADER_BYTES = 512
"""A syslog or shipper's header before the event is looked through so far."""
_SLUG = re.compile(r"[^a-z0-9]+")
_SYSTEM_SIDS = frozenset(("S-1-5-18",))
_SYSTEM_NAMES = frozenset(
    ("SYSTEM", "SYSTÈME", "SISTEMA", "SYSTEEM", "LOCALSYSTEM", "LOCAL SYSTEM")
)
_SUCCESS_BIT, _FAILURE_BIT = 0x20000000000000, 0x10000000000000


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the fields of the events in one record.

    Raises:
        ParseError: no Windows event in any of the forms read here.
    """
    first = raw[:1]
    if raw[:8] == MAGIC:
        return _file(raw, context)
    if first not in (b"{", b"<"):
        raw = raw.lstrip(b" \t\r\n\xef\xbb\xbf")
        first = raw[:1]
    if first == b"{":
        records = of_json(raw)
    elif first == b"<" and raw[1:2] in (b"E", b"?"):
        records = [WindowsRecord(*parts) for parts in events_of_xml(decode(raw))]
    else:
        records = _found_inside(raw)
    return [_fields(record, context) for record in records]


def _file(raw: bytes, context: Context) -> list[Fields]:
    """A whole `.evtx` file; what cannot be read of it becomes an event of kind `pipeline_error`."""
    found: list[Fields] = []
    for item in records_of_evtx(raw):
        try:
            if isinstance(item, ParseError):
                raise item
            found += [_fields(record, context) for record in of_json(item.encode())]
        except ParseError as error:
            found.append(
                {
                    "event.kind": "pipeline_error",
                    "event.module": "windows",
                    "event.dataset": "windows.evtx",
                    "error.message": str(error),
                }
            )
    if all(fields["event.kind"] == "pipeline_error" for fields in found):
        reason = found[0]["error.message"] if found else "it has no record"
        raise ParseError(f"no .evtx file: {reason}")
    return found


def _found_inside(raw: bytes) -> list[WindowsRecord]:
    """An event after a header (syslog, a forwarder's), or the message text alone."""
    match = _START.search(raw[:_HEADER_BYTES])
    if match is not None:
        rest = raw[match.start() :]
        if rest[:1] == b"{":
            return of_json(rest)
        return [WindowsRecord(*parts) for parts in events_of_xml(decode(rest))]
    return [of_message(decode(raw))]


# ------------------------------------------------------------------ which plan


def _merged(name: str) -> dict[str, str]:
    plan: dict[str, str] = {}
    for parent in PARENTS[name]:
        plan |= _merged(parent)
    return plan | PLANS[name]


_PLANS: dict[str, dict[str, str | Read]] = {name: compile_plan(_merged(name)) for name in PLANS}
_GENERAL: Row = ("", "", "info", "general")


@lru_cache(4096)
def _row(provider: str, channel: str, event_id: str) -> tuple[Row, str]:
    """Return the row of an event and its dataset."""
    dataset = "windows." + (_SLUG.sub("_", channel.lower().removeprefix("microsoft-windows-")).strip("_") or "event")  # fmt: skip
    number = int(event_id) if event_id.isdecimal() and len(event_id) < 7 else -1  # noqa: PLR2004 - ids have at most 16 bits
    if provider in SYSMON_PROVIDERS or "sysmon/" in channel.lower():
        return SYSMON.get(number, ("", "process", "info", "sysmon")), dataset
    if provider in OTHERS:
        return OTHERS[provider].get(number, _GENERAL), dataset
    if provider in SECURITY_PROVIDERS or channel.lower() == "security":
        return SECURITY.get(number, ("", "", "info", "subject")), dataset
    if not provider and channel == "Windows PowerShell":
        return OTHERS["PowerShell"].get(number, _GENERAL), dataset
    return _GENERAL, dataset


def _fields(record: WindowsRecord, context: Context) -> Fields:
    system, data, fields = record.system, record.data, record.extra
    event_id = str(system.get("event_id", ""))
    provider = str(system.get("provider_name") or "")
    if not event_id and not provider and not record.message and "local_time" not in system:
        raise ParseError("no Windows event: expected an event id, a provider or a message")
    row, dataset = _row(provider, str(system.get("channel") or ""), event_id)
    fields["event.module"] = "windows"
    fields["event.dataset"] = dataset
    if event_id:
        fields["event.code"] = event_id
    if provider:
        fields["event.provider"] = provider
    if record.message:
        fields["message"] = record.message
    _categorize(fields, system, row, event_id)
    _system_fields(fields, system, context)
    _take_data(fields, data, _PLANS[row[3]])
    complete = COMPLETE.get(row[3])
    if complete is not None:
        complete(fields, data, record.message)
    _settle(fields, system, data)
    return fields


def _categorize(fields: Fields, system: dict[str, Any], row: Row, event_id: str) -> None:
    """Kind, action, category and type; of an event without a row the shipper's own stay."""
    action, categories, types, plan = row
    fields["event.kind"] = "alert" if plan == "defender" and _is_alert(event_id) else "event"
    if categories:
        fields["event.category"] = categories.split()
    if categories or "event.type" not in fields:
        fields["event.type"] = types.split()
    if action or "event.action" not in fields:
        fields["event.action"] = action or _category(system)


def _take_data(fields: Fields, data: dict[str, Any], plan: dict[str, str | Read]) -> None:
    for name, value in data.items():
        fields["winlog.event_data." + name] = value
        target = plan.get(name)
        if target is None or not value or value == "-":
            continue
        if isinstance(target, str):
            fields[target] = value
        else:
            target(fields, value)


def _is_alert(event_id: str) -> bool:
    return event_id.isdecimal() and int(event_id) in ALERTS


def _category(system: dict[str, Any]) -> str:
    for name in ("category", "task"):
        text = system.get(name)
        if type(text) is str and text and not text.isdecimal():
            return text
    return ""


# ------------------------------------------------------------------ the system part

_KEPT = (
    "provider_guid", "activity_id", "related_activity_id", "keywords", "opcode", "task", "version", "api",
    "level", "qualifiers", "event_source_name", "logon.id", "logon.type", "user.identifier", "user.name",
    "user.domain", "user.type", "process.thread.id",
)  # fmt: skip
_TEXT_KEPT = frozenset(("task", "level", "qualifiers"))


def _system_fields(fields: Fields, system: dict[str, Any], context: Context) -> None:
    for name in ("event_id", "record_id", "channel", "computer_name", "provider_name"):
        value = system.get(name)
        if value is not None and value != "":
            fields["winlog." + name] = value if type(value) is str else str(value)
    for name in _KEPT:
        value = system.get(name)
        if value is not None and value != "":
            fields["winlog." + name] = str(value) if name in _TEXT_KEPT else value
    for name in ("version", "process.thread.id"):
        _whole(fields, "winlog." + name)
    pid = system.get("process.pid")
    if pid is not None:
        fields["winlog.process.pid"] = pid
        _whole(fields, "winlog.process.pid")
    opcode = OPCODES.get(str(system.get("opcode_value", "")))
    if opcode is not None:
        fields.setdefault("winlog.opcode", opcode)
    level = LEVELS.get(str(system.get("level", system.get("severity", ""))))
    if level is not None:
        fields.setdefault("log.level", level)
    _host(fields, system)
    _time(fields, system, context)
    _outcome(fields, system)


def _whole(fields: Fields, name: str) -> None:
    value = fields.get(name)
    if type(value) is str:
        if value.isdecimal() and len(value) < 19:  # noqa: PLR2004 - fits 64 bits
            fields[name] = int(value)
        else:
            del fields[name]


def _host(fields: Fields, system: dict[str, Any]) -> None:
    computer = system.get("computer_name")
    if type(computer) is not str or not computer:
        return
    if "host.name" not in fields:
        fields["host.name"] = computer
    if "host.hostname" not in fields:
        label = computer.partition(".")[0]
        fields["host.hostname"] = computer if label.isdecimal() else label
    system_type = "linux" if system.get("provider_name") == "Linux-Sysmon" else "windows"
    fields.setdefault("host.os.type", system_type)


def _time(fields: Fields, system: dict[str, Any], context: Context) -> None:
    """Set `@timestamp`; `event.created` keeps what the shipper said where that differs.

    `TimeCreated` is UTC whether or not it says so; NXLog's `EventTime` is local unless it says so.
    """
    for name in ("time_created", "time_generated", "timestamp"):
        text = system.get(name)
        if type(text) is str and text:
            stamp = _stamp(text, None)
            if stamp is not None:
                fields["@timestamp"] = stamp
                return
    text = system.get("local_time")
    stamp = _stamp(text, context) if type(text) is str else None
    if stamp is not None:
        fields["@timestamp"] = stamp


def _stamp(text: str, context: Context | None) -> str | None:
    try:
        if context is None:
            return iso(iso_us(text))
        return iso(iso_us(text, context.zone, context.received_us))
    except (ValueError, OverflowError):
        return None


def _outcome(fields: Fields, system: dict[str, Any]) -> None:
    keywords = system.get("keywords")
    event_type = system.get("event_type")
    if event_type == "AUDIT_SUCCESS":
        fields["event.outcome"] = "success"
    elif event_type == "AUDIT_FAILURE":
        fields["event.outcome"] = "failure"
    elif type(keywords) is list:
        if "Audit Success" in keywords:
            fields["event.outcome"] = "success"
        elif "Audit Failure" in keywords:
            fields["event.outcome"] = "failure"
    elif keywords is not None:
        bits = _bits(str(keywords))
        if bits & _FAILURE_BIT:
            fields["event.outcome"] = "failure"
        elif bits & _SUCCESS_BIT:
            fields["event.outcome"] = "success"
        names = system.get("keyword_names")
        fields["winlog.keywords"] = names if type(names) is list else [str(keywords)]


@lru_cache(256)
def _bits(text: str) -> int:
    if text in ("Audit Success", "Audit Failure"):
        return _SUCCESS_BIT if text == "Audit Success" else _FAILURE_BIT
    try:
        return int(text, 16) if text[:2] == "0x" else int(text) & (2**64 - 1)
    except ValueError:
        return 0


# ------------------------------------------------------------------ what the plan left open


_NAMES_PROCESS = frozenset(
    ("process.pid", "process.executable", "process.entity_id", "process.name")
)


def _settle(fields: Fields, system: dict[str, Any], data: dict[str, Any]) -> None:
    created = data.get("UtcTime")
    if type(created) is str and (stamp := utc_text(created)) is not None:
        # Sysmon's driver stamps the act itself; TimeCreated is when its service wrote it down.
        if "@timestamp" in fields:
            fields["event.created"] = fields["@timestamp"]
        fields["@timestamp"] = stamp
    _system_user(fields, system)
    if "winlog.process.pid" in fields and not _NAMES_PROCESS & fields.keys():
        # Nothing says which process the event is about: it is the one that wrote it.
        fields["process.pid"] = fields["winlog.process.pid"]


def _system_user(fields: Fields, system: dict[str, Any]) -> None:
    """The account that wrote the event, unless the data name another."""
    sid = system.get("user.identifier")
    if type(sid) is not str or not sid or "user.id" in fields:
        return
    name = fields.get("user.name")
    own = system.get("user.name")
    if name is None:
        fields["user.id"] = sid
        if own:
            fields["user.name"] = own
            if system.get("user.domain"):
                fields["user.domain"] = system["user.domain"]
        elif sid in _SYSTEM_SIDS:
            fields["user.name"], fields["user.domain"] = "SYSTEM", "NT AUTHORITY"
    elif name == own or (sid in _SYSTEM_SIDS and str(name).upper() in _SYSTEM_NAMES):
        fields["user.id"] = sid


ADAPTER = Adapter(NAME, parse)
