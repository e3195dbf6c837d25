"""URLs, accounts and devices as firewalls write them."""

from datetime import UTC

import pytest

from contract.ports import Context
from contract.timestamps import from_iso
from ingest.formats.account import split_account
from ingest.formats.device import Device
from ingest.formats.url import url_fields


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://u:p@www.example.com:8443/a/b.html?q=1#f",
         {"scheme": "https", "username": "u", "domain": "www.example.com", "port": 8443, "path": "/a/b.html",
          "extension": "html", "query": "q=1", "fragment": "f"}),
        ("/path?x=y", {"path": "/path", "query": "x=y"}),
        ("www.example.com/a", {"domain": "www.example.com", "path": "/a"}),
        ("http://[2001:db8::1]/", {"scheme": "http", "domain": "2001:db8::1", "path": "/"}),
        ("http://[bad/", {"scheme": "http", "domain": "[bad", "path": "/"}),
        ("no url at all", {}),
    ],
)  # fmt: skip
def test_parts_of_a_url(url: str, parts: dict[str, object]) -> None:
    fields = url_fields(url)
    assert fields.pop("url.original") == url
    fields.pop("url.full", None)
    assert fields == {f"url.{name}": value for name, value in parts.items()}


def test_only_an_absolute_url_is_full() -> None:
    assert "url.full" not in url_fields("www.example.com/a")
    assert url_fields("http://www.example.com/a")["url.full"] == "http://www.example.com/a"


@pytest.mark.parametrize(
    ("account", "parts"),
    [
        ("alice", ("alice", "")),
        (r"EXAMPLE\alice", ("alice", "EXAMPLE")),
        (r"LOCAL\EXAMPLE\alice", ("alice", "EXAMPLE")),
        ("alice@example.org", ("alice", "example.org")),
        ("@", ("@", "")),
        ("\\", ("\\", "")),
        ("HOST$", ("HOST$", "")),
    ],
)
def test_accounts(account: str, parts: tuple[str, str]) -> None:
    assert split_account(account) == parts


def started(head: str, received: str = "2026-06-15T12:00:00Z") -> dict[str, object]:
    device = Device({"observer.vendor": "Example"}, tag_is_host=True)
    return device.start(head, Context(received_us=from_iso(received), zone=UTC))


@pytest.mark.parametrize(
    "head",
    [
        "<166>Jun 15 10:00:01 asa-1 ",
        "<166>Jun 15 10:00:01 asa-1: ",
        "Jun 15 2026 10:00:01 asa-1 : ",
    ],
)
def test_a_header_names_the_device_and_the_time(head: str) -> None:
    fields = started(head)
    assert fields["host.name"] == fields["observer.name"] == "asa-1"
    assert fields["@timestamp"] == "2026-06-15T10:00:01.000000Z"


def test_a_day_without_year_that_would_be_ahead_is_of_last_year() -> None:
    assert (
        started("Jan 29 10:00:00 fw ", "2026-11-22T12:00:00Z")["@timestamp"]
        == "2026-01-29T10:00:00.000000Z"
    )
    assert (
        started("Dec 31 23:59:59 fw ", "2026-01-01T00:00:10Z")["@timestamp"]
        == "2025-12-31T23:59:59.000000Z"
    )
    assert (
        started("Jan  1 00:00:05 fw ", "2025-12-31T23:59:50Z")["@timestamp"]
        == "2026-01-01T00:00:05.000000Z"
    )


def test_without_a_header_the_time_is_the_arrival() -> None:
    assert started("")["@timestamp"] == "2026-06-15T12:00:00.000000Z"
