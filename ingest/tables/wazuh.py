"""Where the fields of Wazuh's alerts go: what its decoders extract, what its file integrity monitoring says.

Source: Wazuh 4.x documentation, "Ruleset: decoders syntax" (static fields), "File integrity monitoring: basic settings" and
"who-data", and the template of `wazuh-alerts-4.x` (read 2026-11). Values are text, whatever they mean.
"""

from __future__ import annotations

from typing import Final

GROUPS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...], str], ...]] = (
    ("authentication_success", ("authentication",), ("start",), "success"),
    ("authentication_failed", ("authentication",), ("start",), "failure"),
    ("authentication_failures", ("authentication",), ("start",), "failure"),
    ("win_authentication_failed", ("authentication",), ("start",), "failure"),
    ("invalid_login", ("authentication",), ("start",), "failure"),
    ("login_denied", ("authentication",), ("start",), "failure"),
    ("adduser", ("iam",), ("user", "creation"), ""),
    ("account_changed", ("iam",), ("user", "change"), ""),
    ("group_changed", ("iam",), ("group", "change"), ""),
    ("syscheck_registry", ("registry",), ("change",), ""),
    ("syscheck", ("file",), ("change",), ""),
    ("vulnerability-detector", ("vulnerability",), ("info",), ""),
    ("virus", ("malware",), ("info",), ""),
    ("virustotal", ("malware",), ("info",), ""),
    ("yara", ("malware",), ("info",), ""),
    ("firewall_drop", ("network",), ("connection", "denied"), ""),
    ("firewall_block", ("network",), ("connection", "denied"), ""),
    ("web", ("web",), ("access",), ""),
    ("accesslog", ("web",), ("access",), ""),
    ("firewall", ("network",), ("connection",), ""),
    ("sca", ("configuration",), ("info",), ""),
    ("audit", ("process",), ("info",), ""),
)
"""Groups of rules, the most telling first: `event.category`, `event.type`, `event.outcome`."""

EVENTS: Final = {
    "added": "creation", "readded": "creation", "modified": "change", "deleted": "deletion",
}  # fmt: skip
"""`syscheck.event` to `event.type`."""

DATA: Final = {
    "srcip": "source.ip",
    "srcport": "source.port",
    "srcmac": "source.mac",
    "dstip": "destination.ip",
    "dstport": "destination.port",
    "dstmac": "destination.mac",
    "url": "url.original",
    "action": "event.action",
    "command": "process.command_line",
    "pwd": "process.working_directory",
    "audit.exe": "process.executable",
    "audit.command": "process.name",
    "audit.pid": "process.pid",
    "audit.ppid": "process.parent.pid",
    "audit.uid": "user.id",
    "audit.file.name": "file.path",
    "audit.cwd": "process.working_directory",
    "vulnerability.cve": "vulnerability.id",
    "vulnerability.severity": "vulnerability.severity",
    "vulnerability.title": "vulnerability.description",
    "vulnerability.reference": "vulnerability.reference",
    "vulnerability.package.name": "package.name",
    "vulnerability.package.version": "package.version",
    "vulnerability.package.architecture": "package.architecture",
    "virustotal.source.file": "file.path",
    "virustotal.source.md5": "file.hash.md5",
    "virustotal.source.sha1": "file.hash.sha1",
}
"""Names below `data`, dotted, to ECS; what is not here stays under `wazuh.data`."""

SYSCHECK: Final = {
    "md5_after": "file.hash.md5",
    "sha1_after": "file.hash.sha1",
    "sha256_after": "file.hash.sha256",
    "size_after": "file.size",
    "uid_after": "file.uid",
    "gid_after": "file.gid",
    "uname_after": "file.owner",
    "gname_after": "file.group",
    "mtime_after": "file.mtime",
    "inode_after": "file.inode",
    "audit.user.id": "user.id",
    "audit.user.name": "user.name",
    "audit.effective_user.id": "user.effective.id",
    "audit.effective_user.name": "user.effective.name",
    "audit.process.id": "process.pid",
    "audit.process.name": "process.executable",
    "audit.process.ppid": "process.parent.pid",
    "audit.process.parent_name": "process.parent.executable",
    "audit.process.cwd": "process.working_directory",
}
"""Names below `syscheck`, dotted, to ECS; what is not here stays under `wazuh.syscheck`."""

OLD_NAMES: Final = (
    "srcip", "srcport", "srcuser", "dstip", "dstport", "dstuser", "protocol", "action", "url", "status",
)  # fmt: skip
"""Static fields, which stood beside `rule` before version 3 (and in OSSEC), not below `data`."""

LINUX_LOGONS: Final = frozenset(
    ("sshd", "pam", "sudo", "su", "login", "dropbear", "doas", "polkitd")
)
"""Decoders of lines that the adapter `linux.auth` reads."""
