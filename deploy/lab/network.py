"""The lab as one object: its network, its services, its sensor."""

from __future__ import annotations

import re
import shutil
import sys

from services import Services
from state import LabError, State, own_netns
from suricata import Suricata
from topology import ADMIN, ATTACKER, HERE, HOSTS, TARGET, Topology, require_root

DEFAULT_PREFIX = "opl"
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,15}")


class Lab:
    """A lab by its prefix: made, used and removed through one object."""

    def __init__(self, prefix: str = DEFAULT_PREFIX) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise LabError(
                f"prefix {prefix!r}: expected a letter, then at most 15 letters or digits"
            )
        require_root()
        self.state = State.load(prefix) or State(prefix, own_netns())
        self.topology = Topology(self.state)
        self.services = Services(self.topology)
        self.suricata = Suricata(self.topology)

    def up(self, *, sensor: bool = True, everything: bool = False) -> None:
        """Make the lab; on a fault, what was made is removed again.

        Args:
            sensor: with Suricata.
            everything: its stream carries all events, not alerts alone.

        Raises:
            LabError: it stands already, or cannot be made.
        """
        if self.state.namespaces:
            raise LabError(f"lab {self.state.prefix} is up; `down` removes it")
        shutil.rmtree(self.state.folder, ignore_errors=True)
        try:
            self.state.save()
            self.topology.up()
            self.services.start()
            if sensor:
                self.suricata.start(everything=everything)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """End the lab's processes and remove its namespaces; logs stay in its folder until the next `up`."""
        for process in list(self.state.processes):
            self.state.stop(process.name)
        self.topology.down()

    def attack(self, act: str, source: str = ATTACKER) -> str:
        """Do one of `attack.ACTS` from a source address and return what it printed."""
        script = [sys.executable, str(HERE / "attack.py"), act, source, TARGET]
        return self.topology.run("attacker", *script)

    def status(self) -> dict[str, object]:
        """Say what stands, as JSON values."""
        return {
            "prefix": self.state.prefix,
            "up": bool(self.state.namespaces),
            "namespaces": {host: self.topology.name(host) for host in HOSTS},
            "addresses": {"attacker": ATTACKER, "target": TARGET, "admin": ADMIN},
            "processes": {p.name: p.pid for p in self.state.processes if p.is_running()},
            "missing": self.services.missing(),
            "eve_socket": str(self.suricata.socket),
            "eve": str(self.suricata.eve),
            "eve_without_alerts": str(self.suricata.context),
            "netfilter_log": str(self.services.netfilter_log),
            "auth_log": str(self.services.auth_log),
        }
