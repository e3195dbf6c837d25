"""`opsonin chains merge|split|undo` beside a running engine, and after it was stopped and started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from tests.conftest import PATIENCE_S

OPSONIN = str(Path(sys.executable).parent / "opsonin")
CONFIG = """
[engine]
data_dir = "data"
epoch = "20ms"
idle_after = "1000d"
[web]
port = 0
[[source]]
name = "in"
type = "unix_stream"
adapter = "generic.ecs"
path = "in.sock"
"""


class Running:
    """A real `opsonin run` in a folder, fed through a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "opsonin.toml").write_text(CONFIG)

    def __enter__(self) -> Self:
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [OPSONIN, "run", "--quiet", "--config", "opsonin.toml"],
            cwd=self.folder, stderr=self.log,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()

    def until(self, holds: Any) -> Any:
        """Wait until `holds()` gives something; return it."""
        limit = time.monotonic() + PATIENCE_S
        while not (found := holds()):
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < limit, (self.folder / "log").read_text()
            time.sleep(0.05)
        return found

    def send(self, *alerts: tuple[int, str, str]) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            self.until(lambda: line.connect_ex(str(self.folder / "in.sock")) == 0)
            for at, source, rule in alerts:
                event = {
                    "@timestamp": f"2026-11-01T10:00:{at:02}Z", "event.kind": "alert",
                    "event.module": "ids", "event.severity": 9, "rule.id": rule, "rule.name": rule,
                    "source.ip": source, "destination.ip": "10.0.0.5",
                }  # fmt: skip
                line.sendall(json.dumps(event).encode() + b"\n")

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [OPSONIN, "chains", *words, "--config", "opsonin.toml"],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def chains(self) -> dict[str, dict[str, Any]]:
        """Return the chains by the number of their alerts' sources: by id of chain."""
        told = self.ask("list", "--json").stdout.splitlines()
        return {one["id"]: one for one in map(json.loads, told)}

    def sizes(self) -> list[int]:
        return sorted(len(one["alerts"]) for one in self.chains().values())


def test_a_merge_is_kept_over_a_restart_and_can_be_undone(tmp_path: Path) -> None:
    with Running(tmp_path) as engine:
        engine.send(
            (1, "203.0.113.7", "one"), (2, "203.0.113.7", "two"), (3, "198.51.100.9", "one")
        )
        engine.until(lambda: engine.sizes() == [1, 2])
        one, two = engine.chains()
        told = engine.ask("merge", one[:10], two, "--note", "one hand", "--json")
        assert told.returncode == 0, told.stderr
        correction = json.loads(told.stdout)["correction"]
        (whole,) = engine.chains().values()
        assert len(whole["alerts"]) == 3
        assert whole["corrections"] == [correction]
        assert "one hand" in engine.ask("show", whole["id"]).stdout
    with Running(tmp_path) as engine:
        engine.send((4, "198.51.100.9", "two"))
        engine.until(lambda: engine.sizes() == [4])
        told = engine.ask("undo", correction[:8])
        assert told.returncode == 0, told.stderr
        assert engine.sizes() == [2, 2]
        again = engine.ask("undo", correction)
        assert again.returncode == 1
        assert "no correction" in again.stderr


def test_a_split_takes_steps_out_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with Running(tmp_path) as engine:
        engine.send((1, "203.0.113.7", "one"), (2, "203.0.113.7", "two"), (3, "203.0.113.7", "six"))
        engine.until(lambda: engine.sizes() == [3])
        ((id, chain),) = engine.chains().items()
        told = engine.ask("split", id, chain["alerts"][2][:12])
        assert told.returncode == 0, told.stderr
        assert "to take it back: opsonin chains undo" in told.stdout
        assert engine.sizes() == [1, 2]
        other = next(one for one in engine.chains() if one != id)
        assert engine.chains()[id]["alerts"] == chain["alerts"][:2]
        assert f"held by chain {other}" in engine.ask("show", id).stdout
        wrong = engine.ask("split", id, *chain["alerts"][:2])
        assert wrong.returncode == 1
        assert "not none and not all" in wrong.stderr
        assert engine.ask("split", id, "ffff").returncode == 2
        assert engine.ask("merge", "nobody", id).returncode == 2
