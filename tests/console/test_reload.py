"""Rules that change while the real engine runs: nothing lost, state kept, what is broken kept and named."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from contract.records import Alert
from runtime.store import Store
from runtime.stored import counts, dead_letters, records
from tests.conftest import PATIENCE_S

OPSONIN = Path(sys.executable).with_name("opsonin")

FIRST = """
title: First
id: first
level: low
logsource: {product: test}
detection: {s: {message: alpha}, condition: s}
"""
OFTEN = """
title: Often
id: often
level: high
correlation: {type: event_count, rules: [first], group-by: [host.name], timespan: 1h, condition: {gte: 5}}
"""


class Running:
    """A real `opsonin run` in a folder, fed through a unix socket."""

    def __init__(self, folder: Path, *, every: str = "100ms") -> None:
        self.folder = folder
        self.rules = folder / "rules"
        self.rules.mkdir()
        self.rule("first", FIRST)
        self.rule("often", OFTEN)
        self.config = folder / "opsonin.toml"
        self.config.write_text(f"""
[engine]
data_dir = "data"
rules = ["rules"]
epoch = "20ms"
[detect]
reload_every = "{every}"
[log]
format = "json"
[web]
port = 0
[[source]]
name = "in"
type = "unix_stream"
adapter = "generic.ecs"
path = "in.sock"
""")
        self.sent = 0

    def rule(self, name: str, text: str) -> None:
        """Write a rule's file in one step: the engine must never see half of it."""
        part = self.folder / "part"
        part.write_text(text)
        part.rename(self.rules / f"{name}.yml")

    def __enter__(self) -> Self:
        self.log = (self.folder / "log").open("wb")
        self.socket = socket.socket(socket.AF_UNIX)
        self.process = subprocess.Popen(
            [OPSONIN, "run", "--quiet", "--config", str(self.config)], stderr=self.log
        )
        try:
            self.wait("engine.started")
            limit = time.monotonic() + PATIENCE_S
            while self.socket.connect_ex(str(self.folder / "in.sock")):
                assert time.monotonic() < limit
                time.sleep(0.02)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(PATIENCE_S) == 0, (self.folder / "log").read_text()
        finally:
            self._close()

    def _close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.socket.close()

    def send(self, count: int = 1, message: str = "alpha") -> None:
        for _ in range(count):
            self.sent += 1
            at = f"2026-11-01T10:00:{self.sent // 1000 % 60:02}.{self.sent % 1000:03}Z"
            event = {
                "@timestamp": at, "event": {"module": "test", "sequence": self.sent},
                "host": {"name": "web"}, "message": message,
            }  # fmt: skip
            self.socket.sendall(json.dumps(event).encode() + b"\n")

    def logged(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [one for one in found if one["event"] == name]

    def wait(self, name: str, times: int = 1) -> dict[str, Any]:
        """Return the log line when it stands there so often."""
        until = time.monotonic() + PATIENCE_S
        while len(self.logged(name)) < times:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.02)
        return self.logged(name)[times - 1]

    def wait_refused(self, count: int) -> None:
        """Wait for a reload that refuses so many files; of two files, one may be seen before the other."""
        until = time.monotonic() + PATIENCE_S
        while not (said := self.logged("rules.reloaded")) or said[-1]["refused"] != count:
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.02)

    def drained(self, count: int | None = None) -> None:
        """Wait until everything sent is stored."""
        until = time.monotonic() + PATIENCE_S
        while self.stored("event") < (self.sent if count is None else count):
            assert time.monotonic() < until
            time.sleep(0.02)

    def stored(self, kind: str) -> int:
        return counts(self.store())[kind]

    def store(self) -> Store:
        return Store(self.folder / "data" / "opsonin.db", read_only=True)

    def alerts(self, rule: str) -> list[Alert]:
        found = [one for one in records(self.store(), "alert") if isinstance(one, Alert)]
        return [one for one in found if one.rule.id == rule]

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            [OPSONIN, "status", "--json", "--config", str(self.config)],
            capture_output=True, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)["engine"]
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as engine:
        yield engine


def test_an_unchanged_correlation_goes_on_counting_and_a_new_rule_matches(
    running: Running,
) -> None:
    running.send(3)
    running.drained()
    new = FIRST.replace("first", "second").replace("First", "Second").replace("alpha", "beta")
    running.rule("second", new)
    said = running.wait("rules.reloaded")
    assert (said["added"], said["correlations_reset"], said["groups_dropped"]) == (1, [], 0)
    running.send(2)
    running.send(1, "beta")
    running.drained()
    assert len(running.alerts("often")) == 1
    assert len(running.alerts("second")) == 1


def test_a_changed_correlation_begins_anew_and_says_so(running: Running) -> None:
    running.send(4)
    running.drained()
    running.rule("often", OFTEN.replace("gte: 5", "gte: 6"))
    said = running.wait("rules.reloaded")
    assert (said["correlations_reset"], said["groups_dropped"]) == (["often"], 1)
    running.send(5)
    running.drained()
    assert running.alerts("often") == []
    running.send(1)
    running.drained()
    assert len(running.alerts("often")) == 1


def test_a_removed_correlation_leaves_no_state_and_its_detection_speaks_for_itself(
    running: Running,
) -> None:
    running.send(4)
    running.drained()
    (running.rules / "often.yml").unlink()
    assert running.wait("rules.reloaded")["groups_dropped"] == 1
    running.send(1)
    running.drained()
    assert len(running.alerts("first")) == 1
    assert [key for key in running.store().state()["aggregate"] if key.startswith("often")] == []


def test_a_broken_rule_keeps_its_last_good_version_and_is_named_until_it_is_mended(
    running: Running,
) -> None:
    running.rule("first", FIRST.replace("condition: s", "condition: t"))
    running.rule("often", OFTEN.replace("1h", "1 fortnight"))
    running.wait_refused(2)
    refused = [one["error"] for one in running.logged("rule.refused")]
    assert len(refused) == 2
    assert any("first.yml:6" in one for one in refused)
    assert any("often.yml:5" in one for one in refused)
    status = running.status()["rules"]
    assert len(status["kept"]) == len(status["refused"]) == 2
    assert status["counts"]["detections"] == status["counts"]["correlations"] == 1
    running.send(5)
    running.drained()
    assert len(running.alerts("often")) == 1, "both last good versions are in force"
    running.rule("first", FIRST)
    running.rule("often", OFTEN)
    running.wait_refused(0)
    assert running.status()["metrics"]["opsonin_rule_files_kept"] == 0


def test_no_event_is_lost_while_rules_change_again_and_again(running: Running) -> None:
    stop = threading.Event()

    def feed() -> None:
        while not stop.is_set():
            running.send(20, "gamma")
            time.sleep(0.001)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for number in range(1, 5):
            text = FIRST.replace("alpha", f"delta{number}").replace("first", f"more{number}")
            while running.sent < 300 * number:  # never mind how fast the feeder is
                time.sleep(0.001)
            running.rule(f"more{number}", text)
            running.wait("rules.reloaded", number)
    finally:
        stop.set()
        feeder.join()
    running.send(1, "delta4")
    running.drained()
    assert running.stored("event") == running.sent > 1000
    assert list(dead_letters(running.store())) == []
    assert len(running.alerts("more4")) == 1


def test_rules_that_vanish_altogether_stay_in_force(running: Running) -> None:
    moved = running.rules.rename(running.folder / "gone")
    assert "no such file or folder" in running.wait("rules.reload_failed")["error"]
    running.send(5)
    running.drained()
    assert len(running.alerts("often")) == 1
    assert "no such file or folder" in running.status()["rules"]["failure"]
    moved.rename(running.rules)
    running.wait("rules.reloaded")
    assert running.status()["rules"]["failure"] == ""


def test_without_watching_only_a_signal_reloads(tmp_path: Path) -> None:
    with Running(tmp_path, every="0s") as running:
        (running.rules / "often.yml").unlink()
        time.sleep(0.5)
        assert running.logged("rules.reloaded") == []
        os.kill(running.process.pid, signal.SIGHUP)
        assert running.wait("rules.reloaded")["correlations"] == 0
