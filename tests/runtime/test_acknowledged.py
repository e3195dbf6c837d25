"""What a sender was told is kept, is kept: the engine is killed with SIGKILL again and again while records are posted and sent by RELP."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import aiohttp
from ports import free_ports

from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[2]
KILLS = 3
SETTINGS = """
[engine]
data_dir = "{folder}/var"
rules = ["{folder}/rules"]
epoch = "100ms"

[web]
port = 0

[[source]]
name = "posts"
type = "http"
adapter = "generic.ecs"
port = {http}

[[source]]
name = "relp"
type = "relp"
adapter = "generic.ecs"
port = {relp}
"""


def record(kind: str, number: int) -> bytes:
    event = {"@timestamp": f"2026-06-15T11:00:{number % 60:02d}Z", "event.id": f"{kind}-{number}"}
    return json.dumps(event).encode()


def start(settings: Path) -> subprocess.Popen[bytes]:
    main = "from console.cli import main; main()"
    command = [sys.executable, "-c", main, "run", "--config", str(settings)]
    with settings.with_suffix(".log").open("ab") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)


async def post(port: int, acknowledged: set[str]) -> None:
    """Post one record after the other, each until it is answered 200."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        number = 0
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post("/", data=record("post", number)) as answer:
                    if answer.status == 200:
                        acknowledged.add(f"post-{number}")
                        number += 1
                        continue
            await asyncio.sleep(0.05)


def frame(number: int, data: bytes) -> bytes:
    return b"%d syslog %d %b\n" % (number, len(data), data)


async def relp(port: int, acknowledged: set[str]) -> None:
    """Send ten records at a time; those not answered are sent again over the next connection."""
    number = 0
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(b"1 open 30 relp_version=0\ncommands=syslog\n")
                await reader.readuntil(b"commands=syslog\n")
                while True:
                    parts = [record("relp", one) for one in range(number, number + 10)]
                    writer.write(b"".join(frame(at, part) for at, part in enumerate(parts, 2)))
                    for _ in parts:
                        await reader.readuntil(b" rsp 6 200 OK\n")
                        acknowledged.add(f"relp-{number}")
                        number += 1
        await asyncio.sleep(0.05)


async def until(acknowledged: set[str], kind: str, more: int) -> None:
    wanted = sum(one.startswith(kind) for one in acknowledged) + more
    while sum(one.startswith(kind) for one in acknowledged) < wanted:  # noqa: ASYNC110 - others fill it
        await asyncio.sleep(0.02)


async def _killed_again_and_again(settings: Path, http: int, relp_port: int) -> set[str]:
    acknowledged: set[str] = set()
    engine = start(settings)
    senders = [
        asyncio.create_task(post(http, acknowledged)),
        asyncio.create_task(relp(relp_port, acknowledged)),
    ]
    try:
        async with asyncio.timeout(PATIENCE_S):
            for kill in range(KILLS + 1):
                await until(acknowledged, "post", 5)
                await until(acknowledged, "relp", 30)
                await asyncio.sleep(0.03 * kill)
                engine.send_signal(signal.SIGKILL)
                await asyncio.to_thread(engine.wait)
                if kill < KILLS:
                    engine = start(settings)
    finally:
        engine.kill()
        engine.wait()
        for task in senders:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    return acknowledged


def test_nothing_that_was_acknowledged_is_lost_over_kill_9(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    http, relp_port = free_ports(2)
    settings = tmp_path / "opsonin.toml"
    settings.write_text(SETTINGS.format(folder=tmp_path, http=http, relp=relp_port))
    acknowledged = asyncio.run(_killed_again_and_again(settings, http, relp_port))
    assert len(acknowledged) > 35 * KILLS
    with contextlib.closing(sqlite3.connect(os.fspath(tmp_path / "var/opsonin.db"))) as store:
        kept = [row[0] for row in store.execute("SELECT id FROM event")]
    assert len(kept) == len(set(kept))
    assert acknowledged - set(kept) == set()
