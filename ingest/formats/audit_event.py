"""The ECS fields of one audit event from all its records."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.audit import arguments, decode_hex, meant, socket_address
from ingest.formats.audit_users import UNSET, add_users
from ingest.formats.file_path import path_fields
from ingest.formats.number import port_of
from ingest.tables.audit import CALLS, COMPANIONS, TYPES
from ingest.tables.audit_numbers import ARCHITECTURES, SYSCALLS

Record: TypeAlias = tuple[str, dict[str, str], str]
"""Type, fields, body."""

_SKIPPED: Final = frozenset(
    [
        "pid",
        "ppid",
        "exe",
        "comm",
        "cwd",
        "proctitle",
        "saddr",
        "saddr_fam",
        "success",
        "res",
        "result",
        "argc",
        "item",
        "items",
        "msg",
        "type",
        "hostname",
        "addr",
    ]
)
"""Fields that stand in ECS whole, or that say nothing once the records are together."""
MAX_REMEMBERED: Final = 1_024
"""Sequences of names whose fields are remembered."""
MAX_NAME: Final = 128
"""Longer names are cut: the other records of an event must not be lost for one."""
_OWN: Final = "auditd.log."
_PATH_ORDER: Final = ("CREATE", "DELETE", "NORMAL", "UNKNOWN", "PARENT")


def event_fields(records: list[Record]) -> Fields:
    """Return the fields of one event; time, serial number and node are the caller's."""
    # Microsoft's agent puts an event together itself and marks it so: AUOMS_EXECVE, AUOMS_SYSCALL.
    kinds = [kind.removeprefix("AUOMS_") for kind, _, _ in records]
    main = _main(kinds)
    commands = [arguments(pairs, body) for kind, pairs, body in records if kind == "EXECVE"]
    merged = _merged(records, commands)
    fields: Fields = {
        "event.kind": "event",
        "event.module": "auditd",
        "event.dataset": "auditd.log",
        "host.os.type": "linux",
        "auditd.log.record_type": list(dict.fromkeys(kinds)),
    }
    if node := meant(merged.get("node")):
        fields["host.name"], fields["host.hostname"] = node, node.partition(".")[0] or node
    call = _call(merged)
    meaning, side = _meaning(main, call, merged.get("apparmor"))
    fields.update(meaning)
    _process(fields, commands, merged)
    add_users(fields, main, merged)
    _paths(fields, records, merged)
    _addresses(fields, merged, side)
    _outcome(fields, merged)
    _keep(fields, merged, call)
    return fields


def _main(kinds: list[str]) -> str:
    """Return the type that names the event: a telling one, else SYSCALL, else the first."""
    for kind in kinds:
        if kind not in COMPANIONS:
            return kind
    return "SYSCALL" if "SYSCALL" in kinds else kinds[0]


def _merged(records: list[Record], commands: list[list[str]]) -> dict[str, str]:
    """All records' fields on one level; the first holds, EXECVE's arguments before SYSCALL's registers."""
    merged: dict[str, str] = {}
    for words in commands:
        merged |= {f"a{number}": text for number, text in enumerate(words)}
    for kind, pairs, _ in records:
        if kind in ("PATH", "EXECVE"):
            continue
        if not merged:
            merged = pairs.copy()
            continue
        for name, value in pairs.items():
            if name not in merged:
                merged[name] = value
    return merged


def _call(merged: dict[str, str]) -> str:
    """Return the system call's name."""
    enriched = merged.get("SYSCALL")
    if enriched:
        return enriched
    number = merged.get("syscall", "")
    if not number.isdecimal():
        return number
    arch = merged.get("arch", "")
    machine = ARCHITECTURES.get(arch, arch)
    return SYSCALLS.get(machine, {}).get(number, number)


@lru_cache(MAX_REMEMBERED)
def _meaning(main: str, call: str, apparmor: str | None) -> tuple[Fields, str]:
    """Return action, category and type, and the side of the peer's address."""
    action, categories, types, _ = TYPES.get(main, (main.lower().replace("_", "-"), "", "info", ""))
    side = ""
    if call and main in COMPANIONS:
        action, categories, types, side = CALLS.get(call, (call, "process", "info", ""))
    elif call:
        side = CALLS.get(call, ("", "", "", ""))[3]
    if main == "AVC" and apparmor is not None:
        action = "violated-apparmor-policy" if apparmor == "DENIED" else "apparmor-" + apparmor.lower()  # fmt: skip
    fields: Fields = {}
    if main.startswith(("ANOM_", "RESP_")):
        fields = {"event.kind": "alert", "rule.id": "auditd." + main.lower(), "rule.name": action}
        if not categories:
            categories, types = "intrusion_detection", "info"
    fields["event.action"] = action
    if categories:
        fields["event.category"] = categories.split()
    return fields | {"event.type": types.split()}, side


# ------------------------------------------------------------------ process


def _process(fields: Fields, commands: list[list[str]], merged: dict[str, str]) -> None:
    for name, field in (("pid", "process.pid"), ("ppid", "process.parent.pid")):
        value = merged.get(name, "")
        if value.isdecimal() and len(value) < 11:  # noqa: PLR2004 - pids are at most 2**22
            fields[field] = int(value)
    executable = meant(merged.get("exe"))
    if executable:
        fields["process.executable"] = executable
    command = meant(merged.get("comm"))
    if command or executable:
        fields["process.name"] = command or str(executable).rpartition("/")[2] or executable
    cwd = meant(merged.get("cwd"))
    if cwd:
        fields["process.working_directory"] = cwd
    _command_line(fields, commands, merged)


def _command_line(fields: Fields, commands: list[list[str]], merged: dict[str, str]) -> None:
    """The arguments of an EXECVE record, else a sudo command, else the title, which the process may change."""
    title = meant(merged.get("proctitle"))
    if title:
        fields["process.title"] = title
    for words in commands:
        if not words:
            continue
        fields["process.args"] = words
        fields["process.args_count"] = len(words)
        line = " ".join(words)
        if line:
            fields["process.command_line"] = line
        return
    command = meant(merged.get("cmd")) or meant(merged.get("cmdline")) or title
    if command:
        fields["process.command_line"] = command


# ------------------------------------------------------------------ files, addresses


def _paths(fields: Fields, records: list[Record], merged: dict[str, str]) -> None:
    """The file that the call is about: what was made or deleted, before what was used, before its directory."""
    found: list[tuple[int, str, dict[str, str]]] = []
    for kind, pairs, _ in records:
        if kind != "PATH":
            continue
        name = meant(pairs.get("name"))
        role = pairs.get("nametype") or pairs.get("objtype") or "NORMAL"
        if name:
            order = _PATH_ORDER.index(role) if role in _PATH_ORDER else len(_PATH_ORDER)
            found.append((order, name, pairs))
    if found:
        fields["auditd.log.name"] = [name for _, name, _ in found]
        roles = [p.get("nametype") or p.get("objtype") or "" for _, _, p in found]
        fields["auditd.log.nametype"] = roles
        order, path, pairs = min(found, key=lambda item: item[0])
        _file(fields, path, pairs, merged.get("cwd", ""))
    else:
        path = meant(merged.get("path")) or meant(merged.get("name")) or ""
        if path[:1] == "/":
            _file(fields, path, {}, "")


def _file(fields: Fields, path: str, pairs: dict[str, str], cwd: str) -> None:
    if path[:1] != "/" and cwd[:1] == "/":
        path = f"{cwd.rstrip('/')}/{path.removeprefix('./')}"
    path_fields(fields, "file", path)
    for name, field in (("inode", "file.inode"), ("ouid", "file.uid"), ("ogid", "file.gid")):
        value = meant(pairs.get(name))
        if value is not None and value.isdecimal():
            fields[field] = value
    mode = pairs.get("mode", "")
    if mode.isdecimal() and len(mode) > 3:  # noqa: PLR2004 - octal permissions at the end
        fields["file.mode"] = "0" + mode[-3:] if mode[-4:-3] in ("0", "") else mode[-4:]


def _addresses(fields: Fields, merged: dict[str, str], side: str) -> None:
    text = meant(merged.get("saddr"))
    if text:
        address = socket_address(text)
        place = side or "destination"
        ip = canonical_ip(address.get("ip", ""))
        if ip is not None:
            fields[place + ".ip"] = ip
            if (port := port_of(address.get("port", ""))) is not None:
                fields[place + ".port"] = port
            fields["network.type"] = "ipv6" if ":" in ip else "ipv4"
            fields["network.direction"] = "ingress" if place == "source" else "egress"
            if place == "server":
                del fields["network.direction"]
        elif address.get("path"):
            fields["auditd.log.socket_path"] = address["path"]
        if address.get("family"):
            fields["auditd.log.socket_family"] = address["family"]
    _peer(fields, merged)


def _peer(fields: Fields, merged: dict[str, str]) -> None:
    """Where a login came from; `hostname` repeats the address or names the host."""
    for name in ("addr", "hostname"):
        value = meant(merged.get(name))
        if value is None:
            continue
        ip = canonical_ip(value)
        if ip is not None:
            fields.setdefault("source.ip", ip)
        elif name == "hostname" and "source.ip" in fields:
            fields["source.domain"] = value
    for name, field in (("rport", "source.port"), ("lport", "destination.port")):
        if name in merged and "saddr" not in merged and (port := port_of(merged[name])) is not None:
            fields[field] = port
    if "laddr" in merged and (local := canonical_ip(merged["laddr"])) is not None:
        fields["destination.ip"] = local


_RESULTS: Final = {
    "yes": "success", "no": "failure", "success": "success", "failed": "failure", "fail": "failure",
    "1": "success", "0": "failure",
}  # fmt: skip


def _outcome(fields: Fields, merged: dict[str, str]) -> None:
    for name in ("success", "res", "result"):
        outcome = _RESULTS.get(merged.get(name, ""))
        if outcome is not None:
            fields["event.outcome"] = outcome
            return
    if merged.get("apparmor") == "DENIED":
        fields["event.outcome"] = "failure"


# ------------------------------------------------------------------ what is left


@lru_cache(MAX_REMEMBERED)
def _kept(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return those of the names whose values are kept, each with its field."""
    return tuple((name, _OWN + name[:MAX_NAME]) for name in names if name not in _SKIPPED)


def _keep(fields: Fields, merged: dict[str, str], call: str) -> None:
    session = merged.get("ses", "")
    if session.isdecimal() and session not in UNSET:
        fields["auditd.session"] = session
    for name, field in _kept(tuple(merged)):
        value = merged[name]
        if value and value != "(null)":
            fields[field] = value
    if call:
        fields[_OWN + "syscall"] = call
    arch = merged.get("arch")
    if arch in ARCHITECTURES:
        fields[_OWN + "arch"] = ARCHITECTURES[arch]
    key = fields.get(_OWN + "key")
    if key:
        text = key if "\x01" in key or not _is_hex(key) else decode_hex(key)
        keys = [part for part in text.replace(" ", "\x01").split("\x01") if part]
        fields[_OWN + "key"] = keys if len(keys) > 1 else keys[0] if keys else key


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and len(text) > 7 and all(c in "0123456789ABCDEF" for c in text)  # noqa: PLR2004 - shorter ones are words
