"""What one event tells of causes: fields to relations, each from a thing to the one that brought it about.

Besides things that alerts name (processes, files, sessions, services), three stand between hosts or between a maker and
what it made: the near `end` of a connection and the `ticket` of a Kerberos logon, which the far host's logon record repeats; and a
`command` line, which what starts services and tasks runs as it was registered.

What enters a process is in `entering`.

Sources: Microsoft's Security auditing reference (4624, 4648: logon GUID; 4697, 4698), Sysmon's manifest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final, NamedTuple

from contract.event import Fields
from correlate.chain import canonical
from correlate.chain.entering import TARGET_NUMBER, TARGETS, enters
from correlate.chain.entities import flow_of, host_of, process_of, text, texts

_STARTS_OTHERS: Final = frozenset({"services.exe", "svchost.exe", "taskeng.exe", "taskhostw.exe"})
"""What starts services and tasks: the command line of its children is that of a service or task."""

_INWARD: Final = frozenset({"ingress", "inbound"})

MAX_TASK: Final = 16_384
"""Characters of a task's definition that are looked through for what it runs."""


class Up(NamedTuple):
    """One relation, from a thing (`type|value`) to its cause; `name` is the program's where that is a process."""

    key: str
    cause: str
    kind: str
    name: str
    time_us: int


def causes_of(fields: Fields, time_us: int) -> Iterator[Up]:
    """Yield what one event tells of causes."""
    host = host_of(fields)
    actor = process_of(fields, host, "process.entity_id", "process.pid")
    name = program(text(fields.get("process.executable")) or text(fields.get("process.name")))
    if actor is not None:
        process = f"process|{actor}"
        categories, types = texts(fields.get("event.category")), texts(fields.get("event.type"))
        if "process" in categories and "start" in types:
            yield from _parent(fields, host, process, time_us)
            yield from _numbered(fields, host, process, name, time_us)
        if "destination.ip" in fields and (flow := flow_of(fields)):
            if text(fields.get("network.direction")) in _INWARD:
                yield Up(f"flow|{flow}", process, "taken", name, time_us)
            else:
                yield Up(f"flow|{flow}", process, "flow", name, time_us)
                if end := _end(fields):
                    yield Up(end, process, "flow", name, time_us)
        if (
            host
            and "file" in categories
            and (path := canonical.path(text(fields.get("file.path"))))
        ):
            yield Up(f"file|{host}|{path}", process, "written", name, time_us)
        if enters(fields):
            yield from _entered(fields, host, process, name, time_us)
    yield from _started(fields, host, actor, name, time_us)
    yield from _logon(fields, host, actor, name, time_us)
    yield from _translated(fields, time_us)


def program(path: str) -> str:
    """Return the file name of a program's path, in lower case."""
    return path.replace("\\", "/").rpartition("/")[2].lower()


def _parent(fields: Fields, host: str, process: str, time_us: int) -> Iterator[Up]:
    parent = process_of(fields, host, "process.parent.entity_id", "process.parent.pid")
    if parent is not None and f"process|{parent}" != process:
        path = fields.get("process.parent.executable") or fields.get("process.parent.name")
        yield Up(process, f"process|{parent}", "parent", program(text(path)), time_us)
    if program(text(fields.get("process.parent.executable"))) in _STARTS_OTHERS:
        command = text(fields.get("process.command_line") or fields.get("process.executable"))
        if host and command:
            yield Up(process, _command(host, command), "ran", "", time_us)


def _numbered(fields: Fields, host: str, process: str, name: str, time_us: int) -> Iterator[Up]:
    """A sensor that tells a lasting id and the number says which process others mean who tell the number only."""
    pid = text(fields.get("process.pid"))
    if host and pid and "process.entity_id" in fields:
        yield Up(f"process|{host}|pid:{pid}", process, "same", name, time_us)


def _entered(fields: Fields, host: str, process: str, name: str, time_us: int) -> Iterator[Up]:
    """One process entered another, which some mean by its lasting id and some by its number."""
    id_name = next((one for one in TARGETS if one in fields), TARGETS[0])
    by_id = process_of(fields, host, id_name, TARGET_NUMBER)
    by_number = process_of(fields, host, "", TARGET_NUMBER)
    for target in dict.fromkeys((by_id, by_number)):
        if target is not None and f"process|{target}" != process:
            yield Up(f"process|{target}", process, "entered", name, time_us)


def _end(fields: Fields) -> str:
    """Return the near end of a connection as a key: what a logon at the far end names of it."""
    source, port = canonical.ip(text(fields.get("source.ip"))), text(fields.get("source.port"))
    return f"end|{source} port {port}" if source and port not in ("", "0") else ""


def _command(host: str, command: str) -> str:
    return canonical.bounded(f"command|{host}|{canonical.command(command)}")


def _started(fields: Fields, host: str, actor: str | None, name: str, time_us: int) -> Iterator[Up]:
    """Services, tasks and autostart values: who made them, and which file they start."""
    if not host:
        return
    for kind, named, image in _STARTERS:
        value = next((text(fields[one]) for one in named if one in fields), "")
        if not value:
            continue
        key = canonical.bounded(f"{kind}|{host}|{value.strip().lower()}")
        if actor is not None:
            yield Up(key, f"process|{actor}", "made", name, time_us)
        logon = canonical.logon(text(fields.get("winlog.event_data.SubjectLogonId")))
        if logon:
            yield Up(key, f"session|{host}|{logon}", "session", "", time_us)
        for one in image:
            command = text(fields.get(one))
            if path := canonical.path(command_path(canonical.expanded(command))):
                yield Up(f"file|{host}|{path}", key, "started", "", time_us)
            if command and kind == "service":
                yield Up(_command(host, command), key, "started", "", time_us)
        for command in task_commands(fields) if kind == "task" else ():
            yield Up(_command(host, command), key, "started", "", time_us)


def _logon(fields: Fields, host: str, actor: str | None, name: str, time_us: int) -> Iterator[Up]:
    """A logon session: the address, the end of the connection and the ticket that it came by; and who asked for one."""
    if not host or fields.get("event.outcome") == "failure":
        return
    asked = _ticket(fields.get("winlog.event_data.TargetLogonGuid"))
    if asked and actor is not None:
        yield Up(asked, f"process|{actor}", "asked", name, time_us)
    names = ("winlog.event_data.TargetLogonId", "winlog.logon.id", "auditd.session")
    logon = next((one for key in names if (one := canonical.logon(text(fields.get(key))))), None)
    if logon is None:
        return
    session = f"session|{host}|{logon}"
    source = canonical.ip(text(fields.get("source.ip")))
    if source is not None and not canonical.is_link_local(source):
        yield Up(session, f"ip|{source}", "logon", "", time_us)
        if end := _end(fields):
            yield Up(session, end, "logon", "", time_us)
    if fields.get("event.code") == "4624" and (
        ticket := _ticket(fields.get("winlog.event_data.LogonGuid"))
    ):
        yield Up(session, ticket, "logon", "", time_us)


def _ticket(value: Any) -> str:
    """Return the id that Windows gives a Kerberos logon on both hosts; empty for none."""
    known = canonical.guid(text(value))
    return f"ticket|{known}" if known.strip("0-") else ""


def _translated(fields: Fields, time_us: int) -> Iterator[Up]:
    inside = {"source.ip": "source.nat.ip", "destination.ip": "destination.nat.ip"}
    if not any(one in fields for one in inside.values()):
        return
    outside = dict(fields)
    outside.pop("network.community_id", None)
    for side in ("source", "destination"):
        for part in ("ip", "port"):
            if (value := fields.get(f"{side}.nat.{part}")) is not None:
                outside[f"{side}.{part}"] = value
    before, after = flow_of({**fields, "network.community_id": None}), flow_of(outside)
    if before and after and before != after:
        yield Up(f"flow|{after}", f"flow|{before}", "nat", "", time_us)


def command_path(command: str) -> str:
    """Return the program of a command line: what is quoted, else up to the first `.exe`, else to a blank."""
    command = command.strip()
    if command.startswith('"'):
        return command[1:].partition('"')[0]
    at = command.lower().find(".exe")
    return command[: at + 4] if at >= 0 else command.partition(" ")[0]


_STARTERS: Final = (
    ("service", ("service.name", "winlog.event_data.ServiceName"),
     ("winlog.event_data.ImagePath", "winlog.event_data.ServiceFileName")),
    ("task", ("winlog.event_data.TaskName",), ()),
    ("registry", ("registry.path",), ("registry.data.strings",)),
)  # fmt: skip


_ACTION: Final = re.compile(
    r"<Command>([^<]{1,4096})</Command>(?:\s{0,64}<Arguments>([^<]{0,8192})</Arguments>)?"
)


def task_commands(fields: Fields) -> Iterator[str]:
    """Yield the command lines that a registered task runs, from its definition."""
    content = text(fields.get("winlog.event_data.TaskContent"))[:MAX_TASK]
    for command, arguments in _ACTION.findall(content):
        yield unescape(f"{command} {arguments}".strip())
