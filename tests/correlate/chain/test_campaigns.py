"""Recorded intrusions, several sensors' logs of one run, by the public rules and ours: one chain each.

The data stand beside the checkout (OTRF Security Datasets, MIT) and are never part of it. The host's records carry the
collector's clock and Zeek its own, 7 to 19 hours apart: only the connections that both saw join them.
"""

from __future__ import annotations

import json
from functools import lru_cache

import pytest

from contract.event import Observation
from contract.records import Alert, Chain
from contract.timestamps import from_iso
from correlate.link import link
from tests.correlate.chain.playing import END_US, SETS, Play, recorded

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not SETS.is_dir(), reason="the recorded campaigns are not beside the checkout"
    ),
]


@lru_cache(maxsize=3)
def played(name: str) -> Play:
    return Play().run(recorded(name))


CAMPAIGNS = ["LSASS_campaign_01", "LSASS_campaign_02", "LSASS_campaign_03"]


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_one_top_chain_holds_the_whole_campaign(name: str) -> None:
    play = played(name)
    top, *others = play.ranked()
    held = [play.alerts[one] for one in top.alerts]
    tactics = {stage.tactic for stage in top.stages}
    techniques = {stage.technique for stage in top.stages}
    programs = {
        one.value.rpartition("\\")[2]
        for alert in held
        for one in alert.entities
        if one.type == "file"
    }
    assert "winx64_payload.exe" in programs
    assert {"discovery", "credential-access", "command-and-control"} <= tactics
    assert any(one.startswith("T1003") for one in techniques)
    assert "T1571" in techniques
    assert all(top.score > 4 * other.score for other in others)


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_network_sensor_is_joined_by_the_connection_that_the_host_opened(name: str) -> None:
    play = played(name)
    top = play.ranked()[0]
    seen = {
        one
        for one in top.alerts
        if play.alerts[one].rule.name == "Download in a protocol that the sensor does not know"
    }
    joins = [one for one in top.links if one.to in seen and one.edge != "repeat"]
    assert joins
    assert any("was opened by" in one.evidence for one in joins)


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_every_alert_hangs_on_evidence_and_on_one_host(name: str) -> None:
    play = played(name)
    top = play.ranked()[0]
    joined = {one.to for one in top.links} | {one.from_ for one in top.links}
    assert set(top.alerts) <= joined
    assert not {one.edge for one in top.links} & {"coincidence", "host"}
    hosts = {one.value for a in top.alerts for one in play.alerts[a].entities if one.type == "host"}
    assert len(hosts) == 1


def test_exploited_java_server_and_the_shell_it_starts_are_one_chain() -> None:
    """Log4Shell with a serialized object: Security and Sysmon records of the host, two logs of one process."""
    play = Play().run(recorded("Log4Shell", "s*_java_serialized_object.zip"))
    top, *others = play.ranked()
    held = [play.alerts[one] for one in top.alerts]
    named = {
        one.value.rpartition("\\")[2]
        for alert in held
        for one in alert.entities
        if one.type == "file"
    }
    assert {"tomcat9.exe", "powershell.exe"} <= named
    assert len(held) >= 5
    assert "execution" in {stage.tactic for stage in top.stages}
    assert {one.edge for one in top.links} <= {"process", "repeat"}
    assert all(top.score > other.score for other in others)


def test_two_campaigns_at_once_stay_apart() -> None:
    """The same network, another host, the same hours: the attacker's server is all that they share."""
    plays = [played(name) for name in CAMPAIGNS[:2]]
    shifts = [0, from_iso("2023-08-15T09:53:46Z") - from_iso("2023-08-15T05:33:51Z")]
    logic = link().open("default", {})
    chains: dict[str, Chain] = {}
    items = sorted(
        ((_time(item) + shift, number, item) for number, (play, shift) in enumerate(zip(plays, shifts, strict=True))
         for item in play.linked),
        key=lambda row: row[:2],
    )  # fmt: skip
    for at, number, item in items:
        for out in logic.on_item(_moved(item, at, f"run-{number}")):
            if isinstance(out, Chain):
                chains[out.id] = out
    for out in logic.on_time(END_US):
        if isinstance(out, Chain):
            chains[out.id] = out
    top = sorted((one for one in chains.values() if one.alerts), key=lambda one: -one.score)[:2]
    origins = [{one.partition("/")[0] for one in chain.alerts} for chain in top]
    assert sorted(sorted(one) for one in origins) == [["run-0"], ["run-1"]]


def _time(item: Alert | Observation) -> int:
    return item.time_us if isinstance(item, Observation) else from_iso(item.time.isoformat())


def _moved(item: Alert | Observation, at_us: int, origin: str) -> Alert | Observation:
    if isinstance(item, Observation):
        return Observation(item.event, at_us, item.fields)
    data = json.loads(item.model_dump_json())
    shift = at_us - _time(item)
    data["id"] = f"{origin}/{item.id}"
    for name in ("time", "last"):
        moment = from_iso(data[name]) + shift
        data[name] = f"{moment / 1e6}"
    return Alert.model_validate(data)
