"""What runs on the lab's hosts beside Suricata: a web server, a real sshd, ulogd2 for the firewall's log, and the log daemon."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from state import LabError
from topology import HERE, TARGET, Topology

USER = "deploy"
# Of the weak password that `attack.GUESSES` ends with.
_HASH = "$6$opsoninlab$pmLs1brVZMAmTB.UOgCDGNoqdeiFwncWp1e7p8fb0z4CHsIBYShzeKVNm0kdMNTfRIkftFQqk6kRNjfMp7nm11"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C"}
_READY_S = 60.0
_PLUGINS = ("inppkt_NFLOG", "raw2packet_BASE", "filter_IFINDEX", "filter_IP2STR")
_SSHD = """\
ListenAddress {address}
HostKey {folder}/hostkey
PidFile none
UsePAM yes
PermitRootLogin prohibit-password
AuthorizedKeysFile {folder}/authorized_keys
PasswordAuthentication yes
KbdInteractiveAuthentication no
MaxStartups 100:30:200
UseDNS no
PrintMotd no
PrintLastLog no
StrictModes no
"""
_PAM = """\
auth     required pam_unix.so
account  required pam_unix.so
session  required pam_unix.so
"""


class Services:
    """The daemons of one lab. Each `start_…` returns when the daemon answers."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._state = topology.state
        self.folder = topology.state.folder
        self.logs = self.folder / "log"

    @property
    def netfilter_log(self) -> Path:
        """The router's firewall log."""
        return self.logs / "netfilter.log"

    @property
    def auth_log(self) -> Path:
        """The target's sshd log."""
        return self.logs / "auth.log"

    def start(self) -> None:
        """Start all whose programs are installed; `missing` names the others."""
        self.start_collector()
        self.start_website()
        if shutil.which("ulogd"):
            self.start_ulogd()
        if shutil.which("sshd"):
            self.start_sshd()

    @staticmethod
    def missing() -> list[str]:
        """Name the optional programs that are not installed; what they would log will be absent."""
        return [name for name in ("ulogd", "sshd", "nmap", "ssh") if shutil.which(name) is None]

    def start_collector(self) -> None:
        """Start the log daemon for router and target."""
        self.logs.mkdir(exist_ok=True)
        streams = [
            f"router={self._socket('router')}={self.netfilter_log}",
            f"target={self._socket('target')}={self.auth_log}",
        ]
        command = [sys.executable, str(HERE / "collector.py"), *streams]
        self._state.start("collector", command, environment=_ENVIRONMENT)
        self._wait("collector", lambda: self._socket("target").exists())

    def start_website(self) -> None:
        """Start the target's web server on port 80."""
        self._start("website", "target", [sys.executable, str(HERE / "website.py"), TARGET, "80"])
        self._wait("website", lambda: self._answers(80))

    def start_ulogd(self) -> None:
        """Start ulogd2 on NFLOG group 5, writing to the router's syslog."""
        found = next(Path("/usr/lib").glob("*/ulogd/ulogd_inppkt_NFLOG.so"), None)
        if found is None:
            raise LabError("ulogd is installed without its NFLOG plugin below /usr/lib")
        names = (*_PLUGINS, "filter_PRINTPKT", "output_SYSLOG")
        plugins = "".join(f'plugin="{found.parent}/ulogd_{name}.so"\n' for name in names)
        stack = "stack=log:NFLOG,base:BASE,ifi:IFINDEX,ip:IP2STR,print:PRINTPKT,sys:SYSLOG\n"
        configuration = self.folder / "ulogd.conf"
        configuration.write_text(
            f'[global]\nlogfile="{self.folder}/ulogd.log"\nloglevel=5\n{plugins}{stack}'
            "[log]\ngroup=5\n[sys]\nfacility=LOG_KERN\nlevel=LOG_WARNING\n",
            encoding="utf-8",
        )
        self._start("ulogd", "router", ["ulogd", "-c", str(configuration)])
        log = self.folder / "ulogd.log"
        ready = "building new pluginstance stack"
        self._wait("ulogd", lambda: log.exists() and ready in log.read_text(encoding="utf-8"))

    def start_sshd(self) -> None:
        """Start sshd on the target with keys, an account and PAM rules of its own."""
        folder = self.folder / "sshd"
        folder.mkdir(exist_ok=True)
        for name in ("hostkey", "adminkey"):
            (folder / name).unlink(missing_ok=True)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name],
                check=True,
            )
        files = {
            "sshd_config": _SSHD.format(address=TARGET, folder=folder),
            "authorized_keys": (folder / "adminkey.pub").read_text(encoding="utf-8"),
            "pam": _PAM,
            "passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
            f"{USER}:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n",
            "shadow": f"root:*:20000::::::\nsshd:!:20000::::::\n{USER}:{_HASH}:20000::::::\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for name in ("shadow", "adminkey", "hostkey"):
            (folder / name).chmod(0o600)
        over = {"passwd": "/etc/passwd", "shadow": "/etc/shadow", "pam": "/etc/pam.d/sshd"}
        self._start(
            "sshd",
            "target",
            ["/usr/sbin/sshd", "-D", "-f", str(folder / "sshd_config")],
            over={str(folder / name): target for name, target in over.items()},
        )
        self._wait("sshd", lambda: self._answers(22))

    def _socket(self, host: str) -> Path:
        return self.logs / f"{host}.sock"

    def _start(
        self, name: str, host: str, command: list[str], over: dict[str, str] | None = None
    ) -> None:
        confined = [sys.executable, str(HERE / "confined.py"), "--host", host]
        confined += ["--folder", str(self.folder), "--log", str(self._socket(host))]
        confined += [f"--over={source}={target}" for source, target in (over or {}).items()]
        line = self._topology.within(host, *confined, "--", *command)
        self._state.start(name, line, environment=_ENVIRONMENT)

    def _answers(self, port: int) -> bool:
        """Tell whether the target listens, by its own socket table; no packet is sent."""
        listening = self._topology.run("target", "cat", "/proc/net/tcp")
        address = socket.inet_aton(TARGET)[::-1].hex().upper()
        return f"{address}:{port:04X} 00000000:0000 0A" in listening

    def _wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_S
        while not is_ready():
            if self._state.process(name) is None or time.monotonic() > deadline:
                out = (self.folder / f"{name}.out").read_text("utf-8", errors="replace")
                raise LabError(f"{name} did not come up; it said:\n{out[-2000:]}")
            time.sleep(0.02)
