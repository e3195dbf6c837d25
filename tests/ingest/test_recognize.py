"""Logs of unknown make are recognized by what the adapters make of them."""

from functools import cache
from pathlib import Path

import pytest

from contract.plugins import load
from contract.ports import Adapter
from contract.timestamps import from_iso
from ingest.recognize import Fit, recognize

FOLDER = Path(__file__).parents[1] / "data/adapter"
RECEIVED = from_iso("2026-06-15T12:00:00Z")
LINES = {
    "linux.netfilter": b"Jun 15 11:00:00 gw kernel: [1.000000] DROP: IN=eth0 OUT= SRC=203.0.113.6 DST=192.0.2.1 LEN=40 PROTO=TCP SPT=1 DPT=22 SYN",
    "linux.auth": b"Jun 15 11:00:00 web sshd[3946]: Failed password for root from 203.0.113.66 port 38926 ssh2",
    "suricata.eve": b'{"timestamp":"2026-06-15T11:00:00.000000+0000","event_type":"flow","src_ip":"192.0.2.1","src_port":1,"dest_ip":"192.0.2.2","dest_port":2,"proto":"TCP"}',
    "generic.ecs": b'{"@timestamp":"2026-06-15T11:00:00Z","event":{"category":["process"],"type":["start"]},"process":{"executable":"/bin/sh"},"user":{"name":"a"}}',
}  # fmt: skip


@cache
def adapters() -> dict[str, Adapter]:
    return load("ingest.adapters", "ADAPTER", Adapter)


@pytest.mark.parametrize("name", LINES)
def test_a_single_line_is_recognized(name: str) -> None:
    best = recognize([LINES[name]], adapters(), RECEIVED)[0]
    assert best.adapter == name
    assert best.parsed == 1


def test_records_that_wait_for_others_count_as_what_they_become() -> None:
    audit = [
        b'type=SYSCALL msg=audit(1781521200.%03d:%d): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 auid=0 uid=0 comm="sh" exe="/bin/sh" key="x"'
        % (number, number)
        for number in range(6)
    ]
    cwd = [
        b'type=CWD msg=audit(1781521200.%03d:%d): cwd="/"' % (number, number) for number in range(6)
    ]
    sample = [line for pair in zip(audit, cwd, strict=True) for line in pair]
    best, *others = recognize(sample, adapters(), RECEIVED)
    assert (best.adapter, best.parsed) == ("linux.auditd", 1)
    assert best.confidence > 0.5
    assert "fortinet.fortigate" not in [one.adapter for one in others]


def test_noise_is_recognized_as_nothing() -> None:
    assert recognize([b"\xff\x00\x01", b"", b"  "], adapters(), RECEIVED) == []


def test_a_catch_all_is_less_sure_than_the_products_own() -> None:
    fits = {fit.adapter: fit for fit in recognize([LINES["linux.netfilter"]], adapters(), RECEIVED)}
    assert fits["linux.netfilter"].confidence > fits["linux.auth"].confidence


def test_mixed_logs_state_the_share_that_was_read() -> None:
    sample = [LINES["linux.auth"], LINES["suricata.eve"]] * 5
    fits = {fit.adapter: fit for fit in recognize(sample, adapters(), RECEIVED)}
    assert fits["suricata.eve"].parsed == 0.5
    assert isinstance(fits["suricata.eve"], Fit)


@pytest.mark.parametrize(
    "path",
    sorted(path for path in FOLDER.glob("*/*.log") if path.stat().st_size < 500_000),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_the_records_kept_for_an_adapter_rank_it_among_the_first(path: Path) -> None:
    fits = recognize(path.read_bytes().split(b"\n"), adapters(), RECEIVED)
    assert path.parent.name in [fit.adapter.replace(".", "_") for fit in fits[:3]], fits[:4]
