"""What persons said of chains: which alerts belong together and which do not, whatever the edges say.

A word is about alerts, not about chains: chains come and go by their edges, alerts stay. A merge ties the first alerts of two
chains; a split ties the alerts that leave to each other and bans every chain that would hold both sides. The later word wins:
a merge takes back the splits that stand between its two sides, a split the merges that cross it. What a word took back rests as
long as that word holds, and comes back when it is undone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from correlate.chain.edges import PERSON, Tie
from correlate.chain.runs import Run

MAX_WORDS: Final = 10_000
"""Words that hold, or rest, at a time; a further one is refused."""


@dataclass(slots=True, frozen=True)
class Word:
    """One word in force.

    Attributes:
        id: of the correction.
        number: later words have greater ones.
        is_split: whether it parts; else it joins.
        one, two: first alerts of the steps of the two sides, in order of time; of a split, those that stay and those that leave.
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
        resting: words that a later one took back, with that one's id.
        changed: ids since the snapshot took them.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Word] = {}
        self.resting: dict[str, tuple[Word, str]] = {}
        self.changed: set[str] = set()
        self._sides: dict[str, dict[str, int]] = {}
        self._ties: dict[str, list[tuple[str, Word]]] = {}

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def __len__(self) -> int:
        return len(self.by_id) + len(self.resting)

    @property
    def next_number(self) -> int:
        """The number of the next word."""
        resting = (word.number for word, _ in self.resting.values())
        return 1 + max((*(word.number for word in self.by_id.values()), *resting), default=0)

    def say(self, word: Word, steps: Mapping[str, Run]) -> list[Word]:
        """Let a new word hold; return those that it takes back.

        Args:
            word: what is said now.
            steps: by alert, as they stand now: what was a step's first alert may be its second by now.
        """
        over = [known for known in self.by_id.values() if _overrules(word, known, steps)]
        for known in over:
            self._rest(known, word.id)
        self._add(word)
        return over

    def undo(self, id: str, steps: Mapping[str, Run]) -> list[Word]:
        """Let a word hold no more; return it, and those that hold again without it.

        What it had taken back comes back, unless a word that was said since contradicts it: then it rests on by that one.
        """
        word = self._remove(id)
        found = [word]
        for known, _ in [row for row in self.resting.values() if row[1] == id]:
            del self.resting[known.id]
            self.changed.add(known.id)
            later = [
                one.id
                for one in self.by_id.values()
                if one.number > known.number and _overrules(one, known, steps)
            ]
            if later:
                self.resting[known.id] = known, later[0]
            else:
                self._add(known)
                found.append(known)
        self.by_id = dict(sorted(self.by_id.items(), key=lambda row: row[1].number))
        return found

    def _rest(self, word: Word, by: str) -> None:
        self._remove(word.id)
        self.resting[word.id] = word, by

    def _add(self, word: Word) -> None:
        self.by_id[word.id] = word
        self.changed.add(word.id)
        if word.is_split:
            for side, alerts in enumerate((word.one, word.two)):
                for alert in alerts:
                    self._sides.setdefault(alert, {})[word.id] = side
        for one, two in word.ties():
            self._ties.setdefault(one, []).append((two, word))
            self._ties.setdefault(two, []).append((one, word))

    def _remove(self, id: str) -> Word:
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

    def forget(self, before_us: int, held: Container[str]) -> None:
        """Drop the words of whose alerts none is held and all are older, and what rests by them."""
        for word in list(self.by_id.values()):
            if word.last_us < before_us and not any(one in held for one in word.alerts):
                self._remove(word.id)
        for id, (_, by) in sorted(self.resting.items(), key=lambda row: -row[1][0].number):
            if by not in self.by_id and by not in self.resting:
                del self.resting[id]
                self.changed.add(id)

    def part(self, id: str) -> list[Any] | None:
        """Return a word as a row of the state; None when it is known no more."""
        word, by = self.resting.get(id) or (self.by_id.get(id), "")
        if word is None:
            return None
        return [
            word.number,
            word.is_split,
            word.one,
            word.two,
            word.by,
            word.note,
            word.last_us,
            by,
        ]

    def restore(self, rows: dict[str, list[Any]]) -> None:
        """Put back what `part` returned, by id; an earlier version kept no words that rest."""
        for id, row in sorted(rows.items(), key=lambda one: one[1][0]):
            number, is_split, one, two, by, note, last_us, over = (*row, "")[:8]
            word = Word(id, number, is_split, tuple(one), tuple(two), by, note, last_us)
            if over:
                self.resting[id] = word, over
            else:
                self._add(word)
        self.changed.clear()


def _overrules(word: Word, earlier: Word, steps: Mapping[str, Run]) -> bool:
    """Tell whether a word contradicts an earlier one.

    A split that parts the two steps which a merge ties, a merge of what holds both sides of a split.
    """
    if word.is_split == earlier.is_split:
        return False
    split, joint = (word, earlier) if word.is_split else (earlier, word)
    here, there = _steps(split.one, steps), _steps(split.two, steps)
    size = 1 if word.is_split else None
    one, two = _steps(joint.one[:size], steps), _steps(joint.two[:size], steps)
    return bool((one & here and two & there) or (one & there and two & here))


def _steps(alerts: Iterable[str], steps: Mapping[str, Run]) -> set[Run | str]:
    return {steps.get(one, one) for one in alerts}
