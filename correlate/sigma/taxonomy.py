"""Which log sources an event belongs to, and how its fields are called there: the routing table, data only.

Source: sigma-appendix-taxonomy.md, Sigma 2.1.0, for Windows channels and categories; ECS 9.4 for events of
our own adapters. What stands here beyond the appendix says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Source(NamedTuple):
    """A log source; an empty text says nothing about that attribute."""

    product: str = ""
    category: str = ""
    service: str = ""


class Names(NamedTuple):
    """How a log source's fields are called in one shape of event.

    Attributes:
        fields: name in rules to name in the event.
        prefix: put before names without a dot that `fields` does not hold.
        roots: first parts of dotted names that take the prefix too.
    """

    fields: Mapping[str, str] = {}
    prefix: str = ""
    roots: frozenset[str] = frozenset()


class Row(NamedTuple):
    """An ECS event in which each of these fields holds one of the values belongs to `source`."""

    when: Mapping[str, frozenset[str]]
    source: Source
    names: Names


# ------------------------------------------------------------------ Windows

SERVICES: Mapping[str, tuple[str, ...]] = {
    "application": ("application",),
    "dns server": ("dns-server",),
    "microsoft-iis-configuration/operational": ("iis-configuration",),
    "microsoft-servicebus-client": ("servicebus-client",),
    "microsoft-servicebus-client/admin": ("servicebus-client",),
    "microsoft-servicebus-client/operational": ("servicebus-client",),
    "microsoft-windows-application-experience/program-compatibility-assistant": (
        "application-experience",
    ),
    "microsoft-windows-application-experience/program-telemetry": ("application-experience",),
    "microsoft-windows-applocker/exe and dll": ("applocker",),
    "microsoft-windows-applocker/msi and script": ("applocker",),
    "microsoft-windows-applocker/packaged app-deployment": ("applocker",),
    "microsoft-windows-applocker/packaged app-execution": ("applocker",),
    "microsoft-windows-appmodel-runtime/admin": ("appmodel-runtime",),
    "microsoft-windows-appxdeploymentserver/operational": ("appxdeployment-server",),
    "microsoft-windows-appxpackaging/operational": ("appxpackaging-om",),
    "microsoft-windows-bitlocker/bitlocker management": ("bitlocker",),
    "microsoft-windows-bits-client/operational": ("bits-client",),
    "microsoft-windows-capi2/operational": ("capi2",),
    "microsoft-windows-certificateservicesclient-lifecycle-system/operational": (
        "certificateservicesclient-lifecycle-system",
    ),
    "microsoft-windows-codeintegrity/operational": ("codeintegrity-operational",),
    "microsoft-windows-dhcp-server/operational": ("dhcp",),
    "microsoft-windows-diagnosis-scripted/operational": ("diagnosis-scripted",),
    "microsoft-windows-dns client events/operational": ("dns-client",),
    "microsoft-windows-dns-client/operational": ("dns-client",),
    "microsoft-windows-dns-server/analytical": ("dns-server-analytic",),
    "microsoft-windows-dns-server/audit": ("dns-server-audit",),
    "microsoft-windows-driverframeworks-usermode/operational": ("driver-framework",),
    "microsoft-windows-hyper-v-worker": ("hyper-v-worker",),
    "microsoft-windows-hyper-v-worker-admin": ("hyper-v-worker",),
    "microsoft-windows-kernel-eventtracing": ("kernel-event-tracing",),
    "microsoft-windows-kernel-eventtracing/admin": ("kernel-event-tracing",),
    "microsoft-windows-kernel-shimengine/diagnostic": ("kernel-shimengine",),
    "microsoft-windows-kernel-shimengine/operational": ("kernel-shimengine",),
    "winEventLog:microsoft-windows-kernel-shimengine/diagnostic".lower(): ("kernel-shimengine",),
    "microsoft-windows-ldap-client/debug": ("ldap",),
    "microsoft-windows-lsa/operational": ("lsa-server",),
    "microsoft-windows-ntfs/operational": ("ntfs",),
    "microsoft-windows-ntlm/operational": ("ntlm",),
    "microsoft-windows-powershell/operational": ("powershell",),
    "microsoft-windows-printservice/admin": ("printservice-admin",),
    "microsoft-windows-printservice/operational": ("printservice-operational",),
    "microsoft-windows-security-mitigations/kernel mode": ("security-mitigations",),
    "microsoft-windows-security-mitigations/user mode": ("security-mitigations",),
    "microsoft-windows-sense/operational": ("sense",),
    "microsoft-windows-shell-core/operational": ("shell-core",),
    "microsoft-windows-smbclient/connectivity": ("smbclient-connectivity",),
    "microsoft-windows-smbclient/security": ("smbclient-security",),
    "microsoft-windows-smbserver/connectivity": ("smbserver-connectivity",),
    "microsoft-windows-sysmon/operational": ("sysmon",),
    "microsoft-windows-taskscheduler/operational": ("taskscheduler",),
    "microsoft-windows-terminalservices-localsessionmanager/operational": (
        "terminalservices-localsessionmanager",
    ),
    "microsoft-windows-vhdmp/operational": ("vhdmp",),
    "microsoft-windows-vhdmp-operational": ("vhdmp",),
    "microsoft-windows-windows defender/operational": ("windefend",),
    "microsoft-windows-windows firewall with advanced security/firewall": ("firewall-as",),
    "microsoft-windows-wmi-activity/operational": ("wmi",),
    "msexchange management": ("msexchange-management",),
    "openssh/operational": ("openssh",),
    "powershellcore/operational": ("powershell",),
    "security": ("security",),
    "system": ("system",),
    "windows powershell": ("powershell-classic",),
}
"""Channel, lower case, to services. `ldap_debug`, an earlier name, is in ALIASES."""

_SYSMON = "microsoft-windows-sysmon/operational"
_POWERSHELL = ("microsoft-windows-powershell/operational", "powershellcore/operational")

CATEGORIES: Mapping[tuple[str, str], tuple[str, ...]] = {
    (_SYSMON, "1"): ("process_creation",),
    (_SYSMON, "2"): ("file_change",),
    (_SYSMON, "3"): ("network_connection",),
    (_SYSMON, "4"): ("sysmon_status",),
    (_SYSMON, "5"): ("process_termination",),
    (_SYSMON, "6"): ("driver_load",),
    (_SYSMON, "7"): ("image_load",),
    (_SYSMON, "8"): ("create_remote_thread",),
    (_SYSMON, "9"): ("raw_access_thread",),
    (_SYSMON, "10"): ("process_access",),
    (_SYSMON, "11"): ("file_event",),
    (_SYSMON, "12"): ("registry_event", "registry_add", "registry_delete"),
    (_SYSMON, "13"): ("registry_event", "registry_set"),
    (_SYSMON, "14"): ("registry_event", "registry_rename"),
    (_SYSMON, "15"): ("create_stream_hash",),
    (_SYSMON, "16"): ("sysmon_status",),
    (_SYSMON, "17"): ("pipe_created",),
    (_SYSMON, "18"): ("pipe_created",),
    (_SYSMON, "19"): ("wmi_event",),
    (_SYSMON, "20"): ("wmi_event",),
    (_SYSMON, "21"): ("wmi_event",),
    (_SYSMON, "22"): ("dns_query",),
    (_SYSMON, "23"): ("file_delete",),
    (_SYSMON, "24"): ("clipboard_capture",),
    (_SYSMON, "25"): ("process_tampering",),
    # The appendix gives 26 to file_delete_detected alone; public rules of file_delete mean both.
    (_SYSMON, "26"): ("file_delete_detected", "file_delete"),
    (_SYSMON, "27"): ("file_block_executable",),
    (_SYSMON, "28"): ("file_block_shredding",),
    (_SYSMON, "29"): ("file_executable_detected",),
    (_SYSMON, "255"): ("sysmon_error",),
    ("windows powershell", "400"): ("ps_classic_start",),
    ("windows powershell", "600"): ("ps_classic_provider_start",),
    ("windows powershell", "800"): ("ps_classic_script",),
    **{(channel, "4103"): ("ps_module",) for channel in _POWERSHELL},
    **{(channel, "4104"): ("ps_script",) for channel in _POWERSHELL},
    # Beyond the appendix, as every converter does: the audit log's own process creation.
    ("security", "4688"): ("process_creation",),
}
"""(Channel, EventID) to categories."""

KERNEL_FILE = "microsoft-windows-kernel-file"
KERNEL_FILE_CATEGORIES = ("file_access", "file_rename")

PROVIDER_CHANNELS: Mapping[str, str] = {
    "microsoft-windows-sysmon": _SYSMON,
    "microsoft-windows-security-auditing": "security",
    "microsoft-windows-eventlog": "security",
    "service control manager": "system",
    "microsoft-windows-powershell": _POWERSHELL[0],
    "powershellcore": _POWERSHELL[1],
    "powershell": "windows powershell",
    "microsoft-windows-windows defender": "microsoft-windows-windows defender/operational",
    "microsoft-windows-taskscheduler": "microsoft-windows-taskscheduler/operational",
    "microsoft-windows-wmi-activity": "microsoft-windows-wmi-activity/operational",
    "microsoft-windows-bits-client": "microsoft-windows-bits-client/operational",
}
"""Provider, lower case, to the channel it writes to, for events that lost their channel on the way."""

PROCESS_AUDIT = {
    "Image": "NewProcessName",
    "ParentImage": "ParentProcessName",
    "LogonId": "SubjectLogonId",
    "User": "SubjectUserName",
    "ProcessId": "NewProcessId",
    "ParentProcessId": "ProcessId",
    "IntegrityLevel": "MandatoryLabel",
}
"""Names of `process_creation` in Security 4688 (field mappings of the specification, "Field Usage")."""

NXLOG = {
    "Provider_Name": "SourceName",
    "Computer": "Hostname",
    "Provider_Guid": "ProviderGuid",
    "EventRecordID": "RecordNumber",
    "Execution_ProcessID": "ExecutionProcessID",
    "Execution_ThreadID": "ThreadID",
    "Security_UserID": "UserID",
}
"""System fields as NXLog's im_msvistalog calls them."""

WINLOG = {
    "EventID": "event.code",
    "Channel": "winlog.channel",
    "Provider_Name": "winlog.provider_name",
    "Provider_Guid": "winlog.provider_guid",
    "Computer": "winlog.computer_name",
    "EventRecordID": "winlog.record_id",
    "Execution_ProcessID": "winlog.process.pid",
    "Execution_ThreadID": "winlog.process.thread.id",
    "Security_UserID": "winlog.user.identifier",
    "Task": "winlog.task",
    "Opcode": "winlog.opcode",
    "Keywords": "winlog.keywords",
    "Version": "winlog.version",
    "Level": "winlog.level",
    "Message": "message",
    "TimeCreated_SystemTime": "@timestamp",
}
"""System fields as Winlogbeat and our `windows.eventlog` adapter call them."""
DEFENDER = {
    **WINLOG,
    **{
        name.replace(" ", ""): "winlog.event_data." + name
        for name in (
            "Action ID", "Action Name", "Additional Actions ID", "Additional Actions String",
            "Category ID", "Category Name", "Detection ID", "Detection Time", "Detection User",
            "Engine Version", "Error Code", "Error Description", "Execution ID", "Execution Name",
            "Feature ID", "Feature Name", "New Value", "Old Value", "Origin ID", "Origin Name",
            "Post Clean Status", "Pre Execution Status", "Process Name", "Product Name",
            "Product Version", "Reason ID", "Remediation User", "Scan Parameters",
            "Security intelligence Version", "Severity ID", "Severity Name", "Signature Version",
            "Source ID", "Source Name", "Status Code", "Status Description", "Threat ID",
            "Threat Name", "Type ID", "Type Name",
        )
    },
}  # fmt: skip
"""The same with Defender's event data, whose names have spaces that rules leave out ("Field Usage")."""
DEFENDER_CHANNEL = "microsoft-windows-windows defender/operational"
WINLOG_DATA = "winlog.event_data."

ALIASES: Mapping[str, str] = {
    "microsoft-servicebus-client": "servicebus-client",
    "ldap_debug": "ldap",
}
"""Earlier names of services, in rules, to their name in the appendix."""

# ------------------------------------------------------------------ ECS events of other sensors

PROCESS = {
    "Image": "process.executable",
    "OriginalFileName": "process.pe.original_file_name",
    "CommandLine": "process.command_line",
    "CurrentDirectory": "process.working_directory",
    "ProcessId": "process.pid",
    "ProcessGuid": "process.entity_id",
    "ParentImage": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "ParentProcessId": "process.parent.pid",
    "ParentProcessGuid": "process.parent.entity_id",
    "User": "user.name",
    "LogonId": "user.id",
    "Computer": "host.name",
    "TargetFilename": "file.path",
    "md5": "process.hash.md5",
    "sha1": "process.hash.sha1",
    "sha256": "process.hash.sha256",
    "DestinationIp": "destination.ip",
    "DestinationPort": "destination.port",
    "DestinationHostname": "destination.domain",
    "SourceIp": "source.ip",
    "SourcePort": "source.port",
    "Initiated": "network.direction",
    "QueryName": "dns.question.name",
}
NETWORK = {
    "src_ip": "source.ip",
    "src_port": "source.port",
    "src_mac": "source.mac",
    "dst_ip": "destination.ip",
    "dst_port": "destination.port",
    "dst_mac": "destination.mac",
    "SourceIp": "source.ip",
    "SourcePort": "source.port",
    "DestinationIp": "destination.ip",
    "DestinationPort": "destination.port",
    "DestinationHostname": "destination.domain",
    "username": "user.name",
    "action": "event.action",
    "protocol": "network.transport",
    "Protocol": "network.transport",
    "query": "dns.question.name",
    "record_type": "dns.question.type",
    "answer": "dns.answers.data",
    "c-uri": "url.original",
    "cs-uri": "url.original",
    "c-uri-query": "url.query",
    "c-uri-stem": "url.path",
    "c-uri-extension": "url.extension",
    "c-useragent": "user_agent.original",
    "cs-host": "url.domain",
    "r-dns": "url.domain",
    "cs-method": "http.request.method",
    "cs-uri-query": "url.query",
    "cs-uri-stem": "url.path",
    "cs-user-agent": "user_agent.original",
    "cs-referer": "http.request.referrer",
    "cs-referrer": "http.request.referrer",
    "cs-version": "http.version",
    "cs-username": "user.name",
    "c-ip": "source.ip",
    "s-ip": "destination.ip",
    "s-port": "destination.port",
    "sc-status": "http.response.status_code",
    "sc-bytes": "http.response.bytes",
    "cs-bytes": "http.request.bytes",
}
AUDITD = {
    "type": "auditd.log.record_type",
    "exe": "process.executable",
    "comm": "process.name",
    "pid": "process.pid",
    "ppid": "process.parent.pid",
    "cwd": "process.working_directory",
}
_AUDITD = Names(AUDITD, "auditd.log.")
_PROCESS = Names(PROCESS)
_NETWORK = Names(NETWORK)
_AS_IS = Names()
_ZEEK_ROOTS = frozenset({"id", "certificate", "san", "basic_constraints"})
UNNAMED = frozenset({"generic", "cef", "leef"})
"""Values of event.module that tell how an event came, not which product it is of."""


def _is(**when: str) -> Mapping[str, frozenset[str]]:
    """Read `event_module="a b"` as: event.module is a or b."""
    return {name.replace("_", ".", 1): frozenset(values.split()) for name, values in when.items()}


_FIREWALLS = (
    "iptables netfilter pfsense pf opnsense openbsd cisco_asa cisco_ftd asa panw "
    "paloalto fortinet fortigate checkpoint juniper sophos sonicwall"
)

ROWS: tuple[Row, ...] = (
    Row(_is(observer_type="firewall"), Source(category="firewall"), _NETWORK),
    Row(_is(event_module=_FIREWALLS), Source(category="firewall"), _NETWORK),
    Row(_is(observer_type="ids ips"), Source(category="ids"), _NETWORK),
    Row(_is(event_category="intrusion_detection"), Source(category="ids"), _NETWORK),
    Row(_is(event_module="suricata"), Source("suricata"), _NETWORK),
    Row(_is(event_module="suricata"), Source("suricata", "ids"), _NETWORK),
    Row(_is(event_module="suricata"), Source("suricata", "", "eve"), _NETWORK),
    Row(_is(event_module="snort"), Source("snort"), _NETWORK),
    Row(_is(event_module="snort"), Source("snort", "ids"), _NETWORK),
    Row(_is(event_category="network"), Source(category="network"), _NETWORK),
    Row(
        _is(event_category="network", event_type="connection start end"),
        Source("", "network", "connection"),
        _AS_IS,
    ),
    Row(
        _is(event_category="network", event_type="connection start end"),
        Source(category="network_connection"),
        _PROCESS,
    ),
    Row(_is(network_protocol="dns"), Source("", "network", "dns"), _AS_IS),
    Row(_is(network_protocol="dns"), Source(category="dns"), _NETWORK),
    Row(_is(network_protocol="http http2 tls"), Source(category="proxy"), _NETWORK),
    Row(_is(event_category="web"), Source(category="webserver"), _NETWORK),
    Row(_is(event_category="web"), Source(category="proxy"), _NETWORK),
    Row(_is(network_protocol="http http2"), Source(category="webserver"), _NETWORK),
    Row(
        _is(event_category="process", event_type="start"),
        Source(category="process_creation"),
        _PROCESS,
    ),
    Row(
        _is(event_category="process", event_type="end"), Source("", "process_termination"), _PROCESS
    ),
    Row(_is(event_category="file", event_type="creation"), Source("", "file_event"), _PROCESS),
    Row(_is(event_category="file", event_type="deletion"), Source("", "file_delete"), _PROCESS),
    Row(_is(event_category="file", event_type="change"), Source("", "file_change"), _PROCESS),
    Row(_is(event_category="file", event_type="access"), Source("", "file_access"), _PROCESS),
    Row(_is(event_category="malware"), Source(category="antivirus"), _AS_IS),
    Row(_is(event_category="database"), Source(category="database"), _AS_IS),
    Row(_is(event_category="authentication"), Source(category="authentication"), _AS_IS),
    Row(_is(event_module="system linux netfilter ima auditd"), Source("linux"), _AS_IS),
    Row(_is(host_os_type="linux"), Source("linux"), _AS_IS),
    Row(_is(event_dataset="linux.auth system.auth"), Source("linux", "", "auth"), _AS_IS),
    Row(_is(event_dataset="linux.auth system.syslog"), Source("linux", "", "syslog"), _AS_IS),
    Row(_is(event_module="auditd"), Source("linux", "", "auditd"), _AUDITD),
    Row(
        _is(event_dataset="linux.auditd auditd.log auditd"), Source("linux", "", "auditd"), _AUDITD
    ),
    *(
        Row({"process.name": frozenset({name})}, Source("linux", "", service), _AS_IS)
        for name, service in {
            "sshd": "sshd",
            "sshd-session": "sshd",
            "sshd-auth": "sshd",
            "sudo": "sudo",
            "cron": "cron",
            "CRON": "cron",
            "crond": "cron",
            "vsftpd": "vsftpd",
            "clamd": "clamav",
            "freshclam": "clamav",
            "guacd": "guacamole",
        }.items()
    ),
    Row(_is(event_module="zeek"), Source("zeek"), _AS_IS),
    *(
        Row(
            _is(event_dataset=f"zeek.{log}"),
            Source("zeek", "", service),
            Names({}, f"zeek.{log}.", _ZEEK_ROOTS),
        )
        for log, service in {
            "dce_rpc": "dce_rpc",
            "dns": "dns",
            "http": "http",
            "kerberos": "kerberos",
            "rdp": "rdp",
            "smb_files": "smb_files",
            "x509": "x509",
            "conn": "conn",
            "connection": "conn",
            "ssl": "ssl",
            "ssh": "ssh",
            "notice": "notice",
        }.items()
    ),
    Row(_is(event_module="cisco cisco_asa cisco_ios asa ios"), Source("cisco"), _AS_IS),
    Row(_is(event_dataset="cisco.ios cisco_ios.log"), Source("cisco", "", "aaa"), _AS_IS),
    Row(_is(event_dataset="cisco.ios cisco_ios.log"), Source("cisco", "", "bgp"), _AS_IS),
    Row(_is(event_dataset="cisco.ios cisco_ios.log"), Source("cisco", "", "ldp"), _AS_IS),
    Row(_is(event_dataset="cisco.asa cisco_asa.log"), Source("cisco", "", "asa"), _AS_IS),
    Row(_is(event_module="fortinet fortigate"), Source("fortigate"), _NETWORK),
    Row(_is(event_module="fortinet fortigate"), Source("fortigate", "", "event"), _NETWORK),
    Row(_is(event_module="fortinet fortigate"), Source("fortios"), _NETWORK),
    Row(_is(event_module="panw paloalto"), Source("paloalto"), _NETWORK),
    Row(_is(event_module="panw paloalto"), Source("paloalto", "", "globalprotect"), _NETWORK),
    Row(_is(event_module="juniper"), Source("juniper"), _AS_IS),
    Row(_is(event_module="checkpoint"), Source("checkpoint"), _NETWORK),
    Row(_is(event_module="sophos"), Source("sophos"), _NETWORK),
    Row(_is(event_module="sonicwall"), Source("sonicwall"), _NETWORK),
    Row(_is(event_module="pfsense"), Source("pfsense"), _NETWORK),
    # Attestation has no place in the appendix yet; `category: attestation` is ours.
    Row(_is(event_module="keylime"), Source("keylime", "attestation"), _AS_IS),
    Row(_is(event_module="tpm"), Source("tpm", "attestation"), _AS_IS),
    Row(_is(event_module="tcg"), Source("tcg", "attestation"), _AS_IS),
    Row(_is(event_module="rats"), Source("rats", "attestation"), _AS_IS),
    Row(_is(event_module="ima"), Source("linux", "attestation", "ima"), _AS_IS),
    Row(
        _is(
            event_dataset="keylime.verifier tpm.quote tcg.eventlog rats.ear linux.ima "
            "attestation.result"
        ),
        Source(category="attestation"),
        _AS_IS,
    ),
)
