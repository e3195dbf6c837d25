"""Which records take which route."""

from ipaddress import IPv4Network

import pytest

from contract.ports import Adapter
from ingest.lanes import LaneSettings
from ingest.routes import Route, Router

HOW = LaneSettings(Adapter("a.b", lambda raw, context: []))
OFFICE = (IPv4Network("192.0.2.0/24"),)
LINE = b"<38>Jun 15 11:00:00 FW-1 filterlog[42]: 4,,,"


def router(*routes: Route) -> Router:
    return Router(routes)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Route(HOW, senders=OFFICE), 0),
        (Route(HOW, senders=(IPv4Network("198.51.100.0/24"),)), None),
        (Route(HOW, programs=("filterlog",)), 0),
        (Route(HOW, hosts=("fw-*",)), 0),
        (Route(HOW, hosts=("other", "fw-?"), programs=("filter*",)), 0),
        (Route(HOW, hosts=("fw-1",), programs=("sshd",)), None),
        (Route(HOW, senders=OFFICE, programs=("sshd",)), None),
    ],
)
def test_all_kinds_of_conditions_hold_and_any_of_one_kind(
    route: Route, expected: int | None
) -> None:
    assert router(route).choose(LINE, "192.0.2.9", 0) == expected


def test_the_first_route_that_holds_decides() -> None:
    found = router(
        Route(HOW, programs=("sshd",)), Route(HOW, senders=OFFICE), Route(HOW, hosts=("*",))
    )
    assert found.choose(LINE, "192.0.2.9", 0) == 1
    assert found.choose(LINE, "203.0.113.9", 0) == 2
    assert found.choose(b"<38>Jun 15 11:00:00 a sshd[1]: x", "192.0.2.9", 0) == 0


def test_a_record_without_a_header_has_no_host_and_no_program() -> None:
    found = router(Route(HOW, hosts=("*?",)))
    assert found.choose(b'{"a":1}', "", 0) is None
    assert found.choose(b"\xff" * 2000, "", 0) is None
