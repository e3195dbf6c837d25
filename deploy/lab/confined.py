"""Run a daemon as if on a machine of its own: private /dev and /run, host name, and files laid over /etc.

Started inside a lab namespace by `services.py`. glibc's syslog goes to `/dev/log`, sshd wants `/run/sshd` and
the password file; none of these may be the host's. All mounts are in a mount namespace that ends with the process.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from state import is_inside_a_lab

_CLONE_NEWNS, _CLONE_NEWUTS = 0x00020000, 0x04000000
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


def main() -> NoReturn:
    """Make the confinement and become the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True, help="host name that the daemon sees")
    parser.add_argument("--folder", required=True, type=Path, help="the lab's folder below /run")
    parser.add_argument("--log", required=True, type=Path, help="datagram socket behind /dev/log")
    parser.add_argument("--over", action="append", default=[], metavar="FILE=PATH")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if not is_inside_a_lab():
        sys.exit("confined.py: not in a lab's namespace; refused")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS | _CLONE_NEWUTS):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("--make-rprivate", "/")
    socket.sethostname(given.host)
    _private_dev(given.log)
    _private_run(given.folder)
    for pair in given.over:
        source, _, target = pair.partition("=")
        _mount("--bind", source, target)
    os.execvp(given.command[0], given.command)  # noqa: S606 - becoming the daemon is the purpose


def _private_dev(log: Path) -> None:
    _mount("-t", "tmpfs", "-o", "mode=755,size=1m", "tmpfs", "/dev")
    for name, (major, minor) in _DEVICES.items():
        path = Path("/dev", name)
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        path.chmod(0o666)
    Path("/dev/pts").mkdir()
    _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", "/dev/pts")
    Path("/dev/ptmx").symlink_to("pts/ptmx")
    Path("/dev/log").symlink_to(log)


def _private_run(folder: Path) -> None:
    """Put an empty /run there that holds only the lab's folder and sshd's own."""
    aside = folder / f"run-{os.getpid()}"
    aside.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755,size=8m", "tmpfs", str(aside))
    inner = aside / folder.relative_to("/run")
    inner.mkdir(parents=True)
    (aside / "sshd").mkdir(mode=0o755)
    _mount("--bind", str(folder), str(inner))
    _mount("--move", str(aside), "/run")
    (folder / aside.name).rmdir()


def _mount(*words: str) -> None:
    subprocess.run(["mount", "-n", *words], check=True)


if __name__ == "__main__":
    main()
