"""Deciding as a dialogue: chains, commands, outcomes and time in; decisions and notices out."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.document import read
from contract.errors import StoreError
from contract.event import Notice
from contract.records import Chain, ChainStage, Command, Decision, Entity, Outcome
from contract.timestamps import from_datetime
from respond.decide import KEY, Decider, decide
from respond.guard import Guard, GuardSettings
from respond.playbook import Playbook, load
from respond.verdict import DecideSettings, Point, Rails

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
POINTS = (Point("edge", "nftables"), Point("core", "nftables"), Point("ids", "suricata"))
DENY = """
name: deny_source
priority: 50
when: {score: 10, stages: 2, entities: [{type: ip, role: source}]}
action: deny
target: {type: ip, role: source, limit: 3}
points: [nftables]
duration: 1h
impact: low
"""
FIRST = DENY.replace("deny_source", "deny_first").replace("50", "10").replace("10,", "40,")
HIGH = DENY.replace("impact: low", "impact: high")
HIGH_FIRST = FIRST.replace("impact: low", "impact: high")

MakeChain = Callable[..., Chain]


def playbooks(*texts: str) -> tuple[Playbook, ...]:
    loaded = load(document for text in texts for document in read(text, "p.yml"))
    assert loaded.errors == ()
    return loaded.playbooks


class Desk:
    """One `decide` that can be restarted between any two inputs."""

    def __init__(
        self,
        *texts: str,
        mode: str = "enforce",
        guard: dict[str, Any] | None = None,
        points: tuple[Point, ...] = POINTS,
        restarts: bool = True,
        **settings: Any,
    ) -> None:
        self.guard = Guard(GuardSettings.model_validate(guard or {}))
        self.settings = DecideSettings.model_validate({"mode": mode, **settings})
        self.books = playbooks(*(texts or (DENY,)))
        self.points = points
        self.restarts = restarts
        self.parts: dict[str, bytes] = {}
        self.policy: dict[str, Decision] = {}
        self.notices: list[Notice] = []
        self.logic = self.open()

    def open(self) -> Any:
        return decide(self.books, self.guard, self.points, self.settings).open(KEY, self.parts)

    def _take(self, out: Iterable[Decision | Notice]) -> list[Decision]:
        made = []
        for one in out:
            if isinstance(one, Notice):
                self.notices.append(one)
                continue
            known = self.policy.get(one.id)
            assert one.revision == (known.revision + 1 if known else 1)
            self.policy[one.id] = one
            made.append(one)
        for part, data in self.logic.snapshot().items():
            if data is None:
                del self.parts[part]
            else:
                self.parts[part] = data
        if self.restarts:
            self.logic = self.open()
        return made

    def take(self, item: Chain | Command | Outcome) -> list[Decision]:
        return self._take(self.logic.on_item(item))

    def at(self, seconds: float) -> list[Decision]:
        now_us = from_datetime(NOON + timedelta(seconds=seconds))
        wake = self.logic.wake_at()
        if wake is None or wake > now_us:
            return []
        return self._take(self.logic.on_time(now_us))

    def say(self, verb: str, decision: Decision, at: float = 60, by: str = "ann") -> list[Decision]:
        time = NOON + timedelta(seconds=at)
        command = {"id": f"{verb}{at}", "verb": verb, "decision": decision.id}
        return self.take(Command.model_validate({**command, "by": by, "time": time}))

    def denied(self) -> set[str]:
        return {one.target.value for one in self.policy.values() if one.state == "approved"}


def states(decisions: Iterable[Decision]) -> list[str]:
    return [decision.state for decision in decisions]


# ------------------------------------------------------------------ modes and guard


def test_observe_only_proposes_and_takes_no_approval(make_chain: MakeChain) -> None:
    desk = Desk(mode="observe")
    (made,) = desk.take(make_chain())
    assert made.state == "proposed"
    assert "the mode is observe" in made.reason
    assert desk.say("approve", made) == []
    assert [notice.name for notice in desk.notices] == ["decide_commands_refused_total"]


def test_approve_waits_for_a_person_and_lasts_from_the_approval(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (made,) = desk.take(make_chain())
    assert made.state == "proposed"
    (approved,) = desk.say("approve", made, at=600)
    assert approved.state == "approved"
    assert approved.by == "ann"
    assert approved.expires == NOON + timedelta(seconds=600 + 3600)
    assert "approved by ann" in approved.reason


def test_enforce_approves_at_once_for_the_points_that_the_playbook_names(
    make_chain: MakeChain,
) -> None:
    (made,) = Desk().take(make_chain())
    assert (made.state, made.by) == ("approved", "")
    assert made.points == ("core", "edge")
    assert made.expires == NOON + timedelta(hours=1)
    assert made.made == NOON
    assert "score 20.0, 10 is asked" in made.reason


def test_high_impact_waits_for_a_person_even_in_enforce(make_chain: MakeChain) -> None:
    desk = Desk(HIGH)
    (made,) = desk.take(make_chain())
    assert made.state == "proposed"
    assert "impact is high" in made.reason
    assert states(desk.say("approve", made)) == ["approved"]


def test_without_a_point_a_decision_waits(make_chain: MakeChain) -> None:
    (made,) = Desk(points=()).take(make_chain())
    assert (made.state, made.points) == ("proposed", ())
    assert "no configured enforcement point" in made.reason


@pytest.mark.parametrize(
    "value", ["127.0.0.1", "0.0.0.1", "224.0.0.1", "255.255.255.255", "fe80::1"]
)
def test_what_is_never_touched_is_refused_and_stays_so(make_chain: MakeChain, value: str) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain(sources=(value,)))
    assert made.state == "refused"
    assert desk.take(make_chain(revision=2, at=30, score=90, sources=(value,))) == []
    assert desk.say("approve", made) == []


def test_the_admin_survives_when_the_attacker_spoofs_the_address(make_chain: MakeChain) -> None:
    desk = Desk(guard={"admin_networks": ["198.51.100.0/24"]})
    made = desk.take(make_chain(sources=("198.51.100.7", "203.0.113.9")))
    assert {one.target.value: one.state for one in made} == {
        "198.51.100.7": "refused",
        "203.0.113.9": "approved",
    }


def test_a_guard_that_grew_while_down_refuses_what_was_approved(make_chain: MakeChain) -> None:
    desk = Desk()
    desk.take(make_chain())
    desk.guard = Guard(GuardSettings.model_validate({"never_touch": ["203.0.113.0/24"]}))
    desk.logic = desk.open()
    (refused,) = desk.at(1)
    assert refused.state == "refused"
    assert "never-touch" in refused.reason


def test_rate_cap_hands_decisions_to_a_person_until_the_window_has_passed(
    make_chain: MakeChain,
) -> None:
    desk = Desk(guard={"rate": 2, "rate_window": "10m"})
    made = [desk.take(make_chain(f"c{n}", at=n, sources=(f"203.0.113.{n}",)))[0] for n in range(4)]
    assert states(made) == ["approved", "approved", "proposed", "proposed"]
    assert "2 decisions within 600 s, the cap is 2" in made[2].reason
    (later,) = desk.take(make_chain("c2", 2, at=700, sources=("203.0.113.2",)))
    assert (later.state, later.id) == ("approved", made[2].id)
    assert states(desk.say("approve", made[3])) == ["approved"]


def test_live_and_share_caps_hand_decisions_to_a_person(make_chain: MakeChain) -> None:
    desk = Desk(guard={"live": 2})
    made = [desk.take(make_chain(f"c{n}", sources=(f"203.0.113.{n}",)))[0] for n in range(3)]
    assert states(made) == ["approved", "approved", "proposed"]
    desk = Desk(guard={"shares": {"203.0.113.0/24": 0.005}})
    made = [desk.take(make_chain(f"c{n}", sources=(f"203.0.113.{n}",)))[0] for n in range(2)]
    assert states(made) == ["approved", "proposed"]
    assert "0.50% of 203.0.113.0/24" in made[1].reason


def test_playbook_cap_counts_its_own_decisions(make_chain: MakeChain) -> None:
    desk = Desk(DENY + "caps: {live: 1}\n")
    made = [desk.take(make_chain(f"c{n}", sources=(f"203.0.113.{n}",)))[0] for n in range(2)]
    assert states(made) == ["approved", "proposed"]
    assert "its cap is 1" in made[1].reason


def test_a_target_already_denied_passes_no_cap(make_chain: MakeChain) -> None:
    desk = Desk(guard={"live": 1, "rate": 1})
    assert states(desk.take(make_chain("c1"))) == ["approved"]
    assert states(desk.take(make_chain("c2"))) == ["approved"]


def test_a_chain_of_too_many_sources_is_said_and_denies_none(make_chain: MakeChain) -> None:
    desk = Desk()
    assert desk.take(make_chain(sources=tuple(f"203.0.113.{n}" for n in range(4)))) == []
    assert [notice.name for notice in desk.notices] == ["decide_over_limit_total"]


def test_a_chain_of_just_as_many_sources_as_allowed_denies_all_and_says_nothing(
    make_chain: MakeChain,
) -> None:
    desk = Desk()
    made = desk.take(make_chain(sources=tuple(f"203.0.113.{n}" for n in range(3))))
    assert states(made) == ["approved"] * 3
    assert desk.notices == []


def test_a_decision_says_the_score_the_stages_and_the_patterns_it_stands_on(
    make_chain: MakeChain,
) -> None:
    chain = make_chain(patterns=("scan_then_break_in",))
    tactics = " > ".join(dict.fromkeys(stage.tactic for stage in chain.stages))
    (made,) = Desk().take(chain)
    for words in (
        f"score {chain.score:.1f}",
        f"; stages {tactics};",
        "patterns scan_then_break_in",
    ):
        assert words in made.reason


def test_a_chain_that_grows_beyond_the_limit_keeps_what_it_has(make_chain: MakeChain) -> None:
    desk = Desk()
    desk.take(make_chain())
    many = ("203.0.113.9", *(f"203.0.113.{n}" for n in range(20, 24)))
    assert desk.take(make_chain(revision=2, at=1, sources=many)) == []
    assert desk.denied() == {"203.0.113.9"}


def test_where_a_chain_does_not_say_who_did_it_several_wait_and_one_does_not(
    make_chain: MakeChain,
) -> None:
    desk = Desk()
    several = make_chain("c1", sources=("203.0.113.1", "203.0.113.2"), is_told=False)
    made = desk.take(several)
    assert states(made) == ["proposed", "proposed"]
    assert "does not say which of them did it" in made[0].reason
    assert states(desk.take(make_chain("c2", is_told=False))) == ["approved"]


def test_a_bystander_in_the_chain_is_left_alone(make_chain: MakeChain) -> None:
    customer = Entity(type="ip", value="198.51.100.7", role="source")
    chain = make_chain()
    chain = chain.model_copy(update={"entities": (customer, *chain.entities)})
    assert {one.target.value for one in Desk().take(chain)} == {"203.0.113.9"}


def test_unusable_entities_are_said(make_chain: MakeChain) -> None:
    desk = Desk()
    assert desk.take(make_chain(sources=("fe80::1%eth0",))) == []
    assert [notice.name for notice in desk.notices] == ["decide_targets_unusable_total"]


# ------------------------------------------------------------------ one chain over time


def test_later_revisions_repeat_no_decision(make_chain: MakeChain) -> None:
    desk = Desk()
    desk.take(make_chain())
    assert desk.take(make_chain()) == []
    assert desk.take(make_chain(revision=2, at=5)) == []
    assert desk.take(make_chain(revision=1, at=900)) == []
    assert len(desk.policy) == 1


def test_a_chain_that_goes_on_renews_the_expiry_in_steps(make_chain: MakeChain) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain())
    assert desk.take(make_chain(revision=2, at=359)) == []
    (renewed,) = desk.take(make_chain(revision=3, at=360))
    assert (renewed.id, renewed.revision, renewed.state) == (made.id, 2, "approved")
    assert renewed.expires == NOON + timedelta(seconds=360 + 3600)
    (again,) = desk.take(make_chain(revision=4, at=900))
    assert again.reason.count("renewed") == 1


def test_what_the_engine_approved_is_not_renewed_once_the_mode_asks_for_people(
    make_chain: MakeChain,
) -> None:
    desk = Desk()
    desk.take(make_chain())
    desk.settings = DecideSettings(mode="approve")
    desk.logic = desk.open()
    assert desk.take(make_chain(revision=2, at=3000)) == []
    assert states(desk.at(3600)) == ["expired"]
    assert states(desk.take(make_chain(revision=3, at=4000))) == ["proposed"]


def test_high_impact_is_not_renewed_without_a_person(make_chain: MakeChain) -> None:
    desk = Desk(HIGH)
    (made,) = desk.take(make_chain())
    desk.say("approve", made)
    assert desk.take(make_chain(revision=2, at=3000)) == []
    assert states(desk.at(3661)) == ["expired"]
    (anew,) = desk.take(make_chain(revision=3, at=4000))
    assert (anew.id, anew.state, anew.revision) == (made.id, "proposed", 4)


def test_expiry_is_emitted_by_time_and_the_chain_may_ask_again(make_chain: MakeChain) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain())
    assert desk.at(3599) == []
    (expired,) = desk.at(3600)
    assert (expired.id, expired.state) == (made.id, "expired")
    assert desk.take(make_chain(revision=2)) == []  # re-scored, but nothing new happened
    (anew,) = desk.take(make_chain(revision=3, at=4000))
    assert (anew.id, anew.state, anew.revision) == (made.id, "approved", 3)


def test_a_proposal_waits_as_long_as_patience_says(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve", patience="2h")
    desk.take(make_chain())
    assert desk.at(7199) == []
    (expired,) = desk.at(7200)
    assert expired.reason == "expired: waited in vain"


def test_a_proposal_of_a_chain_that_goes_on_waits_longer(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve", patience="1h")
    desk.take(make_chain())
    assert desk.take(make_chain(revision=2, at=100)) == []
    (later,) = desk.take(make_chain(revision=3, at=1800))
    assert (later.state, later.expires) == ("proposed", NOON + timedelta(seconds=5400))


def test_what_is_over_is_forgotten_after_memory(make_chain: MakeChain) -> None:
    desk = Desk(memory="1d")
    desk.take(make_chain())
    desk.at(3600)
    assert not desk.logic.is_empty()
    assert desk.at(3600 + 86_400) == []
    assert desk.parts == {}
    assert desk.logic.is_empty()
    assert desk.logic.wake_at() is None


def test_a_shrinking_score_takes_back_only_below_the_release_ratio(make_chain: MakeChain) -> None:
    desk = Desk()
    desk.take(make_chain())
    assert desk.take(make_chain(revision=2, score=9)) == []
    (back,) = desk.take(make_chain(revision=3, score=7))
    assert (back.state, back.by) == ("reverted", "")
    assert "no longer asks" in back.reason
    (anew,) = desk.take(make_chain(revision=4, score=12))
    assert anew.state == "approved"


def test_a_persons_approval_stands_when_the_score_shrinks(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (made,) = desk.take(make_chain())
    desk.say("approve", made)
    assert desk.take(make_chain(revision=2, score=1)) == []
    assert desk.denied() == {"203.0.113.9"}


HOST = Entity(type="ip", value="10.0.0.7", role="subject")
CONTAIN = """
name: contain_untrusted
priority: 20
when: {score: 10, entities: [{type: ip, role: subject}]}
action: deny
target: {type: ip, role: subject}
duration: 4h
impact: high
release: trust_regained
"""


def untrusted(make_chain: MakeChain, revision: int = 1, *, at: float = 0, **changes: Any) -> Chain:
    stages = (ChainStage(tactic="persistence", technique="T1554", alert="a1", time=NOON),)
    told = {"entities": (HOST,), "stages": stages, **changes}
    return make_chain(revision=revision, at=at, **told)


def test_regained_trust_releases_what_a_person_approved(make_chain: MakeChain) -> None:
    desk = Desk(CONTAIN)
    (made,) = desk.take(untrusted(make_chain))
    assert "ends early when the target is trusted again" in made.reason
    desk.say("approve", made)
    assert desk.take(untrusted(make_chain, 2, at=60)) == []
    (back,) = desk.take(untrusted(make_chain, 3, at=60, trusted=(HOST,)))
    assert (back.state, back.reason) == ("reverted", "released: the target has regained trust")
    assert desk.take(untrusted(make_chain, 4, at=120, trusted=(HOST,))) == []


def test_trust_lost_again_is_asked_again(make_chain: MakeChain) -> None:
    desk = Desk(CONTAIN)
    desk.say("approve", desk.take(untrusted(make_chain))[0])
    desk.take(untrusted(make_chain, 2, at=60, trusted=(HOST,)))
    (again,) = desk.take(untrusted(make_chain, 3, at=120))
    assert (again.state, again.revision) == ("proposed", 4)


def test_trust_of_another_host_releases_nothing(make_chain: MakeChain) -> None:
    desk = Desk(CONTAIN)
    desk.say("approve", desk.take(untrusted(make_chain))[0])
    other = HOST.model_copy(update={"value": "10.0.0.8"})
    assert desk.take(untrusted(make_chain, 2, at=60, trusted=(other,))) == []


def test_a_playbook_without_release_holds_whatever_attestation_says(make_chain: MakeChain) -> None:
    desk = Desk(CONTAIN.replace("release: trust_regained", ""))
    desk.say("approve", desk.take(untrusted(make_chain))[0])
    assert desk.take(untrusted(make_chain, 2, at=60, trusted=(HOST,))) == []


def test_what_a_merged_chain_holds_is_released_too(make_chain: MakeChain) -> None:
    desk = Desk(CONTAIN)
    desk.say("approve", desk.take(untrusted(make_chain))[0])
    desk.take(make_chain("chain-1", 2, alerts=(), score=0, merged_into="c2"))
    (back,) = desk.take(untrusted(make_chain, 1, at=60, id="c2", trusted=(HOST,)))
    assert back.state == "reverted"


def test_a_withdrawn_proposal_is_said(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    desk.take(make_chain())
    assert states(desk.take(make_chain(revision=2, score=1))) == ["reverted"]


def test_of_two_playbooks_that_want_the_same_the_first_decides(make_chain: MakeChain) -> None:
    desk = Desk(DENY, FIRST)
    (made,) = desk.take(make_chain())
    assert made.playbook == "deny_source"
    first, second = desk.take(make_chain(revision=2, score=50))
    assert (first.playbook, first.state) == ("deny_first", "approved")
    assert (second.playbook, second.state) == ("deny_source", "reverted")
    assert desk.denied() == {"203.0.113.9"}


# ------------------------------------------------------------------ people


def test_a_rejected_decision_is_asked_again_only_when_the_score_has_grown(
    make_chain: MakeChain,
) -> None:
    desk = Desk(mode="approve", again=1.5)
    (made,) = desk.take(make_chain(score=20))
    assert states(desk.say("reject", made)) == ["rejected"]
    assert desk.take(make_chain(revision=2, at=600, score=29)) == []
    (anew,) = desk.take(make_chain(revision=3, at=700, score=30))
    assert (anew.state, anew.id) == ("proposed", made.id)
    assert "a person said no before" in anew.reason


def test_a_persons_no_binds_every_playbook(make_chain: MakeChain) -> None:
    desk = Desk(DENY, FIRST)
    (made,) = desk.take(make_chain(score=30))
    desk.say("revert", made)
    assert desk.take(make_chain(revision=2, at=60, score=44)) == []
    (anew,) = desk.take(make_chain(revision=3, at=90, score=45))
    assert (anew.playbook, anew.state) == ("deny_first", "proposed")
    assert "a person said no before" in anew.reason


def test_a_persons_no_also_binds_a_playbook_that_asked_before(make_chain: MakeChain) -> None:
    desk = Desk(DENY, FIRST)
    desk.take(make_chain(score=30))
    first, _ = desk.take(make_chain(revision=2, at=10, score=50))  # deny_source is withdrawn
    desk.say("revert", first)
    assert desk.take(make_chain(revision=3, at=20, score=30)) == []
    (anew,) = desk.take(make_chain(revision=4, at=30, score=75))
    assert (anew.playbook, anew.state) == ("deny_first", "proposed")


def test_the_end_of_time_is_no_fault(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    last = datetime.max.replace(tzinfo=UTC)
    (made,) = desk.take(make_chain(last=last))
    assert made.expires == last
    assert states(desk.say("approve", made)) == ["approved"]
    assert desk.take(make_chain(revision=2, last=last)) == []


def test_what_a_person_reverted_waits_for_a_person_even_in_enforce(make_chain: MakeChain) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain(score=20))
    (back,) = desk.say("revert", made)
    assert (back.state, back.by) == ("reverted", "ann")
    assert desk.take(make_chain(revision=2, at=600, score=25)) == []
    (anew,) = desk.take(make_chain(revision=3, at=700, score=60))
    assert anew.state == "proposed"


@pytest.mark.parametrize(("verb", "state"), [("approve", "approved"), ("reject", "approved")])
def test_a_command_that_does_not_fit_the_state_is_said(
    make_chain: MakeChain, verb: str, state: str
) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain())
    assert made.state == state
    assert desk.say(verb, made) == []
    assert f"the decision is {state}" in desk.notices[0].text


def test_a_command_on_an_unknown_decision_is_said(make_decision: Callable[..., Decision]) -> None:
    desk = Desk()
    assert desk.say("approve", make_decision()) == []
    assert "no such decision" in desk.notices[0].text


def test_an_approval_is_asked_of_the_guard_again(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (made,) = desk.take(make_chain())
    guard = Guard(GuardSettings.model_validate({"never_touch": ["203.0.113.9"]}))
    desk.logic._rails = Rails(guard, desk.settings)
    desk.restarts = False
    assert states(desk.say("approve", made)) == ["refused"]


# ------------------------------------------------------------------ several chains


def test_two_chains_hold_the_same_target_and_reverting_one_leaves_the_other(
    make_chain: MakeChain,
) -> None:
    desk = Desk()
    (one,) = desk.take(make_chain("c1"))
    (two,) = desk.take(make_chain("c2", at=5))
    assert one.id != two.id
    desk.say("revert", one)
    assert desk.denied() == {"203.0.113.9"}
    assert desk.policy[two.id].state == "approved"


def test_a_merged_chain_hands_an_approved_decision_over_without_a_gap(
    make_chain: MakeChain,
) -> None:
    desk = Desk(mode="approve")
    (one,) = desk.take(make_chain("c1"))
    desk.say("approve", one)
    assert desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2")) == []
    assert desk.denied() == {"203.0.113.9"}
    taken, left = desk.take(make_chain("c2", 2, at=10))
    assert (taken.chain, taken.state, taken.by) == ("c2", "approved", "ann")
    assert taken.expires == NOON + timedelta(seconds=3660)
    assert (left.id, left.state) == (one.id, "reverted")


def test_the_order_of_merge_and_heir_does_not_matter(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (one,) = desk.take(make_chain("c1"))
    desk.say("approve", one)
    (two,) = desk.take(make_chain("c2", 2, at=10))
    assert two.state == "proposed"
    taken, left = desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    assert (taken.chain, taken.state, taken.by) == ("c2", "approved", "ann")
    assert (left.id, left.state) == (one.id, "reverted")


def test_a_rejection_is_inherited_by_the_chain_that_took_it_in(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (one,) = desk.take(make_chain("c1", score=20))
    desk.say("reject", one)
    desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    (two,) = desk.take(make_chain("c2", 2, at=10, score=22))
    assert (two.state, two.by) == ("rejected", "ann")
    (more,) = desk.take(make_chain("c2", 3, at=20, score=40))
    assert more.state == "proposed"


def test_a_persons_no_is_inherited_by_whatever_playbook_asks(make_chain: MakeChain) -> None:
    desk = Desk(DENY, FIRST)
    (one,) = desk.take(make_chain("c1", score=30))
    desk.say("revert", one)
    desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    (two,) = desk.take(make_chain("c2", 2, at=10, score=42))
    assert (two.playbook, two.state, two.by) == ("deny_first", "rejected", "ann")


def test_a_revert_is_inherited_against_what_the_engine_approved(make_chain: MakeChain) -> None:
    desk = Desk()
    (one,) = desk.take(make_chain("c1", score=20))
    desk.say("revert", one)
    (two,) = desk.take(make_chain("c2", 2, at=10, score=22))
    assert two.state == "approved"
    (back,) = desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    assert (back.id, back.state, back.by) == (two.id, "reverted", "ann")


def test_merging_twice_follows_to_the_last_heir(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (one,) = desk.take(make_chain("c1"))
    desk.say("approve", one)
    desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    desk.take(make_chain("c2", 2, at=5, sources=("203.0.113.8",)))
    desk.take(make_chain("c2", 3, alerts=(), score=0, merged_into="c3"))
    made = desk.take(make_chain("c3", 2, at=9))
    assert [(one.chain, one.state, one.by) for one in made] == [
        ("c3", "approved", "ann"),
        ("c1", "reverted", ""),
    ]


def test_a_proposal_of_a_merged_chain_is_withdrawn(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    desk.take(make_chain("c1"))
    (back,) = desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    assert (back.state, back.reason) == ("reverted", "withdrawn: merged into chain c2")


def test_what_the_engine_approved_is_no_approval_of_a_high_impact(make_chain: MakeChain) -> None:
    desk = Desk(DENY, HIGH_FIRST)
    (one,) = desk.take(make_chain("c1", score=20))
    (two,) = desk.take(make_chain("c2", score=45, at=5))
    assert (one.state, two.state) == ("approved", "proposed")
    assert desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2")) == []
    assert desk.denied() == {"203.0.113.9"}
    no, end = desk.say("reject", two)
    assert (no.id, no.state, no.by) == (two.id, "rejected", "ann")
    assert (end.id, end.state, end.by) == (one.id, "reverted", "ann")
    assert desk.denied() == set()


def test_a_split_chain_asks_again(make_chain: MakeChain) -> None:
    desk = Desk(mode="approve")
    (one,) = desk.take(make_chain("c1"))
    desk.take(make_chain("c1", 2, alerts=(), score=0, merged_into="c2"))
    (anew,) = desk.take(make_chain("c1", 3, at=60))
    assert (anew.id, anew.state) == (one.id, "proposed")


# ------------------------------------------------------------------ outcomes, bounds, state


@pytest.mark.parametrize(
    "result", ["applied", "removed", "expired", "failed", "unsupported", "drifted"]
)
def test_an_outcome_never_makes_a_decision(make_chain: MakeChain, result: str) -> None:
    desk = Desk()
    (made,) = desk.take(make_chain())
    outcome = {"id": "o", "decision": made.id, "revision": 1, "point": "edge", "result": result}
    record = Outcome.model_validate({**outcome, "time": NOON, "detail": "why"})
    assert desk.take(record) == []
    assert desk.take(record) == []
    said = [notice.text for notice in desk.notices]
    assert said == ([f"edge answers {result}: why"] if result in ("failed", "unsupported") else [])


def test_an_outcome_of_an_unknown_decision_is_counted() -> None:
    desk = Desk()
    outcome = Outcome(id="o", decision="d", revision=1, point="edge", result="applied", time=NOON)
    assert desk.take(outcome) == []
    assert [notice.name for notice in desk.notices] == ["decide_outcomes_unknown_total"]


def test_too_many_claims_forget_the_oldest_that_is_over_then_refuse(make_chain: MakeChain) -> None:
    desk = Desk(max_claims=2)
    (one,) = desk.take(make_chain("c1", sources=("203.0.113.1",)))
    desk.take(make_chain("c2", sources=("203.0.113.2",)))
    assert desk.take(make_chain("c3", sources=("203.0.113.3",))) == []
    assert [notice.name for notice in desk.notices] == ["decide_claims_full_total"]
    desk.say("revert", one)
    assert states(desk.take(make_chain("c3", 2, sources=("203.0.113.3",)))) == ["approved"]
    assert len(desk.parts) == 2


def test_snapshot_holds_only_what_changed(make_chain: MakeChain) -> None:
    desk = Desk(restarts=False)
    desk.take(make_chain("c1"))
    desk.logic.on_item(make_chain("c2", sources=("203.0.113.2",)))
    list(desk.logic.on_item(make_chain("c2", sources=("203.0.113.2",))))
    assert len(desk.logic.snapshot()) == 1
    assert desk.logic.snapshot() == {}


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version": 2}', b"\xff"])
def test_unreadable_state_is_an_error(data: bytes) -> None:
    with pytest.raises(StoreError, match="claim"):
        Decider(playbooks(DENY), Guard(GuardSettings()), (), DecideSettings(), {"claim/x": data})
