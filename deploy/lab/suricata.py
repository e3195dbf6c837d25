"""Suricata on the router, as an inspector with the least delay: configuration, start, readiness.

Settings that decide the delay (Suricata 7 user guide, "af-packet" and "stream"): TPACKET_V3 hands over packets
in blocks and waits up to 10 ms to fill one, so V2; one worker, no hand-over between threads; `stream.inline`
inspects data when it arrives, not when its acknowledgement does.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from state import LabError
from topology import HERE, HOME_NET, Topology

START_S = 60.0
_CONFIGURATION = """\
%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[{home}]"
    EXTERNAL_NET: "!$HOME_NET"
sensor-name: router
default-log-dir: {folder}
stats: {{enabled: yes, interval: 30}}
logging:
  default-log-level: notice
  outputs:
    - console: {{enabled: no}}
    - file: {{enabled: yes, level: info, filename: {folder}/suricata.log}}
outputs:
  - eve-log: {{enabled: yes, filetype: regular, filename: {folder}/eve.json, community-id: true, types: [{alerts}, {context}]}}
  - eve-log: {{enabled: yes, filetype: regular, filename: {folder}/context.json, community-id: true, types: [{context}]}}
  - eve-log: {{enabled: yes, filetype: unix_stream, filename: {socket}, community-id: true, types: [{streamed}]}}
unix-command: {{enabled: yes, filename: {folder}/command.sock}}
runmode: workers
af-packet:
  - {{interface: wan0, threads: 1, cluster-id: 90, cluster-type: cluster_flow, defrag: yes, tpacket-v3: no,
      use-mmap: yes, ring-size: 20000, checksum-checks: no}}
stream: {{inline: yes, checksum-validation: no, reassembly: {{toserver-chunk-size: 0}}}}
flow-timeouts:
  default: {{new: 5, established: 30, closed: 0, bypassed: 10, {emergency}}}
  tcp: {{new: 5, established: 60, closed: 1, bypassed: 10, {emergency}}}
  udp: {{new: 5, established: 10, bypassed: 10, {emergency}}}
  icmp: {{new: 5, established: 10, bypassed: 10, {emergency}}}
app-layer: {{protocols: {{http: {{enabled: yes}}, ssh: {{enabled: yes}}, tls: {{enabled: no}}, dns: {{udp: {{enabled: no}}, tcp: {{enabled: no}}}}}}}}
default-rule-path: {rules}
rule-files: [{rules}/lab.rules]
classification-file: /etc/suricata/classification.config
reference-config-file: /etc/suricata/reference.config
pid-file: {folder}/suricata.pid
run-as: {{user: root, group: root}}
host-mode: sniffer-only
detect: {{profile: low, sgh-mpm-context: full, delayed-detect: no}}
"""
_ALERTS = "{alert: {metadata: yes}}"
_CONTEXT = "{http: {extended: yes}}, ssh, flow, {stats: {totals: yes, threads: no}}"

_EMERGENCY = (
    "emergency-new: 1, emergency-established: 5, emergency-closed: 0, emergency-bypassed: 5"
)


class Suricata:
    """The sensor of one lab."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.folder = topology.state.folder / "suricata"
        self.socket = self.folder / "eve.sock"

    @property
    def eve(self) -> Path:
        """The file with everything."""
        return self.folder / "eve.json"

    @property
    def context(self) -> Path:
        """The file with everything but alerts, for whoever reads the alerts from the stream."""
        return self.folder / "context.json"

    def start(self, *, everything: bool = False) -> None:
        """Start and wait until packets are inspected; about a second.

        Args:
            everything: all events go over the stream, not alerts alone. Suricata drops what the socket's
                buffer cannot take (about 280 lines at Linux's default), and flows end in bursts.

        Whoever wants the stream listens on `socket`; Suricata connects when it has something to say and
        tries again at most every 500 ms, so what happens before the first connection is only in the file.

        Raises:
            LabError: not installed, or it does not start; the text ends with its log.
        """
        if shutil.which("suricata") is None:
            raise LabError("not installed: suricata")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "suricata.yaml"
        configuration.write_text(
            _CONFIGURATION.format(
                home=HOME_NET,
                folder=self.folder,
                socket=self.socket,
                rules=HERE,
                alerts=_ALERTS,
                context=_CONTEXT,
                streamed=f"{_ALERTS}, {_CONTEXT}" if everything else _ALERTS,
                emergency=_EMERGENCY,
            ),
            encoding="utf-8",
        )
        log = self.folder / "suricata.log"
        log.unlink(missing_ok=True)
        self._topology.state.start(
            "suricata",
            self._topology.within(
                "router",
                "suricata",
                "-c",
                str(configuration),
                "--af-packet",
                "-l",
                str(self.folder),
            ),
            environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C"},
        )
        self._wait(log)

    def stop(self) -> None:
        """Stop; open flows are written to the log first."""
        self._topology.state.stop("suricata")

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            said = log.read_text(encoding="utf-8") if log.exists() else ""
            if "Engine started" in said:
                return
            if self._topology.state.process("suricata") is None:
                break
            time.sleep(0.05)
        said = log.read_text(encoding="utf-8") if log.exists() else "(no log)"
        raise LabError(
            f"Suricata did not start within {START_S:.0f} s; its log ends:\n{said[-2000:]}"
        )
