"""The real rsyslog sends to every syslog source: datagrams, newlines, counted octets, TLS. Each line once."""

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from contract.meter import MemoryMeter
from ingest.sources.syslog_tcp import SyslogTcp, SyslogTcpSettings
from ingest.sources.syslog_udp import SyslogUdp, SyslogUdpSettings
from ingest.streams.tls import TlsSettings
from tests.conftest import PATIENCE_S, require

MODULES = Path("/usr/lib/x86_64-linux-gnu/rsyslog")
COUNT = 300
SETTINGS = """
global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{folder}/pair.pem")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/log" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="{port}" {way} template="RSYSLOG_SyslogProtocol23Format"
       action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="LinkedList")
"""
TLS = (
    'protocol="tcp" StreamDriver="{driver}" StreamDriverMode="1" StreamDriverAuthMode="x509/name" '
    'StreamDriverPermittedPeers="localhost"'
)


def certificate(folder: Path) -> Path:
    path = folder / "pair.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(path),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + (folder / "key").read_bytes())
    return path


async def heard(folder: Path, source: SyslogTcp | SyslogUdp, way: str) -> list[bytes]:
    """Return what a source hears of the lines that go through rsyslog."""
    settings = folder / "rsyslog.conf"
    settings.write_text(SETTINGS.format(folder=folder, port=source.port, way=way))
    process = await asyncio.create_subprocess_exec(
        "rsyslogd", "-n", "-f", str(settings), "-i", str(folder / "pid"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    found: list[bytes] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            found.extend(batch.records)

    try:
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            group.create_task(pull())
            while not (folder / "log").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(str(folder / "log"))
                for number in range(COUNT):
                    sender.send(b"<38>Jun 15 11:00:00 sshd[7]: record %d" % number)
                    await asyncio.sleep(0.001)
            while len(found) < COUNT:  # noqa: ASYNC110 - another process fills it
                await asyncio.sleep(0.05)
            await source.close()
    finally:
        process.kill()
        await process.wait()
    return found


@pytest.mark.parametrize(
    "way",
    ["udp", "newline", "octets", "tls"],
)
def test_every_line_of_rsyslog_comes_once(tmp_path: Path, way: str) -> None:
    require(shutil.which("rsyslogd") is not None, "needs rsyslog")
    written = 'protocol="tcp"'
    tls = None
    if way == "octets":
        written += ' TCP_Framing="octet-counted"'
    elif way == "tls":
        drivers = [name for name in ("ossl", "gtls") if (MODULES / f"lmnsd_{name}.so").exists()]
        require(bool(drivers), "needs rsyslog with TLS (Debian: rsyslog-openssl)")
        written = TLS.format(driver=drivers[0])
        tls = TlsSettings(certificate=certificate(tmp_path))
    source: SyslogTcp | SyslogUdp
    if way == "udp":
        source, written = (
            SyslogUdp("gw", SyslogUdpSettings(port=0), MemoryMeter(), lambda: 0),
            'protocol="udp"',
        )
    else:
        source = SyslogTcp("gw", SyslogTcpSettings(port=0, tls=tls), MemoryMeter(), lambda: 0)
    found = asyncio.run(heard(tmp_path, source, written))
    assert sorted(int(line.rpartition(b" ")[2]) for line in found) == list(range(COUNT))
    assert all(line.startswith(b"<38>1 ") for line in found)
