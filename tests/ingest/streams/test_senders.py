"""Who is heard, and how much of each."""

from ipaddress import IPv4Network, IPv6Network

from ingest.streams.senders import MAX_SENDERS, Senders

SECOND = 1_000_000


def test_without_bounds_all_is_taken() -> None:
    senders = Senders((), None)
    assert senders.is_open
    assert senders.taken("anyone", 10_000, 0) == 10_000


def test_only_the_networks_named_are_heard() -> None:
    senders = Senders((IPv4Network("192.0.2.0/24"), IPv6Network("2001:db8::/32")), None)
    assert not senders.is_open
    assert [
        senders.taken(one, 5, 0)
        for one in (
            "192.0.2.9",
            "::ffff:192.0.2.9",
            "2001:db8::1",
            "fe80::1%eth0",
            "203.0.113.1",
            "",
        )
    ] == [5, 5, 5, 0, 0, 0]


def test_a_sender_gets_its_rate_and_no_more() -> None:
    senders = Senders((), 100)
    assert senders.taken("a", 1_000, 0) == 100
    assert senders.taken("a", 1_000, 0) == 0
    assert senders.taken("b", 50, 0) == 50
    assert senders.taken("a", 1_000, SECOND // 2) == 50
    assert sum(senders.taken("a", 7, SECOND // 2 + step * 10_000) for step in range(1, 501)) == 500
    assert senders.taken("a", 1_000, 60 * SECOND) == 100


def test_a_clock_that_goes_back_gives_nothing() -> None:
    senders = Senders((), 10)
    assert senders.taken("a", 10, 5 * SECOND) == 10
    assert senders.taken("a", 10, 0) == 0
    assert senders.taken("a", 10, 6 * SECOND) == 10


def test_the_number_of_senders_remembered_is_bounded() -> None:
    senders = Senders((), 1)
    for number in range(MAX_SENDERS + 10):
        senders.taken(str(number), 1, 0)
    assert len(senders._stores) == MAX_SENDERS


def test_a_sender_that_can_wait_is_told_for_how_long() -> None:
    senders = Senders((), 100)
    assert senders.delay_s("a", 100, 0) == 0
    assert senders.delay_s("a", 50, 0) == 0.5
    assert senders.delay_s("a", 50, SECOND) == 0
    assert senders.delay_s("a", 1_050, SECOND) == 10.5
    assert senders.delay_s("b", 1, SECOND) == 0
    assert Senders((), None).delay_s("a", 1_000_000, 0) == 0
