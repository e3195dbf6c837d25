"""The contract of every adapter: a folder of raw records and expected events, correct ECS, and no crash on noise.

`tests/data/adapter/<file name of the adapter>/` holds pairs `X.log` (one record a line) or `X.raw` (one
record, whole) with `X.json`: one JSON line a result, as `opsonin parse` prints it. `X.context.json` may
state `received` (ISO 8601), `zone`, `sender` and `options`. With OPSONIN_ACCEPT=1 the expected files are
written anew; their author then reads the difference.
"""

import contextlib
import json
import os
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from contract.errors import ParseError
from contract.event import Event
from contract.plugins import load, load_named
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from contract.timestamps import from_iso
from ingest.ecs_types import ROOTS, Plan
from ingest.normalize import Normalizer
from ingest.normalize_settings import NormalizeSettings

FOLDER = Path(__file__).parents[1] / "data/adapter"
ECS_FIELDS = Path(__file__).parents[3] / "shared/data/ingest/dev/schemas/ecs_9.4.0/ecs_flat.yml"
RECEIVED = "2026-06-15T12:00:00Z"
NAMES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "ingest/adapters").glob("[!_]*.py")
)
INPUTS = sorted(path for path in FOLDER.glob("*/*") if path.suffix in {".log", ".raw"})

# ECS 9.4: allowed values of the four categorization fields, and which types a category may have.
KINDS = set("alert asset enrichment event metric state pipeline_error signal".split())  # noqa: SIM905 - a table
OUTCOMES = {"failure", "success", "unknown"}
TYPES = {
    "api": "access admin allowed change creation deletion denied end info start user",
    "authentication": "start end info",
    "configuration": "access change creation deletion info",
    "database": "access change info error",
    "driver": "change end info start",
    "email": "info",
    "file": "access change creation deletion info",
    "host": "access change end info start",
    "iam": "admin change creation deletion group info user",
    "intrusion_detection": "allowed denied info",
    "library": "start",
    "malware": "info",
    "network": "access allowed connection denied end info protocol start",
    "package": "access change deletion info installation start",
    "process": "access change end info start",
    "registry": "access change creation deletion",
    "session": "start end info",
    "threat": "indicator",
    "vulnerability": "info",
    "web": "access error info",
}
LISTS = ("event.category", "event.type", "related.ip", "related.user", "related.hosts", "related.hash",
         "host.ip", "host.mac", "observer.ip", "observer.mac", "tags", "threat.tactic.id", "threat.tactic.name",
         "threat.technique.id", "threat.technique.name", "process.args", "dns.answers", "dns.resolved_ip")  # fmt: skip


def adapter_of(name: str) -> Adapter:
    return load_named("ingest.adapters", name, "ADAPTER", Adapter)


def records_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data] if path.suffix == ".raw" else [line for line in data.split(b"\n") if line]


def context_of(path: Path) -> Context:
    stated: dict[str, Any] = {}
    if (beside := path.with_suffix(".context.json")).exists():
        stated = json.loads(beside.read_text())
    return Context(
        received_us=from_iso(stated.get("received", RECEIVED)),
        zone=ZoneInfo(stated.get("zone", "UTC")),
        sender=stated.get("sender", ""),
        options=stated.get("options", {}),
    )


def shown(number: int, result: Event | DeadLetter) -> dict[str, Any]:
    if isinstance(result, DeadLetter):
        return {"record": number, "dead_letter": {"reason": result.reason}}
    return {"record": number, "event": json.loads(result.json)}


def results_of(path: Path) -> list[dict[str, Any]]:
    records, context = records_of(path), context_of(path)
    normalizer = Normalizer(adapter_of(path.parent.name), "test")
    found = []
    for number, raw in enumerate(records):
        found += [shown(number, result) for result in normalizer.take(raw, context)]
    found += [shown(len(records) - 1, result) for result in normalizer.flush(context)]
    return found


def events_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in path.with_suffix(".json").read_text().splitlines():
        result = json.loads(line)
        if "event" in result:
            yield result["record"], result["event"]


def test_every_adapter_file_loads_and_is_named_as_its_file() -> None:
    assert (
        sorted(name.replace(".", "_") for name in load("ingest.adapters", "ADAPTER", Adapter))
        == NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_adapter_has_data_with_an_event_and_a_dead_letter(name: str) -> None:
    inputs = [path for path in INPUTS if path.parent.name == name]
    assert inputs, f"expected records in tests/data/adapter/{name}/"
    found = [result for path in inputs for result in results_of(path)]
    assert any("event" in result for result in found)
    assert any("dead_letter" in result for result in found), "expected one record that is refused"


def test_no_data_stands_without_its_adapter() -> None:
    assert {path.parent.name for path in INPUTS} <= set(NAMES)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_records_give_the_expected_events(path: Path) -> None:
    found = results_of(path)
    expected = path.with_suffix(".json")
    if os.environ.get("OPSONIN_ACCEPT") == "1":
        lines = (json.dumps(result, ensure_ascii=False, sort_keys=True) for result in found)
        expected.write_text("\n".join(lines) + "\n")
    assert expected.exists(), "expected results beside the records; OPSONIN_ACCEPT=1 writes them"
    assert found == [json.loads(line) for line in expected.read_text().splitlines()]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_expected_events_are_categorized_as_ecs_allows(path: Path) -> None:
    for record, event in events_of(path):
        where = f"record {record}"
        assert event["event.kind"] in KINDS, where
        assert event.get("event.outcome", "unknown") in OUTCOMES, where
        categories, types = event.get("event.category", []), event.get("event.type", [])
        assert event["event.kind"] != "event" or types, f"{where}: expected event.type"
        allowed = set[str]().union(*(TYPES[category].split() for category in categories))
        assert not categories or set(types) <= allowed, f"{where}: {types} with {categories}"
        assert event.get("event.dataset"), where
        assert event.get("event.module"), where
        for name in LISTS:
            assert isinstance(event.get(name, []), list), f"{where}: {name}"


@cache
def ecs_names() -> dict[str, str]:
    if not ECS_FIELDS.exists():
        pytest.skip("the published ECS field list is absent")
    fields = yaml.load(ECS_FIELDS.read_text(), yaml.CSafeLoader)
    return {name: field["type"] for name, field in fields.items()}


@pytest.mark.shared
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fields_under_ecs_roots_are_ecs_fields(path: Path) -> None:
    names = ecs_names()
    open_ended = ("labels.", "log.syslog.structured_data.")
    strange = {
        (record, name)
        for record, event in events_of(path)
        for name in event
        if name.partition(".")[0] in ROOTS and name not in names and not name.startswith(open_ended)
    }
    assert not strange, "expected vendor fields under a root of their own"


def hostile(name: str) -> list[bytes]:
    """Noise, nesting bombs, and the adapter's own records, cut and altered; the same each time."""
    chance = random.Random(name)  # noqa: S311 - repeatable noise, no secret
    found = [
        b"\0", b"\xff\xfe\xfd", b" ", b"{}", b"[]", b"null", b"{", b'"', b"<", b"<13>", b"=", b"|" * 100, b"CEF:0|", b"," * 5000,
        b"{" * 90_000, b"[" * 90_000, b'{"a":' * 10_000, b"=" * 90_000, b'"' * 90_000, b"a=" * 40_000, b" " * 90_000, b"\\" * 90_000,
        b"x" * 200_000, *(chance.randbytes(size) for size in (1, 10, 100, 1000, 50_000)),
    ]  # fmt: skip
    odd = (
        b"",
        b"0",
        b"-1",
        b"99999999999999999999",
        b"1.5",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"true",
        b"2001:db8::1",
    )
    for path in (path for path in INPUTS if path.parent.name == name):
        for raw in records_of(path)[:40]:
            found += [raw[: chance.randrange(len(raw) + 1)] for _ in range(4)]
            at = chance.randrange(len(raw))
            found += [raw[:at] + chance.randbytes(3) + raw[at:], raw + b"\xff", raw * 2]
            spans = [match.span() for match in VALUE.finditer(raw)]
            for start, end in chance.sample(spans, min(len(spans), 12)):
                found.append(raw[:start] + chance.choice(odd) + raw[end:])
    return found


VALUE = re.compile(rb'"[^"]*"|[^\s,:={}"\[\]]+')


@pytest.mark.parametrize("name", NAMES)
def test_noise_and_cut_records_end_as_events_or_dead_letters(name: str) -> None:
    settings = NormalizeSettings(max_record_bytes=100_000)
    normalizer = Normalizer(adapter_of(name), "test", settings=settings)
    context = Context(received_us=from_iso(RECEIVED))
    for raw in hostile(name):
        for result in normalizer.take(raw, context):
            assert isinstance(result, Event | DeadLetter)
    normalizer.flush(context)


@pytest.mark.parametrize("name", [name for name in NAMES if adapter_of(name).typed])
def test_a_typed_adapter_keeps_its_promise_on_any_input(name: str) -> None:
    adapter = adapter_of(name)
    context = Context(received_us=from_iso(RECEIVED))
    for raw in hostile(name) + [
        raw for path in INPUTS if path.parent.name == name for raw in records_of(path)
    ]:
        with contextlib.suppress(
            ParseError, ValueError, TypeError, KeyError, IndexError, OverflowError
        ):
            for fields in adapter.parse(raw, context):
                assert Plan(tuple(fields)).misfits(fields) == [], raw
                empty = [key for key, value in fields.items() if value in ("", None, [], {})]
                assert not empty, raw
