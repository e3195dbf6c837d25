"""Linux authentication: what a repeated line stands for, and how much of it."""

import pytest

from contract.ports import Context
from contract.timestamps import from_iso
from ingest.adapters.linux_auth import MAX_REPEATED_BYTES, MAX_REPEATS, parse

LINE = b"Jun 15 11:00:02 web sshd[3946]: message repeated %d times: [ Failed password for root from 203.0.113.9 port 4000 ssh2%s]"


def read(times: int, more: bytes = b"") -> int:
    found = parse(LINE % (times, more), Context(received_us=from_iso("2026-06-15T12:00:00Z")))
    assert all(fields["linux.auth.repeated"] == times for fields in found)
    return len(found)


@pytest.mark.parametrize(
    ("times", "events"), [(2, 2), (999, 999), (5_000, MAX_REPEATS), (10**9 - 1, MAX_REPEATS)]
)
def test_a_repeated_line_is_as_many_events_as_it_stands_for(times: int, events: int) -> None:
    assert read(times) == events


def test_a_long_line_repeated_often_does_not_grow_without_bound() -> None:
    more = b" " + b"\x80" * 8_000
    size = len(LINE % (5_000, more))
    assert read(5_000, more) == MAX_REPEATED_BYTES // size
    assert read(5_000, b"\x80" * MAX_REPEATED_BYTES) == 1
