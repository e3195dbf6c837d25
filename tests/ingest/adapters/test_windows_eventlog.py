"""Windows events: one event says the same in every form; Sigma's names stay; hostile XML is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from ingest.adapters.windows_eventlog import ADAPTER
from ingest.formats.winlog_details import context_pairs
from ingest.formats.winlog_values import compile_plan
from ingest.tables.windows_data import PARENTS, PLANS
from ingest.tables.windows_events import OTHERS, SECURITY, SYSMON

SHARED = Path(__file__).parents[3] / "../shared/data/ingest/dev"
SECURITY_PROVIDER = "Microsoft-Windows-Security-Auditing"
DATA = {"SubjectUserName": "jdoe", "SubjectDomainName": "EXAMPLE", "SubjectUserSid": "S-1-5-21-1", "SubjectLogonId": "0x3a2f1",
        "NewProcessId": "0x11cc", "NewProcessName": "C:\\Windows\\System32\\cmd.exe", "ProcessId": "0x122c",
        "CommandLine": "cmd /c whoami", "ParentProcessName": "C:\\Windows\\explorer.exe"}  # fmt: skip


def context(zone: str = "UTC") -> Context:
    return Context(received_us=1_780_000_000_000_000, zone=ZoneInfo(zone))


def read(raw: bytes | str | dict[str, Any], zone: str = "UTC") -> Fields:
    data = json.dumps(raw) if isinstance(raw, dict) else raw
    (event,) = ADAPTER.parse(data.encode() if isinstance(data, str) else data, context(zone))
    return event


def xml(data: dict[str, str] = DATA, event_id: int = 4688, extra: str = "") -> str:
    items = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in data.items())
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{SECURITY_PROVIDER}'/><EventID>{event_id}</EventID><Keywords>0x8020000000000000</Keywords>"
        "<TimeCreated SystemTime='2026-05-04T10:00:00.5Z'/><EventRecordID>7</EventRecordID>"
        "<Execution ProcessID='4' ThreadID='8'/><Channel>Security</Channel><Computer>ws01.example.test</Computer></System>"
        f"<EventData>{items}</EventData>{extra}</Event>"
    )


def forms() -> dict[str, Any]:
    system = {"Provider": {"#attributes": {"Name": SECURITY_PROVIDER}}, "EventID": 4688, "Keywords": "0x8020000000000000",
              "TimeCreated": {"#attributes": {"SystemTime": "2026-05-04T10:00:00.5Z"}}, "EventRecordID": 7,
              "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 8}}, "Channel": "Security", "Computer": "ws01.example.test"}  # fmt: skip
    winlog = {"provider_name": SECURITY_PROVIDER, "event_id": "4688", "keywords": ["Audit Success"], "record_id": 7,
              "process": {"pid": 4, "thread": {"id": 8}}, "channel": "Security", "computer_name": "ws01.example.test",
              "time_created": "2026-05-04T10:00:00.5Z", "event_data": DATA}  # fmt: skip
    flat = {"SourceName": SECURITY_PROVIDER, "EventID": 4688, "Keywords": "0x8020000000000000", "RecordNumber": 7,
            "ExecutionProcessID": 4, "ThreadID": 8, "Channel": "Security", "Hostname": "ws01.example.test",
            "TimeCreated": "2026-05-04T10:00:00.5Z"}  # fmt: skip
    return {
        "xml": xml(),
        "evtx": {"Event": {"System": system, "EventData": DATA}},
        "winlogbeat": {"winlog": winlog},
        "flat": flat | DATA,
        "wrapped": {"Message": "", "Event": xml()},
        "syslog": "<13>May  4 10:00:01 relay agent: " + xml(),
    }


@pytest.mark.parametrize("form", ["evtx", "winlogbeat", "flat", "wrapped", "syslog"])
def test_an_event_says_the_same_in_every_form(form: str) -> None:
    # Only Winlogbeat names the keywords; the others have the bits.
    expected = {name: value for name, value in read(xml()).items() if name != "winlog.keywords"}
    found = {
        name: value for name, value in read(forms()[form]).items() if name != "winlog.keywords"
    }
    assert found == expected


def test_a_created_process_has_its_parent_and_its_user() -> None:
    event = read(xml())
    assert (event["process.pid"], event["process.parent.pid"]) == (0x11CC, 0x122C)
    assert (event["process.name"], event["process.parent.name"]) == ("cmd.exe", "explorer.exe")
    assert (event["user.name"], event["user.domain"], event["winlog.logon.id"]) == ("jdoe", "EXAMPLE", "0x3a2f1")  # fmt: skip
    assert event["event.outcome"] == "success"


def test_every_datum_keeps_windows_own_name_and_value() -> None:
    event = read(xml({**DATA, "Odd Name": "-", "Empty": ""}))
    for name, value in {**DATA, "Odd Name": "-", "Empty": ""}.items():
        assert event["winlog.event_data." + name] == value


def test_numbers_and_truth_values_of_shippers_become_windows_text() -> None:
    event = read({"Event": {"System": {"EventID": 3, "Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"}},
                            "EventData": {"Initiated": True, "SourcePort": 5, "Nested": {"a": 1}}}})  # fmt: skip
    assert event["winlog.event_data.Initiated"] == "true"
    assert event["winlog.event_data.SourcePort"] == "5"
    assert event["winlog.event_data.Nested.a"] == "1"


def test_nxlog_s_local_time_takes_the_zone_of_the_source() -> None:
    said = {"EventTime": "2026-05-04 12:00:00", "EventID": 1, "SourceName": "x", "Hostname": "h"}
    assert read(said, "Europe/Berlin")["@timestamp"] == "2026-05-04T10:00:00.000000Z"


def test_nxlog_s_producer_does_not_stand_for_the_process_of_the_event() -> None:
    said = {"EventID": 4689, "SourceName": SECURITY_PROVIDER, "Channel": "Security", "ProcessID": 4, "ProcessName": "C:\\x.exe",
            "Message": "A process has exited.\r\n\r\nProcess Information:\r\n\tProcess ID:\t0x4e58\r\n"}  # fmt: skip
    event = read(said)
    assert event["process.pid"] == 0x4E58
    assert event["winlog.process.pid"] == 4


def test_sysmon_s_own_time_goes_before_the_time_of_writing() -> None:
    said = {"EventID": 5, "SourceName": "Microsoft-Windows-Sysmon", "TimeCreated": "2026-05-04T10:00:09Z",
            "UtcTime": "2026-05-04 10:00:00.123", "ProcessGuid": "{1}"}  # fmt: skip
    event = read(said)
    assert event["@timestamp"] == "2026-05-04T10:00:00.123000Z"
    assert event["event.created"] == "2026-05-04T10:00:09.000000Z"


@pytest.mark.parametrize(
    ("user", "sid", "expected"),
    [("NT AUTHORITY\\SYSTEM", "S-1-5-18", "S-1-5-18"), ("EXAMPLE\\jdoe", "S-1-5-18", None), (None, "S-1-5-18", "S-1-5-18")],
)  # fmt: skip
def test_the_service_s_sid_never_stands_beside_another_s_name(
    user: str | None, sid: str, expected: str | None
) -> None:
    data = {"ProcessGuid": "{1}"} | ({"User": user} if user else {})
    said = {"winlog": {"event_id": 1, "provider_name": "Microsoft-Windows-Sysmon", "user": {"identifier": sid}, "event_data": data}}  # fmt: skip
    assert read(said).get("user.id") == expected


def test_control_characters_and_stray_ampersands_do_not_cost_the_event() -> None:
    event = read(xml({**DATA, "CommandLine": "echo \x1b[1m a & b &#x0;"}))
    assert event["process.command_line"] == "echo [1m a & b "


@pytest.mark.parametrize(
    "raw",
    [
        '<?xml version="1.0"?><!DOCTYPE Event [<!ENTITY a "b">]><Event><System/></Event>',
        '<?xml version="1.0"?><!-- <Event --><!DOCTYPE Event><Event/>',
        "<Event><System>", "<Event/>", "<Events></Events>", '{"Event": {"System": 1}}', '{"EventID": null}', "{", "hello",
        '{"winlog": {"event_data": ' + '{"a":' * 200 + "1" + "}" * 202,
    ],
)  # fmt: skip
def test_hostile_and_broken_records_are_refused(raw: str) -> None:
    with pytest.raises(ParseError):
        ADAPTER.parse(raw.encode(), context())


@pytest.mark.parametrize("raw", [
    "<Event><System><EventID>1</EventID></System><EventData>" + "<Data>x</Data>" * 600 + "</EventData></Event>",
    "<Event><UserData>" + "<a>" * 5000 + "</a>" * 5000 + "</UserData></Event>",
    "<Events>" + "<Event/>" * 10_001 + "</Events>",
])  # fmt: skip
def test_bounds_hold_and_cost_little(raw: str) -> None:
    started = time.process_time()
    with pytest.raises(ParseError):
        ADAPTER.parse(raw.encode(), context())
    assert time.process_time() - started < 2


def test_what_was_typed_is_not_taken_for_the_context_of_a_pipeline() -> None:
    details = {"param1": "$x = 1\nUserId=ACME\\typed", "param2": "\tUserId=ACME\\bob\n\tHostName=ConsoleHost\n\tHostApplication=powershell.exe",
               "param3": 'ParameterBinding(Out-File): name="x"; value="1\nUserId=ACME\\bound"'}  # fmt: skip
    winlog = {"channel": "Windows PowerShell", "provider_name": "PowerShell", "event_id": "800", "event_data": details}  # fmt: skip
    fields = read({"winlog": winlog})
    assert (fields["user.name"], fields["process.command_line"]) == ("bob", "powershell.exe")


def test_a_folded_powershell_context_is_read_as_one_of_lines() -> None:
    lines = "HostName=ConsoleHost\n\tHostVersion=5.1\n\tHostApplication=powershell  -c  1\n\tEngineVersion=5.1"
    folded = "\tHostName=ConsoleHost  HostVersion=5.1  EngineVersion=5.1"
    assert context_pairs(lines)["hostapplication"] == "powershell  -c  1"
    assert context_pairs(folded)["engineversion"] == "5.1"
    assert context_pairs(" " * 1_000_000 + "=") == {}


def test_every_event_names_a_plan_and_every_plan_compiles() -> None:
    rows = [row for table in (SECURITY, SYSMON, *OTHERS.values()) for row in table.values()]
    assert {plan for *_, plan in rows} <= set(PLANS) == set(PARENTS)
    for plan in PLANS.values():
        compile_plan(plan)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", sorted(path.name for path in (SHARED / "evtx/samples").glob("*.evtx"))
)
def test_event_log_files_are_read_whole(name: str) -> None:
    pytest.importorskip("evtx")
    raw = (SHARED / "evtx/samples" / name).read_bytes()
    events = ADAPTER.parse(raw, context())
    assert events
    assert all(event["event.code"] and event["@timestamp"] for event in events)
    with pytest.raises(ParseError, match=r"\.evtx"):
        ADAPTER.parse(raw[:4000], context())


@pytest.mark.shared
def test_public_flat_events_are_all_read_with_host_and_channel() -> None:
    path = SHARED / "security_datasets/windows_json/cases.jsonl"
    if not path.exists():
        pytest.skip("the shared data are absent")
    for line in path.read_text().splitlines():
        case = json.loads(line)
        event = read(case["input"])
        assert event["winlog.channel"] == case["channel"]
        assert event["event.code"] == str(case["event_id"])
        assert event["host.name"]
        said = json.loads(case["input"])
        for name in ("Image", "TargetFilename", "CommandLine", "TargetObject", "SubjectUserName"):
            if said.get(name):
                assert event["winlog.event_data." + name] == said[name]


def test_a_command_line_that_is_no_text_does_not_lose_the_event() -> None:
    log = {"provider_name": "PowerShell", "channel": "Windows PowerShell", "event_id": 600}
    for odd in (1, 0.5, True, ["x"]):
        data = {"param1": "Registry", "param3": "\tProviderName=Registry\n\tHostId=1"}
        fields = read({"winlog": log | {"event_data": data}, "process": {"command_line": odd}})
        assert fields["event.code"] == "600"


@pytest.mark.parametrize(
    ("event_id", "data", "user", "action"),
    [
        (4626, {"SubjectUserName": "H$", "TargetUserName": "jdoe"}, "jdoe", "logon-claims-reported"),
        (4821, {"AccountName": "jdoe", "ServiceName": "krbtgt"}, "jdoe", "kerberos-service-ticket-denied-by-policy"),
        (4822, {"AccountName": "jdoe", "DeviceName": "pc"}, "jdoe", "ntlm-denied-for-protected-user"),
        (5632, {"SSID": "corp", "SubjectUserName": "jdoe"}, "jdoe", "wireless-network-authentication"),
    ],
)  # fmt: skip
def test_rarer_logons_name_their_user(
    event_id: int, data: dict[str, str], user: str, action: str
) -> None:
    fields = read(xml(data, event_id))
    assert (fields["user.name"], fields["event.action"]) == (user, action)


@pytest.mark.parametrize("pair", [(False, 0), (True, 1), (1.0, 1)])
def test_an_event_says_nothing_of_what_another_one_said(pair: tuple[object, object]) -> None:
    log = {"provider_name": "PowerShell", "channel": "Windows PowerShell", "event_id": 401}
    for one in (*pair, *reversed(pair)):
        assert read({"winlog": log | {"qualifiers": one}})["winlog.qualifiers"] == str(one)
