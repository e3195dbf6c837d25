"""What events tell beside alerts: who started whom, who opened a connection, wrote a file, logged on from where.

Every relation leads from a thing to the one that brought it about: a process to its parent, a connection to the process
that opened it, a file or service to the process that made it, a logon session to the address it came from. A run reaches
what lies up such a path, and two runs that reach one thing can be joined by it; the evidence tells the path.

Paths end at hubs: processes that start everything on a host (shells of the desktop, service and
session hosts) are nobody's doing. Relations are kept in chunks in order of arrival, so that a snapshot writes only
the last one, and the oldest chunk goes first when the bound is met.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contract.event import Fields, Observation
from correlate.chain import canonical
from correlate.chain.edges import HOUR_US
from correlate.chain.entities import flow_of, host_of, process_of, text, texts

ROOTS: Final = frozenset(
    {"explorer.exe", "services.exe", "svchost.exe", "wininit.exe", "winlogon.exe", "userinit.exe",
     "smss.exe", "csrss.exe", "lsass.exe", "system", "taskhostw.exe", "sihost.exe", "runtimebroker.exe",
     "searchindexer.exe", "wmiprvse.exe", "dllhost.exe", "taskeng.exe",
     "systemd", "init", "sshd", "cron", "crond", "atd", "dbus-daemon", "login", "containerd-shim",
     "containerd-shim-runc-v2", "dockerd", "kthreadd", "supervisord", "launchd", "gdm", "sddm"}
)  # fmt: skip
"""Names of processes under which everything of a host or session runs: hubs, by their office."""

CHUNK: Final = 128
MAX_DEPTH: Final = 6
MAX_REACH: Final = 48
"""Steps up, and things reached, from what one run names."""
SLOT_US: Final = HOUR_US
"""A relation that is told again within the same hour is kept once, unless it comes to be known earlier."""
HOP: Final = 0.97
"""What is left of a weight with each parent: far ancestors have many children."""


class Up(NamedTuple):
    """One relation, from a thing (`type|value`) to its cause; `name` is the program's where that is a process."""

    key: str
    cause: str
    kind: str
    name: str
    time_us: int


_STEP: Final[dict[str, tuple[str, float, str]]] = {
    "parent": ("a", HOP, "{it} was started by {cause}"),
    "flow": ("s", 0.95, "{it} was opened by {cause}"),
    "written": ("a", 0.9, "{it} was written by {cause}"),
    "made": ("a", 0.9, "{it} was made by {cause}"),
    "logon": ("a", 0.9, "{it} was a logon from {cause}"),
    "started": ("o", 0.9, "{it} is started by {cause}"),
    "nat": ("o", 0.9, "{it} was {cause} before translation"),
}
"""Kind of relation: side of the cause, weight, words."""


@dataclass(slots=True)
class Chunk:
    """Relations that arrived one after the other."""

    number: int
    rows: list[Up] = field(default_factory=list)


class Relations:
    """All relations and bindings of one site.

    Args:
        bound: relations kept.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._up: dict[str, list[Up]] = {}
        self._chunks: deque[Chunk] = deque()
        self._count = 0
        self._next = 1
        self.changed: set[int] = set()
        self.lost = 0

    def learn(self, seen: Observation) -> list[str]:
        """Take an observation; return the keys from which something new can be reached."""
        fresh = []
        for up in relations_of(seen.fields, seen.time_us):
            known = self._up.get(up.key)
            slot = up.time_us // SLOT_US
            if known is not None and any(
                one[:3] == up[:3] and one.time_us // SLOT_US == slot for one in known
            ):
                continue
            self._add(up)
            fresh.append(up.key)
        return fresh

    def _add(self, up: Up) -> None:
        if not self._chunks or len(self._chunks[-1].rows) >= CHUNK:
            self._chunks.append(Chunk(self._next))
            self._next += 1
        self._chunks[-1].rows.append(up)
        self.changed.add(self._chunks[-1].number)
        self._link(up)
        while self._count > self._bound:
            self.lost += self._drop()

    def _link(self, up: Up) -> None:
        self._up.setdefault(up.key, []).append(up)
        self._count += 1

    def _drop(self) -> int:
        """Forget the oldest chunk; return how many relations went."""
        chunk = self._chunks.popleft()
        self.changed.add(chunk.number)
        for up in chunk.rows:
            rows = self._up[up.key]
            rows.remove(up)
            if not rows:
                del self._up[up.key]
        self._count -= len(chunk.rows)
        return len(chunk.rows)

    def forget(self, before_us: int) -> None:
        """Drop chunks of which nothing is newer; `before_us` less an hour is what nobody can ask for any more."""
        while self._chunks and all(up.time_us < before_us for up in self._chunks[0].rows):
            self._drop()

    def leads(self, key: str) -> bool:
        """Tell whether anything is known to lie up from a thing."""
        return key in self._up

    def reach(
        self, key: str, time_us: int, span_us: int
    ) -> Iterator[tuple[str, str, float, str, int]]:
        """Yield (key, side, weight, via, when it was told) of what lies up from a thing, nearest first; hubs end a path.

        Only what was told within a span of the time counts, by whole hours: then it does not show whether what
        is older was forgotten already.
        """
        first, last = (time_us - span_us) // SLOT_US, (time_us + span_us) // SLOT_US
        waiting = deque([(key, 1.0, "", 0, 0)])
        seen = {key}
        while waiting:
            here, weight, via, depth, told_us = waiting.popleft()
            if depth >= MAX_DEPTH or len(seen) > MAX_REACH:
                return
            for up in sorted(self._up.get(here, ())):
                if up.cause in seen or up.name in ROOTS:
                    continue
                if not first <= up.time_us // SLOT_US <= last:
                    continue
                seen.add(up.cause)
                side, share, words = _STEP[up.kind]
                named = f"{up.name} ({_plain(up.cause)})" if up.name else _plain(up.cause)
                step = words.format(it=_plain(here), cause=named)
                path = f"{via}, {step}" if via else step
                last_us = max(told_us, up.time_us)
                yield up.cause, side, round(weight * share, 4), path, last_us
                waiting.append((up.cause, weight * share, path, depth + 1, last_us))

    # -------------------------------------------------------------- state

    def part(self, number: int) -> list[Up] | None:
        """Return a chunk; None when it is gone."""
        return next((one.rows for one in self._chunks if one.number == number), None)

    def restore(self, number: int, rows: list[list[Any]]) -> None:
        """Put back a chunk; in order of number."""
        chunk = Chunk(number, [Up(*row) for row in rows])
        self._chunks.append(chunk)
        self._next = number + 1
        for up in chunk.rows:
            self._link(up)


# ------------------------------------------------------------------ fields to relations


def relations_of(fields: Fields, time_us: int) -> Iterator[Up]:
    """Yield what one event tells of causes."""
    host = host_of(fields)
    actor = process_of(fields, host, "process.entity_id", "process.pid")
    name = program(text(fields.get("process.executable")) or text(fields.get("process.name")))
    if actor is not None:
        process = f"process|{actor}"
        categories, types = texts(fields.get("event.category")), texts(fields.get("event.type"))
        if "process" in categories and "start" in types:
            yield from _parent(fields, host, process, time_us)
        if "destination.ip" in fields and (flow := flow_of(fields)):
            yield Up(f"flow|{flow}", process, "flow", name, time_us)
        if (
            host
            and "file" in categories
            and (path := canonical.path(text(fields.get("file.path"))))
        ):
            yield Up(f"file|{host}|{path}", process, "written", name, time_us)
    yield from _started(fields, host, actor, name, time_us)
    yield from _logon(fields, host, time_us)
    yield from _translated(fields, time_us)


def program(path: str) -> str:
    """Return the file name of a program's path, in lower case."""
    return path.replace("\\", "/").rpartition("/")[2].lower()


def _parent(fields: Fields, host: str, process: str, time_us: int) -> Iterator[Up]:
    parent = process_of(fields, host, "process.parent.entity_id", "process.parent.pid")
    if parent is not None and f"process|{parent}" != process:
        path = fields.get("process.parent.executable") or fields.get("process.parent.name")
        yield Up(process, f"process|{parent}", "parent", program(text(path)), time_us)


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
        for one in image:
            if path := canonical.path(command_path(text(fields.get(one)))):
                yield Up(f"file|{host}|{path}", key, "started", "", time_us)


def _logon(fields: Fields, host: str, time_us: int) -> Iterator[Up]:
    source = canonical.ip(text(fields.get("source.ip")))
    if source is None or not host or fields.get("event.outcome") == "failure":
        return
    for name in ("winlog.event_data.TargetLogonId", "winlog.logon.id", "auditd.session"):
        if name in fields and (logon := canonical.logon(text(fields[name]))):
            yield Up(f"session|{host}|{logon}", f"ip|{source}", "logon", "", time_us)
            return


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


def _plain(key: str) -> str:
    return key.partition("|")[2]
