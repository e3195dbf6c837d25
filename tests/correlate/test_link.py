"""The link stage as a script: alerts in, chains out, restart at every step, any order."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.event import Notice, Observation
from contract.ports import Logic, Momentary
from contract.records import Alert, Chain, Level, Rule
from contract.timestamps import from_datetime
from correlate.chain.entities import entities_of
from correlate.chain.rests import Rest
from correlate.chain.runs import Knot, Run
from correlate.chain.settings import LinkSettings
from correlate.link import link
from tests.correlate.at_once import at_once

START = datetime(2026, 1, 1, tzinfo=UTC)
END_US = from_datetime(START + timedelta(hours=20))
ATTACKER, TARGET, OTHER = "203.0.113.7", "10.0.0.5", "198.51.100.9"


def alert(
    id: str,
    rule: str,
    at: float,
    fields: dict[str, Any],
    *,
    level: Level = "medium",
    stage: tuple[str, str] | None = None,
    revision: int = 1,
    retracted: bool = False,
    last: float | None = None,
) -> Alert:
    return Alert(
        id=id,
        revision=revision,
        rule=Rule(id=rule, name=rule, level=level),
        time=START + timedelta(seconds=at),
        last=START + timedelta(seconds=at if last is None else last),
        events=(f"event-{id}",),
        event_count=1,
        entities=entities_of(fields),
        tactics=stage[:1] if stage else (),
        techniques=stage[1:] if stage else (),
        fields=fields,
        retracted=retracted,
    )


def peers(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"source.ip": source, "destination.ip": target, **more}


def intrusion() -> list[Alert]:
    failed = {
        "host.ip": [TARGET],
        "opsonin.attestation.attester": "agent-1",
        "opsonin.attestation.result": "fail",
        "opsonin.attestation.evidence": "ima",
    }
    return [
        alert("scan", "r-scan", 0, peers(ATTACKER, TARGET), stage=("reconnaissance", "T1595.001")),
        alert("exploit", "r-ids", 20, peers(ATTACKER, TARGET), level="high", stage=("initial-access", "T1190")),
        alert("ssh", "r-ssh", 60, peers(ATTACKER, TARGET), stage=("credential-access", "T1110")),
        alert("ima", "attestation.ima.x", 90, failed, level="critical"),
    ]  # fmt: skip


def open_(
    chosen: LinkSettings | None = None, parts: dict[str, bytes] | None = None
) -> Logic[Any, Any]:
    return link((), chosen).open("default", parts or {})


def play(
    items: Iterable[Alert | Observation],
    chosen: LinkSettings | None = None,
    *,
    restart: bool = False,
    end_us: int = END_US,
) -> list[Any]:
    """Return all that comes out; with `restart` the logic is put away and opened anew before each step."""
    logic, parts, out = open_(chosen), {}, []
    for item in items:
        out.extend(at_once(logic, item))
        if restart:
            for name, data in logic.snapshot().items():
                if data is None:
                    del parts[name]
                else:
                    parts[name] = data
            logic = open_(chosen, parts)
    while (at := logic.wake_at()) is not None and at <= end_us:
        out.extend(logic.on_time(at))
    out.extend(logic.on_time(end_us))
    return out


def final(out: Iterable[Any]) -> dict[str, Chain]:
    """Return the last revision of each chain."""
    last: dict[str, Chain] = {}
    for one in out:
        if isinstance(one, Chain):
            assert one.id not in last or one.revision > last[one.id].revision
            last[one.id] = one
    return last


def live(out: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Return what the chains that hold alerts say in the end."""
    return {
        id: chain.model_dump(exclude={"revision"})
        for id, chain in final(out).items()
        if chain.alerts
    }


def groups(out: Iterable[Any]) -> set[frozenset[str]]:
    return {frozenset(chain["alerts"]) for chain in live(out).values()}


# ------------------------------------------------------------------ one intrusion


def test_intrusion_seen_by_three_sensors_is_one_chain_in_stage_order() -> None:
    chains = live(play(intrusion()))
    (chain,) = chains.values()
    assert chain["alerts"] == ("scan", "exploit", "ssh", "ima")
    assert [stage["tactic"] for stage in chain["stages"]] == [
        "reconnaissance",
        "initial-access",
        "persistence",
        "credential-access",
    ]
    edges = {(one["from"], one["to"]): one["edge"] for one in chain["links"]}
    assert edges["scan", "exploit"] == "address"
    assert edges["exploit", "ima"] == "attestation"


def test_each_link_names_what_is_shared() -> None:
    (chain,) = live(play(intrusion())).values()
    assert len(chain["links"]) == len(chain["alerts"]) - 1
    assert all(ATTACKER in one["evidence"] or TARGET in one["evidence"] for one in chain["links"])


def test_grave_alert_is_a_chain_at_once_and_keeps_its_id_as_it_grows() -> None:
    logic = open_()
    ids = [[one.id for one in at_once(logic, item)] for item in intrusion()]
    assert [len(one) for one in ids] == [1, 1, 1, 1]
    assert len({one for row in ids for one in row}) == 1


def test_a_moment_that_does_not_end_is_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose clock stands still must not fill memory."""
    monkeypatch.setattr("correlate.link.MAX_ITEMS", 3)
    logic = open_()
    assert isinstance(logic, Momentary)
    at_us = from_datetime(START)
    assert not logic.on_moment(at_us)
    told = [
        list(logic.on_item(alert(f"a{n}", f"r{n}", 0, peers(ATTACKER, TARGET), level="high")))
        for n in range(5)
    ]
    assert [len(one) for one in told] == [0, 0, 1, 0, 0]
    assert [len(one.alerts) for one in told[2]] == [3]
    assert [len(one.alerts) for one in logic.on_moment(at_us + 1)] == [5]


def appraisal(minutes: float, result: str = "pass", **more: str) -> Observation:
    fields = {
        "host.ip": [TARGET],
        "opsonin.attestation.attester": "agent-1",
        "opsonin.attestation.result": result,
        **{f"opsonin.attestation.{name}": value for name, value in more.items()},
    }
    at_us = from_datetime(START) + int(minutes * 60_000_000)
    return Observation(f"appraisal-{result}-{minutes}", at_us, fields)


def trusted(items: Iterable[Alert | Observation], **how: Any) -> list[tuple[str, ...]]:
    """Return whom each revision of the one chain that an intrusion makes says to be trusted again."""
    chains = [one for one in play([*intrusion(), *items], **how) if isinstance(one, Chain)]
    return [tuple(entity.value for entity in one.trusted) for one in chains]


@pytest.mark.parametrize("restart", [False, True])
def test_a_host_that_failed_is_trusted_again_when_it_has_passed_for_half_an_hour(
    restart: bool,
) -> None:
    passes = [appraisal(minutes) for minutes in range(6, 60)]
    told = trusted(passes, restart=restart)
    assert told[-1] == (TARGET, "agent-1")
    assert told.count(()) == len(told) - 1


def test_what_is_well_again_within_minutes_is_not_trusted() -> None:
    assert set(trusted(appraisal(minutes) for minutes in range(2, 35))) == {()}


def test_a_host_that_falls_silent_after_one_pass_is_not_trusted() -> None:
    assert set(trusted([appraisal(6)])) == {()}


def test_passes_with_a_warning_regain_no_trust() -> None:
    """A quote without a challenge may be an old one."""
    assert set(trusted(appraisal(minutes, level="warning") for minutes in range(6, 60))) == {()}
    affirmed = (appraisal(minutes, level="affirming") for minutes in range(6, 60))
    assert trusted(affirmed)[-1] == (TARGET, "agent-1")


def test_trust_that_is_lost_again_is_told() -> None:
    passes = [appraisal(minutes) for minutes in range(6, 60)]
    told = trusted([*passes, appraisal(61, "fail")])
    assert told[-2:] == [(TARGET, "agent-1"), ()]


def test_an_alert_by_which_trust_is_lost_again_is_linked() -> None:
    """The alert that says so is itself one of those whose chain its result concerns."""
    passes = [appraisal(minutes) for minutes in range(6, 60)]
    (failed,) = [one for one in intrusion() if one.id == "ima"]
    again = alert("again", "attestation.ima.x", 61 * 60, failed.fields, level="critical")
    told = [one for one in play([*intrusion(), *passes, again]) if isinstance(one, Chain)]
    assert [one.value for one in told[-2].trusted] == [TARGET, "agent-1"]
    assert told[-1].trusted == ()
    assert "again" in told[-1].alerts


def test_the_order_of_appraisals_does_not_change_who_is_trusted_in_the_end() -> None:
    mixed = [appraisal(minutes) for minutes in range(6, 60)] + [appraisal(8, "fail")]
    assert trusted(mixed)[-1] == trusted(reversed(mixed))[-1] == (TARGET, "agent-1")


def test_slight_alert_alone_is_no_chain() -> None:
    assert play([alert("a", "r", 0, peers(ATTACKER, TARGET), level="low")]) == []


def test_score_grows_with_every_stage() -> None:
    scores = [one.score for one in play(intrusion()) if isinstance(one, Chain)]
    assert scores == sorted(scores)
    assert scores[-1] > 4 * scores[0]


def test_same_technique_on_the_same_host_counts_once() -> None:
    one = alert("a", "r1", 0, peers(ATTACKER, TARGET), stage=("credential-access", "T1110"))
    two = alert("b", "r2", 9, peers(ATTACKER, TARGET), stage=("credential-access", "T1110"))
    (alone,), (both,) = live(play([one])).values(), live(play([one, two])).values()
    assert both["alerts"] == ("a", "b")
    assert both["score"] == alone["score"]


# ------------------------------------------------------------------ what does not join


def test_two_attackers_of_one_target_are_two_chains() -> None:
    out = play(
        [
            alert("a", "r1", 0, peers(ATTACKER, TARGET)),
            alert("b", "r2", 5, peers(OTHER, TARGET)),
        ]
    )
    assert groups(out) == {frozenset("a"), frozenset("b")}


@pytest.mark.parametrize("hub", [ATTACKER, "203.0.113.0/24"])
def test_known_nat_address_joins_nothing(hub: str) -> None:
    items = [
        alert("a", "r1", 0, peers(ATTACKER, TARGET)),
        alert("b", "r2", 5, peers(ATTACKER, "10.0.0.6")),
    ]
    assert len(groups(play(items))) == 1
    assert len(groups(play(items, LinkSettings(hubs=(hub,))))) == 2


def test_address_joins_only_for_its_lifetime() -> None:
    late = 20 * 3600
    items = [
        alert("a", "r1", 0, peers(ATTACKER, TARGET)),
        alert("b", "r2", late, peers(ATTACKER, TARGET)),
    ]
    assert len(groups(play(items))) == 2


def test_scan_of_a_host_does_not_own_what_the_host_does_later() -> None:
    items = [
        alert("a", "r1", 0, peers(ATTACKER, TARGET), stage=("reconnaissance", "T1595")),
        alert("b", "r2", 60, peers(TARGET, OTHER)),
    ]
    assert len(groups(play(items))) == 2


def test_victim_that_acts_after_an_exploit_is_in_the_chain() -> None:
    items = [
        alert("a", "r1", 0, peers(ATTACKER, TARGET), stage=("initial-access", "T1190")),
        alert("b", "r2", 60, peers(TARGET, OTHER)),
    ]
    assert len(groups(play(items))) == 1
    assert len(groups(play([items[0], alert("b", "r2", -600, peers(TARGET, OTHER))]))) == 2


# ------------------------------------------------------------------ revisions and retractions


def test_repetitions_are_one_step_and_published_once_in_a_while() -> None:
    items = [alert(f"a{n:03}", "r", n, peers(ATTACKER, TARGET)) for n in range(100)]
    out = play(items)
    (chain,) = live(out).values()
    assert len(chain["alerts"]) == 100
    assert len(out) <= 5
    assert {one["edge"] for one in chain["links"]} == {"repeat"}


def test_older_revision_and_repeated_record_change_nothing() -> None:
    first = alert("a", "r", 0, peers(ATTACKER, TARGET), revision=2)
    assert live(play([first, first, alert("a", "r", 7, peers(OTHER, TARGET))])) == live(
        play([first])
    )


def test_revision_that_names_other_things_moves_the_alert() -> None:
    out = play(
        [
            alert("a", "r1", 0, peers(ATTACKER, TARGET)),
            alert("b", "r2", 1, peers(ATTACKER, TARGET)),
            alert("b", "r2", 1, peers(OTHER, TARGET), revision=2),
        ]
    )
    assert groups(out) == {frozenset("a"), frozenset("b")}


def bridge() -> list[Alert]:
    """Two chains that a third alert joins: the first attacker's victim reaches out for the second's."""
    return [
        alert("a", "r1", 0, peers(ATTACKER, TARGET), stage=("initial-access", "T1190")),
        alert("b", "r2", 50, peers("10.0.0.9", "10.0.0.8"), stage=("execution", "T1059")),
        alert("c", "r3", 40, peers(TARGET, "10.0.0.9"), stage=("lateral-movement", "T1021")),
    ]


def test_merged_chain_goes_on_under_the_older_id_and_names_it() -> None:
    last = final(play(bridge()))
    chains = [one for one in last.values() if one.alerts]
    gone = [one for one in last.values() if not one.alerts]
    assert [one.alerts for one in chains] == [("a", "c", "b")]
    assert [one.merged_into for one in gone] == [chains[0].id]


def test_retraction_splits_and_the_old_id_comes_back() -> None:
    lost = alert("c", "r3", 40, peers(TARGET, "10.0.0.9"), revision=2, retracted=True)
    apart = live(play(bridge()[:2]))
    again = final(play([*bridge(), lost]))
    assert {id: chain.alerts for id, chain in again.items() if chain.alerts} == {
        id: chain["alerts"] for id, chain in apart.items()
    }
    assert all(chain.merged_into is None for chain in again.values())


def test_retraction_of_the_only_alert_empties_the_chain() -> None:
    one = alert("a", "r", 0, peers(ATTACKER, TARGET))
    last = final(play([one, one.model_copy(update={"revision": 2, "retracted": True})]))
    assert [(chain.alerts, chain.score, chain.revision) for chain in last.values()] == [((), 0, 2)]


def test_retraction_that_comes_first_keeps_the_alert_out() -> None:
    one = alert("a", "r", 0, peers(ATTACKER, TARGET))
    assert live(play([one.model_copy(update={"revision": 2, "retracted": True}), one])) == {}


# ------------------------------------------------------------------ floods and bounds


def flood(count: int, target: str = TARGET) -> list[Alert]:
    return [
        alert(f"f{n:06}", "r-flood", n / 100, peers(f"100.{n >> 16}.{n >> 8 & 255}.{n & 255}", target))
        for n in range(count)
    ]  # fmt: skip


def test_flood_from_many_sources_merges_no_chains_and_stays_in_bounds() -> None:
    bound = LinkSettings(max_runs=500, max_resting=500)
    attacks = [
        alert("x1", "r1", 1, peers("100.0.0.1", "10.0.0.77")),
        alert("x2", "r2", 2, peers("100.0.0.2", "10.0.0.78")),
    ]
    logic = open_(bound)
    out = [one for item in [*attacks, *flood(3000)] for one in at_once(logic, item)]
    out += logic.on_time(END_US)
    assert not any({"x1", "x2"} <= set(one.alerts) for one in out if isinstance(one, Chain))
    notices = [one for one in out if isinstance(one, Notice)]
    assert {one.label for one in notices} == {"crowd", "resting"}
    assert sum(one.amount for one in notices if one.label == "resting") >= 3000 - 17 - 500
    assert sum(name.startswith("run/") for name in logic.snapshot()) < 30
    assert sum(isinstance(one, Chain) for one in out) < 100


def test_run_that_is_repeated_and_put_out_by_a_bound_in_one_moment_is_gone() -> None:
    logic = open_(LinkSettings(max_runs=3))
    old = alert("a1", "r", 0, peers(ATTACKER, TARGET), level="low")
    list(at_once(logic, old))
    again = old.model_copy(
        update={
            "id": "a2",
            "time": START + timedelta(seconds=5),
            "last": START + timedelta(seconds=5),
        }
    )
    for item in [
        again,
        *(alert(f"b{n}", f"s{n}", 6, peers(f"198.51.100.{n}", f"10.0.1.{n}")) for n in range(5)),
    ]:
        list(logic.on_item(item))
    assert isinstance(logic, Momentary)
    list(logic.on_moment(10**18))
    list(logic.on_time(END_US))
    assert logic.wake_at() is None or sum(name.startswith("run/") for name in logic.snapshot()) <= 3


def nodes() -> int:
    return sum(isinstance(one, (Run, Knot, Rest)) for one in gc.get_objects())


def test_what_is_over_leaves_memory_at_once() -> None:
    """Without a full collection, which may be hours away: runs, knots and ties name each other."""
    logic = open_(LinkSettings(crowd=4))
    gc.collect()
    before = nodes()
    gc.disable()
    try:
        lone = alert("lone", "r-lone", 5, peers("192.0.2.9", "10.0.0.77"), level="high")
        for item in [*intrusion(), lone, *flood(40)]:
            list(at_once(logic, item))
        assert nodes() > before + 20
        list(logic.on_time(END_US * 2))
        logic.snapshot()
        assert nodes() <= before
    finally:
        gc.enable()


def test_flood_does_not_hide_an_attack_on_the_same_target() -> None:
    steps = intrusion()
    out = play([*flood(200), *steps])
    assert frozenset(one.id for one in steps) in groups(out)


def test_run_lists_its_first_alerts_and_counts_the_others() -> None:
    items = [alert(f"a{n}", "r", n, peers(ATTACKER, TARGET)) for n in range(10)]
    out = play(items, LinkSettings(max_run_alerts=4))
    (chain,) = live(out).values()
    assert chain["alerts"] == ("a0", "a1", "a2", "a3")
    assert sum(one.amount for one in out if isinstance(one, Notice)) == 6


def test_a_long_chain_is_told_when_a_quarter_of_it_is_new_or_gone() -> None:
    def step(number: int, *, revision: int = 1, retracted: bool = False) -> Alert:
        named = peers(ATTACKER, f"10.0.1.{number}")
        return alert(f"a{number:02}", f"r{number}", number / 10, named, revision=revision, retracted=retracted)  # fmt: skip

    logic = open_()
    told: list[int] = []
    for number in range(44):
        list(logic.on_item(step(number)))  # all of one moment, with the next
    items = [step(number) for number in range(44, 64)]
    items += [step(number, revision=2, retracted=True) for number in range(63, 46, -1)]
    for item in items:
        told += [len(one.alerts) for one in at_once(logic, item) if isinstance(one, Chain)]
    assert told == [45, 60, 48]
    last = list(logic.on_time(END_US))
    assert [len(one.alerts) for one in last if isinstance(one, Chain)] == [47], (
        "soon, at the latest"
    )


def test_a_long_chain_is_told_at_once_when_an_earlier_alert_gives_it_another_id() -> None:
    logic = open_()
    for number in range(40):
        list(logic.on_item(alert(f"a{number}", f"r{number}", number, peers(ATTACKER, TARGET))))
    (known,) = list(at_once(logic, alert("b", "r-b", 40, peers(ATTACKER, TARGET))))
    told = at_once(logic, alert("c", "r-c", -1, peers(ATTACKER, TARGET)))
    assert [(len(one.alerts), one.merged_into or "") for one in told] == [(42, ""), (0, told[0].id)]
    assert told[1].id == known.id


def test_long_run_of_one_actor_holds_together_in_any_order_and_without_its_middle() -> None:
    """Each is compared with few of them; taking some out must bring those together that are neighbours then."""
    items = [alert(f"a{n:02}", "r", n * 60, peers(ATTACKER, f"10.0.1.{n}")) for n in range(24)]
    items += [alert(f"b{n:02}", "other", n * 400, peers(ATTACKER, f"10.0.2.{n}")) for n in range(4)]
    gone = [
        alert(f"a{n:02}", "r", n * 60, peers(ATTACKER, f"10.0.1.{n}"), revision=2, retracted=True)
        for n in range(8, 16)
    ]
    dice = random.Random(5)  # noqa: S311  the same orders again
    (expected,) = live(play([*items, *gone])).values()
    assert len(expected["alerts"]) == 20
    for _ in range(4):
        order = list(items)
        dice.shuffle(order)
        assert live(play([*order, *gone])) == {expected["id"]: expected}
        assert live(play([*order, *gone], restart=True)) == {expected["id"]: expected}


def test_full_chain_takes_no_more_and_says_so() -> None:
    items = [alert(f"a{n}", f"r{n}", n, peers(ATTACKER, TARGET)) for n in range(9)]
    out = play(items, LinkSettings(max_chain_runs=4))
    assert max(len(chain["alerts"]) for chain in live(out).values()) == 4
    assert any(isinstance(one, Notice) and one.label == "chain_runs" for one in out)


def test_everything_is_forgotten_a_lifetime_later() -> None:
    logic = open_()
    for item in intrusion():
        list(at_once(logic, item))
    parts = dict(logic.snapshot())
    assert any(name.startswith("run/") for name in parts)
    while (at := logic.wake_at()) is not None:
        list(logic.on_time(at))
    list(logic.on_time(END_US * 2))
    parts |= logic.snapshot()
    kept = {name.partition("/")[0] for name, data in parts.items() if data is not None}
    assert kept <= {"meta", "host", "rule"}, "what is usual for a host is remembered, no more"


def test_what_was_only_observed_is_not_forgotten_between_two_snapshots() -> None:
    logic = open_()
    assert logic.is_empty()
    list(logic.on_item(Observation("e1", 5, {"host.name": "target", "host.ip": [TARGET]})))
    logic.snapshot()
    assert not logic.is_empty()


# ------------------------------------------------------------------ order and restarts

_HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", ATTACKER]


_RULES = {"r1": None, "r2": ("reconnaissance", "T1595"), "r3": ("execution", "T1059")}


@st.composite
def scripts(draw: st.DrawFn) -> list[Alert]:
    count = draw(st.integers(2, 14))
    items = []
    for number in range(count):
        source, target = draw(st.permutations(_HOSTS))[:2]
        items.append(
            alert(
                f"a{number:02}",
                (rule := draw(st.sampled_from(sorted(_RULES)))),
                draw(st.integers(0, 120)) * 59,
                peers(source, target),
                level=draw(st.sampled_from(["low", "high"])),
                stage=_RULES[rule],
            )
        )  # fmt: skip
    for number in draw(st.lists(st.integers(0, count - 1), max_size=3, unique=True)):
        known = items[number]
        items.append(known.model_copy(update={"revision": 2, "retracted": draw(st.booleans())}))
    return items


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts(), st.randoms(use_true_random=False))
def test_any_order_within_lateness_gives_the_same_chains(
    items: list[Alert], shuffler: random.Random
) -> None:
    lateness = LinkSettings().lateness
    ordered = sorted(items, key=lambda one: (one.time, one.id, one.revision))
    mixed = sorted(items, key=lambda one: one.time + lateness * shuffler.random())
    assert live(play(mixed)) == live(play(ordered))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts())
def test_restart_at_every_step_changes_nothing(items: list[Alert]) -> None:
    assert play(items, restart=True) == play(items)


@pytest.mark.parametrize("count", [1, 7])
def test_snapshot_holds_only_what_changed(count: int) -> None:
    logic = open_()
    for item in flood(count):
        list(at_once(logic, item))
    assert logic.snapshot()
    assert logic.snapshot() == {}
    list(at_once(logic, alert("new", "r9", 1, peers("192.0.2.1", "192.0.2.2"))))
    names: Sequence[str] = sorted(name.partition("/")[0] for name in logic.snapshot())
    assert names == ["base", "base", "knot", "meta", "name", "run"]
