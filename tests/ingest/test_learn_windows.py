"""Windows events that are learnt by example: texts, paths and accounts are values where nothing hangs on what they say."""

import json
from typing import Any

import pytest

from contract.meter import MemoryMeter
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings

pytestmark = pytest.mark.native
ADAPTER = load_named("ingest.adapters", "windows.eventlog", "ADAPTER", Adapter)
STARTED = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Sysmon' Guid='{5770385f-c22a-43e0-bf4c-06f5698ffbd9}'/>"
    "<EventID>1</EventID><Version>5</Version><Level>4</Level><Task>1</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime='2026-06-15T11:00:00.1234567Z'/>"
    "<EventRecordID>%(record)s</EventRecordID><Correlation/><Execution ProcessID='2500' ThreadID='3000'/><Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>%(computer)s</Computer>"
    "<Security UserID='S-1-5-18'/></System><EventData><Data Name='UtcTime'>2026-06-15 11:00:00.100</Data><Data Name='ProcessGuid'>{c7f1a3b2-0001-6400-1000-00000000a100}</Data>"
    "<Data Name='ProcessId'>4196</Data><Data Name='Image'>%(image)s</Data><Data Name='CommandLine'>%(command)s</Data><Data Name='User'>%(user)s</Data></EventData></Event>"
)
PLAIN = {
    "record": "4711",
    "computer": "ws02.example.test",
    "image": r"C:\Temp\drop.exe",
    "command": "drop -q",
    "user": r"EXAMPLE\jdoe",
}


def context() -> Context:
    return Context(received_us=from_iso("2026-06-15T12:00:00Z"))


def taught(line: Any, **settings: object) -> Normalizer:
    """What has learnt lines like the one that a function makes of a number."""
    made = NormalizeSettings.model_validate(settings)
    one = Normalizer(ADAPTER, "dc", settings=made, meter=MemoryMeter())
    for number in range(4):
        one.take(line(number), context())
    return one


def serves(one: Normalizer, raw: bytes) -> bool:
    assert one._templates is not None
    return one._templates.event(raw, context()) is not None


def alone(raw: bytes, **settings: object) -> list[Any]:
    made = NormalizeSettings.model_validate(settings)
    return Normalizer(ADAPTER, "dc", settings=made, learns=False).take(raw, context())


def started(number: int = 0, **values: str) -> bytes:
    return (STARTED % (PLAIN | {"record": f"{4711 + number}"} | values)).encode()


def message(event_id: int, text: str, **more: Any) -> bytes:
    return json.dumps({"EventTime": "2026-06-15 11:00:00", "Hostname": "dc1.example.test", "EventID": event_id, "Channel": "Security", "Message": text, **more}).encode()  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"computer": "ws77.other.test"}, {"image": r"C:\Program Files\A B\tool.x64.EXE"}, {"user": r"OTHER\SRV01$"},
        {"command": r"&quot;C:\a b\x.exe&quot; --y=&lt;z&gt; &amp;&apos; "}, {"command": "ein Ärger\tund\nnoch einer"}, {"command": "a&#xD;&#xA;b"},
    ],
)  # fmt: skip
def test_texts_of_xml_are_values_and_are_written_as_json_asks(values: dict[str, str]) -> None:
    one, raw = taught(started), started(9, **values)
    assert serves(one, raw)
    assert one.take(raw, context()) == alone(raw)


@pytest.mark.parametrize(
    "values",
    [
        {"user": r"NT AUTHORITY\SYSTEM"}, {"user": "jdoe"}, {"user": "-"}, {"image": "System"}, {"image": r"C:\Temp\drop"}, {"image": "C:\\Temp\\"},
        {"image": "/usr/bin/x.y"}, {"image": r"C:\a\b/c.exe"}, {"image": r"C:\x.txt:stream"}, {"computer": "4711.example.test"}, {"record": "0"}, {"record": "007"},
        {"command": "a&x;b"}, {"command": "a&#65;b"}, {"command": "a\x01b"}, {"command": "]]>"}, {"command": "</Data><Data Name='User'>EXAMPLE\\root"},
        {"command": "<!-- a"}, {"command": "<![CDATA[&lt;]]>"}, {"command": "-"}, {"command": ""}, {"command": "\ufffe"}, {"command": " "},
    ],
)  # fmt: skip
def test_a_text_that_means_more_than_itself_is_left_to_the_adapter(values: dict[str, str]) -> None:
    one, raw = taught(started), started(9, **values)
    assert not serves(one, raw)
    assert one.take(raw, context()) == alone(raw)


@pytest.mark.parametrize("command", ["drop -q", "&b;", "&b;&b;"])
def test_what_a_document_type_defines_is_never_put_in(command: str) -> None:
    one, raw = taught(started), b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + started(9, command=command)
    for _ in range(4):
        assert one.take(raw, context()) == alone(raw)
    kept = alone(raw)[0].fields["winlog.event_data.CommandLine"]
    assert kept == command


def test_a_process_is_read_out_of_a_message_whatever_else_it_says() -> None:
    def logon(number: int, text: str = "An account was logged on.") -> bytes:
        body = f"{text}\r\n\r\nProcess Information:\r\n\tProcess ID:\t\t0x{700 + number:x}\r\n\tProcess Name:\t\tC:\\x.exe"
        return message(4624, body, ProcessID=620, TargetUserName="jdoe")

    one, raw = taught(logon), logon(9, 'Another \\ text\t"with" more\r\nlines.')
    assert serves(one, raw)
    assert one.take(raw, context()) == alone(raw)
    assert one.take(raw, context())[0].fields["process.pid"] == 709  # type: ignore[union-attr]
    for other in (
        logon(9, "Process ID: 12"),
        logon(9, "x" * 4096),
        logon(9, "New Process ID: 0x7"),
    ):
        assert one.take(other, context()) == alone(other)


def test_characters_by_number_are_written_as_they_are() -> None:
    def logon(number: int, text: str = "L\u2019ouverture de session d\u2019un compte") -> bytes:
        return message(4624, f"{text}\r\n\tNombre:\t{number}", TargetUserName="jdoe", Note=text)

    one, raw = taught(logon), logon(9, 'S\'est d\u00e9roul\u00e9e: \\ "correctement" <a@\u00e9>')
    assert b"\\u00e9" in raw
    assert serves(one, raw)
    assert one.take(raw, context()) == alone(raw)
    for other in (logon(9, "a\x7f\u00e9"), logon(9, "\u00e9 \U0001f600"), logon(9, "\u00e9\x01")):
        assert one.take(other, context()) == alone(other)


def test_a_message_that_is_looked_through_is_not_learnt() -> None:
    def console(number: int) -> bytes:
        text = f"Engine state is changed.\n\tHostName=Console{number}\n\tHostVersion=2\n\tUserId=ACME\\bob"
        return message(400, text, Channel="Windows PowerShell", SourceName="PowerShell")

    one = taught(console)
    assert not serves(one, console(9))
    assert one.take(console(9), context()) == alone(console(9))


def test_whether_two_accounts_are_one_stays_with_the_adapter() -> None:
    def acted(number: int, own: str = "jdoe", user: str = "adoe") -> bytes:
        winlog = {"channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing", "event_id": "4611", "record_id": 4711 + number, "user": {"identifier": "S-1-5-21-1-2-3-1104", "name": own}, "event_data": {"SubjectUserName": user}}  # fmt: skip
        return json.dumps({"@timestamp": "2026-06-15T11:00:00.000Z", "winlog": winlog}).encode()

    one = taught(acted)
    assert serves(one, acted(9, "alice", "bob"))
    assert one.take(acted(9, "bob", "bob"), context()) == alone(acted(9, "bob", "bob"))
    assert "user.id" in alone(acted(9, "bob", "bob"))[0].fields


@pytest.mark.parametrize(
    "path",
    [
        r"\REGISTRY\MACHINE\SOFTWARE\Run", r"\registry\USER\S-1-5-18\x.y", "\\REG\u0131STRY\\MACHINE\\SOFTWARE\\Run", r"\REGISTRY\A", r"HKLM\x\y", r"MACHINE\x\y", r"HKU", r"USER\x",
        r"\Device\HarddiskVolume2\a\b.txt", r"C:\a.txt", r"C:\a/b", r"\a", "a", "-",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["Key", "File", "Process"])
def test_the_root_of_an_object_decides_what_it_is(path: str, kind: str) -> None:
    def opened(number: int, name: str) -> bytes:
        return message(4663, "An attempt was made.", SourceName="Microsoft-Windows-Security-Auditing", RecordNumber=4711 + number, ObjectType=kind, ObjectName=name)  # fmt: skip

    known = (r"\REGISTRY\MACHINE\SYSTEM\Setup", r"C:\Windows\x.ini", r"\Device\Mup\x\y", r"C:\x")
    one = Normalizer(ADAPTER, "dc", meter=MemoryMeter())
    for number, name in enumerate(known * 4):
        one.take(opened(number, name), context())
    assert serves(one, opened(99, known[0]))
    assert one.take(opened(99, path), context()) == alone(opened(99, path))


@pytest.mark.parametrize("is_xml", [True, False])
def test_the_raw_event_is_kept_beside_what_was_learnt(is_xml: bool) -> None:
    def line(number: int, text: str = "drop -q") -> bytes:
        plain = message(1, text, SourceName="Microsoft-Windows-Sysmon", RecordNumber=4711 + number, CommandLine=text, Image=r"C:\x\y.exe")  # fmt: skip
        return started(number, command=text, image=r"C:\x\y.exe") if is_xml else plain

    one = taught(line, keep_original=True)
    raw = line(9, "a\\b 'c' &quot;")
    assert serves(one, raw)
    assert one.take(raw, context()) == alone(raw, keep_original=True)
    assert alone(raw, keep_original=True)[0].fields["event.original"] == raw.decode()


def test_a_key_parted_in_two_ways_is_kept_as_it_came() -> None:
    def line(number: int, key: str = r"HKLM\a\b/c") -> bytes:
        return message(13, "x", SourceName="Microsoft-Windows-Sysmon", RecordNumber=4711 + number, TargetObject=key)  # fmt: skip

    for first in (r"HKLM\a\b/c", r"HKLM\a/b/c"):
        one = taught(lambda number, key=first: line(number, key), keep_original=True)
        for key in (r"HKLM\d\e\f/g", r"HKLM\d/e/g"):
            assert serves(one, line(9, key))
            assert one.take(line(9, key), context()) == alone(line(9, key), keep_original=True)


def test_a_header_that_is_too_long_is_refused_whatever_was_learnt() -> None:
    def relayed(number: int, relay: str = "relay-01") -> bytes:
        return f"<13>Jun 15 11:00:{number:02} {relay} events: ".encode() + started(number)

    one = taught(relayed)
    assert serves(one, relayed(9, "relay-77"))
    for length in (250, 300, 1100):
        raw = relayed(9, "relay" * (length // 5))
        assert one.take(raw, context()) == alone(raw)
    assert not hasattr(alone(relayed(9, "relay" * 220))[0], "fields")


def test_a_host_of_the_inventory_is_known_in_learnt_events(tmp_path: Any) -> None:
    assets = tmp_path / "assets.csv"
    assets.write_text("host,level\nws02.example.test,4\nws03,2\n")
    settings = {"enrich": {"inventory": str(assets)}}
    one = taught(started, **settings)
    for name in ("ws02.example.test", "ws03", "ws09.example.test"):
        raw = started(9, computer=name)
        assert serves(one, raw)
        assert one.take(raw, context()) == alone(raw, **settings)
