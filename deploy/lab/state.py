"""What a lab made: its namespaces by inode and its processes by start time, so that nothing else is ever touched.

A name or a process number can be taken by someone else after a crash; an inode and a start time cannot.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path("/run/opsonin-lab")
NAMESPACES = Path("/run/netns")
VERSION = 1
STOP_S = 5.0  # Suricata needs about a second to write its last flows


class LabError(Exception):
    """The lab cannot do what was asked; the text says why and what to do."""


@dataclass(slots=True)
class Process:
    """A process that the lab started; `started` is field 22 of /proc/PID/stat, in clock ticks."""

    name: str
    pid: int
    started: int

    def is_running(self) -> bool:
        """Tell whether this very process (not a later one of the same number) lives."""
        return _started(self.pid) == self.started


@dataclass(slots=True)
class State:
    """What one lab holds; saved after every change."""

    prefix: str
    host_netns: int
    namespaces: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The lab's own folder: configuration, logs, sockets."""
        return ROOT / self.prefix

    @classmethod
    def load(cls, prefix: str) -> State | None:
        """Return the saved state, or None when no such lab was made.

        Raises:
            LabError: the file is of another version or not readable as JSON.
        """
        path = ROOT / prefix / "state.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("version") != VERSION:
                raise LabError(f"{path} is of another version; expected {VERSION}")
            processes = [Process(**process) for process in data.pop("processes")]
            return cls(processes=processes, **data)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"{path} is damaged ({error}); remove it by hand") from error

    def save(self) -> None:
        """Write the state, whole or not at all."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        path = self.folder / "state.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({"version": VERSION, **asdict(self)}, indent=1), "utf-8")
        draft.replace(path)

    def start(self, name: str, command: Sequence[str], *, environment: dict[str, str]) -> Process:
        """Start a daemon in a session of its own; its output goes to `NAME.out` in the folder."""
        out = str(self.folder / f"{name}.out")
        # Not subprocess.Popen: its object would have to live as long as the daemon, which outlives this process.
        pid = os.posix_spawnp(
            command[0],
            list(command),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        process = Process(name, pid, _started(pid) or 0)
        self.processes.append(process)
        self.save()
        return process

    def stop(self, name: str) -> None:
        """End one of the lab's processes, softly first; unknown or ended ones are passed over."""
        for process in [each for each in self.processes if each.name == name]:
            _end(process)
            self.processes.remove(process)
            self.save()

    def process(self, name: str) -> Process | None:
        """Return the process of this name if it runs."""
        return next((p for p in self.processes if p.name == name and p.is_running()), None)


def inode(path: Path) -> int | None:
    """Return the inode of a namespace file, or None when it is not there."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def own_netns() -> int:
    """Return the inode of the network namespace of this process."""
    return Path("/proc/self/ns/net").stat().st_ino


def is_inside_a_lab() -> bool:
    """Tell whether this process is in a network namespace that some lab made, hence not in the host's."""
    own = own_netns()
    states = (State.load(path.parent.name) for path in ROOT.glob("*/state.json"))
    return any(
        own in state.namespaces.values() and own != state.host_netns for state in states if state
    )


def _started(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _end(process: Process) -> None:
    """Send SIGTERM to the process's group, and SIGKILL when it does not heed."""
    deadline = time.monotonic() + STOP_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not process.is_running():
            break
        os.killpg(process.pid, number)
        while process.is_running() and time.monotonic() < deadline:
            _reap(process.pid)
            time.sleep(0.02)
        deadline = time.monotonic() + STOP_S
    _reap(process.pid)


def _reap(pid: int) -> None:
    """Collect the child if it is ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
