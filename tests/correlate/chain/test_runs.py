"""Whom a run is about, and what it keeps of its alerts in any order."""

from __future__ import annotations

from itertools import permutations

import pytest

from contract.records import Rule
from correlate.chain.entities import entity
from correlate.chain.runs import Member, Run

HOST = entity("host", "web", "subject")
IP = entity("ip", "10.0.0.5", "subject")
USER = entity("user", "web|pia", "subject")
TARGET = entity("ip", "10.0.0.9", "target")
SOURCE = entity("ip", "203.0.113.7", "source")
PROCESS = entity("process", "web|p1", "subject")


def run(*signing: object) -> Run:
    rule = Rule(id="r", name="r", level="low")
    return Run(1, "s", rule, (), (), signing, {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signing", "host", "place"),
    [
        ((USER, IP, HOST), "web", "web"),
        ((USER, IP), "10.0.0.5", "10.0.0.5"),
        ((SOURCE, TARGET, USER), "10.0.0.9", "10.0.0.9"),
        ((SOURCE, USER), "203.0.113.7", ""),
        ((USER, PROCESS), "", ""),
    ],
)
def test_a_run_is_about_its_subject_else_its_target_and_only_acts_from_its_source(
    signing: tuple[object, ...], host: str, place: str
) -> None:
    assert (run(*signing).host, run(*signing).place) == (host, place)


def test_what_names_a_host_and_no_peer_or_process_is_blind() -> None:
    assert run(HOST, IP, USER).is_blind
    assert not run(HOST, PROCESS).is_blind
    assert not run(HOST, SOURCE).is_blind
    assert not run().is_blind


def test_two_machines_of_one_name_state_other_addresses() -> None:
    other = entity("ip", "10.0.0.6", "subject")
    assert run(HOST, IP).is_elsewhere(run(HOST, other))
    assert not run(HOST, IP).is_elsewhere(run(HOST, IP, other))
    assert not run(HOST, IP).is_elsewhere(run(HOST))


def test_the_bound_keeps_the_first_alerts_in_whatever_order_they_come() -> None:
    members = [Member(f"a{at}", 1, at, at + 5, 1) for at in range(5)]
    kept = set()
    for order in permutations(members):
        one = run(HOST)
        pushed = [one.put(member, 3) for member in order]
        assert sum(member is not None for member in pushed) == one.folded == 2
        kept.add(
            (tuple(member.id for member in one.ordered()), one.first_us, one.head, one.last_us)
        )
    assert kept == {(("a0", "a1", "a2"), 0, "a0", 9)}
