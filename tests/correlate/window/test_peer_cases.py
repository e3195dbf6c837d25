"""The odd cases that a peer was probed with, through our rules and matcher, each decided anew.

Where the probe has an expectation of its own from the specification we must meet it; where it says that the specification
is silent, the decision stands here with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.document import read
from contract.event import Event
from contract.timestamps import from_iso
from correlate.aggregate import Settings, aggregate, check
from correlate.detect import Detector
from correlate.rehearse import END_US, START_US, Alerts
from correlate.sigma.compile import load

PROBE = Path(__file__).parents[4] / "shared" / "peers" / "semantics" / "sem.py"
REFUSED = "refused"
IDS = {"00000000-0000-4000-8000-0000000000ff", "00000000-0000-4000-8000-0000000000fe"}

DECIDED: dict[str, int | str] = {
    "edge: events exactly timespan apart (0,5,10; 10s)": 1,  # a frame of ten seconds holds both its ends
    "re-fire: 6 events, gte 3": 1,  # it held once, without a break: one alert that counts six
    "re-fire with --suppress 10s": 1,
    "re-fire with --action reset": 1,
    "group-by field missing on all": 0,  # no value in common; counted
    "group-by null on all": 0,
    'group-by number 1 and string "1" same group': 1,  # equal as Sigma compares
    "group-by case A vs a": 1,
    "no timestamp on events (arrival time?)": 0,  # three equal lines at one time are one event, see decision 0002
    "condition lt 3 (absence)": 1,  # when the frame has passed
    "condition range gte 2, lt 4: 5 events": 1,
    "value_count case X/x distinct?": 0,
    "value_count number vs string distinct?": 0,
    "value_percentile 95 gt 90": 1,
    "value_median gte 5 of 1,5,9": 1,
    "value_sum threshold 1.5 (float)": 1,
    "temporal_ordered same second": 0,  # 0.100 is before 0.900
    "temporal re-fire: a,b,b,b": 1,
    # all events defined by the rules must occur: one may be defined by both
    "temporal one event matches both rules": 1,
    "extended temporal condition ra and not rc": 1,
    "unknown rule reference": REFUSED,
    "timespan 1M / 1w accepted": 1,
    "window: tumbling (extension)": REFUSED,  # no key of the specification
}  # fmt: skip


def probed() -> list[tuple[str, int | None, str, list[dict[str, Any]], tuple[str, ...]]]:
    """Return the correlation cases: name, what the probe expects, rules, events, options of the peer."""
    if not PROBE.exists():
        return []
    # The probe runs its peer at its end and names it at its head; only the cases between are wanted.
    text = PROBE.read_text("utf-8").partition("\nfor name,want,rule,ev,a in ")[0]
    text = "\n".join(line for line in text.splitlines() if not line.startswith("BIN="))
    space: dict[str, Any] = {}
    exec(compile(text, str(PROBE), "exec"), space)  # noqa: S102  it lies beside the project, read-only
    return list(space["C"])


CASES = {row[0]: row for row in probed()}


def run_of(text: str, events: list[dict[str, Any]]) -> Alerts | None:
    """Play events through detections and correlations; None: the rules were refused."""
    rules = load(read(text, "case.yml"))
    if rules.errors or check(rules):
        return None
    run = Alerts(aggregate(rules, Settings(lateness="10m")))
    detector = Detector(rules)
    for number, fields in enumerate(events):
        stamp = fields.get("@timestamp")
        time = START_US if stamp is None else from_iso(stamp)
        id = "same" if stamp is None else f"e{number:03}"
        for match in detector.match(Event.of(fields, id=id, time_us=time, source="s")):
            run.take(match)
    run.time(END_US)
    return run


@pytest.mark.skipif(not CASES, reason="the probe of the peer does not lie beside the project")
def test_every_case_of_the_probe_is_decided() -> None:
    silent = {name for name, row in CASES.items() if row[1] is None}
    assert silent == DECIDED.keys()
    assert len(CASES) >= 48


@pytest.mark.parametrize("name", CASES)
def test_the_probe_s_case_is_answered_as_decided(name: str) -> None:
    _, expected, text, events, _ = CASES[name]
    wanted = DECIDED[name] if expected is None else expected
    run = run_of(text, events)
    if run is None:
        assert wanted == REFUSED
        return
    found = [one for one in run.final() if one.rule.id in IDS]
    if name.startswith("generate"):
        # The peer tells three matches and the correlation; here the matches are one alert that counts three.
        others = [one for one in run.final() if one.rule.id not in IDS]
        assert len(found) + sum(one.event_count for one in others) == wanted
        return
    assert len(found) == wanted, found
