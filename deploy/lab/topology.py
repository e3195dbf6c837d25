"""The lab's hosts and wires: four network namespaces and the veth pairs between them.

    attacker 198.51.100.10 ── wan0 router lan0 ── 203.0.113.10 target
                                  adm0 ── 192.0.2.10 admin

Addresses are of the documentation ranges (RFC 5737); the attacker also owns 198.18.0.0/15 (RFC 2544),
as many sources as a benchmark wants. Every interface is born inside a namespace, so that the host's
own network never sees one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from state import NAMESPACES, LabError, State, inode, own_netns

HERE = Path(__file__).parent
HOSTS = ("attacker", "router", "target", "admin")
ATTACKER, TARGET, ADMIN = "198.51.100.10", "203.0.113.10", "192.0.2.10"
SOURCES = "198.18.0.0/15"
# A next hop counts as a gateway, which no decision may touch; so the way back to SOURCES is not by ATTACKER.
UPSTREAM = "198.51.100.9"
HOME_NET = "203.0.113.0/24"
NEEDED = ("ip", "nft", "ethtool")
_OFFLOADS = ("tx", "rx", "gro", "gso", "tso")


@dataclass(slots=True, frozen=True)
class Wire:
    """A veth pair from a host to the router."""

    host: str
    host_address: str
    port: str
    port_address: str


WIRES = (
    Wire("attacker", ATTACKER, "wan0", "198.51.100.1"),
    Wire("target", TARGET, "lan0", "203.0.113.1"),
    Wire("admin", ADMIN, "adm0", "192.0.2.1"),
)


class Topology:
    """The namespaces of one lab, and commands inside them."""

    def __init__(self, state: State) -> None:
        self.state = state

    def name(self, host: str) -> str:
        """Return the namespace of a host."""
        return f"{self.state.prefix}-{host}"

    def within(self, host: str, *command: str) -> list[str]:
        """Return the command line that runs `command` inside a host's namespace.

        Raises:
            LabError: the namespace is not there, is not ours, or is the host's own.
        """
        name = self.name(host)
        found = inode(NAMESPACES / name)
        if found is None or found != self.state.namespaces.get(name):
            raise LabError(f"namespace {name} is not this lab's; `up` makes it")
        if found in (self.state.host_netns, _init_netns()):
            raise LabError(f"namespace {name} is the host's own network; refused")
        return ["ip", "netns", "exec", name, *command]

    def run(self, host: str, *command: str, stdin: str | None = None) -> str:
        """Run a command inside a host to its end and return its standard output.

        Raises:
            LabError: it failed; the text holds what it said.
        """
        return _run(self.within(host, *command), stdin)

    def up(self) -> None:
        """Make namespaces, wires, routes, forwarding and the router's base rules.

        Raises:
            LabError: a tool is absent, or a namespace of such a name exists and is not ours.
        """
        absent = [tool for tool in NEEDED if shutil.which(tool) is None]
        if absent:
            raise LabError(f"not installed: {', '.join(absent)}")
        for host in HOSTS:
            self._add(host)
        for wire in WIRES:
            self._connect(wire)
        self.run("attacker", "ip", "address", "add", f"{UPSTREAM}/24", "dev", "eth0")
        self.run("attacker", "ip", "route", "add", "local", SOURCES, "dev", "lo")
        self.run("router", "ip", "route", "add", SOURCES, "via", UPSTREAM)
        # A spoofed source arrives on the wrong wire; the lab is there to show what then happens.
        for key in ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0"):
            self.run("router", "sysctl", "-qw", key)
        for wire in WIRES:
            self.run("router", "sysctl", "-qw", f"net.ipv4.conf.{wire.port}.rp_filter=0")
        self.run("router", "nft", "-f", str(HERE / "firewall.nft"))

    def down(self) -> None:
        """Remove the namespaces that this lab made, and with them their wires; none is no fault."""
        for name, made in list(self.state.namespaces.items()):
            if inode(NAMESPACES / name) == made:
                _run(["ip", "netns", "delete", name])
            del self.state.namespaces[name]
            self.state.save()

    def _add(self, host: str) -> None:
        name = self.name(host)
        if inode(NAMESPACES / name) is not None:
            raise LabError(
                f"namespace {name} exists and this lab did not make it; choose another --prefix"
            )
        _run(["ip", "netns", "add", name])
        found = inode(NAMESPACES / name)
        if found is None or found == own_netns():
            raise LabError(f"namespace {name} could not be made")
        self.state.namespaces[name] = found
        self.state.save()
        self.run(host, "ip", "link", "set", "lo", "up")

    def _connect(self, wire: Wire) -> None:
        router = self.name("router")
        self.run(
            wire.host,
            *("ip", "link", "add", "eth0", "type", "veth"),
            *("peer", "name", wire.port, "netns", router),
        )
        ends = ((wire.host, "eth0", wire.host_address), ("router", wire.port, wire.port_address))
        for host, device, address in ends:
            self.run(host, "ip", "address", "add", f"{address}/24", "dev", device)
            # With offloads on, af-packet sees bad checksums and merged segments, and inspects neither.
            switches = [word for offload in _OFFLOADS for word in (offload, "off")]
            self.run(host, "ethtool", "-K", device, *switches)
            self.run(host, "ip", "link", "set", device, "up")
        self.run(wire.host, "ip", "route", "add", "default", "via", wire.port_address)


def require_root() -> None:
    """Raise LabError unless namespaces can be made."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces; run it as root")


def _init_netns() -> int | None:
    try:
        return inode(Path("/proc/1/ns/net"))
    except PermissionError:  # another user's process; the state's own record must do
        return None


def _run(command: Sequence[str], stdin: str | None = None) -> str:
    done = subprocess.run(
        list(command), input=stdin, capture_output=True, text=True, check=False, errors="replace"
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"`{' '.join(command)}` ended with {done.returncode}: {said}")
    return done.stdout
