"""The syslog header, as the standards and as devices write it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.errors import ParseError
from contract.timestamps import from_datetime, iso
from ingest.formats.syslog import Header, add_fields, read, read_rfc5424

RECEIVED = from_datetime(datetime(2026, 6, 15, 12, tzinfo=UTC))
FRAMING = Path(__file__).parents[3] / "../shared/data/ingest/dev/framing"


def cases(name: str) -> list[dict[str, object]]:
    path = FRAMING / name / "cases.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("text", "expected", "time"),
    [
        ("<34>Jun 15 11:00:00 gw su: 'su root' failed", ("gw", "su", "", "'su root' failed"), "2026-06-15T11:00:00"),
        ("<13>Jun 15 11:00:00 gw sshd[42]: Accepted", ("gw", "sshd", "42", "Accepted"), "2026-06-15T11:00:00"),
        ("Jun  5 11:00:00 gw sshd(pam_unix)[42]: x", ("gw", "sshd(pam_unix)", "42", "x"), "2026-06-05T11:00:00"),
        ("Jun 15 11:00:00 gw kernel: [1.5] IN=eth0", ("gw", "kernel", "", "[1.5] IN=eth0"), "2026-06-15T11:00:00"),
        ("Jun 15 11:00:00 sshd[42]: no host", ("", "sshd", "42", "no host"), "2026-06-15T11:00:00"),
        ("<5>Jun 15 11:00:00 gw just words", ("gw", "", "", "just words"), "2026-06-15T11:00:00"),
        ("<166>Jun 15 2026 11:00:00: %ASA-6-302013: Built", ("", "", "", "%ASA-6-302013: Built"), "2026-06-15T11:00:00"),
        ("<166>Jun 15 2026 11:00:00 fw : %ASA-6-302013: Built", ("fw", "", "", "%ASA-6-302013: Built"), "2026-06-15T11:00:00"),
        ("Jun 15 11:00:00 192.0.2.1 %ASA-6-302013: Built", ("192.0.2.1", "", "", "%ASA-6-302013: Built"), "2026-06-15T11:00:00"),
        ("<189>29: r1: *Jun 15 11:00:00.123 UTC: %SYS-5-X: y", ("r1", "", "", "%SYS-5-X: y"), "2026-06-15T11:00:00.123000Z"),
        ("<189>: 2026 Jun 15 11:00:00 UTC: %VPC-5-X: y", ("", "", "", "%VPC-5-X: y"), "2026-06-15T11:00:00"),
        ("2026-06-15T13:00:00.5+02:00 gw CRON[1]: (root) CMD", ("gw", "CRON", "1", "(root) CMD"), "2026-06-15T11:00:00.5"),
        ("<14>2026-06-15 11:00:00 gw app: m", ("gw", "app", "", "m"), "2026-06-15T11:00:00"),
        ("<14>Jun 15 11:00:00 gw CEF:0|V|P|1|1|n|5|a=b", ("gw", "", "", "CEF:0|V|P|1|1|n|5|a=b"), "2026-06-15T11:00:00"),
        ("<14>Jun 15 11:00:00 2001:db8::1 app: m", ("2001:db8::1", "app", "", "m"), "2026-06-15T11:00:00"),
        ("<133>Msg 1", ("", "", "", "Msg 1"), ""),
        ("sshd[42]: Failed", ("", "sshd", "42", "Failed"), ""),
        ("note: prose with a colon", ("", "", "", "note: prose with a colon"), ""),
        ("<999>Jun 15 11:00:00 gw x: y", ("", "", "", "<999>Jun 15 11:00:00 gw x: y"), ""),
        ("", ("", "", "", ""), ""),
        ("<13>", ("", "", "", ""), ""),
    ],
)  # fmt: skip
def test_headers_as_devices_write_them(
    text: str, expected: tuple[str, str, str, str], time: str
) -> None:
    header = read(text, RECEIVED)
    assert (header.host, header.app, header.pid, header.message) == expected
    assert ("" if header.time_us is None else iso(header.time_us))[: len(time)] == time
    assert (header.time_us is None) == (time == "")


def test_an_impossible_date_leaves_the_line_whole() -> None:
    assert read("Feb 31 11:00:00 gw sshd[1]: x", RECEIVED).time_us is None


def test_rfc_5424_with_structured_data() -> None:
    text = '<165>1 2026-06-15T11:00:00.003Z fw evnts 7 ID47 [x@32473 a="1\\"\\]" b=""][y] \ufeffHi'
    header = read(text, RECEIVED)
    assert header.form == "rfc5424"
    assert header.structured == {"x@32473": {"a": '1"]', "b": ""}, "y": {}}
    fields: dict[str, object] = {}
    add_fields(fields, header)
    assert fields == {
        "log.syslog.priority": 165,
        "log.syslog.facility.code": 20,
        "log.syslog.facility.name": "local4",
        "log.syslog.severity.code": 5,
        "log.syslog.severity.name": "Notice",
        "log.syslog.hostname": "fw",
        "log.syslog.appname": "evnts",
        "log.syslog.procid": "7",
        "log.syslog.msgid": "ID47",
        "log.syslog.version": "1",
        "log.syslog.structured_data.x@32473.a": '1"]',
        "log.syslog.structured_data.x@32473.b": "",
    }
    assert header.message == "Hi"


@pytest.mark.shared
def test_the_conformance_cases_of_rfc_5424_hold() -> None:
    found = cases("rfc5424_conformance")
    if not found:
        pytest.skip("the shared framing set is absent")
    wrong = []
    for case in found:
        expected = case["expected"]
        assert isinstance(expected, dict)
        text = bytes.fromhex(str(case["input_hex"])).decode("utf-8", "surrogateescape")
        try:
            header = read_rfc5424(text)
        except ParseError:
            header = None
        fields = expected["fields"] or {}
        names = {"hostname": "host", "appname": "app", "procid": "pid", "msgid": "msgid",
                 "message": "message", "priority": "priority", "version": "version"}  # fmt: skip
        if (header is not None) != expected["valid"] or (
            header and any(getattr(header, names[k]) != v for k, v in fields.items() if k in names)
        ):
            wrong.append((case["id"], text, header))
    assert not wrong


@pytest.mark.shared
def test_the_conformance_cases_of_rfc_3164_hold() -> None:
    found = cases("rfc3164_conformance")
    if not found:
        pytest.skip("the shared framing set is absent")
    for case in found:
        fields = case["expected"]["fields"]  # type: ignore[index] # a mapping, as the folder says
        header = read(str(case["input"]), RECEIVED)
        assert header.priority == fields["priority"]
        assert header.host == fields["hostname"]
        assert header.app == fields.get("appname", "")
        assert header.message == fields["message"]


def test_a_bare_header_adds_no_fields() -> None:
    fields: dict[str, object] = {}
    add_fields(fields, Header("x"))
    assert fields == {}
