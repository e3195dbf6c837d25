"""auditd: what belongs together comes together, once, whatever interleaves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from ingest.adapters.linux_auditd import ADAPTER, MAX_OPEN, flush
from ingest.formats.audit import socket_address

SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev"


def context() -> Context:
    return Context(received_us=1_780_000_000_000_000)


def feed(where: Context, *lines: str) -> list[Fields]:
    return [event for line in lines for event in ADAPTER.parse(line.encode(), where)]


def syscall(serial: int, pid: int = 7) -> str:
    return f"type=SYSCALL msg=audit(1777888800.100:{serial}): arch=c000003e syscall=59 success=yes pid={pid}"


def end(serial: int) -> str:
    return f"type=EOE msg=audit(1777888800.100:{serial}): "


def test_two_interleaved_events_come_apart() -> None:
    found = feed(context(), syscall(1, 11), syscall(2, 22), end(2), end(1))
    assert [event["process.pid"] for event in found] == [22, 11]


def test_an_unfinished_event_survives_a_restart_as_json() -> None:
    first = context()
    assert feed(first, syscall(1, 11)) == []
    later = Context(received_us=first.received_us, state=json.loads(json.dumps(first.state)))
    (event,) = feed(later, end(1))
    assert event["process.pid"] == 11


def test_the_end_of_a_stream_gives_what_is_unfinished_once() -> None:
    where = context()
    feed(where, syscall(1, 11), syscall(2, 22))
    assert [event["process.pid"] for event in flush(where)] == [11, 22]
    assert flush(where) == []


def test_an_end_after_the_event_is_no_event() -> None:
    title = "type=PROCTITLE msg=audit(1777888800.100:1): proctitle=6C73"
    found = feed(context(), syscall(1), title, end(1))
    assert len(found) == 1
    assert found[0]["process.title"] == "ls"


def test_held_events_are_bounded_and_none_is_lost() -> None:
    where = context()
    early = feed(where, *(syscall(number) for number in range(MAX_OPEN + 5)))
    assert len(early) == 5
    assert len(flush(where)) == MAX_OPEN


def test_the_same_event_has_the_same_id_whatever_completed_it() -> None:
    path = 'type=CWD msg=audit(1777888800.100:1): cwd="/"'
    by_end = feed(context(), syscall(1), path, end(1))[0]
    where = context()
    feed(where, path, syscall(1), end(1))
    by_other_order = feed(context(), path, syscall(1), end(1))[0]
    assert by_end["event.id"] == by_other_order["event.id"]


def test_a_line_that_is_no_record_is_refused() -> None:
    with pytest.raises(ParseError, match="no audit record"):
        feed(context(), "hello")


@pytest.mark.parametrize(
    ("saddr", "expected"),
    [
        ("0200E31C4853E6640000000000000000", {"family": "ipv4", "port": "58140", "ip": "72.83.230.100"}),
        ("0A00005000000000200104F8000400070000000000000000FFFFFFFF", {"family": "ipv6", "port": "80", "ip": "2001:4f8:4:7::"}),
        ("01002F72756E2F7800", {"family": "unix", "path": "/run/x"}),
        ("0100002F61627374", {"family": "unix", "path": "@/abst"}),
        ("100000000000000000000000", {"family": "netlink"}),
        ("{ saddr_fam=inet laddr=192.0.2.1 lport=53 }", {"family": "ipv4", "ip": "192.0.2.1", "port": "53"}),
        ("02", {}), ("", {}), ("zz", {}), ("0200", {"family": "2"}),
    ],
)  # fmt: skip
def test_socket_addresses_are_decoded_whatever_their_length(
    saddr: str, expected: dict[str, str]
) -> None:
    assert socket_address(saddr) == expected


def test_arguments_in_parts_and_hexadecimal_are_put_together() -> None:
    execve = 'type=EXECVE msg=audit(1777888800.100:1): argc=3 a0="sh" a1_len=8 a1[0]=6162 a1[1]=6364 a2=20'
    (event,) = feed(context(), syscall(1), execve, end(1))
    assert event["process.args"] == ["sh", "abcd", " "]


@pytest.mark.shared
def test_recorded_events_are_put_together_as_go_libaudit_does() -> None:
    path = SHARED / "go_libaudit/auditd_coalesced/cases.jsonl"
    if not path.exists():
        pytest.skip("the shared data are absent")
    for line in path.read_text().splitlines():
        case = json.loads(line)
        where = context()
        (event,) = ADAPTER.parse("\n".join(case["input"]).encode(), where) + flush(where)
        process, summary = case["expected"]["process"], case["expected"]["summary"]
        assert str(event.get("process.pid", "")) == process.get("pid", ""), case["id"]
        assert event.get("process.title") == process.get("title"), case["id"]
        assert event.get("process.args", []) == process.get("args", []), case["id"]
        if not event["event.action"].startswith(
            "apparmor-"
        ):  # what is only audited is no violation
            assert event["event.action"] == summary.get("action", event["event.action"]), case["id"]
        result = {"fail": "failure", "success": "success"}.get(case["expected"]["result"])
        assert event.get("event.outcome") == result, case["id"]


def test_a_name_beyond_the_bound_is_cut_and_costs_no_record() -> None:
    (event,) = feed(context(), syscall(1) + f" {'n' * 600}=x", end(1))
    assert event["auditd.log." + "n" * 128] == "x"
    assert event["process.pid"] == 7
