"""UDP intake: datagrams sent at a rate by another process; each is read, or counted by the kernel as dropped.

    python bench/udp.py [--rate 100000] [--seconds 10] [--adapter linux.netfilter] [--pause-ms 5]

Sends netfilter lines over loopback to a `syslog_udp` source. Without `--adapter` the source alone is measured; with it, each record
is also normalized, which is slower than the rate: then the kernel's buffer fills and the source must say how many were dropped.
`--pause-ms` makes the consumer wait after each batch. What the source says is compared with the kernel's own table,
/proc/net/udp. Prints one JSON object as its last line: `lost` is what neither side accounts for, and must be 0.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import multiprocessing
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any

# Another file of this folder bears the name of a package; the folder must not hide it.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract.meter import MemoryMeter  # noqa: E402 - after the line above
from contract.plugins import load_named  # noqa: E402 - after the line above
from contract.ports import Adapter, Context  # noqa: E402 - after the line above
from ingest.normalize import Normalizer  # noqa: E402 - after the line above
from ingest.sources.syslog_udp import SyslogUdp, SyslogUdpSettings  # noqa: E402 - after the line above

LINE = (
    b"<4>Jun 15 11:00:00 gw kernel: [ 1.%06d] DROP IN=eth0 OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 "
    b"SRC=203.0.113.9 DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=%d DF PROTO=TCP SPT=4000 DPT=22 "
    b"WINDOW=64240 RES=0x00 SYN URGP=0"
)
STEP_S = 0.001
ROUND = 100
NOW_US = 1_781_524_800_000_000


class _Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_char_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p), ("name_size", ctypes.c_uint32), ("parts", ctypes.POINTER(_Part)),
        ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t), ("flags", ctypes.c_int),
    )  # fmt: skip


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


def messages(count: int) -> Any:
    """Return so many datagrams in the form that sendmmsg(2) takes: one call for a hundred costs what ten calls cost."""
    found = (_Message * count)()
    for number in range(count):
        line = LINE % (number, number)
        part = _Part(line, len(line))
        found[number].header.parts, found[number].header.count = ctypes.pointer(part), 1
    return found


def send(port: int, rate: int, seconds: float, result: Any) -> None:
    """Send at a rate, in steps of a millisecond; what is late is caught up."""
    library = ctypes.CDLL(None, use_errno=True)
    ready = messages(ROUND)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        sent, total, started = 0, int(rate * seconds), time.monotonic()
        while sent < total:
            due = min(total, int((time.monotonic() - started) * rate))
            while sent < due:
                done = library.sendmmsg(sender.fileno(), ready, min(ROUND, due - sent), 0)
                if done < 0:
                    raise OSError(ctypes.get_errno(), "sendmmsg")
                sent += done
            time.sleep(STEP_S)
    result.put((sent, time.monotonic() - started))


def kernel_drops(port: int) -> int:
    """Return what the kernel's table says was dropped at a port."""
    for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]:
        columns = line.split()
        if int(columns[1].rpartition(":")[2], 16) == port:
            return int(columns[-1])
    return 0


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one measurement."""
    meter = MemoryMeter()
    settings = SyslogUdpSettings(port=0, receive_buffer_bytes=arguments.buffer_mb << 20)
    source = SyslogUdp("bench", settings, meter, lambda: NOW_US)
    port = source.port
    result: Any = multiprocessing.Queue()
    normalizer = None
    if arguments.adapter:
        adapter = load_named("ingest.adapters", arguments.adapter, "ADAPTER", Adapter)
        normalizer = Normalizer(adapter, "bench")
    sender = multiprocessing.Process(
        target=send, args=(port, arguments.rate, arguments.seconds, result)
    )
    context = Context(NOW_US)
    before = resource.getrusage(resource.RUSAGE_SELF)
    sender.start()
    events = 0

    async def consume() -> None:
        nonlocal events
        async for batch in source.batches(None):
            for raw in batch.records if normalizer is not None else ():
                events += len(normalizer.take(raw, context)) if normalizer is not None else 0
            if arguments.pause_ms:
                await asyncio.sleep(arguments.pause_ms / 1000)

    consumer = asyncio.create_task(consume())
    while result.empty():  # noqa: ASYNC110 - another process fills it
        await asyncio.sleep(0.1)
    done = result.get()
    drops = kernel_drops(
        port
    )  # the sender has ended: no more are dropped, and the socket is still there
    await source.close()
    await consumer
    sender.join()
    return _told(meter, done, drops, before, events)


def _told(
    meter: MemoryMeter, done: tuple[int, float], drops: int, before: Any, events: int
) -> dict[str, Any]:
    sent, seconds = done
    after = resource.getrusage(resource.RUSAGE_SELF)
    read, dropped = int(meter.total("records_read")), int(meter.total("dropped_kernel"))
    return {
        "sent": sent,
        "sent_per_s": round(sent / seconds),
        "read": read,
        "events": events,
        "dropped": dropped,
        "kernel_says_dropped": drops,
        "lost": sent - read - dropped,
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_rss_mb": round(after.ru_maxrss / 1024),
    }


def main() -> int:
    """Measure; 1 when a datagram is unaccounted for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--buffer-mb", type=int, default=64)
    parser.add_argument("--adapter", default="")
    parser.add_argument("--pause-ms", type=float, default=0)
    result = asyncio.run(measure(parser.parse_args()))
    print(json.dumps(result))
    return int(result["lost"] != 0 or result["dropped"] != result["kernel_says_dropped"])


if __name__ == "__main__":
    sys.exit(main())
