"""The ledger's laws, on any decisions in any order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contract.records import Decision, Target
from contract.timestamps import from_datetime
from respond.ledger import Ledger, key_of

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOW_US = from_datetime(NOON)


def decision(id: str, revision: int, value: str, state: str, expires: int) -> Decision:
    return Decision.model_validate(
        {
            "id": id, "revision": revision, "chain": "c", "playbook": "p", "action": "deny",
            "target": Target(type="ipv4_net", value=value), "points": ("edge",), "made": NOON,
            "expires": NOON + timedelta(seconds=expires), "state": state, "reason": "",
        }
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    """Every revision of some decisions; a decision's target never changes."""
    made = []
    for number in range(draw(st.integers(0, 5))):
        value = f"192.0.2.{draw(st.integers(1, 3))}"
        for revision in range(1, draw(st.integers(1, 4)) + 1):
            state = draw(st.sampled_from(["proposed", "approved", "approved", "reverted"]))
            made.append(decision(f"d{number}", revision, value, state, draw(st.integers(-5, 50))))
    return made


@given(histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(made: list[Decision], random: object) -> None:
    shuffled = [*made, *made]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Ledger(shuffled).fingerprint(NOW_US) == Ledger(made).fingerprint(NOW_US)
    assert list(Ledger(shuffled).decisions()) == list(Ledger(made).decisions())


@given(histories(), st.sampled_from(["reverted", "expired", "refused", "rejected"]))
def test_taking_back_restores_exactly_what_was_before(made: list[Decision], state: str) -> None:
    ledger = Ledger(made)
    before, elements = ledger.fingerprint(NOW_US), ledger.elements(NOW_US)
    ledger.put(decision("new", 1, "192.0.2.1", "approved", 99))
    assert ledger.fingerprint(NOW_US) != before
    ledger.put(decision("new", 2, "192.0.2.1", state, 99))
    assert ledger.fingerprint(NOW_US) == before
    assert ledger.elements(NOW_US) == elements
    ledger.forget("new")
    assert ledger.fingerprint(NOW_US) == before


@given(histories())
def test_an_element_lasts_as_long_as_its_longest_holder(made: list[Decision]) -> None:
    ledger = Ledger(made)
    for key, element in ledger.elements(NOW_US).items():
        holders = ledger.holders(key)
        assert element.expires_us == max(from_datetime(one.expires) for one in holders)
        assert element.expires_us > NOW_US
        assert element.decision in {one.id for one in holders}


@given(histories())
def test_elements_are_just_what_live_approved_decisions_ask_for(made: list[Decision]) -> None:
    ledger = Ledger(made)
    newest = {one.id: one for one in made}  # revisions ascend within a history
    live = {
        key_of(one) for one in newest.values() if one.state == "approved" and one.expires > NOON
    }
    assert set(ledger.elements(NOW_US)) == live
    assert {one.value for one in ledger.targets()} == {
        one.target.value for one in newest.values() if one.state == "approved"
    }


def test_an_older_revision_is_passed_over() -> None:
    ledger = Ledger([decision("d", 2, "192.0.2.1", "reverted", 9)])
    assert not ledger.put(decision("d", 1, "192.0.2.1", "approved", 9))
    assert ledger.elements(NOW_US) == {}
    assert len(ledger) == 0
