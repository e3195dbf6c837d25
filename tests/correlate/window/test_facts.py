"""What is kept of an event: values once, names once for all events of a form."""

from __future__ import annotations

import pytest

from contract.event import Event, Fields
from correlate.window import facts
from correlate.window.facts import NAMED, Facts


def event(**fields: object) -> Event:
    return Event.of(dict(fields), id="e", time_us=0, source="s")


def test_names_are_kept_once_for_all_events_of_a_form() -> None:
    kept = Facts(frozenset({"a", "b"}), 10)
    values, shape = kept.of(event(a=1, b="x", c=None))
    assert (values, kept.shapes[shape]) == (b'[1,"x"]', ("a", "b"))
    assert kept.of(event(a=2, b="y", c=None)) == (b'[2,"y"]', shape)
    # Other names that are not kept make no other form.
    assert kept.of(event(d=0, a=2, b="y"))[1] == shape


@pytest.mark.parametrize("fields", [{"a": 1, "b": "x"}, {"a": [1, None]}, {"c": 3}, {}])
def test_what_is_kept_reads_as_it_was(fields: Fields) -> None:
    kept = Facts(frozenset({"a", "b"}), 10)
    assert kept.read(*kept.of(event(**fields))) == {k: v for k, v in fields.items() if k in "ab"}


def test_forms_beyond_the_bound_bear_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_SHAPES", 2)
    kept = Facts(frozenset({"a", "b"}), 10)
    assert kept.of(event(a=1))[1] != NAMED
    values, shape = kept.of(event(b=1))
    assert (values, shape) == (b'{"b":1}', NAMED)
    assert kept.read(values, shape) == {"b": 1}
