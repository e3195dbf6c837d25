"""Events that are ECS already: rules find in the running engine what they find in the event as it was sent."""

import json
from typing import Any

import pytest

from contract.event import Event
from contract.plugins import load_named
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.normalize import Normalizer
from tests.correlate.sigma.making import hits, loaded, rule

ADAPTER = load_named("ingest.adapters", "generic.ecs", "ADAPTER", Adapter)
BLOCKED: dict[str, Any] = {
    "winlog": {
        "channel": "Microsoft-Windows-AppLocker/EXE and DLL",
        "event_id": 8004,
        "user_data": {"FilePath": "%OSDRIVE%\\TEMP\\DROP.EXE", "xml_name": "RuleAndFileData"},
    },
}


@pytest.mark.parametrize("code", [None, "8004"])
def test_a_rule_finds_the_user_data_of_a_windows_event(code: str | None) -> None:
    sent = BLOCKED if code is None else BLOCKED | {"event": {"code": code}}
    context = Context(received_us=from_iso("2026-06-15T12:00:00Z"))
    (event,) = Normalizer(ADAPTER, "beats").take(json.dumps(sent).encode(), context)
    assert isinstance(event, Event)
    rules = loaded(
        rule(
            "s: {EventID: 8004, FilePath|endswith: drop.exe}",
            source="product: windows, service: applocker",
        )
    )
    assert hits(rules, sent) == [["r"]]
    assert hits(rules, dict(event.fields)) == [["r"]]
