"""Windows events flattened to one level: NXLog, what Logstash and Mordor make of it, and Azure Monitor.

Sources: NXLog `im_msvistalog` field list (docs.nxlog.co), the OTRF Security-Datasets, and Azure Monitor's
tables `SecurityEvent` and `WindowsEvent` (learn.microsoft.com/azure/azure-monitor/reference/tables), read 2026-11.
"""

from __future__ import annotations

import re
from typing import Any

from contract.event import Fields
from ingest.formats.json import load_object
from ingest.formats.winlog_record import WindowsRecord, take, text_of
from ingest.formats.winlog_xml import data_of_xml

_FLAT = {
    "EventID": "event_id", "EventId": "event_id", "Channel": "channel", "Hostname": "computer_name",
    "Computer": "computer_name", "HostName": "computer_name",
    "SourceName": "provider_name", "EventSourceName": "provider_name", "ProviderName": "provider_name",
    "Provider": "provider_name", "Provider_Name": "provider_name", "ProviderGuid": "provider_guid",
    "RecordNumber": "record_id", "EventRecordID": "record_id", "EventRecordId": "record_id",
    "ThreadID": "process.thread.id", "ExecutionThreadID": "process.thread.id",
    "ExecutionProcessID": "process.pid", "ActivityID": "activity_id",
    "RelatedActivityID": "related_activity_id", "Keywords": "keywords", "Level": "level",
    "EventLevel": "level", "Version": "version", "Task": "task", "Opcode": "opcode",
    "OpcodeValue": "opcode_value", "Category": "category", "TimeCreated": "time_created",
    "EventTime": "local_time", "TimeGenerated": "time_generated", "@timestamp": "timestamp",
    "Severity": "severity", "UserID": "user.identifier", "AccountType": "user.type",
}  # fmt: skip
_FLAT_DROPPED = frozenset(
    [
        "@version",
        "EventReceivedTime",
        "SourceModuleName",
        "SourceModuleType",
        "SeverityValue",
        "tags",
        "EventLevelName",
        "TenantId",
        "SourceSystem",
        "MG",
        "ManagementGroupName",
        "Type",
        "_ResourceId",
        "EventOriginId",
        "SourceComputerId",
        "TimeCollected",
        "Activity",
        "Message",
        "message",
    ]
)
"""Names of the shipper itself; where they stand they say nothing of the event. Kept under `labels`."""
EVENT_TYPES = frozenset(("AUDIT_SUCCESS", "AUDIT_FAILURE", "INFO", "WARNING", "ERROR", "VERBOSE", "CRITICAL", "DEBUG"))  # fmt: skip
_AZURE_DERIVED = frozenset(
    [
        "Account",
        "SubjectAccount",
        "TargetAccount",
        "Process",
        "LogonTypeName",
        "HostCustomEntity",
        "AccountType",
    ]
)


_DATUM, _SYSTEM, _DROPPED, _SPECIAL = range(4)
ROLES: dict[str, int] = {
    **dict.fromkeys(_AZURE_DERIVED | {"EventData"}, _SPECIAL),
    **dict.fromkeys(_FLAT_DROPPED, _DROPPED),
    **dict.fromkeys(_FLAT, _SYSTEM),
}
"""What a name stands for, in one look; a name that is not here is a datum."""


def of_flat(item: dict[str, Any]) -> WindowsRecord:
    """Return the event of an object with `EventID` at its top.

    Raises:
        ParseError: its event data cannot be read.
    """
    system: dict[str, Any] = {}
    data: dict[str, Any] = {}
    extra: Fields = {}
    is_azure = "EventSourceName" in item or "TimeGenerated" in item
    role_of = ROLES.get
    for name, value in item.items():
        if value is None:
            continue
        role = role_of(name, _DATUM)
        if role == _SYSTEM:
            system[_FLAT[name]] = value
        elif role == _DROPPED:
            if name not in ("Message", "message", "@version"):
                extra["labels." + name.lstrip("_")] = value if type(value) is str else str(value)
        elif type(value) is dict:
            take(data, value)
        elif role == _DATUM:
            data[name] = value if type(value) is str else text_of(value)
        elif name == "EventData" and type(value) is str:
            _embedded(data, value)
        elif not (is_azure and name in _AZURE_DERIVED):
            data[name] = value if type(value) is str else text_of(value)
    _settle_flat(item, system, data, extra)
    message = item.get("Message", item.get("message"))
    return WindowsRecord(system, data, message if type(message) is str else "", extra)


def _settle_flat(
    item: dict[str, Any], system: dict[str, Any], data: dict[str, Any], extra: Fields
) -> None:
    """Tell apart what NXLog's one level folds together.

    NXLog's names ignore case, so that `ProcessID` is the event's producer when it is a number, and the
    event's own datum when it is text; `Domain` and `AccountName` are those of `UserID`; `EventType` is
    the audit result, or Sysmon's kind of change.
    """
    if type(item.get("ProcessID")) is int and "process.pid" not in system:
        system["process.pid"] = item["ProcessID"]
        data.pop("ProcessID", None)
        _recover(data, item.get("Message"))
    if data.get("EventType") in EVENT_TYPES:
        system["event_type"] = data.pop("EventType")
    if "UserID" in item or "AccountType" in item:
        for name, known in (("AccountName", "user.name"), ("Domain", "user.domain")):
            if name in data:
                system[known] = data.pop(name)
    if "computer_name" not in system and "ComputerName" in data:
        system["computer_name"] = data.pop("ComputerName")
    for name in ("host", "port"):
        if name in data and "SourceModuleName" in item:
            extra["labels.shipper_" + name] = data.pop(name)


_PROCESS_ID = re.compile(
    r"^\s*(?:Creator )?Process ?I[Dd]:[ \t]*(0x[0-9a-fA-F]{1,8}|\d{1,10})", re.MULTILINE
)


def _recover(data: dict[str, Any], message: Any) -> None:
    """Take back from the message the `ProcessId` that NXLog's own `ProcessID` overwrote."""
    if "ProcessId" not in data and type(message) is str:
        match = _PROCESS_ID.search(message[:4096])
        if match is not None:
            data["ProcessId"] = match[1]


def _embedded(data: dict[str, Any], text: str) -> None:
    """Azure's `EventData`: XML for SecurityEvent, JSON for WindowsEvent."""
    start = text.lstrip()[:1]
    if start == "<":
        data.update(data_of_xml(text))
    elif start == "{":
        take(data, load_object(text))
    else:
        data["EventData"] = text
