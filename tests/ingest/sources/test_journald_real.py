"""The real journald, with a journal of its own in a mount namespace: entries come once, also over a restart."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S, require

JOURNALD = Path("/lib/systemd/systemd-journald")
ROOT = Path(__file__).parents[3]
READER = """
import asyncio, json, socket
from contract.meter import MemoryMeter
from ingest.sources.journald import Journald, JournaldSettings

def send(first, last):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("/run/systemd/journal/socket")
        for number in range(first, last):
            sender.send(f"MESSAGE=Failed password {number}\\nPRIORITY=6\\nSYSLOG_FACILITY=10\\nSYSLOG_IDENTIFIER=sshd\\n".encode())
            sender.send(b"MESSAGE=other\\nSYSLOG_IDENTIFIER=cron\\n")

async def read(position, count):
    settings = JournaldSettings(from_start=True, matches=("SYSLOG_IDENTIFIER=sshd",))
    source, found = Journald("j", settings, MemoryMeter(), lambda: 0), []
    async with asyncio.timeout(120):
        async for batch in source.batches(position):
            found += [record.decode() for record in batch.records]
            position = batch.position
            if len(found) >= count:
                await source.close()
    return found, position

send(0, 5)
first, position = asyncio.run(read(None, 5))
send(5, 8)
second, position = asyncio.run(read(position, 3))
print(json.dumps([first, second]))
"""
SCRIPT = """
mount -t tmpfs tmpfs /run && mkdir -p /run/log/journal /run/systemd/journal
{journald} & daemon=$!
trap 'kill $daemon' EXIT
for _ in $(seq 600); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
{python} -c "$READER"
"""


@pytest.mark.root
def test_entries_of_the_real_journal_come_once_over_a_restart() -> None:
    found = JOURNALD.exists() and shutil.which("journalctl") and shutil.which("unshare")
    require(bool(found), "needs systemd-journald, journalctl and unshare (Debian: systemd)")
    script = SCRIPT.format(journald=JOURNALD, python=sys.executable)
    variables = {"READER": READER, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", script],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=ROOT, env=variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    for lines, numbers in ((first, range(5)), (second, range(5, 8))):
        assert [line.rpartition(": ")[2] for line in lines] == [
            f"Failed password {n}" for n in numbers
        ]
        assert all(line.startswith("<86>") and " sshd[" in line for line in lines)
