"""Kill the engine at random while it follows files that are written and rotated, and compare its events with what was written.

    python bench/follow.py --kills 30 --seed 1

Logs are written all the time, half lines too, and rotated whether or not the engine runs: by renaming, by renaming with
packing (the last but one as gzip), by copying and truncating; a folder gets new files; packed files are dropped whole into another.
`opsonin run` follows them all, is ended by SIGKILL at random moments, and started again. In the end every line must be
one event, and a rule that counts each log's lines must have counted each once. Prints one JSON object as its last line:

    kills     SIGKILLs that hit a running engine
    lost      lines without an event
    beyond    events without a line
    repeated  parts of a log of which a rule counted more lines than there are
    uncounted parts of which it counted less
    equal     none of these
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

OPSONIN = Path(sys.executable).with_name("opsonin")
KEPT = 500
"""Rotated parts of a log that are kept. With few, a killed engine may miss what logrotate deletes."""
DROP_EVERY = 10
START_LIMIT_S = 60
QUIET_S = 60
WAYS = ("renamed", "packed", "copied", "folder", "dropped")
PART = 250
"""Lines that the rules count together: less is a line lost, more is one repeated."""
RULES = f"""
title: line
id: line
logsource: {{category: authentication}}
detection: {{s: {{labels.part|exists: true}}, condition: s}}
level: informational
---
title: all
id: all
correlation: {{type: event_count, rules: [line], group-by: [labels.part], timespan: 1d, condition: {{gte: {PART}}}}}
level: low
---
title: more
id: more
correlation: {{type: event_count, rules: [line], group-by: [labels.part], timespan: 1d, condition: {{gt: {PART}}}}}
level: low
"""
SETTINGS = """
[engine]
data_dir = "data"
rules = ["rules"]
lateness = "10m"
[log]
format = "json"
[web]
port = 0
[correlate]
max_events = 1000000
"""


class Log:
    """What one way of writing writes.

    Args:
        folder: of its own.
        way: one of `WAYS`.
        chance: decides when a half line is flushed and when the log is rotated.
    """

    def __init__(self, folder: Path, way: str, chance: random.Random) -> None:
        self.lines = 0
        self._folder = folder
        self._way = way
        self._chance = chance
        self._files: dict[str, TextIO] = {}
        self._kept = ""
        folder.mkdir()

    @property
    def path(self) -> str:
        """Return what the engine is to follow."""
        names = {"folder": "*.log", "dropped": "*.gz"}
        return str(self._folder / names.get(self._way, "app.log"))

    def end(self) -> None:
        """Write what is left."""
        if self._kept:
            self._pack()

    def write(self) -> None:
        """Write some lines, and rotate at times."""
        text = "".join(self._line() for _ in range(self._chance.randint(1, 40)))
        match self._way:
            case "dropped":
                self._drop(text)
            case "folder":
                self._append(f"{self._chance.randrange(1 + self.lines // 500)}.log", text)
            case _:
                self._append("app.log", text)
                if self._chance.random() < 1 / 40:
                    self._rotate()

    def _line(self) -> str:
        self.lines += 1
        event = {
            "@timestamp": datetime.fromtimestamp(time.time(), UTC).isoformat(),  # noqa: TID251 - a log's own
            "event.id": f"{self._way} {self.lines}",
            "event.kind": "event",
            "event.category": ["authentication"],
            "event.type": ["start"],
            "labels.part": f"{self._way} {(self.lines - 1) // PART}",
            "message": "x" * self._chance.randrange(200),
        }
        return json.dumps(event) + "\n"

    def _append(self, name: str, text: str) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._folder / name).open("a")
        half = self._chance.randrange(len(text))
        file.write(text[:half])
        file.flush()
        time.sleep(0.001)
        file.write(text[half:])
        file.flush()

    def _drop(self, text: str) -> None:
        self._kept += text
        if self._chance.random() < 1 / DROP_EVERY:
            self._pack()

    def _pack(self) -> None:
        name = self._folder / f"{self.lines:09d}.gz"
        with gzip.open(part := name.with_suffix(".part"), "wt") as file:
            file.write(self._kept)
        self._kept = ""
        part.rename(name)

    def _rotate(self) -> None:
        """Rotate as logrotate does: numbers go up, the oldest goes, and packing comes one rotation later."""
        log = self._folder / "app.log"
        suffix = ".gz" if self._way == "packed" else ""
        for number in range(KEPT, 1, -1):
            old = log.with_name(f"app.log.{number}{suffix}")
            if old.exists():
                old.rename(log.with_name(f"app.log.{number + 1}{suffix}"))
        log.with_name(f"app.log.{KEPT + 1}{suffix}").unlink(missing_ok=True)
        first, second = log.with_name("app.log.1"), log.with_name(f"app.log.2{suffix}")
        if first.exists():
            if suffix:
                _pack(first, second)
            else:
                first.rename(second)
        if self._way == "copied":
            shutil.copy2(log, first)
            os.truncate(log, 0)
        else:
            self._files.pop("app.log").close()
            log.rename(first)


def _pack(plain: Path, packed: Path) -> None:
    """Pack as gzip(1) does: the time of change is kept, the plain file goes when the packed one is whole."""
    status, part = plain.stat(), packed.with_suffix(".part")
    part.write_bytes(gzip.compress(plain.read_bytes()))
    os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
    part.rename(packed)
    plain.unlink()


class Writers:
    """Writes all logs until told to end."""

    def __init__(self, folder: Path, seed: int, pause_s: float) -> None:
        self.logs = {
            way: Log(folder / way, way, random.Random(f"{seed} {way}"))  # noqa: S311 - repeatable
            for way in WAYS
        }
        self._pause_s = pause_s
        self._is_over = threading.Event()
        # A daemon: where the engine does not start, the bench ends at once, whatever is still written.
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Write nothing more."""
        self._is_over.set()
        self._thread.join()
        for log in self.logs.values():
            log.end()

    def _write(self) -> None:
        while not self._is_over.is_set():
            for log in self.logs.values():
                log.write()
            time.sleep(self._pause_s)


def settings(folder: Path, writers: Writers) -> Path:
    """Write rule and settings."""
    (folder / "rules").mkdir()
    (folder / "rules" / "lines.yml").write_text(RULES)
    path = folder / "opsonin.toml"
    path.write_text(
        SETTINGS
        + "".join(
            f'[[source]]\nname = "{way}"\ntype = "file"\nadapter = "generic.ecs"\npath = "{log.path}"\n'
            for way, log in writers.logs.items()
        )
    )
    return path


def start(config: Path) -> subprocess.Popen[bytes]:
    """Start the engine; return once it reads."""
    said = config.with_suffix(".log")
    with said.open("wb") as log:
        engine = subprocess.Popen(
            [OPSONIN, "run", "--quiet", "--config", config], stdout=subprocess.DEVNULL, stderr=log
        )
    deadline = time.monotonic() + START_LIMIT_S
    while b"engine.started" not in said.read_bytes():
        if engine.poll() is not None or time.monotonic() > deadline:
            engine.kill()
            sys.exit(f"the engine did not start:\n{said.read_text()}")
        time.sleep(0.01)
    return engine


def stored(config: Path) -> tuple[set[str], Counter[str]]:
    """Return the ids of all events, and how many parts each rule found."""
    with sqlite3.connect(f"file:{config.parent}/data/opsonin.db?mode=ro", uri=True) as db:
        ids = {id for (id,) in db.execute("SELECT id FROM event")}
        rows = db.execute(
            "SELECT DISTINCT id, json ->> '$.rule.id' FROM record WHERE kind = 'alert'"
        )
        rules = Counter(rule for _, rule in rows)
    db.close()
    return ids, rules


def wait_for_all(config: Path, engine: subprocess.Popen[bytes]) -> None:
    """Wait until the engine has seen every log: of others it cannot know what was rotated away."""
    deadline = time.monotonic() + START_LIMIT_S
    while not all(any(id.startswith(way) for id in stored(config)[0]) for way in WAYS):
        if engine.poll() is not None or time.monotonic() > deadline:
            engine.kill()
            sys.exit(f"not every log was read:\n{config.with_suffix('.log').read_text()}")
        time.sleep(0.1)


def wait_for(config: Path, count: int) -> None:
    """Wait until so many events are stored, or nothing has come for long."""
    known, deadline = 0, time.monotonic() + QUIET_S
    while known < count and time.monotonic() < deadline:
        time.sleep(1)
        found = len(stored(config)[0])
        if found > known:
            known, deadline = found, time.monotonic() + QUIET_S


def main() -> None:
    """Run the bench."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--longest", type=float, default=3.0, help="seconds between start and kill"
    )
    options.add_argument(
        "--pause", type=float, default=0.25, help="seconds between two rounds of lines"
    )
    options.add_argument("--keep", type=Path, help="folder of all that is written, kept")
    given = options.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - repeatable moments, not secrets
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        writers = Writers(folder, given.seed, given.pause)
        config = settings(folder, writers)
        engine = start(config)
        writers.start()
        wait_for_all(config, engine)
        for kill in range(given.kills):
            time.sleep(chance.uniform(0.05, given.longest))
            engine.send_signal(signal.SIGKILL)
            engine.wait()
            print(f"\r{kill + 1} kills", end="", file=sys.stderr, flush=True)
            time.sleep(chance.choice((0, 0, chance.uniform(0, given.longest))))
            engine = start(config)
        writers.end()
        written = {
            f"{way} {n}" for way, one in writers.logs.items() for n in range(1, one.lines + 1)
        }
        wait_for(config, len(written))
        engine.send_signal(signal.SIGTERM)
        engine.wait()
        found, rules = stored(config)
    lost = {way: sum(one.startswith(f"{way} ") for one in written - found) for way in WAYS}
    result: dict[str, Any] = {
        "kills": given.kills,
        "lines": len(written),
        "lost": sum(lost.values()),
        "beyond": len(found - written),
        "repeated": rules["more"],
        "uncounted": sum(one.lines // PART for one in writers.logs.values()) - rules["all"],
        "lost_of": {way: count for way, count in lost.items() if count},
        "cpus": os.cpu_count(),
    }
    faults = ("lost", "beyond", "repeated", "uncounted")
    print(file=sys.stderr)
    print(json.dumps(result | {"equal": not any(result[one] for one in faults)}))


if __name__ == "__main__":
    main()
