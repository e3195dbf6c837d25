"""Recorded intrusions, several sensors' logs of one run, by the public rules and ours: one chain each.

The data stand beside the checkout (OTRF Security Datasets, MIT) and are never part of it. The host's records carry the
collector's clock and Zeek its own, 7 to 19 hours apart: only the connections that both saw join them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest

from contract.event import Observation
from contract.records import Alert, Chain
from contract.timestamps import from_iso
from correlate.chain.edges import DAY_US
from correlate.chain.entering import enters
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
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


def linked(
    items: Iterable[Alert | Observation], settings: LinkSettings | None = None
) -> list[Chain]:
    """Return what `link` makes of items, the highest score first."""
    logic = link((), settings).open("default", {})
    chains: dict[str, Chain] = {}
    for item in items:
        for out in logic.on_item(item):
            if isinstance(out, Chain):
                chains[out.id] = out
    for out in logic.on_time(END_US):
        if isinstance(out, Chain):
            chains[out.id] = out
    return sorted((one for one in chains.values() if one.alerts), key=lambda one: -one.score)


@pytest.mark.parametrize("pair", list(itertools.combinations(CAMPAIGNS, 2)))
def test_two_campaigns_at_once_stay_apart(pair: tuple[str, str]) -> None:
    """The same network, another host, the same hours: the attacker's server and an account are all that they share."""
    plays = [played(name) for name in pair]
    begins = [_time(play.linked[0]) for play in plays]
    items = sorted(
        ((_time(item) + begins[0] - begin, number, item)
         for number, (play, begin) in enumerate(zip(plays, begins, strict=True)) for item in play.linked),
        key=lambda row: row[:2],
    )  # fmt: skip
    top = linked(_moved(item, at, f"run-{number}") for at, number, item in items)[:2]
    origins = [{one.partition("/")[0] for one in chain.alerts} for chain in top]
    assert sorted(sorted(one) for one in origins) == [["run-0"], ["run-1"]]


def test_ten_times_the_noise_leaves_the_top_chain_as_it_is() -> None:
    """What the host's day held besides, ten times more: on the same host and on five others, minutes earlier and later."""
    play = played(CAMPAIGNS[1])
    top = play.ranked()[0]
    host = next(one.value for one in top.entities if one.type == "host")
    story = {one.value for one in top.entities if one.type == "process"}
    others = [
        item for item in play.linked
        if (item.id not in top.alerts if isinstance(item, Alert) else not _names(item, story))
    ]  # fmt: skip
    items = [(_time(item), "", item) for item in play.linked]
    for copy in range(10):
        as_host = host if copy % 2 else f"desk-{copy}.pandalab.com"
        shift = (copy - 5) * 97_000_000
        items += [(_time(item) + shift, f"copy-{copy}", _copied(item, host, as_host, copy)) for item in others]  # fmt: skip
    items.sort(key=lambda row: row[:2])
    found = linked(_moved(item, at, origin) if origin else item for at, origin, item in items)
    assert set(top.alerts) <= set(found[0].alerts)
    assert not [one for one in found[0].alerts if one not in top.alerts]


@pytest.mark.parametrize("days", [-3, 3])
def test_clocks_days_apart_join_where_chains_may_wait_so_long(days: int) -> None:
    play = played(CAMPAIGNS[1])
    items = [
        (_time(item), item if not _is_of_sensor(item) else _moved(item, _time(item) + days * DAY_US, "zeek"))
        for item in play.linked
    ]  # fmt: skip
    top = linked((item for _, item in items), LinkSettings(lifetime=timedelta(days=5)))[0]
    assert len(top.alerts) == len(play.ranked()[0].alerts)
    assert any(one.startswith("zeek/") for one in top.alerts)


@pytest.mark.parametrize("code", ["8", "10"])
def test_dump_from_a_process_that_the_payload_entered_is_in_its_chain_by_sysmon_alone(
    code: str,
) -> None:
    """What the Security log says besides is taken away, and of what says that the process was entered all but one kind."""
    play = played(CAMPAIGNS[2])
    items = [item for item in play.linked if _is_of_sensor(item) or _is_sysmon(item)]
    enterings = [item for item in items if isinstance(item, Observation) and enters(item.fields)]
    kept = [item for item in enterings if item.fields["event.code"] == code]
    assert kept
    top = linked(item for item in items if item not in enterings or item in kept)[0]
    tactics = {stage.tactic for stage in top.stages}
    assert {"credential-access", "command-and-control"} <= tactics
    assert any("was entered by winx64_payload.exe" in one.evidence for one in top.links)
    without = linked(item for item in items if item not in enterings)[0]
    assert "credential-access" not in {stage.tactic for stage in without.stages}


def _is_sysmon(item: Alert | Observation) -> bool:
    return item.fields.get("event.provider") == "Microsoft-Windows-Sysmon"


def _is_of_sensor(item: Alert | Observation) -> bool:
    return isinstance(item, Alert) and str(item.fields.get("event.dataset", "")).startswith("zeek")


def _names(item: Observation, processes: set[str]) -> bool:
    return any(one.type == "process" and one.value in processes for one in entities_of(item.fields))


def _copied(item: Alert | Observation, host: str, as_host: str, copy: int) -> Alert | Observation:
    """The same on a host of the name, by other processes and sessions."""
    if isinstance(item, Observation):
        fields = {name: _renamed(name, value, host, as_host, copy) for name, value in item.fields.items()}  # fmt: skip
        return Observation(f"{copy}/{item.event}", item.time_us, fields)
    fields = {name: _renamed(name, value, host, as_host, copy) for name, value in item.fields.items()}  # fmt: skip
    named = tuple(
        one.model_copy(update={"value": _renamed_value(one.value.replace(host, as_host), copy)
                               if one.type in ("process", "session") else one.value.replace(host, as_host)})
        for one in item.entities
    )  # fmt: skip
    return item.model_copy(update={"fields": fields, "entities": named})


def _renamed(name: str, value: Any, host: str, as_host: str, copy: int) -> Any:
    if (
        name.endswith(("entity_id", ".pid", "logon.id", "LogonId", "ProcessId"))
        or "rocessG" in name
    ):
        return f"{value}{copy}" if isinstance(value, str) else value
    if isinstance(value, str) and value.lower() == host:
        return as_host
    return value


def _renamed_value(value: str, copy: int) -> str:
    return f"{value}{copy}"


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
