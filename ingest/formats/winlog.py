"""One Windows event out of the JSON that shippers make of it: system part, event data, message.

The truth is the event schema of the Windows Event Log (`http://schemas.microsoft.com/win/2004/08/events/event`,
learn.microsoft.com/windows/win32/wes, read 2026-11); XML is read by `ingest.formats.winlog_xml`. The
shippers rename its parts; read here are Winlogbeat (5 to 9) and Elastic Agent, NXLog's flat JSON and what
Logstash and Mordor make of it, Azure Monitor's `SecurityEvent`/`WindowsEvent`, the EVTX dumpers
(`evtx_dump`, Chainsaw, Hayabusa), and Wazuh.
"""

from __future__ import annotations

from typing import Any

from contract.errors import ParseError
from ingest.formats.json import flatten, flatten_into, load_object
from ingest.formats.winlog_flat import EVENT_TYPES, of_flat
from ingest.formats.winlog_record import WindowsRecord, take
from ingest.formats.winlog_xml import events_of_xml


def of_json(raw: bytes) -> list[WindowsRecord]:
    """Return the events of one JSON object.

    Raises:
        ParseError: not JSON, or none of the shapes above.
    """
    return of_object(load_object(raw))


def of_object(item: dict[str, Any]) -> list[WindowsRecord]:
    """Return the events of a decoded JSON object.

    Raises:
        ParseError: none of the known shapes.
    """
    winlog = item.get("winlog")
    if type(winlog) is dict:
        return [_winlogbeat(item, winlog)]
    if "EventID" in item or "EventId" in item or "SourceModuleType" in item:
        return [of_flat(item)]
    event = item.get("Event", item)
    if type(event) is dict and type(event.get("System")) is dict:
        return [_evtx(event)]
    for name in ("Event", "SyslogMessage", "message", "Message", "EventXml", "xml"):
        text = item.get(name)
        if type(text) is str and "<Event" in text[:512]:
            return _wrapped(item, text[text.index("<Event") :], name)
    return [_rarer(item)]


def _rarer(item: dict[str, Any]) -> WindowsRecord:
    win = item.get("win")
    if type(win) is not dict and type(item.get("data")) is dict:
        win = item["data"].get("win")
    if type(win) is dict and type(win.get("system")) is dict:
        return _wazuh(item, win)
    if "event_id" in item and ("log_name" in item or "source_name" in item):
        return _winlogbeat_old(item)
    if any(name.startswith("winlog.") for name in item):
        nested = _nested(item)
        winlog = nested.pop("winlog")
        return _winlogbeat({**nested, "winlog": winlog}, winlog)
    raise ParseError(
        "no Windows event: expected winlog, Event, EventID or win.system among "
        + ", ".join(list(item)[:8])
    )


def _wrapped(item: dict[str, Any], xml: str, name: str) -> list[WindowsRecord]:
    """XML inside JSON; the JSON's own `Message` is the rendered text."""
    records = [WindowsRecord(system, data, text) for system, data, text in events_of_xml(xml)]
    message = item.get("Message")
    for record in records:
        if type(message) is str and name != "Message":
            record.message = record.message or message
    return records


# ------------------------------------------------------------------ Winlogbeat, Elastic Agent


def _winlogbeat(item: dict[str, Any], winlog: dict[str, Any]) -> WindowsRecord:
    system: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in winlog.items():
        if name in ("event_data", "user_data"):
            if type(value) is dict:
                take(data, value)
        elif type(value) is dict:
            flatten_into(system, value, name + ".", 2)
        elif value is not None:
            system[name] = value
    extra = flatten({name: value for name, value in item.items() if name != "winlog"})
    message = extra.pop("message", "")
    return WindowsRecord(system, data, message if type(message) is str else "", extra)


_OLD = {
    "event_id": "event_id", "log_name": "channel", "source_name": "provider_name",
    "computer_name": "computer_name", "record_number": "record_id", "provider_guid": "provider_guid",
    "process_id": "process.pid", "thread_id": "process.thread.id", "keywords": "keywords",
    "opcode": "opcode", "task": "task", "version": "version", "activity_id": "activity_id",
    "level": "level", "user.identifier": "user.identifier", "user.name": "user.name",
    "user.domain": "user.domain", "user.type": "user.type",
}  # fmt: skip


def _winlogbeat_old(item: dict[str, Any]) -> WindowsRecord:
    """Winlogbeat 5 and 6, whose fields stood at the top."""
    data: dict[str, Any] = {}
    for name in ("event_data", "user_data"):
        if type(item.get(name)) is dict:
            take(data, item[name])
    rest = flatten({k: v for k, v in item.items() if k not in ("event_data", "user_data")})
    system = {new: rest.pop(old) for old, new in _OLD.items() if old in rest}
    message = rest.pop("message", "")
    return WindowsRecord(system, data, message if type(message) is str else "", rest)


def _nested(item: dict[str, Any]) -> dict[str, Any]:
    """Undo dotted names of `winlog.` alone."""
    winlog: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in item.items():
        head, _, tail = name.partition(".")
        if head != "winlog":
            rest[name] = value
        elif tail.startswith("event_data."):
            winlog.setdefault("event_data", {})[tail[11:]] = value
        elif tail.startswith("user_data."):
            winlog.setdefault("user_data", {})[tail[10:]] = value
        else:
            winlog[tail] = value
    rest["winlog"] = winlog
    return rest


# ------------------------------------------------------------------ EVTX dumpers, Wazuh


def _evtx(event: dict[str, Any]) -> WindowsRecord:
    """`{"System": {…}, "EventData": {…}}`; attributes as `#attributes`, `@Name` or `Name_attributes`."""
    source = event.get("System")
    if type(source) is not dict:
        raise ParseError("no Windows event: Event without System")
    system: dict[str, Any] = {}
    for name, value in source.items():
        _evtx_system(system, name, value)
    for name, value in source.items():
        if name.endswith("_attributes") and type(value) is dict:
            _evtx_system(system, name[:-11], {"#attributes": value})
    data: dict[str, Any] = {}
    for name in ("EventData", "UserData"):
        part = event.get(name)
        if type(part) is dict:
            inner = part
            if name == "UserData" and len(part) == 1 and type(next(iter(part.values()))) is dict:
                inner = next(iter(part.values()))
            take(data, inner)
    info = event.get("RenderingInfo")
    message = info.get("Message", "") if type(info) is dict else ""
    return WindowsRecord(system, data, message if type(message) is str else "")


_EVTX_TEXT = {
    "EventID": "event_id", "Version": "version", "Level": "level", "Task": "task",
    "Opcode": "opcode_value", "Keywords": "keywords", "EventRecordID": "record_id",
    "Channel": "channel", "Computer": "computer_name",
}  # fmt: skip
_EVTX_ATTRIBUTES = {
    ("Provider", "Name"): "provider_name", ("Provider", "Guid"): "provider_guid",
    ("Provider", "EventSourceName"): "event_source_name",
    ("TimeCreated", "SystemTime"): "time_created", ("Execution", "ProcessID"): "process.pid",
    ("Execution", "ThreadID"): "process.thread.id", ("Correlation", "ActivityID"): "activity_id",
    ("Correlation", "RelatedActivityID"): "related_activity_id", ("Security", "UserID"): "user.identifier",
    ("EventID", "Qualifiers"): "qualifiers",
}  # fmt: skip


def _evtx_system(system: dict[str, Any], name: str, value: Any) -> None:
    known = _EVTX_TEXT.get(name)
    if type(value) is dict:
        attributes = value.get("#attributes") if type(value.get("#attributes")) is dict else value
        assert type(attributes) is dict  # noqa: S101 - for mypy; either branch gives a dict
        for key, item in attributes.items():
            target = _EVTX_ATTRIBUTES.get((name, key.lstrip("@")))
            if target is not None and item is not None:
                system[target] = item
        value = value.get("#text")
    if known is not None and value is not None:
        system[known] = value


_WAZUH = {
    "providerName": "provider_name", "providerGuid": "provider_guid", "eventID": "event_id",
    "version": "version", "level": "level", "task": "task", "opcode": "opcode_value",
    "keywords": "keywords", "systemTime": "time_created", "eventRecordID": "record_id",
    "processID": "process.pid", "threadID": "process.thread.id", "channel": "channel",
    "computer": "computer_name", "severityValue": "event_type",
}  # fmt: skip


def _wazuh(item: dict[str, Any], win: dict[str, Any]) -> WindowsRecord:
    system = {new: win["system"][old] for old, new in _WAZUH.items() if old in win["system"]}
    event_type = system.get("event_type")
    if type(event_type) is not str or event_type not in EVENT_TYPES:
        system.pop("event_type", None)
    data: dict[str, Any] = {}
    source = win.get("eventdata")
    if type(source) is dict:
        # Wazuh lowers the first letter of every name; Windows' own names begin with a capital.
        take(data, {name[:1].upper() + name[1:]: value for name, value in source.items()})
    message = win["system"].get("message", "")
    return WindowsRecord(system, data, message.strip('"') if type(message) is str else "")
