"""From one host to the next: what was done there and what began here are one chain, and others' work is not in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.records import Chain
from tests.correlate.chain.movement import Process, Site
from tests.correlate.chain.playing import RULES, Play

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RULES.is_dir(), reason="the public rules are not beside the checkout"),
]

MOVEMENTS: dict[str, Callable[[Site, Process], None]] = {
    "a service whose program was copied": Site.by_service,
    "a service with a ticket that both hosts name": lambda site, by: site.by_service(by, has_ticket=True),
    "a service that is a command line": Site.by_service_command,
    "WMI": Site.by_wmi,
    "WinRM": Site.by_winrm,
    "a scheduled task": Site.by_task,
    "DCOM": Site.by_dcom,
    "remote desktop": Site.by_desktop,
    "replication from the domain controller": Site.by_replication,
}  # fmt: skip


def hosts_of(play: Play, chain: Chain) -> set[str]:
    return {
        one.value.partition(".")[0]
        for alert in chain.alerts
        for one in play.alerts[alert].entities
        if one.type == "host"
    }


def users_of(play: Play, chain: Chain) -> set[str]:
    return {
        one.value for alert in chain.alerts for one in play.alerts[alert].entities
        if one.type == "user"
    }  # fmt: skip


@pytest.mark.parametrize("name", MOVEMENTS)
def test_movement_to_another_host_is_one_chain_without_the_neighbours(name: str) -> None:
    site = Site()
    MOVEMENTS[name](site, site.foothold())
    site.neighbours()
    play = Play().run(site.lab.events())
    chains = [one for one in play.ranked() if "wks1" in hosts_of(play, one)]
    assert len(chains) == 1
    assert "srv2" in hosts_of(play, chains[0])
    assert "wks3" not in hosts_of(play, chains[0])
    assert "corp\\bob" not in users_of(play, chains[0])
    began = [one for one in play.ranked() if "srv2" in hosts_of(play, one)]
    assert len([one for one in began if "corp\\bob" not in users_of(play, one)]) <= 2


def test_movement_is_found_where_only_the_security_log_is_kept() -> None:
    site = Site()
    site.by_wmi(site.foothold(has_audit=True), has_audit=True)
    site.neighbours()
    play = Play().run(site.lab.events())
    chains = [one for one in play.ranked() if "wks1" in hosts_of(play, one)]
    assert [hosts_of(play, one) for one in chains] == [{"wks1", "srv2"}]
    assert any("came from there" in one.evidence for one in chains[0].links)


def test_movements_of_two_at_once_stay_two() -> None:
    """Two desks, two accounts, one server, the same minutes."""
    site, other = Site(), Site(desk="WKS8.corp.example.com", desk_ip="10.0.1.18", user="CORP\\carol",
                               logon="0x6f001", remote="0xaf001")  # fmt: skip
    other.lab = site.lab
    one, two = site.foothold(), other.foothold()
    site.by_wmi(one)
    other.by_winrm(two)
    play = Play().run(site.lab.events())
    held = [hosts_of(play, one) for one in play.ranked() if hosts_of(play, one) & {"wks1", "wks8"}]
    assert sorted(map(sorted, held)) == [["srv2", "wks1"], ["srv2", "wks8"]]
