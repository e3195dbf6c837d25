"""A person's word on chains: merge, split, undo; kept over restarts and respected by what comes later, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.event import Notice
from contract.ports import Logic
from contract.records import Alert, Chain, Correction, Rule
from contract.timestamps import from_datetime
from correlate.chain import correct
from correlate.chain.entities import entities_of
from correlate.chain.settings import LinkSettings
from correlate.chain.words import Words
from correlate.link import link
from tests.correlate.at_once import at_once

START = datetime(2026, 1, 1, tzinfo=UTC)
Item: TypeAlias = Alert | Correction


def alert(id: str, at: float, source: str, target: str, *, level: str = "high") -> Alert:
    time = START + timedelta(seconds=at)
    fields = {"source.ip": source, "destination.ip": target}
    return Alert(
        id=id, revision=1, rule=Rule(id=f"r-{id}", name=id, level=level), time=time, last=time,
        events=(f"e-{id}",), event_count=1, entities=entities_of(fields), fields=fields,
    )  # fmt: skip


def word(id: str, verb: str, **more: Any) -> Correction:
    time = START + timedelta(minutes=5)
    return Correction(id=id, verb=verb, by="wanda", time=time, **more)


class Play:
    """A logic that is put away and opened anew before each step where asked."""

    def __init__(self, *, restart: bool = False, **chosen: Any) -> None:
        self.settings = LinkSettings(**chosen)
        self.restart = restart
        self.parts: dict[str, bytes] = {}
        self.logic: Logic[Any, Any] = link((), self.settings).open("default", {})
        self.last: dict[str, Chain] = {}
        self.notices: list[Notice] = []

    def take(self, *items: Item) -> Play:
        for item in items:
            self._keep(at_once(self.logic, item))
            if self.restart:
                for name, data in self.logic.snapshot().items():
                    if data is None:
                        del self.parts[name]
                    else:
                        self.parts[name] = data
                self.logic = link((), self.settings).open("default", self.parts)
        return self

    def time(self, minutes: float) -> Play:
        self._keep(self.logic.on_time(from_datetime(START + timedelta(minutes=minutes))))
        return self

    def _keep(self, outputs: Iterable[Any]) -> None:
        for one in outputs:
            if isinstance(one, Chain):
                assert one.id not in self.last or one.revision > self.last[one.id].revision
                self.last[one.id] = one
            else:
                self.notices.append(one)

    def groups(self) -> set[frozenset[str]]:
        return {frozenset(one.alerts) for one in self.last.values() if one.alerts}

    def of(self, alert: str) -> Chain:
        return next(one for one in self.last.values() if alert in one.alerts)


A1, A2 = alert("a1", 0, "203.0.113.1", "10.0.0.1"), alert("a2", 10, "203.0.113.1", "10.0.0.2")
B1, B2 = alert("b1", 20, "198.51.100.7", "10.0.0.8"), alert("b2", 30, "198.51.100.7", "10.0.0.9")
CHAINS = (A1, A2, B1, B2)
APART = {frozenset({"a1", "a2"}), frozenset({"b1", "b2"})}
ALL = {frozenset({"a1", "a2", "b1", "b2"})}
RESTART = pytest.mark.parametrize("restart", [False, True], ids=["at once", "restarted"])


def merged(play: Play) -> Play:
    play.take(*CHAINS)
    assert play.groups() == APART
    both = {"chain": play.of("a1").id, "other": play.of("b1").id}
    return play.take(word("w1", "merge", **both))


def split(play: Play, *leaving: str) -> Play:
    play.take(A1, A2, alert("a3", 20, "203.0.113.1", "10.0.0.3"))
    return play.take(word("w1", "split", chain=play.of("a1").id, alerts=leaving))


@RESTART
def test_two_chains_that_a_person_merges_are_one_and_say_who_joined_them(restart: bool) -> None:
    play = merged(Play(restart=restart))
    assert play.groups() == ALL
    chain = play.of("a1")
    (joint,) = [one for one in chain.links if one.edge == "person"]
    assert "joined by wanda" in joint.evidence
    assert "w1" in joint.evidence
    assert chain.corrections == ("w1",)
    gone = [one for one in play.last.values() if not one.alerts]
    assert [one.merged_into for one in gone] == [chain.id]


@RESTART
def test_an_undone_merge_gives_both_chains_back_under_their_ids(restart: bool) -> None:
    play = Play(restart=restart).take(*CHAINS)
    ids = {play.of("a1").id, play.of("b1").id}
    merged(play).take(word("w2", "undo", other="w1"))
    assert play.groups() == APART
    assert {play.of("a1").id, play.of("b1").id} == ids
    assert play.of("b1").corrections == ()
    assert play.of("b1").merged_into is None


@RESTART
def test_what_a_person_splits_stays_apart_whatever_ties_it(restart: bool) -> None:
    play = split(Play(restart=restart), "a3")
    assert play.groups() == {frozenset({"a1", "a2"}), frozenset({"a3"})}
    # More of the same source, tied to both sides: it goes to one and does not bring them together.
    play.take(alert("a4", 40, "203.0.113.1", "10.0.0.4"))
    assert sorted(len(one) for one in play.groups()) == [1, 3]
    assert not {"a1", "a3"} <= set(play.of("a4").alerts)


@RESTART
def test_an_undone_split_is_one_chain_again(restart: bool) -> None:
    play = split(Play(restart=restart), "a3")
    one = play.of("a1").id
    play.take(alert("a4", 40, "203.0.113.1", "10.0.0.4"), word("w2", "undo", other="w1"))
    assert play.groups() == {frozenset({"a1", "a2", "a3", "a4"})}
    assert play.of("a3").id == one


@RESTART
def test_what_leaves_together_stays_together_though_only_the_rest_held_it(restart: bool) -> None:
    hub = alert("hub", 5, "203.0.113.1", "10.0.0.5")
    left = alert("left", 10, "10.0.0.5", "10.0.0.6")
    right = alert("right", 15, "10.0.0.5", "10.0.0.7")
    play = Play(restart=restart).take(hub, left, right)
    play.take(word("w1", "split", chain=play.of("hub").id, alerts=("left", "right")))
    assert play.groups() == {frozenset({"hub"}), frozenset({"left", "right"})}


@RESTART
def test_an_undone_merge_brings_back_the_split_that_it_took_back(restart: bool) -> None:
    play = split(Play(restart=restart), "a3")
    both = {"chain": play.of("a1").id, "other": play.of("a3").id}
    play.take(word("w2", "merge", **both))
    assert play.of("a3").corrections == ("w2",)
    play.take(word("w3", "undo", other="w2"))
    assert play.groups() == {frozenset({"a1", "a2"}), frozenset({"a3"})}
    assert {"chain": play.of("a1").id, "other": play.of("a3").id} == both
    assert play.of("a3").corrections == ("w1",)
    play.take(word("w4", "undo", other="w1"))
    assert play.groups() == {frozenset({"a1", "a2", "a3"})}


@RESTART
def test_an_undone_split_brings_back_the_merge_that_it_crossed(restart: bool) -> None:
    play = merged(Play(restart=restart))
    play.take(word("w2", "split", chain=play.of("a1").id, alerts=("b1", "b2")))
    assert play.groups() == APART
    play.take(word("w3", "undo", other="w2"))
    assert play.groups() == ALL
    assert play.of("b1").corrections == ("w1",)


@RESTART
def test_what_a_word_took_back_does_not_come_back_against_a_later_one(restart: bool) -> None:
    play = split(Play(restart=restart), "a3")  # w1 parts a3 from a1 and a2
    play.take(word("w2", "merge", chain=play.of("a1").id, other=play.of("a3").id))
    play.take(word("w3", "split", chain=play.of("a1").id, alerts=("a2",)))
    play.take(word("w4", "merge", chain=play.of("a2").id, other=play.of("a3").id))
    assert play.groups() == {frozenset({"a1", "a2", "a3"})}
    play.take(word("w5", "undo", other="w2"))
    assert play.groups() == {frozenset({"a1", "a2", "a3"})}
    assert play.of("a1").corrections == ("w4",)
    play.take(word("w6", "undo", other="w4"))
    assert play.groups() == {frozenset({"a1"}), frozenset({"a2"}), frozenset({"a3"})}
    assert {play.of(one).corrections for one in ("a1", "a2", "a3")} == {("w1", "w3")}


@RESTART
def test_a_merge_takes_back_splits_between_other_steps_than_the_first_ones(restart: bool) -> None:
    play = split(Play(restart=restart), "a3")
    play.take(alert("a0", -9, "10.0.0.3", "10.0.0.33"), alert("a4", 29, "10.0.0.3", "10.0.0.4"))
    play.take(word("w2", "merge", chain=play.of("a1").id, other=play.of("a3").id))
    assert play.of("a1").alerts == play.of("a3").alerts
    assert play.of("a3").corrections == ("w2",)


def test_a_chain_keeps_its_id_where_its_first_alert_is_and_both_sides_name_the_split() -> None:
    play = Play().take(A1, A2, alert("a3", 20, "203.0.113.1", "10.0.0.3"))
    whole = play.of("a1").id
    play.take(word("w1", "split", chain=whole, alerts=("a1",)))
    assert play.of("a1").id == whole
    rest = play.of("a2")
    assert rest.id != whole
    assert play.of("a1").corrections == rest.corrections == ("w1",)
    play.take(word("w2", "undo", other="w1"))
    assert play.of("a2").id == whole
    assert play.last[rest.id].merged_into == whole


def test_what_a_word_took_back_is_forgotten_with_it() -> None:
    play = split(Play(lifetime="1h"), "a3")
    play.take(word("w2", "merge", chain=play.of("a1").id, other=play.of("a3").id))
    play.logic.snapshot()
    play.time(30).time(600).time(1200)
    parts = play.logic.snapshot()
    assert {name: parts[name] for name in ("word/w1", "word/w2")} == {
        "word/w1": None,
        "word/w2": None,
    }


def test_words_that_an_earlier_version_stored_go_on() -> None:
    row = [1, True, ["a1"], ["a3"], "wanda", "", 0]
    words = Words()
    words.restore({"w1": row})
    assert words.part("w1") == [1, True, ("a1",), ("a3",), "wanda", "", 0, ""]


def test_the_later_word_wins() -> None:
    play = split(Play(), "a3")
    both = {"chain": play.of("a1").id, "other": play.of("a3").id}
    play.take(word("w2", "merge", **both))
    assert play.groups() == {frozenset({"a1", "a2", "a3"})}
    play.take(word("w3", "split", chain=play.of("a1").id, alerts=("a3",)))
    assert play.groups() == {frozenset({"a1", "a2"}), frozenset({"a3"})}
    assert play.of("a3").corrections == ("w3",)


@pytest.mark.parametrize(
    ("correction", "why"),
    [
        (word("w", "merge", chain="nobody", other="nobody"), "no chain nobody is open"),
        (word("w", "undo", other="nothing"), "no correction nothing"),
        (word("w", "split", chain="A", alerts=("b1",)), "b1 is not in chain"),
        (word("w", "split", chain="A", alerts=("a1", "a2")), "not none and not all"),
        (word("w", "split", chain="A"), "not none and not all"),
        (word("w", "merge", chain="A", other="A"), "are one chain already"),
    ],
)
def test_a_word_that_does_not_fit_is_refused_and_says_why(correction: Correction, why: str) -> None:
    play = Play().take(*CHAINS)
    own = play.of("a1").id
    names = {name: own for name in ("chain", "other") if getattr(correction, name) == "A"}
    play.take(correction.model_copy(update=names))
    assert play.groups() == APART
    assert why in play.notices[-1].text


def test_an_id_that_was_merged_stands_for_the_chain_that_goes_on() -> None:
    play = Play().take(*CHAINS)
    old = play.of("b1").id
    merged(play).take(alert("c1", 50, "192.0.2.77", "10.0.0.30"))
    play.take(word("w9", "merge", chain=old, other=play.of("c1").id))
    assert play.groups() == {frozenset({"a1", "a2", "b1", "b2", "c1"})}


def test_words_are_forgotten_with_what_they_are_about() -> None:
    play = merged(Play(lifetime="1h"))
    play.time(30).time(600).time(1200)
    play.logic.snapshot()
    play.take(word("w2", "undo", other="w1"))
    assert "no correction w1" in play.notices[-1].text


later = st.lists(
    st.tuples(
        st.sampled_from(["203.0.113.1", "198.51.100.7", "10.0.0.1", "10.0.0.8"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.8", "10.0.0.9", "10.0.0.20"]),
    ),
    max_size=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(later, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_what_comes_after_a_word_finds_its_place_in_any_order(
    rows: Sequence[tuple[str, str]], dice: random.Random, parts: bool, restart: bool
) -> None:
    items = [alert(f"n{n}", 60 + 7 * n, *row) for n, row in enumerate(rows)]
    mixed = list(items)
    dice.shuffle(mixed)

    def told(order: Sequence[Alert], *, restarted: bool) -> dict[str, Any]:
        start = split(Play(restart=restarted), "a3") if parts else merged(Play(restart=restarted))
        start.take(*order).time(1200)
        return {
            id: one.model_dump(exclude={"revision"}) for id, one in start.last.items() if one.alerts
        }

    assert told(items, restarted=False) == told(mixed, restarted=restart)


def test_so_many_corrections_hold_and_no_more_until_some_are_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correct, "MAX_WORDS", 1)
    play = merged(Play())
    third = alert("c1", 40, "198.51.100.99", "10.0.0.7")
    play.take(third)
    more = {"chain": play.of("a1").id, "other": play.of("c1").id}
    play.take(word("w2", "merge", **more))
    assert [(one.name, one.text) for one in play.notices] == [
        ("link_corrections_refused", "merge by wanda: 1 corrections are kept; undo some")
    ]
    play.take(
        word("w3", "undo", other="w1"), word("w4", "merge", **{**more, "chain": play.of("a1").id})
    )
    assert frozenset({"a1", "a2", "c1"}) in play.groups()
