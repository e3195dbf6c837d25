"""What has one cause, or causes of one time, is taken as a whole and in one order, whatever the order it came in.

An event may bring about an observation and several alerts, and events of one time have no order of their own. Taken one
by one, each would be told as a chain of its own before the next joins it, and which are told would depend on the host. So
they wait until the moment is over: until a host says that something later follows, or that nothing more is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from contract.event import Observation
from contract.records import Alert
from contract.timestamps import from_datetime

Item: TypeAlias = Alert | Observation

MAX_ITEMS: Final = 10_000
"""Items of one moment that are taken as a whole; a source whose clock stands still must not fill memory."""


class Moment:
    """The items of one moment.

    Attributes:
        at_us: event time of what caused them.
    """

    def __init__(self) -> None:
        self.at_us = 0
        self._items: list[Item] = []
        self._is_saved = False

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: Item) -> int:
        """Hold an item; return how many are held."""
        self._items.append(item)
        return len(self._items)

    def end(self) -> list[Item]:
        """Let go of all: what events told first, then alerts; by time, then id, then revision."""
        items, self._items = self._items, []
        if len(items) > 1:
            items.sort(key=_place)
        return items

    def parts(self) -> Iterator[dict[str, Any] | None]:
        """Yield what a snapshot must say, if anything: the items; None where those that it held went."""
        if not self._items:
            if self._is_saved:
                self._is_saved = False
                yield None
            return
        self._is_saved = True
        yield {
            "alerts": [
                one.model_dump(mode="json", by_alias=True)
                for one in self._items
                if isinstance(one, Alert)
            ],
            "seen": [
                [one.event, one.time_us, one.fields]
                for one in self._items
                if isinstance(one, Observation)
            ],
        }

    def restore(self, part: dict[str, Any]) -> None:
        """Put back what `parts` yielded."""
        self._items = [Observation(*row) for row in part["seen"]]
        self._items += [Alert.model_validate(row) for row in part["alerts"]]
        self._is_saved = True


def _place(item: Item) -> tuple[bool, int, str, int]:
    if isinstance(item, Observation):
        return False, item.time_us, item.event, 0
    return True, from_datetime(item.time), item.id, item.revision
