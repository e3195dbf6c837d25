"""Windows event logs: Security, Sysmon (also for Linux), PowerShell, System, and any other channel.

Reads XML, the JSON of Winlogbeat and Elastic Agent, NXLog, Mordor, Azure Monitor, the EVTX dumpers and
Wazuh, `.evtx` files, and the bare message text. Every datum stays under `winlog.event_data.<Name>` exactly as Windows
names it, so that public Sigma rules for Windows match; the ECS fields are beside it. ECS 9.4; the tables
are `ingest.tables.windows_events` and `windows_data`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.text import decode
from ingest.formats.winlog import of_json
from ingest.formats.winlog_details import COMPLETE
from ingest.formats.winlog_evtx import MAGIC, records_of_evtx
from ingest.formats.winlog_holes import MAX_HEADER, holes, is_plain
from ingest.formats.winlog_message import of_message
from ingest.formats.winlog_record import WindowsRecord
from ingest.formats.winlog_system import add_changing, settle, system_fields
from ingest.formats.winlog_users import Read
from ingest.formats.winlog_values import compile_plan
from ingest.formats.winlog_xml import events_of_xml
from ingest.tables.windows_data import PARENTS, PLANS
from ingest.tables.windows_events import (
    ALERTS,
    OTHERS,
    SECURITY,
    SECURITY_PROVIDERS,
    SYSMON,
    SYSMON_PROVIDERS,
    Row,
)

NAME = "windows.eventlog"
_START = re.compile(rb'\{\s*"|<Event[\s>s]|<\?xml')
_HEADER_BYTES = 1024
"""A syslog or shipper's header before the event is looked through so far."""
MAX_REMEMBERED: Final = 4_096
"""Names of data that are kept for each plan."""
_SLUG = re.compile(r"[^a-z0-9]+")


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


class _Plan(dict[str, tuple[str, str | Read | None]]):
    """Under which name a datum is kept and what reads it, by its own name; made when first asked for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._readers = compile_plan(_merged(name))

    def __missing__(self, datum: str) -> tuple[str, str | Read | None]:
        found = "winlog.event_data." + datum, self._readers.get(datum)
        if len(self) < MAX_REMEMBERED:  # names come from outside
            self[datum] = found
        return found


_PLANS: dict[str, _Plan] = {name: _Plan(name) for name in PLANS}
_STATUS = re.compile(r"0x[0-9A-Fa-f]{1,8}").fullmatch  # NTSTATUS, or Kerberos' own codes
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


@lru_cache(4096)
def _kind(provider: str, channel: str, event_id: str) -> tuple[Fields, str]:
    """Return what is the same in all events of one kind, and the name of their plan."""
    (action, categories, types, plan), dataset = _row(provider, channel, event_id)
    is_alert = plan == "defender" and event_id.isdecimal() and int(event_id) in ALERTS
    fields: Fields = {"event.module": "windows", "event.dataset": dataset}
    if event_id:
        fields["event.code"] = event_id
    if provider:
        fields["event.provider"] = provider
    fields["event.kind"] = "alert" if is_alert else "event"
    if categories:
        fields["event.category"] = categories.split()
    fields["event.type"] = types.split()
    fields["event.action"] = action
    return fields, plan


def _fields(record: WindowsRecord, context: Context) -> Fields:
    system, data = record.system, record.data
    fields = system_fields(system)
    event_id = str(system.get("event_id", ""))
    provider = str(system.get("provider_name") or "")
    if not event_id and not provider and not record.message and "local_time" not in system:
        raise ParseError("no Windows event: expected an event id, a provider or a message")
    same, plan = _kind(provider, str(system.get("channel") or ""), event_id)
    _categorize(fields, same, record.extra, system)
    if record.message:
        fields["message"] = record.message
    add_changing(fields, system, context)
    _take_data(fields, data, _PLANS[plan])
    complete = COMPLETE.get(plan)
    if complete is not None:
        complete(fields, data, record.message)
    settle(fields, system, data)
    if "event.outcome" not in fields and "authentication" in fields.get("event.category", ()):
        _outcome(fields, str(data.get("Status") or ""))
    return fields


def _outcome(fields: Fields, status: str) -> None:
    """Say how an authentication ended whose shipper left out the audit keywords."""
    if "fail" in fields["event.action"] or "block" in fields["event.action"]:
        fields["event.outcome"] = "failure"
    elif _STATUS(status):
        fields["event.outcome"] = "failure" if int(status, 16) else "success"


def _categorize(fields: Fields, same: Fields, extra: Fields, system: dict[str, Any]) -> None:
    """Kind, action, category and type; of an event without a row the shipper's own stay."""
    fields.update(extra)
    fields.update(same)
    if "event.category" not in same and "event.type" in extra:
        fields["event.type"] = extra["event.type"]
    if not same["event.action"]:
        fields["event.action"] = extra.get("event.action") or _category(system)


def _take_data(fields: Fields, data: dict[str, Any], plan: _Plan) -> None:
    for name, value in data.items():
        kept, target = plan[name]
        fields[kept] = value
        if target is None or not value or value == "-":
            continue
        if type(target) is str:
            fields[target] = value
        else:
            target(fields, value)  # type: ignore[operator]


def _category(system: dict[str, Any]) -> str:
    for name in ("category", "task"):
        text = system.get(name)
        if type(text) is str and text and not text.isdecimal():
            return text
    return ""


def _may_be_learnt(raw: bytes, fields: Fields) -> bool:
    start = _START.search(raw[:MAX_HEADER])
    channel = str(fields.get("winlog.channel", ""))
    (*_, plan), _ = _row(
        fields.get("event.provider", ""), channel, str(fields.get("event.code", ""))
    )
    return start is not None and is_plain(fields, plan)


ADAPTER = Adapter(NAME, parse, holes=holes(), learns=_may_be_learnt)
