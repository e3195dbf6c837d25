"""Word from the kernel that something in a folder changed, so that a followed file is read at once.

Source: inotify(7), Linux. Where it is absent (or its watches are used up) the caller polls.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC
_MODIFY: Final = 0x002
_MASK: Final = _MODIFY | 0x040 | 0x080 | 0x100 | 0x200  # moved from, moved to, create, delete
_EVENT: Final = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_READ_BYTES: Final = 65_536


class Inotify:
    """Watches folders.

    Raises:
        OSError: this system has no inotify.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(None, use_errno=True)
            self._descriptor = int(self._library.inotify_init1(_NONBLOCK_CLOEXEC))
        except AttributeError as error:
            raise OSError("no inotify here") from error
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._descriptor

    def watch(self, folder: Path) -> bool:
        """Watch a folder; tell whether that worked. Watching one twice is one watch."""
        name = os.fsencode(folder)
        return int(self._library.inotify_add_watch(self._descriptor, name, _MASK)) >= 0

    def drain(self) -> bool:
        """Take what was reported; tell whether files came, went or were renamed, not only grew."""
        others = False
        with suppress(BlockingIOError):
            while data := os.read(self._descriptor, _READ_BYTES):
                at = 0
                while at + _EVENT.size <= len(data):
                    _, mask, _, name_bytes = _EVENT.unpack_from(data, at)
                    others = others or bool(mask & ~_MODIFY)
                    at += _EVENT.size + name_bytes
        return others

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)
