"""Factories and gates of the tests of respond."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.records import Chain, ChainStage, Decision, Entity, Target
from tests.conftest import PATIENCE_S

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_STAGES = (("reconnaissance", "T1595", "a1"), ("initial-access", "T1190", "a2"))


@pytest.fixture
def make_chain() -> Callable[..., Chain]:
    """A chain that `deny_source` asks about, unless told otherwise; `at` is seconds after noon.

    `is_told`: each stage says that the sources did it.
    """

    def make(
        id: str = "chain-1",
        revision: int = 1,
        *,
        at: float = 0,
        score: float = 20,
        sources: tuple[str, ...] = ("203.0.113.9",),
        is_told: bool = True,
        **changes: Any,
    ) -> Chain:
        last = NOON + timedelta(seconds=at)
        entities = tuple(Entity(type="ip", value=one, role="source") for one in sources)
        values: dict[str, Any] = {
            "id": id,
            "revision": revision,
            "score": score,
            "first": min(NOON, last),
            "last": last,
            "alerts": ("a1", "a2"),
            "entities": entities,
            "stages": tuple(
                ChainStage(
                    tactic=tactic,
                    technique=technique,
                    alert=alert,
                    time=NOON,
                    entities=entities if is_told else (),
                )
                for tactic, technique, alert in _STAGES
            ),
        }
        return Chain(**(values | changes))

    return make


@pytest.fixture
def make_decision() -> Callable[..., Decision]:
    """An approved denial; times in seconds after `start`."""

    def make(
        value: str = "203.0.113.9",
        revision: int = 1,
        *,
        id: str = "",
        state: str = "approved",
        expires: float = 3600,
        start: datetime = NOON,
        **changes: Any,
    ) -> Decision:
        kind = "ipv6_net" if ":" in value else "ipv4_net"
        values: dict[str, Any] = {
            "id": id or value.encode().hex()[:24],
            "revision": revision,
            "chain": "chain-1",
            "playbook": "deny_source",
            "action": "deny",
            "target": Target.model_validate({"type": kind, "value": value}),
            "points": ("firewall",),
            "made": start,
            "expires": start + timedelta(seconds=expires),
            "state": state,
            "reason": "test",
        }
        return Decision(**(values | changes))

    return make


_numbers = itertools.count()


@pytest.fixture
def new_netns() -> Iterator[Callable[[], str]]:
    """Make network namespaces that are gone after the test; for tests marked `root` or `nftables`."""
    made: list[str] = []

    def make() -> str:
        name = f"ot{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        made.append(name)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        return name

    yield make
    for name in made:
        subprocess.run(["ip", "netns", "del", name], check=False)


SURICATA = """%YAML 1.1
---
default-log-dir: {folder}
stats: {{enabled: no}}
logging: {{default-log-level: error, outputs: [{{console: {{enabled: yes}}}}]}}
outputs: []
unix-command: {{enabled: yes, filename: {folder}/command.socket}}
default-rule-path: {rules}
rule-files: [opsonin.rules]
af-packet:
  - {{interface: i0, cluster-id: 98, cluster-type: cluster_flow, copy-mode: ips, copy-iface: i1}}
  - {{interface: i1, cluster-id: 97, cluster-type: cluster_flow, copy-mode: ips, copy-iface: i0}}
threading: {{set-cpu-affinity: no, detect-thread-ratio: 0.5}}
host-mode: router
"""


class Suricata:
    """A Suricata inline between attacker (10.8.1.2) and target (10.8.1.9), in network namespaces."""

    def __init__(self, folder: Path, attacker: str, inline: str, target: str) -> None:
        self.socket = folder / "command.socket"
        self.attacker, self.inline, self.target = attacker, inline, target
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        for netns, device, peer in ((attacker, "a0", "i0"), (target, "t0", "i1")):
            link = ["link", "add", device, "netns", netns, "type", "veth", "peer", "name", peer]
            subprocess.run(["ip", *link, "netns", inline], check=True)
        for netns, device, address in (
            (attacker, "a0", "10.8.1.2/24"),
            (target, "t0", "10.8.1.9/24"),
            (inline, "i0", ""),
            (inline, "i1", ""),
        ):
            if address:
                subprocess.run(
                    ["ip", "-n", netns, "addr", "add", address, "dev", device], check=True
                )
            subprocess.run(["ip", "-n", netns, "link", "set", device, "up"], check=True)
            subprocess.run(
                ["ip", "netns", "exec", netns, "ethtool", "-K", device, "tx", "off", "rx", "off"],
                check=False, capture_output=True,
            )  # fmt: skip

    def start(self) -> None:
        config = self._folder / "suricata.yaml"
        rules = Path(__file__).parents[2] / "respond" / "suricata"
        config.write_text(SURICATA.format(folder=self._folder, rules=rules))
        with (self._folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.inline, "suricata", "-c", str(config), "--af-packet",
                 "-l", str(self._folder)],
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        for _ in range(1_800):
            with contextlib.suppress(OSError):
                if self.call("uptime", "")["return"] == "OK":
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"Suricata did not start: {(self._folder / 'out').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill it as a crash does; its socket file stays."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def call(self, command: str, address: str, **arguments: Any) -> dict[str, Any]:
        """Send one command over a connection of its own."""
        if address:
            arguments["ipaddress"] = address
            if command != "list-hostbit":
                arguments["hostbit"] = "opsonin_deny"
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(PATIENCE_S)
            one.connect(str(self.socket))
            lines = one.makefile("rwb")
            answer: dict[str, Any] = {}
            for message in ({"version": "0.2"}, {"command": command, "arguments": arguments}):
                lines.write(json.dumps(message).encode() + b"\n")
                lines.flush()
                answer = json.loads(lines.readline())
            return answer

    CANDIDATES = (
        "203.0.113.9", "203.0.113.0", "203.0.112.0", "192.0.2.1", "192.0.2.5", "192.0.2.10",
        "10.8.1.2",
    )  # fmt: skip

    def held(self) -> set[str]:
        """Return which of the addresses that tests speak of have the bit, and how many of the many."""
        many = (f"203.0.{n >> 8}.{n & 255}" for n in range(600))
        return {one for one in (*self.CANDIDATES, *many) if self._has_bit(one)}

    def _has_bit(self, address: str) -> bool:
        answer = self.call("list-hostbit", address)
        return answer["return"] == "OK" and answer["message"]["count"] > 0

    def clear(self) -> None:
        for address in self.held():
            self.call("remove-hostbit", address)


@pytest.fixture(scope="session")
def suricata_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suricata]:
    """One Suricata for the session; whoever kills it starts it again."""
    names = [f"os{os.getpid()}-{part}" for part in ("attacker", "inline", "target")]
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    server = Suricata(tmp_path_factory.mktemp("suricata"), *names)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
