"""RELP as a dialogue: frames in, records and answers out."""

import pytest

from contract.errors import ParseError
from ingest.streams.relp import Relp

SAID = b"relp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog"
OPEN = b"1 open %d %b\n" % (len(SAID), SAID)
OFFERS = b"200 OK\nrelp_version=0\nrelp_software=opsonin\ncommands=syslog"


def opened(bound: int = 1000) -> Relp:
    relp = Relp(bound)
    assert relp.feed(OPEN) == []
    assert relp.replies() == b"1 rsp %d %b\n" % (len(OFFERS), OFFERS)
    return relp


def test_a_session_is_opened_and_each_record_answered_by_its_number() -> None:
    relp = opened()
    assert relp.feed(b"2 syslog 5 <1>a\n\n3 syslog 8 <2>b\nc d\n") == [b"<1>a", b"<2>b\nc d"]
    assert relp.replies() == b""
    assert relp.receipt() == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n"
    assert relp.receipt() == b""


def test_closing_is_answered_after_the_records_before_it() -> None:
    relp = opened()
    relp.feed(b"2 syslog 4 <1>a\n3 close 0\n")
    assert relp.is_over
    assert relp.receipt() == b"2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_cuts_between_chunks_do_not_matter(size: int) -> None:
    stream = OPEN + b"".join(
        b"%d syslog %d %b\n" % (number, 10 * number, b"x" * 10 * number) for number in range(2, 30)
    )
    relp = Relp(95)
    records = [
        record for at in range(0, len(stream), size) for record in relp.feed(stream[at : at + size])
    ]
    assert [len(record) for record in records] == [min(10 * number, 96) for number in range(2, 30)]
    assert relp.cut == 20
    assert relp.receipt().count(b" rsp 6 200 OK\n") == 28


@pytest.mark.parametrize(
    "stream",
    [
        b"<13>plain syslog, not RELP\n",
        b"2 syslog 4 <1>a\n",  # before the session is open
        OPEN + b"2 syslog 4 <1>ab\n",
        OPEN + b"2 syslog 4000000 " + b"x" * 4_000_001,
        b"1 open 99999999 ",
        b"1" * 60,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_relp_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(ParseError):
        Relp(1000).feed(stream)


def test_unknown_commands_are_refused_and_the_session_goes_on() -> None:
    relp = opened()
    assert relp.feed(b"2 starttls 0\n3 syslog 4 <1>a\n") == [b"<1>a"]
    assert relp.replies() == b"2 rsp 19 500 unknown command\n"


def test_a_client_that_does_not_offer_syslog_is_sent_away() -> None:
    relp = Relp(1000)
    relp.feed(b"1 open 14 relp_version=0\n")
    assert relp.replies().endswith(b"\n0 serverclose 0\n")
    assert relp.is_over
