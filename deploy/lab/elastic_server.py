"""A real Elasticsearch on loopback, for tests and benchmarks: start, stop, kill, start again on the same data.

    with ElasticServer() as server: Elasticsearch(server.url)
    python deploy/lab/elastic_server.py            # until Ctrl-C

Elasticsearch refuses to run as root, and its Java may live in a tree of its own (`elastic_package`): root gives it a private mount
namespace in which server, Java and data are seen at `/mnt`, and runs it as nobody. The server reads its arguments from standard input
and ends when that closes, so that a killed test run leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from elastic_package import SERVER, java_root, prepare
from ports import free_ports
from state import LabError

_START_LIMIT_S = 600.0
_STOP_LIMIT_S = 60
_NOBODY = 65534
_QUICK = "-XX:TieredStopAtLevel=1\n-XX:+UseSerialGC\n"
# $1 root of the tree with Java, $2 server, $3 run folder; then what to run.
_ENTER = """
root="$1"; server="$2"; run="$3"; shift 3
mount -t tmpfs none "${root%/}/mnt" && mkdir "${root%/}/mnt/server" "${root%/}/mnt/run" || exit 70
mount --bind "$server" "${root%/}/mnt/server" && mount --bind "$run" "${root%/}/mnt/run" || exit 71
if [ "$root" != / ]; then
  mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" || exit 72
fi
exec chroot --userspec=65534:65534 "$root" /usr/bin/env -C /mnt/run "$@"
"""
_CLI = (
    "-Xms4m -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dcli.name=server -Dcli.libs=lib/tools/server-cli "
    "-Des.distribution.type=zip -Des.java.type=ES_JAVA_HOME"
)


class ElasticServer:
    """One node with data of its own, removed at `close`.

    Args:
        heap: of the Java process.
        settings: over those of elasticsearch.yml that make a quiet single node without security.
        files: further files of the configuration folder, by name.
        quick: start in half the time, and never reach full speed; not for benchmarks.
    """

    def __init__(
        self,
        heap: str = "512m",
        settings: Mapping[str, object] | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        quick: bool = True,
    ) -> None:
        prepare()
        self.folder = Path(tempfile.mkdtemp(prefix="opsonin-elastic-"))
        self.folder.chmod(0o755)
        self.port, self._transport_port = free_ports(2)
        own = settings or {}
        scheme = "https" if own.get("xpack.security.http.ssl.enabled") else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._heap = heap
        self._jvm = _QUICK if quick else ""
        self._as_root = os.geteuid() == 0
        self._home = "/mnt/server" if self._as_root else str(SERVER)
        self._run = "/mnt/run" if self._as_root else str(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(own, files or {})

    def _configure(self, own: Mapping[str, object], files: Mapping[str, bytes]) -> None:
        for name in ("conf", "data", "logs", "tmp"):
            (self.folder / name).mkdir()
        conf = self.folder / "conf"
        shutil.copy(SERVER / "config/log4j2.properties", conf)
        (conf / "jvm.options").write_text(f"-XX:+ExitOnOutOfMemoryError\n{self._jvm}")
        all_settings = {
            "cluster.name": "opsonin-test",
            "node.name": "one",
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": self._transport_port,
            "discovery.type": "single-node",
            "path.data": f"{self._run}/data",
            "path.logs": f"{self._run}/logs",
            "node.store.allow_mmap": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "xpack.security.enabled": "false",
            **own,
        }
        lines = (
            f"{key}: {str(value).lower() if isinstance(value, bool) else value}\n"
            for key, value in all_settings.items()
        )
        (conf / "elasticsearch.yml").write_text("".join(lines))
        for name, content in files.items():
            (conf / name).write_bytes(content)
        if self._as_root:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, _NOBODY, _NOBODY)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on the data that are there, and wait until requests are answered.

        Raises:
            LabError: it ended, or took too long; its last words.
        """
        environment = self._environment()
        command, arguments = self._launch_description(environment)
        with (self.folder / "logs/stdout.txt").open("ab") as out:
            self._process = subprocess.Popen(
                self._entered(command),
                env=environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        self._process.stdin.write(arguments)
        self._process.stdin.flush()
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process; the data stay."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        process.wait(_STOP_LIMIT_S)
        if process.stdin:
            process.stdin.close()

    def close(self) -> None:
        """End the process and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _environment(self) -> dict[str, str]:
        scratch = str(Path(self._run, "tmp"))
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOSTNAME": "localhost",
            "ES_HOME": self._home,
            "ES_PATH_CONF": f"{self._run}/conf",
            "ES_TMPDIR": scratch,
            "LIBFFI_TMPDIR": scratch,
            "ES_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap} -Djava.io.tmpdir={scratch}",
            "ES_REDIRECT_STDOUT_TO_STDERR": "true",
        }

    def _entered(self, command: list[str]) -> list[str]:
        if not self._as_root:
            return command
        places = [str(java_root()), str(SERVER), str(self.folder)]
        return ["unshare", "-m", "--", "sh", "-c", _ENTER, "enter", *places, *command]

    def _launch_description(self, environment: Mapping[str, str]) -> tuple[list[str], bytes]:
        """Ask the server's own command line how to start the server: command, and what it wants on standard input."""
        command = [
            *("env", "-C", self._home, "java", *_CLI.split()),
            f"-Dcli.script={self._home}/bin/elasticsearch",
            *(f"-Des.path.home={self._home}", f"-Des.path.conf={self._run}/conf"),
            *("-cp", f"{self._home}/lib/*:{self._home}/lib/cli-launcher/*"),
            "org.elasticsearch.launcher.CliToolLauncher",
        ]
        done = subprocess.run(
            self._entered(command), env=environment, capture_output=True, check=False
        )
        if done.returncode or not done.stdout.startswith(b"ESLD"):
            raise LabError(f"Elasticsearch could not be prepared: {done.stderr.decode()[-2000:]}")
        return _read_description(done.stdout)

    def _wait(self) -> None:
        assert self._process is not None  # noqa: S101 - started before
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise LabError(f"Elasticsearch ended: {self._said()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    pass
                if self.url.startswith("https"):
                    return  # who asks has certificates and a password; the port opens when the node is up
                url = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=30s"
                urllib.request.urlopen(url, timeout=35).read()  # noqa: S310 - loopback
                return
            except OSError:
                time.sleep(0.1)
        raise LabError(f"Elasticsearch did not start in {_START_LIMIT_S} s: {self._said()}")

    def _said(self) -> str:
        return (self.folder / "logs/stdout.txt").read_text(errors="replace")[-3000:]


def _read_description(data: bytes) -> tuple[list[str], bytes]:
    """Read what the server's command line prints since 9.4: a binary record of length-prefixed texts.

    Order: command, Java's arguments, the class's arguments, environment (pairs), two folders, a flag, then the bytes
    for standard input, prefixed with their length.
    """
    at = len(b"ESLD")

    def number() -> int:
        nonlocal at
        at += 4
        found: int = struct.unpack_from(">i", data, at - 4)[0]
        return found

    def text() -> str:
        nonlocal at
        (size,) = struct.unpack_from(">H", data, at)
        at += 2 + size
        return data[at - size : at].decode()

    command = [text()]
    for _ in range(2):
        command += [text() for _ in range(number())]
    for _ in range(2 * number() + 2):
        text()
    at += 1
    size = number()
    return command, data[at : at + size]


def main() -> None:
    """Run one until Ctrl-C."""
    with ElasticServer() as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
