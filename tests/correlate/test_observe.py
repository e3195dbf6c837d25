"""Which events become observations."""

from typing import Any

import pytest

from contract.event import Event
from correlate.observe import observe


def event(**fields: Any) -> Event:
    flat = {name.replace("__", "."): value for name, value in fields.items()}
    return Event("e1", 7, "test", flat, b"{}")


@pytest.mark.parametrize(
    "fields",
    [
        {"event__category": ["process"], "event__type": ["start"], "process__entity_id": "p"},
        {"event__category": "process", "event__type": "start", "process__pid": 7},
        {"event__category": ["process"], "event__type": ["change"], "event__code": "8", "process__pid": 7,
         "winlog__event_data__TargetProcessId": "8"},
        {"event__category": ["network"], "process__entity_id": "p", "destination__ip": "10.0.0.1"},
        {"event__category": ["network"], "source__nat__ip": "192.0.2.1"},
        {"event__category": ["network"], "network__protocol": "dhcp"},
        {"event__category": ["authentication"], "event__outcome": "success", "user__name": "a"},
        {"event__category": ["file"], "event__type": ["creation"], "file__path": "/x", "process__pid": 1},
        {"event__category": ["configuration"], "service__name": "x"},
        {"event__category": ["registry"], "event__type": ["change"],
         "registry__path": "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\x"},
        {"event__category": ["host"], "opsonin__attestation__result": "pass"},
    ],
)  # fmt: skip
def test_event_that_joins_things_is_observed(fields: dict[str, Any]) -> None:
    seen = observe(event(message="left out", **fields))
    assert seen is not None
    assert (seen.event, seen.time_us) == ("e1", 7)
    assert "message" not in seen.fields
    assert "event.category" in seen.fields


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"event__category": ["web"], "source__ip": "10.0.0.1"},
        {"event__category": ["process"], "event__type": ["end"], "process__entity_id": "p"},
        {"event__category": ["network"], "source__ip": "10.0.0.1", "destination__ip": "10.0.0.2"},
        {"event__category": ["authentication"], "event__outcome": "failure", "user__name": "a"},
        {"event__category": ["file"], "event__type": ["deletion"], "file__path": "/x", "process__pid": 1},
        {"event__category": ["registry"], "event__type": ["change"], "registry__path": "HKCU\\Foo"},
        {"event__category": ["registry"], "event__type": ["change"], "registry__path": 7},
        {"event__category": ["host"]},
    ],
)  # fmt: skip
def test_event_that_joins_nothing_is_turned_away(fields: dict[str, Any]) -> None:
    assert observe(event(**fields)) is None
