"""The task of `detect`: what it sends does not hang on whether events are sieved by their bytes; garbage is told either way."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import DeadLetter
from contract.timestamps import iso
from correlate.detect import Detector
from correlate.sigma import rule_class
from ingest.streams.kafka_batches import Record
from runtime.compose import Composition, compose
from runtime.kafka.detect import DetectTask
from runtime.kafka.outlet import Outlet, Sent, turn
from runtime.kafka.wire import decode, encode
from runtime.settings import resolve
from runtime.tally import Tally
from runtime.watermark import Watermarks

NOW_US = 1_795_328_044_325_038
RULES = """
title: evil
id: evil
logsource: {product: windows}
detection: {s: {Image|endswith: evil.exe}, condition: s}
level: low
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "evil.yml").write_text(RULES)
    settings = resolve(
        {
            "engine": {"data_dir": str(folder / "data")},
            "kafka": {"bootstrap": ["127.0.0.1:9"], "replication": 1, "min_in_sync": 1},
        }
    )
    return compose(settings, (folder,))


def task_of(rules: Composition, *, native: bool) -> DetectTask:
    pipeline = replace(rules.fresh(), detector=Detector(rules.rulebook.sigma, native=native))
    return DetectTask(
        "detect/0", pipeline, frozenset(), 2, Watermarks(30_000_000, 60_000_000), ["a"], 30_000_000,
        Outlet("detect/0", 1_000_000, 1_000), Tally(MemoryMeter()), lambda _sent, _now: None,
    )  # fmt: skip


def record(number: int, **more: Any) -> Record:
    time_us = NOW_US + number * 1_000
    fields: dict[str, Any] = {
        "@timestamp": iso(time_us), "event.id": f"e{number}", "winlog.channel": "Microsoft-Windows-Sysmon/Operational",
        "event.code": "7", "event.category": ["process"], "event.type": ["info"], "winlog.event_data.Image": "C:\\a.exe",
    }  # fmt: skip
    value, headers = encode(
        Event.of(fields | more, id=f"e{number}", time_us=time_us, source="ab"[number % 2])
    )
    return Record("events", 0, number, NOW_US // 1_000, b"", value, headers)


def damaged(one: Record, choose: random.Random) -> Record:
    """Return a record that something is wrong with, or that others could have written."""
    value, headers = one.value or b"", list(one.headers)
    at = choose.randrange(len(value))
    cut = choose.choice((0, 0, 1, 3))
    match choose.randrange(8):
        case 0:
            value = value[:at] + choose.randbytes(choose.choice((0, 1, 2))) + value[at + cut :]
        case 1:
            value = value[:at]
        case 2:
            value = value.replace(b"event.id", b"event.ie")
        case 3:
            value = value.replace(b"@timestamp", b"@timestam")
        case 4:
            headers[1] = ("time", b"%d" % (NOW_US + choose.randrange(10**9)))
        case 5:
            headers.pop(choose.randrange(len(headers)))
        case 6:
            choose.shuffle(headers)
        case _:
            value = value.replace(b'"e', b'"\\u0065')
    return one._replace(value=value, headers=headers)


def run(task: DetectTask, records: list[Record]) -> list[Sent]:
    sent = []
    for at, one in enumerate(records):
        task.take(one, NOW_US)
        if not at % 7:
            sent += task.step(NOW_US, is_drained=False)
    return [*sent, *task.step(NOW_US, is_drained=True)]


@pytest.mark.native
def test_what_is_sent_does_not_hang_on_the_sieve(
    rules: Composition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_class, "SAMPLE", 3)
    choose = random.Random(5)  # noqa: S311  # repeatable, not secret
    records = []
    for number in range(3_000):
        more: dict[str, Any] = {}
        if not number % 17:
            more = {"winlog.event_data.Image": "C:\\evil.exe"}
        if not number % 19:
            more |= {"event.type": ["start"], "process.pid": number, "host.name": "h"}
        one = record(number, **more)
        records.append(damaged(one, choose) if number % 3 == 0 else one)
    sieved, looked = (task_of(rules, native=native) for native in (True, False))
    monkeypatch.setattr(Event, "decode", staticmethod(counted := Counted(Event.decode)))
    wanted = run(looked, records)
    all_decoded, counted.calls = counted.calls, 0
    assert run(sieved, records) == wanted
    assert counted.calls < all_decoded // 2
    assert sieved.changes() == looked.changes()
    kinds = [type(decode(one.value, one.headers)) for one in wanted]
    assert kinds.count(DeadLetter) > 100  # of the thousand damaged


class Counted:
    """A function that counts its calls."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.calls = 0

    def __call__(self, *given: Any) -> Any:
        self.calls += 1
        return self._call(*given)


@pytest.mark.native
def test_an_event_passed_by_moves_time(rules: Composition) -> None:
    tasks = [task_of(rules, native=native) for native in (True, False)]
    for task in tasks:
        for number in range(1_000):
            task.take(record(number), NOW_US)
        task.step(NOW_US, is_drained=False)
    assert tasks[0].changes() == tasks[1].changes() != {}
    assert tasks[0].origin_ms == NOW_US // 1_000


@pytest.mark.native
def test_an_event_whose_time_is_not_believed_moves_time_no_further_than_its_turn(
    rules: Composition,
) -> None:
    true = [record(0), record(2)]
    ahead = record(9_000_000)
    ahead = ahead._replace(headers=[*ahead.headers, turn(NOW_US, 0)])
    for native in (True, False):
        tasks = [task_of(rules, native=native) for _ in range(2)]
        for task, records in zip(tasks, (true, [true[0], ahead, true[1]]), strict=True):
            for one in records:
                task.take(one, NOW_US + 10_000)
            task.step(NOW_US + 10_000, is_drained=False)
        assert tasks[0].changes() == tasks[1].changes() != {}
