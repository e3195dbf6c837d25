"""Fields that events of a log source have, so that a rule's misspelt field is found. Data only.

Source: Sysmon's schema 4.90 (the categories follow it, says the taxonomy appendix) and the appendix's
own tables for proxy, web server, firewall and network. Log sources not here are not checked.
"""

from __future__ import annotations

from correlate.sigma.taxonomy import NETWORK, PROCESS_AUDIT

SYSTEM = frozenset(
    [
        "EventID", "Channel", "Provider_Name", "Provider_Guid", "Computer", "Level", "Task", "Opcode",
        "Keywords", "Version", "EventRecordID", "Execution_ProcessID", "Execution_ThreadID",
        "Security_UserID", "TimeCreated_SystemTime", "Message", "EventLog", "Data",
    ]
)  # fmt: skip
"""Of every Windows event."""

_PROCESS = "RuleName UtcTime ProcessGuid ProcessId Image User"
_FILE = "FileVersion Description Product Company OriginalFileName Hashes md5 sha1 sha256 Imphash imphash"
_HASHES = "Hashes md5 sha1 sha256 Imphash imphash"
_REGISTRY = f"{_PROCESS} EventType TargetObject Details NewName NewValue"

_SYSMON = {
    "process_creation": f"{_PROCESS} {_FILE} CommandLine CurrentDirectory LogonGuid LogonId "
    "TerminalSessionId IntegrityLevel ParentProcessGuid ParentProcessId ParentImage "
    "ParentCommandLine ParentUser ParentOfParentImage ParentOfParentCommandLine "
    "GrandParentImage GrandParentCommandLine ParentIntegrityLevel SubjectUserName "
    "ProcessName ParentProcessName",
    "file_change": f"{_PROCESS} TargetFilename CreationUtcTime PreviousCreationUtcTime",
    "network_connection": f"{_PROCESS} Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort "
    "SourcePortName DestinationIsIpv6 DestinationIp DestinationHostname DestinationPort "
    "DestinationPortName CommandLine ParentImage",
    "sysmon_status": f"{_PROCESS} State Version SchemaVersion Configuration ConfigurationFileHash",
    "process_termination": _PROCESS,
    "driver_load": f"RuleName UtcTime ImageLoaded {_HASHES} Signed Signature SignatureStatus User",
    "image_load": f"{_PROCESS} {_FILE} ImageLoaded Signed Signature SignatureStatus",
    "create_remote_thread": "RuleName UtcTime SourceProcessGuid SourceProcessId SourceImage "
    "TargetProcessGuid TargetProcessId TargetImage NewThreadId StartAddress StartModule "
    "StartFunction SourceUser TargetUser SourceParentImage SourceCommandLine "
    "SourceParentCommandLine TargetParentProcessId TargetCommandLine",
    "raw_access_thread": f"{_PROCESS} Device",
    "process_access": "RuleName UtcTime SourceProcessGUID SourceProcessId SourceThreadId SourceImage "
    "TargetProcessGUID TargetProcessId TargetImage GrantedAccess CallTrace SourceUser TargetUser "
    "SourceCommandLine TargetCommandLine",
    "file_event": f"{_PROCESS} TargetFilename CreationUtcTime {_HASHES} CommandLine ParentImage",
    "registry_event": _REGISTRY,
    "registry_add": _REGISTRY,
    "registry_delete": _REGISTRY,
    "registry_set": _REGISTRY,
    "registry_rename": _REGISTRY,
    "create_stream_hash": f"{_PROCESS} TargetFilename CreationUtcTime {_HASHES} Hash Contents",
    "pipe_created": f"{_PROCESS} EventType PipeName CommandLine",
    "wmi_event": "RuleName EventType UtcTime Operation User EventNamespace Name Query Type Destination "
    "Consumer Filter",
    "dns_query": f"{_PROCESS} QueryName QueryStatus QueryResults CommandLine record_type",
    "file_delete": f"{_PROCESS} TargetFilename {_HASHES} IsExecutable Archived CommandLine",
    "file_delete_detected": f"{_PROCESS} TargetFilename {_HASHES} IsExecutable CommandLine",
    "clipboard_capture": f"{_PROCESS} Session ClientInfo {_HASHES} Archived",
    "process_tampering": f"{_PROCESS} Type",
    "file_block_executable": f"{_PROCESS} TargetFilename {_HASHES} CommandLine",
    "file_block_shredding": f"{_PROCESS} TargetFilename {_HASHES} IsExecutable CommandLine",
    "file_executable_detected": f"{_PROCESS} TargetFilename {_HASHES} CommandLine",
    "sysmon_error": f"{_PROCESS} ID Description",
    "ps_script": "Path ScriptBlockText ScriptBlockId MessageNumber MessageTotal ScriptBlockLogging",
    "ps_module": "ContextInfo UserData Payload",
    "ps_classic_start": "Data HostName HostVersion HostApplication EngineVersion NewEngineState",
    "ps_classic_provider_start": "Data HostName HostApplication ProviderName NewProviderState",
    "ps_classic_script": "Data HostName HostApplication ScriptName",
}
WINDOWS = {
    category: frozenset(fields.split())
    | SYSTEM
    | PROCESS_AUDIT.keys()
    | set(PROCESS_AUDIT.values())
    if category == "process_creation"
    else frozenset(fields.split()) | SYSTEM
    for category, fields in _SYSMON.items()
}
"""Category of `product: windows` to its fields."""

_SHARED = frozenset(NETWORK) | {"date", "time", "s-sitename", "s-computername", "c-win32-status"}
CATEGORIES = {
    "proxy": _SHARED | {"cs-cookie"},
    "webserver": _SHARED | {"time-taken", "cs-cookie"},
}
"""Category without product to its fields; dotted (ECS) names are never questioned."""
