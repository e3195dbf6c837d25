"""An item whose moment is over as soon as it is taken, for tests that look at one step at a time."""

from __future__ import annotations

from itertools import count
from typing import Any

from contract.ports import Logic, Momentary

_times = count(1)


def at_once(logic: Logic[Any, Any], item: Any) -> list[Any]:
    """Give an item, then end its moment; return all that was said."""
    said = list(logic.on_item(item))
    assert isinstance(logic, Momentary)
    return [*said, *logic.on_moment(next(_times))]
