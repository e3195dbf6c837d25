"""What may vary in Windows events that mean the same: the holes of `windows.eventlog`, worked out from its own tables.

What reads a datum says what its value may be: what is only copied is any text, a path is cut where paths are cut. A
datum that several plans read in different ways, and every name that decides something (which event, which plan, what is
joined with what), stays as it is. A name that no table has is a datum that is only copied.
"""

from __future__ import annotations

from typing import Final

from contract.event import Fields
from ingest.formats.winlog_flat import ROLES
from ingest.tables.windows_data import PLANS

_READERS: Final = {
    "number": "number", "port": "port", "program": "path", "path": "path", "library": "path",
    "registry": "key", "registry_data": "value", "account": "account", "principal": "account", "logon_user": "account",
    "effective_user": "account", "logon_domain": "value",
    "sid": "value",
}  # fmt: skip
"""What stands in a datum, by its reader; others read what their form alone tells, or words that mean something."""
_NAMES_USERS: Final = frozenset(("user.name", "user.effective.name", "user.target.name"))
_DECIDING: Final = frozenset(
    """Name Guid EventSourceName SystemTime Qualifiers Data Event EventData UserData EventXml SyslogMessage System
    RenderingInfo Provider Keyword Keywords Binary EventType ObjectType Protocol Status UtcTime ContextInfo param1 param2
    param3 ShareName ShareLocalPath EventID EventRecordID Security Correlation Execution Opcode Level Task Version
    Channel Event Events""".split()  # noqa: SIM905 - words
)
"""Names that are more than one datum's: parts of the event, and data that are looked at together with others."""
_OWN: Final = {
    "ObjectName": "rooted", "ObjectValueName": "value", "NewValue": "value", "RelativeTargetName": "path",
    "AccountName": "account", "Message": "message", "message": "message", "name": "account", "domain": "value",
    "Domain": "value", "computer_name": "host", "Computer": "host", "Hostname": "host", "HostName": "host", "ComputerName": "host",
    "hostname": "host", "record_id": "number", "RecordNumber": "number", "EventRecordID": "number",
    "EventRecordId": "number", "ProcessID": "number", "ThreadID": "number", "ExecutionProcessID": "number",
    "ExecutionThreadID": "number", "pid": "number", "id": "number", "port": "number",
}  # fmt: skip
_NEVER: Final = ("-", "SYSTEM", "LOCALSYSTEM", "LOCAL SYSTEM", "SISTEMA", "SYSTEEM", "S-1-0-0", "NULL SID",
    "Binary Data", "DWORD (*", "QWORD (*",
)  # fmt: skip
"""Texts that say "none" or the operating system's own account, and values of a registry that are no text."""
_PHRASES: Final = ("rocess ID:", "rocess Id:", "rocessID:", "rocessId:")
"""Behind these `ingest.formats.winlog_flat` looks for the process in a rendered message."""


def _kind_of(targets: list[str]) -> str:
    """Return what stands in a datum that plans read in these ways; empty: what its form alone tells."""
    kinds = {_kind_of_one(target) for target in targets}
    if len(kinds) > 1:
        kinds.discard("value")
    return kinds.pop() if len(kinds) == 1 else ""


def _kind_of_one(target: str) -> str:
    reader, found, _ = target.partition(":")
    if found:
        return _READERS.get(reader, "")
    return "account" if target in _NAMES_USERS else "value"


def _kinds() -> dict[str, str]:
    targets: dict[str, list[str]] = {}
    for plan in PLANS.values():
        for name, target in plan.items():
            targets.setdefault(name, []).append(target)
    found = {name: _kind_of(ways) for name, ways in targets.items()}
    return found | dict.fromkeys(ROLES, "") | dict.fromkeys(_DECIDING, "") | _OWN


def holes() -> dict[str, list[str]]:
    """Return the table of `Adapter.holes`: each name as a key of JSON, as an element, and as an attribute."""
    made: dict[str, list[str]] = {"value": ['*":', "*>"], "never": [*_NEVER], "phrase": [*_PHRASES]}
    kinds = _kinds()
    # Wazuh writes the first letter of every datum small.
    small = {name[:1].lower() + name[1:]: kind for name, kind in kinds.items()}
    for name, kind in (small | kinds).items():
        if " " not in name:
            made.setdefault(kind or "fixed", []).extend((f'{name}":', f"{name}>"))
    made["number"] += ["ProcessID=", "ThreadID="]
    return made


MAX_HEADER: Final = 256
"""Bytes before an event whose lines may be learnt; how long a sender's name there is, is another line's own."""
_FREE_TEXT: Final = frozenset(("applocker", "client", "adfs"))
_BLOCKS: Final = tuple("winlog.event_data." + name for name in ("ContextInfo", "param1", "param2", "param3"))  # fmt: skip


def is_plain(fields: Fields, plan: str) -> bool:
    """Whether nothing in an event of this plan hangs on what its rendered message, or another free text, says."""
    if plan != "powershell":
        return plan not in _FREE_TEXT
    if any("=" in str(fields.get(name, "")) for name in _BLOCKS):
        return False
    return "powershell.file.script_block_text" in fields or "=" not in str(fields.get("message"))
