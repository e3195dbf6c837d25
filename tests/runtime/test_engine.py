"""The end of a recording: last revisions are told, what only more time would bring is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from contract.event import Event
from contract.meter import MemoryMeter
from contract.records import Alert
from contract.timestamps import iso
from runtime.compose import compose
from runtime.engine import Engine
from runtime.flow import Flow
from runtime.settings import resolve
from runtime.watermark import Watermarks

SECOND = 1_000_000
START = 1_780_000_000 * SECOND


def rules(folder: Path) -> Path:
    def detection(name: str) -> dict[str, Any]:
        body = {"s": {"event.action": name}, "condition": "s"}
        return {
            "title": name,
            "name": name,
            "level": "low",
            "logsource": {"product": "test"},
            "detection": body,
        }

    absent = {
        "title": "a without b",
        "level": "high",
        "correlation": {
            "type": "temporal_ordered", "rules": ["a", "b"], "group-by": ["host.name"], "timespan": "5m", "opsonin": {"absence": ["b"]},
        },
    }  # fmt: skip
    (folder / "r.yml").write_text(
        yaml.safe_dump_all([detection("a"), detection("b"), absent], sort_keys=False)
    )
    return folder


def run(folder: Path, times_s: list[int]) -> list[Alert]:
    """Run events `a` of one host at these seconds; return the last revision of each alert."""
    found: dict[str, Alert] = {}

    def watch(item: object) -> None:
        if isinstance(item, Alert):
            found[item.id] = item

    settings = resolve({"engine": {"rules": [str(rules(folder))]}})
    composition = compose(settings)
    assert composition.errors == ()
    flow = Flow(Engine(composition.pipeline), Watermarks(0, None), MemoryMeter(), watch)
    for number, second in enumerate(times_s):
        time_us = START + second * SECOND
        fields = {
            "@timestamp": iso(time_us),
            "event.id": str(number),
            "event.action": "a",
            "event.module": "test",
            "host.name": "h",
        }
        flow.take(Event.of(fields, id=str(number), time_us=time_us, source="s"), time_us, time_us)
    flow.finish()
    return [one for one in found.values() if not one.retracted]


def test_an_absence_whose_deadline_lies_within_the_recording_is_told(tmp_path: Path) -> None:
    assert "a without b" in [one.rule.name for one in run(tmp_path, [0, 400])]


def test_an_absence_that_the_recording_is_too_short_for_is_not(tmp_path: Path) -> None:
    assert [one.rule.name for one in run(tmp_path, [0, 10])] == []
