"""Recorded Windows events in every form that shippers give them: lines per CPU second, learnt and not, beside a floor.

    bench/eventlog.py mordor.json                    # 12,000 events of the file
    bench/eventlog.py mordor.json --lines 4000 --passes 5

The file holds flat JSON, one event a line, as OTRF's Security Datasets do (`SourceName`, `EventID`, data at the top). The same
events are written again as XML, XML with the rendered message, Winlogbeat's and NXLog's JSON; record numbers, processes and
threads are made up where the recording has none. Each form is read as a whole, and Sysmon's, Security's and PowerShell's events by themselves. The first pass learns; the median of the others counts, in CPU time. `served` is the share of lines
that templates answer. `floor` is the least that Python can do: decode the line where it is JSON, put what the adapter answers
into a new dictionary, encode that, and make its id. Every line is read both ways once, and must give the same events.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

import orjson

# bench/ingest.py bears the name of a package; its folder must not hide the package.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract.event import Event  # noqa: E402 - after the line above
from contract.ids import event_id  # noqa: E402 - after the line above
from contract.plugins import load_named  # noqa: E402 - after the line above
from contract.ports import Adapter, Context  # noqa: E402 - after the line above
from contract.timestamps import from_iso  # noqa: E402 - after the line above
from ingest.normalize import Normalizer  # noqa: E402 - after the line above

NAME = "windows.eventlog"
ADAPTER = load_named("ingest.adapters", NAME, "ADAPTER", Adapter)
RECEIVED_US = from_iso("2026-06-15T12:00:00Z")
SYSTEM = frozenset(("SourceName", "ProviderGuid", "Level", "Keywords", "Channel", "Hostname", "TimeCreated", "@timestamp", "EventID", "Message", "Task"))  # fmt: skip
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
AS_XML = {'"': "&quot;", "'": "&apos;", "\r": "&#xD;", "\n": "&#xA;"}
GROUPS = ("Sysmon", "Security", "PowerShell")

Recorded: TypeAlias = dict[str, Any]


def data_of(event: Recorded) -> dict[str, str]:
    """Return what is the event's own, as text."""
    return {name: str(one) for name, one in event.items() if name not in SYSTEM and one is not None}


def xml(event: Recorded, number: int) -> bytes:
    """Return the event as `wevtutil` and Windows Event Forwarding write it."""
    system = (
        f"<Provider Name={quoteattr(event['SourceName'])} Guid='{event.get('ProviderGuid', '')}'/><EventID>{event['EventID']}</EventID>"
        f"<Version>2</Version><Level>{event['Level']}</Level><Task>{event.get('Task', '0')}</Task><Opcode>0</Opcode>"
        f"<Keywords>{event['Keywords']}</Keywords><TimeCreated SystemTime='{event['TimeCreated'][:-1]}1234Z'/><EventRecordID>{number}</EventRecordID>"
        f"<Correlation/><Execution ProcessID='{700 + number % 3000}' ThreadID='{1000 + number % 5000}'/><Channel>{escape(event['Channel'])}</Channel>"
        f"<Computer>{event['Hostname']}</Computer><Security UserID='S-1-5-18'/>"
    )
    data = "".join(
        f"<Data Name='{name}'>{escape(one, AS_XML)}</Data>" for name, one in data_of(event).items()
    )
    return f"<Event xmlns='{NAMESPACE}'><System>{system}</System><EventData>{data}</EventData></Event>".encode()


def rendered(event: Recorded, number: int) -> bytes:
    """Return it with the rendered message, as forwarding does on demand."""
    info = (
        f"<RenderingInfo Culture='en-US'><Message>{escape(event.get('Message') or '', AS_XML)}</Message><Level>Information</Level>"
        f"<Opcode>Info</Opcode><Channel>{escape(event['Channel'])}</Channel><Keywords><Keyword>Audit Success</Keyword></Keywords></RenderingInfo></Event>"
    )
    return xml(event, number).removesuffix(b"</Event>") + info.encode()


def winlogbeat(event: Recorded, number: int) -> bytes:
    """Return the event as Winlogbeat 8 sends it."""
    label = event["Hostname"].partition(".")[0]
    winlog = {
        "channel": event["Channel"], "computer_name": event["Hostname"], "event_data": data_of(event), "event_id": str(event["EventID"]),
        "opcode": "Info", "process": {"pid": 700 + number % 3000, "thread": {"id": 1000 + number % 5000}}, "provider_guid": event.get("ProviderGuid", ""),
        "provider_name": event["SourceName"], "record_id": number, "version": 2, "api": "wineventlog",
        "user": {"identifier": "S-1-5-18", "name": "SYSTEM", "domain": "NT AUTHORITY", "type": "User"},
    }  # fmt: skip
    whole = {
        "@timestamp": event["TimeCreated"],
        "host": {"name": event["Hostname"].lower(), "hostname": label, "os": {"family": "windows", "kernel": "10.0.19041", "type": "windows"}, "ip": ["192.0.2.7"]},
        "agent": {"type": "winlogbeat", "version": "8.11.0", "id": "6d1f1a4e-2222-4c3b-9a9e-0a0b0c0d0e0f", "name": label},
        "event": {"code": str(event["EventID"]), "kind": "event", "provider": event["SourceName"], "created": event["TimeCreated"]},
        "log": {"level": "information"}, "ecs": {"version": "8.0.0"}, "winlog": winlog, "message": event.get("Message") or "",
    }  # fmt: skip
    return orjson.dumps(whole)


def nxlog(event: Recorded, number: int) -> bytes:
    """Return the event as NXLog's `xm_json` writes it, whose own `ProcessID` takes the place of the event's."""
    at = event["TimeCreated"][:19].replace("T", " ")
    own = data_of(event)
    own.pop("ProcessId", None)
    head = {
        "EventTime": at, "Hostname": event["Hostname"], "Keywords": str(int(event["Keywords"], 16)), "EventType": "AUDIT_SUCCESS" if event["Channel"] == "Security" else "INFO",
        "SeverityValue": 2, "Severity": "INFO", "EventID": event["EventID"], "SourceName": event["SourceName"], "ProviderGuid": event.get("ProviderGuid", ""),
        "Version": 2, "OpcodeValue": 0, "RecordNumber": number, "Channel": event["Channel"], "Message": event.get("Message") or "",
    }  # fmt: skip
    tail = {"ProcessID": 700 + number % 3000, "ThreadID": 1000 + number % 5000, "EventReceivedTime": at, "SourceModuleName": "in", "SourceModuleType": "im_msvistalog"}  # fmt: skip
    return orjson.dumps(head | own | tail)


FORMS: dict[str, Callable[[Recorded, int], bytes]] = {
    "XML": xml, "XML, message rendered": rendered, "Winlogbeat": winlogbeat, "NXLog": nxlog,
}  # fmt: skip


def spent(read: Callable[[], None], lines: int, passes: int) -> float:
    """Return the median of the microseconds a line."""
    taken = []
    for _ in range(passes):
        began = time.process_time()
        read()
        taken.append((time.process_time() - began) / lines * 1e6)
    return statistics.median(taken)


def measure(lines: list[bytes], passes: int) -> dict[str, Any]:
    """Measure one form, after every line was read both ways.

    Raises:
        SystemExit: a template gave another event than the adapter.
    """
    learnt = Normalizer(ADAPTER, "bench")
    alone = Normalizer(ADAPTER, "bench", learns=False)
    context = Context(received_us=RECEIVED_US)
    for line in lines:
        if learnt.take(line, context) != alone.take(line, context):
            raise SystemExit(f"read in two ways: {line!r}")
    events = [one for line in lines for one in alone.take(line, context) if isinstance(one, Event)]
    is_json = lines[0][:1] == b"{"

    def take(normalizer: Normalizer) -> None:
        for line in lines:
            normalizer.take(line, context)

    def least() -> None:
        for line, event in zip(lines, events, strict=False):
            if is_json:
                orjson.loads(line)
            made = {name: value for name, value in event.fields.items()}  # noqa: C416 - built, not copied
            orjson.dumps(made)
            event_id(NAME, line, 0)

    templates = learnt._templates  # noqa: SLF001 - to be seen, not used
    answered = sum(templates.event(line, context) is not None for line in lines) if templates else 0
    return {
        "lines": len(lines),
        "bytes": sum(map(len, lines)) // len(lines),
        "fields": sum(len(event.fields) for event in events) // max(len(events), 1),
        "served": round(answered / len(lines), 3),
        "learnt_us": round(spent(lambda: take(learnt), len(lines), passes), 1),
        "alone_us": round(spent(lambda: take(alone), len(lines), passes), 1),
        "floor_us": round(spent(least, len(lines), passes), 1),
    }


def sample(lines: list[bytes], count: int) -> list[bytes]:
    """Return so many lines in their order, the same ones each time."""
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    chosen = sorted(chance.sample(range(len(lines)), min(count, len(lines))))
    return [lines[number] for number in chosen]


def forms(lines: list[bytes], count: int) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each form, or what a provider wrote in the first, with its lines."""
    chosen = sample(lines, count)
    yield "flat JSON", chosen
    for group in GROUPS:
        part = sample([line for line in lines if group in json.loads(line)["SourceName"]], count)
        if part:
            yield f"flat JSON, {group}", part
    events = [json.loads(line) for line in chosen]
    for name, form in FORMS.items():
        yield name, [form(event, 100_000 + number) for number, event in enumerate(events)]


def main() -> int:
    """Run; the last line on standard output is the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--lines", type=int, default=12_000)
    parser.add_argument("--passes", type=int, default=3, help="timed; their median counts")
    options = parser.parse_args()
    lines = [line for line in options.file.read_bytes().split(b"\n") if line]
    found = {}
    print(
        "| form | bytes a line | fields | served | µs a line | alone | floor | lines per CPU second | alone |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name, some in forms(lines, options.lines):
        one = found[name] = measure(some, options.passes)
        rates = " | ".join(f"{1e6 / one[key]:,.0f}" for key in ("learnt_us", "alone_us"))
        print(
            f"| {name} | {one['bytes']:,} | {one['fields']} | {one['served']:.1%} | {one['learnt_us']} | {one['alone_us']} | {one['floor_us']} | {rates} |",
            flush=True,
        )
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
