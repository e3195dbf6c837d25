"""The jars of Apache Kafka, fetched once from Maven's registry into a cache folder (45 MB, about 10 s)."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from fetching import fetch
from state import LabError

POM = Path(__file__).with_name("kafka-broker.pom.xml")
FOLDER = "OPSONIN_KAFKA_JARS"
"""Variable: folder of a Kafka release's jars to use instead of fetching any."""


def missing() -> str:
    """Return why no broker can be started on this machine; empty when one can."""
    if shutil.which("java") is None:
        return "needs Java 17 or later (Debian: default-jre-headless)"
    if not os.environ.get(FOLDER) and not _is_complete(_cache()) and shutil.which("mvn") is None:
        return (
            f"needs Maven to fetch Kafka (Debian: maven), or {FOLDER} naming a folder of its jars"
        )
    return ""


def jars() -> Path:
    """Return the folder of jars, fetching them when they are not there yet.

    Raises:
        LabError: Maven failed; its last words.
    """
    given = os.environ.get(FOLDER)
    if given:
        return Path(given)
    target = _cache()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "kafka.lock").open("w") as lock:
        # Two test runs at once must not fetch into one folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_complete(target):
            _fetch(target)
    return target


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "opsonin" / "kafka"


def _is_complete(folder: Path) -> bool:
    return any(folder.glob("kafka_2.13-*.jar"))


def _fetch(target: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix="kafka-", dir=target.parent))
    words = ["mvn", "-B", "-ntp", "-f", str(POM), "dependency:copy-dependencies"]
    try:
        fetch([*words, f"-DoutputDirectory={fresh}"])
        if not _is_complete(fresh):
            raise LabError(f"Maven fetched no Kafka into {fresh}")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


if __name__ == "__main__":
    jars()
