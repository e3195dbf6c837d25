"""A unix socket that we own: bound with its permissions, a dead one in its place replaced."""

from __future__ import annotations

import contextlib
import socket
import stat
from pathlib import Path

from contract.errors import SettingsError


def bind_unix(name: str, path: Path, mode: str, kind: socket.SocketKind) -> socket.socket:
    """Return a bound unix socket.

    Args:
        name: of the source, for messages.
        path: of the socket.
        mode: its permissions, octal text.
        kind: stream or datagram.

    Raises:
        SettingsError: the path is taken, or cannot be made.
    """
    opened = socket.socket(socket.AF_UNIX, kind)
    try:
        _remove_dead(path, kind)
        opened.bind(str(path))
        path.chmod(int(mode, 8))
    except OSError as error:
        opened.close()
        words = error.strerror or str(error)
        raise SettingsError(f"source {name}: cannot listen on {path}: {words}") from error
    return opened


def remove(path: Path) -> None:
    """Remove a socket's name."""
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_dead(path: Path, kind: socket.SocketKind) -> None:
    """Remove a socket that nobody listens on; anything else in its place is left and refused by bind."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
