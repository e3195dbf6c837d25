"""Public Sigma rules for Windows hold on the events that `windows.eventlog` makes."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from contract.document import read
from contract.event import Event
from contract.ports import Context
from correlate.detect import Detector
from correlate.sigma.compile import load
from ingest.adapters.windows_eventlog import ADAPTER
from ingest.normalize import Normalizer

SHARED = Path(__file__).parents[3] / "../shared/data/sigmahq"
CASES = sorted((SHARED / "regression_data").glob("**/*.json"))


@cache
def detector() -> Detector:
    """All rules that have a case, in one rule set."""
    wanted = {path.stem for path in CASES}
    documents = []
    for path in sorted(SHARED.glob("rules*/**/*.yml")):
        text = path.read_text()
        found = re.search(r"^id: ([0-9a-f-]{36})", text, re.MULTILINE)
        if found and found[1] in wanted:
            documents += list(read(text, str(path)))
    return Detector(load(documents))


def events_of(path: Path) -> list[Event]:
    text, at, records = path.read_text().strip(), 0, []
    decoder = json.JSONDecoder()
    while at < len(text):
        record, at = decoder.raw_decode(text, at)
        records += record if isinstance(record, list) else [record]
        at += len(text[at:]) - len(text[at:].lstrip())
    normalizer = Normalizer(ADAPTER, "test")
    context = Context(received_us=1_790_000_000_000_000)
    made = [normalizer.take(json.dumps(record).encode(), context) for record in records]
    return [event for found in made for event in found if isinstance(event, Event)]


@pytest.mark.shared
@pytest.mark.skipif(not CASES, reason="the shared data are absent")
def test_every_rule_with_a_recorded_event_holds_on_it() -> None:
    missed = [
        path.stem
        for path in CASES
        if not any(
            match.rule == path.stem
            for event in events_of(path)
            for match in detector().match(event)
        )
    ]
    assert missed == []
