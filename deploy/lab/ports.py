"""Ports on loopback for servers that are told theirs before they bind it.

From below the range out of which the system takes the ports of outgoing connections (`ip_local_port_range`): one of that
range may be taken by any client between here and the server's start, or while a killed server is away.
"""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

LOWEST = 10_240
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_HIGHEST = 32_767
_FEWEST = 1_000
"""Ports to choose among; where the system's range leaves fewer, ours reaches into it."""


def free_ports(count: int) -> tuple[int, ...]:
    """Return so many ports that nobody listens on now, by TCP or UDP.

    Raises:
        OSError: there are not so many.
    """
    candidates = range(LOWEST, _highest() + 1)
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.SystemRandom().sample(candidates, len(candidates)):
            if len(found) == count:
                return tuple(found)
            with contextlib.suppress(OSError):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    one = held.enter_context(socket.socket(socket.AF_INET, kind))
                    one.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError(f"fewer than {count} free ports from {candidates.start} to {candidates[-1]}")


def _highest() -> int:
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_HIGHEST
    return max(min(first - 1, 65_535), LOWEST + _FEWEST)
