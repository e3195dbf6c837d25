"""What must stay reachable, found on this machine: its own addresses, its gateways, its resolvers. For the guard.

Source: Linux procfs, `proc_pid_net(5)`, and `resolv.conf(5)`; absent files mean nothing found.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")
_UP_GATEWAY = 0x3


def detect(root: Path = Path("/")) -> dict[str, list[str]]:
    """Return addresses by what they are: `own address`, `gateway`, `resolver`; sorted.

    Args:
        root: where `proc` and `etc` are; for tests.
    """
    return {
        "own address": sorted({*_own_v4(root), *_own_v6(root)}),
        "gateway": sorted({*_gateways_v4(root), *_gateways_v6(root)}),
        "resolver": sorted(set(_resolvers(root))),
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _own_v4(root: Path) -> list[str]:
    return _LOCAL.findall(_text(root / "proc/net/fib_trie"))


def _own_v6(root: Path) -> list[str]:
    lines = _text(root / "proc/net/if_inet6").splitlines()
    return [str(IPv6Address(int(line.split()[0], 16))) for line in lines if line.strip()]


def _gateways_v4(root: Path) -> list[str]:
    found = []
    for line in _text(root / "proc/net/route").splitlines()[1:]:
        columns = line.split()
        if int(columns[3], 16) & _UP_GATEWAY == _UP_GATEWAY:
            found.append(str(IPv4Address(int.from_bytes(bytes.fromhex(columns[2]), "little"))))
    return found


def _gateways_v6(root: Path) -> list[str]:
    hops = [
        line.split()[4] for line in _text(root / "proc/net/ipv6_route").splitlines() if line.strip()
    ]
    return [str(IPv6Address(int(hop, 16))) for hop in hops if int(hop, 16)]


def _resolvers(root: Path) -> list[str]:
    found = []
    for line in _text(root / "etc/resolv.conf").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(str(ip_address(words[1].partition("%")[0])))
            except ValueError:
                continue
    return found
