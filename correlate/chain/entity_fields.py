"""Which field of an ECS document names which kind of thing, and in which part. Source: ECS 9.4, Windows event data."""

from __future__ import annotations

from contract.records import EntityType, Role

IPS: tuple[tuple[str, Role], ...] = (
    ("source.ip", "source"), ("client.ip", "source"), ("network.forwarded_ip", "source"),
    ("destination.ip", "target"), ("server.ip", "target"), ("destination.nat.ip", "target"),
    ("host.ip", "subject"), ("observer.ip", "observer"),
)  # fmt: skip
"""What stands in `source.nat.ip` is the gateway's, whose many clients it would join; who it stood for is `source.ip`."""
CLIENTS: tuple[str, ...] = ("network.forwarded_ip", "client.ip")
"""Who acts where it is not who sends: then `source.ip` is a proxy's, a relay's, a load balancer's, which merely passes on."""
MACS: tuple[tuple[str, Role], ...] = (
    ("source.mac", "source"), ("client.mac", "source"), ("destination.mac", "target"),
    ("host.mac", "subject"),
)  # fmt: skip
USERS: tuple[tuple[str, str, Role], ...] = (
    ("user.name", "user.domain", "subject"),
    ("user.target.name", "user.target.domain", "target"),
    ("user.effective.name", "user.effective.domain", "target"),
    ("user.changes.name", "user.domain", "target"),
    ("source.user.name", "source.user.domain", "source"),
    ("client.user.name", "client.user.domain", "source"),
    ("destination.user.name", "destination.user.domain", "target"),
    ("server.user.name", "server.user.domain", "target"),
    ("winlog.event_data.SubjectUserName", "winlog.event_data.SubjectDomainName", "source"),
    ("winlog.event_data.TargetUserName", "winlog.event_data.TargetDomainName", "target"),
)  # fmt: skip
PRINCIPALS: tuple[tuple[str, Role], ...] = (
    ("user.email", "subject"), ("user.target.email", "target"), ("source.user.email", "source"),
)  # fmt: skip
LOGONS: tuple[tuple[str, Role], ...] = (
    ("winlog.logon.id", "subject"), ("winlog.event_data.LogonId", "subject"),
    ("winlog.event_data.SubjectLogonId", "source"), ("winlog.event_data.TargetLogonId", "target"),
    ("auditd.session", "subject"),
)  # fmt: skip
PROCESSES: tuple[tuple[str, str, Role], ...] = (
    ("process.entity_id", "process.pid", "subject"),
    ("process.parent.entity_id", "process.parent.pid", "source"),
    ("winlog.event_data.SourceProcessGUID", "winlog.event_data.SourceProcessId", "subject"),
    ("winlog.event_data.SourceProcessGuid", "winlog.event_data.SourceProcessId", "subject"),
    ("winlog.event_data.TargetProcessGUID", "winlog.event_data.TargetProcessId", "target"),
    ("winlog.event_data.TargetProcessGuid", "winlog.event_data.TargetProcessId", "target"),
)  # fmt: skip
PATHS: tuple[tuple[str, Role], ...] = (
    ("process.executable", "subject"), ("process.parent.executable", "source"),
    ("file.path", "object"), ("dll.path", "object"), ("file.target_path", "object"),
)  # fmt: skip
HASHES: tuple[tuple[str, Role], ...] = (
    ("process.hash.sha256", "subject"), ("process.hash.sha1", "subject"),
    ("process.hash.md5", "subject"),
    ("file.hash.sha256", "object"), ("file.hash.sha1", "object"), ("file.hash.md5", "object"),
    ("dll.hash.sha256", "object"), ("dll.hash.sha1", "object"), ("dll.hash.md5", "object"),
)  # fmt: skip
THINGS: tuple[tuple[str, EntityType], ...] = (
    ("service.name", "service"), ("winlog.event_data.ServiceName", "service"),
    ("winlog.event_data.TaskName", "task"), ("registry.path", "registry"),
)  # fmt: skip
NAMES: tuple[tuple[str, EntityType, Role], ...] = (
    ("dns.question.name", "domain", "object"), ("url.domain", "domain", "target"),
    ("destination.domain", "domain", "target"), ("source.domain", "domain", "source"),
    ("tls.client.server_name", "domain", "target"), ("url.full", "url", "object"),
    ("container.id", "workload", "subject"), ("kubernetes.pod.uid", "workload", "subject"),
    ("orchestrator.resource.id", "workload", "subject"),
    ("opsonin.attestation.attester", "key", "subject"),
)  # fmt: skip

ACTORS: tuple[tuple[str, Role], ...] = (
    ("observer.name", "observer"),
    ("observer.hostname", "observer"),
)

SUPPORT: frozenset[str] = frozenset({
    "user.domain", "user.target.domain", "user.effective.domain", "source.user.domain",
    "client.user.domain", "destination.user.domain", "server.user.domain", "user.id", "user.email",
    "winlog.event_data.SubjectDomainName", "winlog.event_data.TargetDomainName",
    "host.name", "host.hostname", "host.id", "host.type", "winlog.computer_name",
    "observer.name", "observer.type", "observer.hostname",
    "source.nat.ip", "client.nat.ip", "server.nat.ip", "source.port", "destination.port", "network.transport", "network.iana_number",
    "network.direction", "network.protocol", "client.domain", "source.nat.port", "destination.nat.port",
    "process.name", "process.start", "process.parent.start", "process.parent.name",
    "event.kind", "event.category", "event.type", "event.action", "event.outcome", "event.code",
    "event.module", "event.provider", "event.dataset", "winlog.logon.type",
    "winlog.event_data.LogonType", "winlog.event_data.ImagePath", "winlog.event_data.ServiceFileName",
    "winlog.event_data.GrantedAccess",
    "winlog.event_data.LogonGuid", "winlog.event_data.TargetLogonGuid",
    "winlog.event_data.TaskContent", "process.command_line",
    "registry.data.strings", "zeek.session_id", "zeek.uid", "zeek.connection.uid",
    "dhcp.assigned_ip", "agent.id", "rule.id", "rule.name",
    "opsonin.attestation.attester",
    "opsonin.attestation.verifier",
    "opsonin.attestation.evidence",
    "opsonin.attestation.result",
    "opsonin.attestation.level",
    "opsonin.attestation.reason",
    "rule.category",
})  # fmt: skip
"""Fields that name nothing by themselves and that joins read beside the others."""
