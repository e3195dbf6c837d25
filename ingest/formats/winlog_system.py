"""The system part of a Windows event as fields: who wrote it, where, when, and with what outcome.

Most of it repeats from event to event of one channel, and is remembered by what it was made of.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.time import iso_us
from ingest.tables.windows_events import LEVELS, OPCODES

_REPEATING: Final = (
    "provider_name", "event_id", "channel", "computer_name", "provider_guid", "level", "opcode",
    "opcode_value", "task", "severity", "event_type", "qualifiers", "event_source_name", "api",
    "level_name",
)  # fmt: skip
_USER: Final = tuple(
    (name, "winlog." + name)
    for name in ("user.domain", "user.identifier", "user.name", "user.type")
)
_AS_THEY_ARE: Final = frozenset(_REPEATING) - {
    "opcode_value",
    "severity",
    "event_type",
    "level_name",
}
_SUCCESS_BIT, _FAILURE_BIT = 0x20000000000000, 0x10000000000000
_UTC = re.compile(r"(\d{4}-[01]\d-[0-3]\d)[T ]([0-2]\d:[0-5]\d:[0-5]\d)(?:\.(\d{1,9}))?Z?$")
_SYSTEM_SID: Final = "S-1-5-18"
_PLAIN: Final = frozenset((str, int, type(None)))
_SYSTEM_NAMES: Final = frozenset(
    ("SYSTEM", "SYSTÈME", "SISTEMA", "SYSTEEM", "LOCALSYSTEM", "LOCAL SYSTEM")
)


def system_fields(system: dict[str, Any]) -> Fields:
    """Return the fields that do not change from event to event of one kind; the caller's to change."""
    key = tuple(map(system.get, _REPEATING))
    if not _PLAIN.issuperset(map(type, key)):
        # Lists are no keys, and `false` would be taken for the 0 of another event.
        key = tuple(None if value is None else str(value) for value in key)
    fields = _remembered(key).copy()
    for name, field in _USER:  # there are too many users to remember them
        value = system.get(name)
        if value is not None and value != "":
            fields[field] = str(value)
    version = system.get("version")
    if version is not None:
        text = str(version)
        if text.isdecimal() and len(text) < 10:  # noqa: PLR2004 - eight bits, in truth
            fields["winlog.version"] = int(text)
    return fields


@lru_cache(8192)
def _remembered(key: tuple[Any, ...]) -> Fields:
    said = {
        name: value
        for name, value in zip(_REPEATING, key, strict=True)
        if value is not None and value != ""
    }
    fields: Fields = {}
    for name in _AS_THEY_ARE & said.keys():
        fields["winlog." + name] = str(said[name])
    opcode = OPCODES.get(str(said.get("opcode_value", "")))
    if opcode is not None:
        fields.setdefault("winlog.opcode", opcode)
    level = LEVELS.get(str(said.get("level", said.get("severity", ""))))
    if level is not None:
        fields["log.level"] = level
    outcome = {"AUDIT_SUCCESS": "success", "AUDIT_FAILURE": "failure"}.get(said.get("event_type", ""))  # fmt: skip
    if outcome is not None:
        fields["event.outcome"] = outcome
    _host(fields, str(said.get("computer_name", "")), str(said.get("provider_name", "")))
    return dict(sorted(fields.items()))  # a set has no order, what is written must have one


def _host(fields: Fields, computer: str, provider: str) -> None:
    if not computer:
        return
    label = computer.partition(".")[0]
    fields["host.name"] = computer
    fields["host.hostname"] = computer if label.isdecimal() else label
    fields["host.os.type"] = "linux" if provider == "Linux-Sysmon" else "windows"


def add_changing(fields: Fields, system: dict[str, Any], context: Context) -> None:
    """Add what is each event's own: record id, process, keywords, time."""
    record = system.get("record_id")
    if record is not None and record != "":
        fields["winlog.record_id"] = record if type(record) is str else str(record)
    for name in ("process.pid", "process.thread.id"):
        value = system.get(name)
        if type(value) is str:
            value = int(value) if value.isdecimal() and len(value) < 19 else None  # noqa: PLR2004 - 64 bits
        if value is not None:
            fields["winlog." + name] = value
    for name in ("activity_id", "related_activity_id", "logon.id", "logon.type"):
        value = system.get(name)
        if value:
            fields["winlog." + name] = value
    keywords = system.get("keywords")
    if keywords is not None:
        _keywords(fields, keywords, system.get("keyword_names"))
    _time(fields, system, context)


def _keywords(fields: Fields, keywords: Any, names: Any) -> None:
    if type(keywords) is list:
        fields["winlog.keywords"] = keywords
        outcome = "success" if "Audit Success" in keywords else "failure" if "Audit Failure" in keywords else ""  # fmt: skip
    else:
        text = str(keywords)
        fields["winlog.keywords"] = names if type(names) is list else [text]
        outcome = _outcome(text)
    if outcome and "event.outcome" not in fields:
        fields["event.outcome"] = outcome


@lru_cache(1024)
def _outcome(text: str) -> str:
    if text in ("Audit Success", "Audit Failure"):
        return text[6:].lower()
    try:
        bits = int(text, 16) if text[:2] == "0x" else int(text) & (2**64 - 1)
    except ValueError:
        return ""
    if bits & _FAILURE_BIT:
        return "failure"
    return "success" if bits & _SUCCESS_BIT else ""


# ------------------------------------------------------------------ time


def _time(fields: Fields, system: dict[str, Any], context: Context) -> None:
    """Set `@timestamp`.

    `TimeCreated` is UTC whether or not it says so; NXLog's `EventTime` is local unless it says so.
    """
    for name in ("time_created", "time_generated", "timestamp"):
        text = system.get(name)
        if type(text) is str and text:
            stamp = utc_text(text) or _stamp(text, None)
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


def utc_text(text: str) -> str | None:
    """Return a UTC time such as `2023-08-16 00:36:50.070` as `contract.timestamps.iso` writes it, or None."""
    match = _UTC.match(text)
    if match is None:
        return None
    date, clock, decimals = match.groups()
    return f"{date}T{clock}.{(decimals or '')[:6]:0<6}Z"


# ------------------------------------------------------------------ user, process


_NAMES_PROCESS: Final = frozenset(
    ("process.pid", "process.executable", "process.entity_id", "process.name")
)


def settle(fields: Fields, system: dict[str, Any], data: dict[str, Any]) -> None:
    """Fill what the event's data left open from its system part.

    Sysmon's driver stamps the act itself; `TimeCreated` is when its service wrote it down.
    """
    created = data.get("UtcTime")
    if type(created) is str and (stamp := utc_text(created)) is not None:
        if "@timestamp" in fields:
            fields["event.created"] = fields["@timestamp"]
        fields["@timestamp"] = stamp
    sid = system.get("user.identifier")
    if type(sid) is str and sid and "user.id" not in fields:
        _system_user(fields, system, sid)
    if "winlog.process.pid" in fields and fields.keys().isdisjoint(_NAMES_PROCESS):
        # Nothing says which process the event is about: it is the one that wrote it.
        fields["process.pid"] = fields["winlog.process.pid"]


def _system_user(fields: Fields, system: dict[str, Any], sid: str) -> None:
    """The account that wrote the event, unless the data name another."""
    name, own = fields.get("user.name"), system.get("user.name")
    if name is None:
        fields["user.id"] = sid
        if own:
            fields["user.name"] = own
            if system.get("user.domain"):
                fields["user.domain"] = system["user.domain"]
        elif sid == _SYSTEM_SID:
            fields["user.name"], fields["user.domain"] = "SYSTEM", "NT AUTHORITY"
    elif name == own or (sid == _SYSTEM_SID and str(name).upper() in _SYSTEM_NAMES):
        fields["user.id"] = sid
