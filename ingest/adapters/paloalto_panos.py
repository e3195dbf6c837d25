"""Palo Alto Networks PAN-OS and Panorama: syslog CSV of every log type, and the logging service's JSON and CEF.

Source: PAN-OS 8.1 to 11.2 "Syslog Field Descriptions". Columns are appended from release to release, so a
line may be shorter or longer than the table; what is beyond it is kept as `paloalto.panos.more`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import compress
from typing import Any

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats import cef, csv_line
from ingest.formats.device import Device, name
from ingest.formats.finish import finish
from ingest.formats.json import kind_of, load_object
from ingest.formats.keytable import KeyTable, Plan
from ingest.formats.number import whole
from ingest.formats.panos import STEPS, read_message, read_time
from ingest.formats.panos_classes import classes
from ingest.formats.panos_json import fitted
from ingest.formats.shapes import TRAILING, Shapes
from ingest.formats.sides import add_totals
from ingest.formats.text import decode
from ingest.tables import paloalto_panos as table

_OWN = table.PREFIX
_LOG_TYPE = "LogType"
_TYPE, _SUBTYPE, _SEVERITY = _OWN + _LOG_TYPE, _OWN + "Subtype", _OWN + "Severity"
_TUNNEL = _OWN + "Tunnel"
_SECOND_NS = 1_000_000_000
_FEWEST = 7  # the columns that every log type has
_DEVICE = Device(
    {
        "event.module": "paloalto",
        "event.dataset": "paloalto.panos",
        "observer.vendor": "Palo Alto Networks",
        "observer.product": "PAN-OS",
        "observer.type": "firewall",
    }
)
_LOGON = re.compile(
    r"(.*\b(?:[Ff]ailed (?:password|authentication|login)|authentication failed))|User \S+ logged (?:(out)|in)\b"
).match
_NONE_WHEN_ZERO = tuple(_OWN + column for column in table.NONE_WHEN_ZERO)
_TABLE = KeyTable(_OWN, table.NAMES, ("N/A", "null"), STEPS)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither PAN-OS CSV nor its JSON or CEF.
    """
    text = decode(raw)
    if "|Palo Alto Networks|" in text[:512]:
        header = cef.read(text)
        if header is not None:
            return [_of_cef(text, header, context)]
    first = text.find(",")
    if first < 0:
        raise ParseError("expected comma-separated values, JSON or CEF, came none")
    brace = text.find("{", 0, first)
    if brace >= 0:
        return [_of_json(text, brace, context)]
    start = max(text.rfind(" ", 0, first), text.rfind(">", 0, first)) + 1
    return [_of_csv(text, start, context)]


# ------------------------------------------------------------------ syslog CSV


@lru_cache
def _csv_plan(kind: str) -> Plan:
    plan = _TABLE.plan(table.COLUMNS[kind].split())
    # Columns for future use share one name, so that one deletion takes them all out.
    names = tuple("" if name.startswith(_OWN + "-") else name for name in plan.names)
    return replace(plan, names=names)


def _of_csv(text: str, start: int, context: Context) -> Fields:
    values = csv_line.split(text[start:])
    kind = values[3] if len(values) >= _FEWEST else ""
    head = _DEVICE.start(text[:start], context)
    if kind not in table.COLUMNS:
        return _complete(_of_unknown(kind, values, head), (), context)
    if kind == "CONFIG" and not _is_flags(values, 15):
        kind = "CONFIG+"
    plan = _csv_plan(kind)
    # Most columns are empty; `compress` leaves them out without a step of the interpreter for each.
    fields = head | dict(compress(zip(plan.names, values, strict=False), values))
    fields.pop("", None)
    for column in _NONE_WHEN_ZERO:
        if column in fields and fields[column] == "0":
            del fields[column]
    if len(values) > len(plan.names) and any(values[len(plan.names) :]):
        fields[_OWN + "more"] = [value for value in values[len(plan.names) :] if value]
    _count(fields, plan)
    absent = text.count("N/A")
    if absent and fields.get(_TUNNEL) == "N/A":
        del fields[_TUNNEL]
        absent -= 1
    if absent:
        for column in [column for column, value in fields.items() if value == "N/A"]:
            del fields[column]
    return _complete(fields, plan.steps, context)


def _count(fields: Fields, plan: Plan) -> None:
    try:
        for name in plan.integers:
            if name in fields:
                fields[name] = int(fields[name])
    except ValueError:
        for name in plan.integers:
            if type(fields.get(name)) is str:
                number = whole(fields[name])
                if number is not None:
                    fields[name] = number


def _of_unknown(kind: str, values: list[str], head: Fields) -> Fields:
    """Return what the columns say that every log type has; the rest as a list."""
    if not kind.isalpha() or not kind.isupper():
        raise ParseError("no PAN-OS log type stands in the fourth column")
    said: Fields = {
        _TYPE: kind,
        _SUBTYPE: values[4],
        "observer.serial_number": values[2],
        _OWN + "TimeGenerated": values[6],
        _OWN + "more": [value for value in values[_FEWEST:] if value],
    }
    return head | {name: value for name, value in said.items() if value}


def _is_flags(values: list[str], place: int) -> bool:
    return len(values) > place and values[place].startswith("0x")


# ------------------------------------------------------------------ JSON


def _of_json(text: str, brace: int, context: Context) -> Fields:
    record: dict[str, Any] = load_object(text[brace:])
    if _LOG_TYPE not in record:
        raise ParseError("expected LogType in a JSON record of PAN-OS")
    record.pop("SubType", None)
    said = fitted(record)
    if _LOG_TYPE not in said:
        raise ParseError(
            f"LogType in a JSON record of PAN-OS is {kind_of(record[_LOG_TYPE])}; expected a name"
        )
    plan = _TABLE.plan(tuple(said))
    fields = dict(_DEVICE.start(text[:brace], context))
    fields.update(zip(plan.names, said.values(), strict=True))
    severity = fields.pop(_OWN + "VendorSeverity", None)
    if severity:
        fields[_SEVERITY] = severity
    return _complete(fields, plan.steps, context)


# ------------------------------------------------------------------ CEF


def _cef_plan(keys: tuple[str, ...]) -> Plan:
    return _TABLE.plan([table.CEF_NAMES.get(key) or (key.removeprefix("PanOS")) for key in keys])


_CEF_LINES: Shapes[Plan] = Shapes(TRAILING, _cef_plan)
_CUSTOM = (
    "cs1",
    "cs2",
    "cs3",
    "cs4",
    "cs5",
    "cs6",
    "cn1",
    "cn2",
    "cn3",
    "flexString1",
    "flexString2",
)


def _of_cef(text: str, header: cef.Cef, context: Context) -> Fields:
    plan, values = _CEF_LINES.read(text, header.extension)
    cleaned = cef.cleaned(values, text)
    fields = _TABLE.fill(plan, cleaned, _DEVICE.start(text[: header.start], context))
    for key in _CUSTOM:
        label = fields.pop(f"{_OWN}{key}Label", "")
        value = fields.pop(_OWN + key, "")
        if value and label:
            fields[table.NAMES.get(label) or _TABLE.own(label)] = value
    fields[_TYPE], fields[_SUBTYPE] = header.event_class, header.name
    severity = cef.severity_number(header.severity)
    if severity is not None:
        fields["event.severity"] = severity
    return _complete(
        {key: value for key, value in fields.items() if value != ""}, plan.steps, context
    )


# ------------------------------------------------------------------ all


def _complete(fields: Fields, steps: tuple[Any, ...], context: Context) -> Fields:
    read_time(fields, context)
    for step in steps:
        step(fields)
    kind, subtype = fields.get(_TYPE, ""), fields.get(_SUBTYPE, "")
    add_totals(fields)
    seconds = fields.get("event.duration")
    if type(seconds) is int:
        fields["event.duration"] = seconds * _SECOND_NS
    severity = fields.pop(_SEVERITY, None)
    if severity is not None:
        fields["log.level"] = severity.lower()
        fields.setdefault("event.severity", table.SEVERITIES.get(severity.lower()))
    machine = fields.get("host.name")
    device = fields.get("observer.name")
    if device:
        name(fields, device)
        if machine:
            fields["host.name"] = fields["host.hostname"] = machine
    message = fields.get("message")
    if message:
        read_message(fields, message)
    said = str(fields.get(_OWN + "EventName") or fields.get(_OWN + "EventIDValue") or "")
    if kind == "SYSTEM" and said in ("", "general") and message and (logon := _LOGON(message)):
        said = "auth-fail" if logon[1] else "logout" if logon[2] else "auth-login"
    fields.update(
        classes(
            kind,
            str(subtype),
            str(fields.get("event.action", "")),
            fields.get("rule.category", ""),
            said or kind,
        )
    )
    status = fields.get(_OWN + "EventStatus")
    if status in ("success", "failure"):
        fields["event.outcome"] = status
    finish(fields)
    return fields


_KINDS = {
    "port": frozenset(("SourcePort", "DestinationPort", "NATSourcePort", "NATDestinationPort")),
    "count": frozenset(
        ("SessionID", "Bytes", "BytesSent", "BytesReceived", "PacketsTotal", "PacketsSent", "PacketsReceived",
         "SessionDuration")
    ),
    "long": frozenset(("SequenceNo",)),
    "digits": frozenset(
        ("ParentSessionID", "PacketID", "ReportID", "CloudReportID", "PayloadProtocolID")
    ),
    "name": frozenset(("SourceUser", "DestinationUser")),
}  # fmt: skip
_LEARNT = frozenset(
    "TRAFFIC THREAT GLOBALPROTECT USERID SYSTEM CONFIG HIPMATCH DECRYPTION TUNNEL".split()  # noqa: SIM905 - words
)
_HOLES = {
    kind: [
        f",{name},{place}"
        for name, columns in table.COLUMNS.items()
        for place, column in enumerate(columns.split())
        if column in wanted and name in _LEARNT
    ]
    + [f'{column}":' for column in sorted(wanted)]
    + [f"{key}=" for key, column in table.CEF_NAMES.items() if column in wanted]
    for kind, wanted in _KINDS.items()
}
_HOLES["count"] += ["cn1=", "PanOSPacketsReceived=", "PanOSPacketsSent=", "PanOSPacketsTotal="]

ADAPTER = Adapter(name="paloalto.panos", parse=parse, typed=True, holes=_HOLES)
