"""What is remembered of alerts that were taken back, and for how long."""

from __future__ import annotations

from correlate.chain.bounds import notices
from correlate.chain.graph import Graph
from correlate.chain.knots import Change
from correlate.chain.retractions import Retractions
from correlate.chain.settings import LinkSettings
from tests.correlate.test_link import alert, peers


def test_beyond_the_bound_the_oldest_go_and_are_counted_also_after_a_restart() -> None:
    kept, again = Retractions(32), Retractions(32)
    for number in range(32):
        kept.add(f"a{number:02}", 2, 100 - number)
    for one in reversed(sorted(kept.changed)):  # noqa: C413  in another order than they came
        row = kept.part(one)
        assert row is not None
        again.restore(one, list(row))
    for held in (kept, again):
        held.add("b", 5, 1000)
        assert held.lost == 2
        assert [one for one in range(32) if not held.revision(f"a{one:02}")] == [30, 31]
        assert held.revision("a29") == 2
        assert held.revision("b") == 5
        assert {"a30", "a31", "b"} <= held.changed
        assert held.part("a31") is None


def test_what_is_older_than_a_time_is_forgotten_and_not_counted() -> None:
    kept = Retractions()
    kept.add("a", 2, 10)
    kept.add("b", 3, 20)
    kept.changed.clear()
    kept.forget(20)
    assert (kept.revision("a"), kept.revision("b"), kept.changed, kept.lost) == (0, 3, {"a"}, 0)


def test_what_the_bound_puts_out_is_said() -> None:
    graph, named = Graph(LinkSettings()), peers("203.0.113.7", "10.0.0.5")
    graph.gone = Retractions(1)
    for number in range(3):
        taken_back = alert(f"a{number}", "r", number, named, revision=2, retracted=True)
        graph.take(taken_back, Change())
    assert [(one.label, one.amount) for one in notices(graph)] == [("retracted", 2)]
    assert notices(graph) == []
    assert graph.gone.revision("a2") == 2
