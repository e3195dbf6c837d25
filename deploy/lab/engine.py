"""The engine in the lab: on the router, reading its sensors, steering its firewall.

Its settings are written into a folder; the EVE stream is a socket that the engine listens on, the logs are
files that it follows. Rules are those that ship, with the playbooks' duration changed where asked, so that a test
need not wait an hour for an expiry.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from network import Lab
from state import LabError
from topology import ADMIN, HERE, TARGET

ROOT = HERE.parents[1]
FILES = ("flows", "netfilter", "auth")
START_S = 60.0
STOP_S = 30.0
_SETTINGS = """\
[engine]
data_dir = "state"
rules = ["rules"]

[policy]
mode = "{mode}"

[guard]
admin_networks = ["{admin}/24"]
never_touch = ["{target}/32"]
{guard}
[log]
level = "warning"

[web]
port = 0

[[source]]
name = "eve"
type = "unix_stream"
adapter = "suricata.eve"
path = "{eve}"
{files}
[[point]]
name = "router"
type = "nftables"
"""
_FILE = """
[[source]]
name = "{name}"
type = "file"
adapter = "{adapter}"
path = "{path}"
batch_records = 16  # an alert from the stream waits for one batch of these at most
"""


class LabEngine:
    """One engine in one lab.

    Args:
        lab: must be up while the engine runs.
        folder: for settings, state and log; kept over a restart.
        mode: of the policy.
        duration: of denials, e.g. `5s`; None: as the playbooks say.
        score: that a chain needs for a denial; None: as the playbooks say.
        guard: further keys of the `[guard]` table.
        follow: which files beside Suricata's stream: its other events, the firewall's log, sshd's log.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        *,
        mode: str = "enforce",
        duration: str | None = None,
        score: int | None = None,
        guard: Mapping[str, int] | None = None,
        follow: Collection[str] = FILES,
    ) -> None:
        self._lab = lab
        self.folder = folder
        self.settings = folder / "opsonin.toml"
        folder.mkdir(parents=True, exist_ok=True)
        self._copy_rules({"duration": duration, "  score": score})
        self.settings.write_text(self._text(mode, guard or {}, follow), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, starter: Sequence[str] = ()) -> None:
        """Start, and wait until it listens for Suricata.

        Args:
            starter: a command that becomes the engine, such as `setpriv` with its options.

        Raises:
            LabError: it ends, or does not listen in time; the text holds what it said.
        """
        self._lab.suricata.socket.unlink(missing_ok=True)
        with (self.folder / "engine.log").open("ab") as out:
            command = self._command("run", "--config", str(self.settings), "--quiet")
            line = self._lab.topology.within("router", *starter, *command)
            self._process = subprocess.Popen(line, stdout=out, stderr=out)
        deadline = time.monotonic() + START_S
        while not self._lab.suricata.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise LabError(f"the engine does not listen; it said:\n{self.said()}")
            time.sleep(0.02)

    def line(self) -> list[str]:
        """Return the command line that runs it on the router with its live view, for a person to watch."""
        self._lab.suricata.socket.unlink(missing_ok=True)
        return self._lab.topology.within(
            "router", *self._command("run", "--config", str(self.settings))
        )

    def stop(self) -> int:
        """End it as an administrator would; return its exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def said(self) -> str:
        """Return the end of its log."""
        return (self.folder / "engine.log").read_text("utf-8", errors="replace")[-4000:]

    def ask(self, *command: str) -> list[dict[str, Any]]:
        """Return what a listing command of `opsonin` gives, e.g. `ask("policy", "list")`."""
        words = self._command(*command, "--json", "--config", str(self.settings))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    @staticmethod
    def _command(*words: str) -> list[str]:
        return [str(Path(sys.executable).parent / "opsonin"), *words]

    def _copy_rules(self, changes: Mapping[str, str | int | None]) -> None:
        rules = self.folder / "rules"
        shutil.rmtree(rules, ignore_errors=True)
        shutil.copytree(ROOT / "rules", rules, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (rules / "playbook").glob("*.yml"):
            text = path.read_text(encoding="utf-8")
            for key, value in changes.items():
                if value is not None and not path.name.endswith(".test.yml"):
                    text = re.sub(rf"(?m)^{key}: \S+", f"{key}: {value}", text)
            path.write_text(text, encoding="utf-8")

    def _text(self, mode: str, guard: Mapping[str, int], follow: Collection[str]) -> str:
        services = self._lab.services
        followed = {
            "flows": ("suricata.eve", self._lab.suricata.context),
            "netfilter": ("linux.netfilter", services.netfilter_log),
            "auth": ("linux.auth", services.auth_log),
        }
        files = [
            _FILE.format(name=name, adapter=adapter, path=path)
            for name, (adapter, path) in followed.items()
            if name in follow
        ]
        return _SETTINGS.format(
            mode=mode,
            admin=ADMIN.rpartition(".")[0] + ".0",
            target=TARGET,
            guard="".join(f"{key} = {value}\n" for key, value in guard.items()),
            eve=self._lab.suricata.socket,
            files="".join(files),
        )
