"""The real ulogd, in a network namespace of its own, tells of dropped packets over our unix socket."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.ports import Context
from ingest.adapters.linux_netfilter import ADAPTER
from ingest.normalize import Normalizer
from ingest.sources.unix_stream import UnixStream, UnixStreamSettings
from tests.conftest import PATIENCE_S, require

PLUGINS = Path("/usr/lib/x86_64-linux-gnu/ulogd")
NAMES = ("inppkt_NFLOG", "raw2packet_BASE", "filter_IFINDEX", "filter_IP2STR", "output_JSON")
STACK = "stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,json1:JSON"
RULES = """
table inet test {
  chain in {
    type filter hook input priority 0; policy accept;
    tcp dport 22 log prefix "DROP-IN " group 5 counter drop
  }
}
"""


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"opsonin-ulogd-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        nft = ["ip", "netns", "exec", name, "nft", "-f", "-"]
        subprocess.run(nft, input=RULES, text=True, check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def settings(folder: Path) -> Path:
    plugins = "\n".join(f'plugin="{PLUGINS}/ulogd_{name}.so"' for name in NAMES)
    path = folder / "ulogd.conf"
    path.write_text(
        f'[global]\nlogfile="{folder}/ulogd.log"\n{plugins}\n{STACK}\n[log1]\ngroup=5\n'
        f'[json1]\nsync=1\nmode="unix"\nfile="{folder}/fw.sock"\ndevice="gw"\neventv1=1\n'
    )
    return path


async def _dropped(namespace: str, folder: Path) -> Event:
    found: list[bytes] = []
    source = UnixStream("fw", UnixStreamSettings(path=folder / "fw.sock"), MemoryMeter(), lambda: 0)

    async def pull() -> None:
        async for batch in source.batches(None):
            found.extend(batch.records)
            await source.close()

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        inside = ["ip", "netns", "exec", namespace]
        ulogd = await asyncio.create_subprocess_exec(*inside, "ulogd", "-c", str(settings(folder)))
        try:
            while not found:
                knock = await asyncio.create_subprocess_exec(
                    *inside, "bash", "-c", "echo >/dev/tcp/127.0.0.1/22", stderr=subprocess.DEVNULL
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await knock.wait()
                if knock.returncode is None:
                    knock.kill()
                    await knock.wait()
        finally:
            ulogd.terminate()
            await ulogd.wait()
    (item,) = Normalizer(ADAPTER, "fw").take(found[0], Context(2_000_000_000_000_000))
    assert isinstance(item, Event)
    return item


@pytest.mark.root
@pytest.mark.nftables
def test_a_dropped_packet_comes_from_the_kernel_to_an_event(namespace: str, tmp_path: Path) -> None:
    found = shutil.which("ulogd") and (PLUGINS / "ulogd_output_JSON.so").exists()
    require(bool(found), "needs ulogd with JSON (Debian: ulogd2, ulogd2-json)")
    fields = asyncio.run(_dropped(namespace, tmp_path)).fields
    assert fields["event.action"] == "drop"
    assert (fields["destination.ip"], fields["destination.port"]) == ("127.0.0.1", 22)
    assert (fields["observer.name"], fields["netfilter.hook"]) == ("gw", "input")
    assert fields["netfilter.tcp.flags"] == ["SYN"]
