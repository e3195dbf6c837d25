"""Which steps of an attack alerts state, and how long their ordered path is."""

from __future__ import annotations

import pytest

from contract.records import Rule
from correlate.chain.edges import EDGES, Tie
from correlate.chain.runs import Member, Run
from correlate.chain.stages import edge_name, only_looks, path_length, stages_of, steals, steps


def run(at: int, *tactics: str, techniques: tuple[str, ...] = (), **facts: object) -> Run:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    one = Run(at, "s", Rule(id="r", name="r", level="low"), tactics, techniques, (), named)
    one.put(Member(f"a{at}", 1, at, at, 1), 8)
    return one


@pytest.mark.parametrize(
    ("tactics", "techniques", "expected"),
    [
        (("execution",), ("T1059",), {("execution", "T1059")}),
        (("discovery",), (), {("discovery", "")}),
        (("Credential_Access",), ("T1003.001",), {("credential-access", "T1003.001")}),
        (("execution", "discovery"), ("T1059",), {("execution", "T1059"), ("discovery", "")}),
        ((), ("T1190",), {("initial-access", "T1190")}),
        (("stealth",), (), {("defense-evasion", "")}),
        (("no-such-tactic",), (), set()),
        (("execution",), ("T9999",), {("execution", "T9999")}),
    ],
)
def test_a_technique_stands_under_the_tactic_stated_for_it(
    tactics: tuple[str, ...], techniques: tuple[str, ...], expected: set[tuple[str, str]]
) -> None:
    assert set(steps(tactics, techniques)) == expected


def test_a_failed_attestation_means_something_where_no_rule_says_more() -> None:
    assert steps((), (), "ima") == (("persistence", "T1554"),)
    assert steps((), (), "tcg_eventlog") == (("persistence", "T1542"),)
    assert steps((), (), "") == (("defense-evasion", "T1014"),)
    assert steps(("impact",), (), "ima") == (("impact", ""),)


@pytest.mark.parametrize(
    ("told", "length"),
    [
        ((), 1),
        (("initial-access",), 1),
        (("initial-access", "execution", "impact"), 3),
        (("impact", "execution", "initial-access"), 1),
        (("execution", "initial-access", "lateral-movement", "collection"), 3),
        (("discovery", "discovery"), 1),
        (("initial-access", "discovery", "discovery", "execution"), 3),
        (("initial-access", "initial-access"), 1),
    ],
)
def test_the_longest_ordered_path_counts_each_tactic_once(
    told: tuple[str, ...], length: int
) -> None:
    assert path_length(run(at, one) for at, one in enumerate(told)) == length


def test_guessing_is_no_theft_and_a_scan_no_more_than_a_look() -> None:
    assert steals(run(0, "credential-access", techniques=("T1003",)))
    assert not steals(run(0, "credential-access", techniques=("T1110.001",)))
    assert not steals(run(0, "execution"))
    assert only_looks(run(0, "reconnaissance"))
    assert not only_looks(run(0, "reconnaissance", "initial-access"))
    assert not only_looks(run(0))


def test_stages_stand_in_att_ck_order_then_time_each_once_a_host() -> None:
    told = [run(0, "impact"), run(1, "execution"), run(2, "execution"), run(3, "unknown")]
    assert [(one.tactic, one.alert) for one in stages_of(told)] == [
        ("execution", "a1"),
        ("impact", "a0"),
    ]


def test_any_edge_to_a_failed_attestation_is_one_of_trust() -> None:
    tie = Tie(EDGES["ip", "a", "a"], 0.8, "ip|203.0.113.7")
    failed = run(1, opsonin__attestation__result="fail")
    assert edge_name(tie, run(0), run(2)) == "address"
    assert edge_name(tie, run(0), failed) == edge_name(tie, failed, run(0)) == "attestation"
