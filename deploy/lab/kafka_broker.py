"""A real Kafka broker on loopback, for tests, benchmarks and the lab: started, stopped, killed and started again.

    with Broker() as broker: KafkaProducer(bootstrap_servers=broker.bootstrap)
    python deploy/lab/kafka_broker.py            prints the address, runs until Ctrl-C

One node that is broker and controller (KRaft). Settings and their measured reasons: a start takes 3 s, one after
kill -9 6 to 7 s. With `users` it asks for SCRAM over TLS on one port and a client certificate on another, and
allows nothing that no ACL allows.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from kafka_certificates import Authority, Pair
from kafka_jars import jars, missing
from kafka_properties import ADMIN, BROKER, SETTINGS, opened, secured
from ports import free_ports
from state import LabError

READY = b"Kafka Server started"
START_LIMIT_S = 300
STOP_LIMIT_S = 60


class Broker:
    """One broker and its data folder.

    Args:
        users: names that may log in, beside `admin` who may do everything; None: no security at all.
        heap_mb: of the Java process.
        settings: of `server.properties`, over the ones here.
        place: folder in which its data folder is made; None: the system's temporary one.
    """

    def __init__(
        self,
        users: Iterable[str] | None = None,
        *,
        heap_mb: int = 512,
        settings: Mapping[str, Any] | None = None,
        place: Path | None = None,
    ) -> None:
        self.is_secure = users is not None
        self._passwords = {name: secrets.token_hex(12) for name in (ADMIN, *(users or ()))}
        self._heap_mb = heap_mb
        self._extra = dict(settings or {})
        self.folder = Path(tempfile.mkdtemp(prefix="opsonin-kafka-", dir=place))
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: tuple[int, ...] = ()
        self._log_read = 0
        self.authority: Authority | None = None
        self._pairs: dict[str, Pair] = {}

    # -------------------------------------------------------------- what clients need

    @property
    def bootstrap(self) -> str:
        """Address of the listener that takes passwords, or of the only one."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def certificate_bootstrap(self) -> str:
        """Address of the listener that takes client certificates."""
        return f"127.0.0.1:{self._ports[1]}"

    def password(self, user: str) -> str:
        """Return a user's password."""
        return self._passwords[user]

    def pair(self, user: str) -> Pair:
        """Return a user's certificate and key."""
        return self._pairs[user]

    def arguments(self, user: str = ADMIN) -> dict[str, Any]:
        """Return kafka-python's keyword arguments for this user."""
        if not self.is_secure:
            return {"bootstrap_servers": self.bootstrap}
        assert self.authority is not None  # noqa: S101 - start() made it
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": self.password(user),
            "ssl_cafile": str(self.authority.file),
        }

    # -------------------------------------------------------------- life

    def start(self, *, wait: bool = True) -> Self:
        """Start and wait until it is ready; the first time, prepare its folder.

        It ends with the thread that calls this (the kernel's rule), so call it from one that lasts, if need be with
        `wait=False` and then `wait` from another.

        Raises:
            LabError: Java or Kafka are missing, or the broker did not come up; its last words.
        """
        if reason := missing():
            raise LabError(reason)
        if not self._ports:
            self._prepare()
        log = self.folder / "broker.log"
        self._log_read = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self.folder / "server.properties")),
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for whoever holds it, who then stops it in order
            )
        if wait:
            self.wait()
        return self

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            LabError: it did not come up; its last words.
        """
        assert self._process is not None  # noqa: S101 - started
        log = self.folder / "broker.log"
        end = time.monotonic() + START_LIMIT_S
        while True:
            text = log.read_bytes()[self._log_read :]
            if READY in text:
                return
            is_over = self._process.poll() is not None
            if is_over or time.monotonic() > end:
                self.kill()
                said = text[-3_000:].decode("utf-8", "replace")
                raise LabError(f"Kafka {'ended' if is_over else 'is not ready'}:\n{said}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in order; its data stay."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def restart(self) -> None:
        """End it in order where it still runs, and start it on the same address with the same data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop its clock: it accepts connections and never answers, as behind a dead link."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process, to read what it costs."""
        assert self._process is not None  # noqa: S101 - only while it runs
        return self._process.pid

    def close(self) -> None:
        """End it and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    # -------------------------------------------------------------- its folder

    def _prepare(self) -> None:
        self._ports = free_ports(3)
        settings = {**SETTINGS, "log.dirs": str(self.folder / "data")}
        *clients, controller = self._ports
        settings["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
        settings |= self._secured(clients) if self.is_secure else opened(clients[0])
        settings["listeners"] += f",CONTROLLER://127.0.0.1:{controller}"
        settings |= self._extra
        file = self.folder / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        words = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(file)]
        if self.is_secure:
            for name, password in self._passwords.items():
                words += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run(self._java(*words), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"Kafka could not format its folder:\n{done.stdout}{done.stderr}")

    def _secured(self, ports: list[int]) -> dict[str, Any]:
        self.authority = Authority(self.folder)
        self._pairs = {name: self.authority.pair(name) for name in (*self._passwords, BROKER)}
        keystore = self.folder / "keystore.pem"
        keystore.touch(mode=0o600)
        own = self._pairs[BROKER]
        keystore.write_bytes(own.key.read_bytes() + own.certificate.read_bytes())
        return secured(ports, keystore, self.authority.file)

    def _java(self, *words: str) -> list[str]:
        flags = [
            "-Xms64m",
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dorg.apache.logging.log4j.level=INFO",
            "-Dlog4j2.disable.jmx=true",
        ]
        # Whoever started it may be killed: it must not outlive its tests.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        return [*tied, "java", *flags, "-cp", f"{jars()}/*", *words]


def main() -> None:
    """Run a broker until Ctrl-C; `--users NAME,…` for a secured one."""
    users = sys.argv[2].split(",") if sys.argv[1:2] == ["--users"] else None
    with Broker(users) as broker:
        for user in (ADMIN, *(users or ())) if users else (ADMIN,):
            print(broker.arguments(user), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
