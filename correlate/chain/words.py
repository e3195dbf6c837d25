"""What persons said of chains: which alerts belong together and which do not, whatever the edges say.

A word is about alerts, not about chains: chains come and go by their edges, alerts stay. A merge ties the first alerts of two
chains; a split ties the alerts that leave to each other and bans every chain that would hold both sides. The later word wins:
a merge takes back the splits that stand between its two sides, a split the merges that cross it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from correlate.chain.edges import PERSON, Tie

MAX_WORDS: Final = 10_000
"""Words that hold at a time; a further one is refused."""


@dataclass(slots=True, frozen=True)
class Word:
    """One word in force.

    Attributes:
        id: of the correction.
        number: later words have greater ones.
        is_split: whether it parts; else it joins.
        one, two: alerts of the two sides; of a split, those that stay and those that leave.
        by: who said it.
        note: why.
        last_us: of the alerts when it was said; it is forgotten a lifetime after they are.
    """

    id: str
    number: int
    is_split: bool
    one: tuple[str, ...]
    two: tuple[str, ...]
    by: str
    note: str
    last_us: int

    @property
    def alerts(self) -> tuple[str, ...]:
        """All alerts that it is about."""
        return (*self.one, *self.two)

    def ties(self) -> Iterator[tuple[str, str]]:
        """Yield the pairs of alerts that it joins."""
        if not self.is_split:
            yield self.one[0], self.two[0]
        for alert in self.two[1:] if self.is_split else ():
            yield self.two[0], alert


class Words:
    """All words in force, found by alert.

    Attributes:
        by_id: in the order in which they were said.
        changed: ids since the snapshot took them.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Word] = {}
        self.changed: set[str] = set()
        self._sides: dict[str, dict[str, int]] = {}
        self._ties: dict[str, list[tuple[str, Word]]] = {}

    def __bool__(self) -> bool:
        return bool(self.by_id)

    @property
    def next_number(self) -> int:
        """The number of the next word."""
        return 1 + max((word.number for word in self.by_id.values()), default=0)

    def add(self, word: Word) -> None:
        """Let a word hold."""
        self.by_id[word.id] = word
        self.changed.add(word.id)
        if word.is_split:
            for side, alerts in enumerate((word.one, word.two)):
                for alert in alerts:
                    self._sides.setdefault(alert, {})[word.id] = side
        for one, two in word.ties():
            self._ties.setdefault(one, []).append((two, word))
            self._ties.setdefault(two, []).append((one, word))

    def remove(self, id: str) -> Word:
        """Let a word hold no more; return it."""
        word = self.by_id.pop(id)
        self.changed.add(id)
        for alert in word.alerts:
            for index in (self._sides, self._ties):
                self._without(index, alert, id)
        return word

    def _without(self, index: dict[str, Any], alert: str, id: str) -> None:
        rows = index.get(alert)
        if rows is None:
            return
        if isinstance(rows, dict):
            rows.pop(id, None)
        else:
            rows[:] = [row for row in rows if row[1].id != id]
        if not rows:
            del index[alert]

    def sides(self, alerts: Iterable[str]) -> dict[str, int]:
        """Return on which side of which splits alerts stand; an alert on no side is on none."""
        if not self._sides:
            return {}
        found: dict[str, int] = {}
        for alert in alerts:
            for id, side in self._sides.get(alert, {}).items():
                found.setdefault(id, side)
        return found

    def joined(self, alerts: Iterable[str]) -> Iterator[tuple[str, Tie]]:
        """Yield (other alert, tie) of the merges that these alerts stand in."""
        if not self._ties:
            return
        for alert in alerts:
            for other, word in self._ties.get(alert, ()):
                via = f"correction {word.id}" + (f": {word.note}" if word.note else "")
                yield other, Tie(PERSON, 1.0, f"person|{word.by}", via)

    def of(self, alerts: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of the words about any of these alerts, in the order in which they were said."""
        if not self.by_id:
            return ()
        found = {
            id for alert in alerts for id in (*self._sides.get(alert, ()), *(row[1].id for row in self._ties.get(alert, ())))
        }  # fmt: skip
        return tuple(id for id in self.by_id if id in found)

    def overruled(self, word: Word) -> list[str]:
        """Return the ids of earlier words that a new one contradicts."""
        one, two = set(word.one), set(word.two)
        return [
            known.id
            for known in self.by_id.values()
            if known.is_split != word.is_split
            and any((a in one and b in two) or (a in two and b in one) for a, b in _pairs(known))
        ]

    def forget(self, before_us: int, held: Container[str]) -> None:
        """Drop the words of whose alerts none is held and all are older."""
        for word in list(self.by_id.values()):
            if word.last_us < before_us and not any(one in held for one in word.alerts):
                self.remove(word.id)

    def part(self, id: str) -> list[Any] | None:
        """Return a word as a row of the state; None when it holds no more."""
        word = self.by_id.get(id)
        if word is None:
            return None
        return [word.number, word.is_split, word.one, word.two, word.by, word.note, word.last_us]

    def restore(self, rows: dict[str, list[Any]]) -> None:
        """Put back what `part` returned, by id."""
        for id, (number, is_split, one, two, by, note, last_us) in sorted(
            rows.items(), key=lambda row: row[1][0]
        ):
            self.add(Word(id, number, is_split, tuple(one), tuple(two), by, note, last_us))
        self.changed.clear()


def _pairs(word: Word) -> Iterator[tuple[str, str]]:
    if word.is_split:
        yield from ((one, two) for one in word.one for two in word.two)
    else:
        yield word.one[0], word.two[0]
