"""Which adapter fits a log of unknown make: all read a sample, and each is told how well it did.

A sample that an adapter refuses says no; one that it reads says more the more it finds: a catch-all that only
keeps the text of a line fits anything and proves nothing. The confidence is a number from 0 to 1, for a
person to judge, not a probability; a lead below `CLEAR_LEAD` over the next one means: look at both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contract.event import Event
from contract.ports import Adapter, Context
from contract.records import DeadLetter
from ingest.ecs_types import ROOTS
from ingest.normalize import Normalizer

SAMPLE: Final = 200
"""Records looked at; a log says the same things over and over."""
CLEAR_LEAD: Final = 0.15
CONFIDENCE: Final = 0.55
"""Wanted of an adapter before it is believed, where nobody says otherwise."""

_READ: Final = 0.2
_CATEGORIZED: Final = 0.3
ANY_LINE: Final = _READ + _CATEGORIZED
"""What a record is worth of which an adapter tells nothing but its kind: it would read any line."""
_RICH: Final = 0.5
_RICH_FIELDS: Final = 16
_GENERIC: Final = 0.9
"""Of an adapter for a format that many products share, when the product's own reads the record too."""
_OF_ANY_LINE: Final = (
    "@timestamp", "message", "ecs.", "event.", "log.", "host.", "observer.", "process.name", "process.pid", "related.", "labels.",
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Fit:
    """How well one adapter read the sample.

    Attributes:
        adapter: its name.
        confidence: 0 to 1, two decimals.
        parsed: share of the records that gave an event.
    """

    adapter: str
    confidence: float
    parsed: float


def recognize(
    records: Sequence[bytes], adapters: Mapping[str, Adapter], received_us: int
) -> list[Fit]:
    """Return the adapters that read any of the sample, the best first. O(adapters x sample)."""
    sample = [record for record in records[:SAMPLE] if record.strip()]
    fits = []
    for name, adapter in adapters.items():
        found = _read(adapter, sample, received_us)
        if any(found):
            generic = _GENERIC if name.startswith("generic.") else 1.0
            confidence = round(generic * sum(found) / len(sample), 2)
            parsed = round(sum(score > 0 for score in found) / len(sample), 2)
            fits.append(Fit(name, confidence, parsed))
    return sorted(fits, key=lambda fit: (-fit.confidence, fit.adapter))


def confidence_of(adapter: str, items: Sequence[Event | DeadLetter]) -> float:
    """Return how much an adapter found in one record, 0 to 1; 0 where it refused it or a part of it."""
    events = [one for one in items if isinstance(one, Event)]
    if len(events) < len(items):
        return 0.0
    found = max(map(_score, events)) if events else _READ
    return found * (_GENERIC if adapter.startswith("generic.") else 1.0)


def _read(adapter: Adapter, sample: Iterable[bytes], received_us: int) -> list[float]:
    """Return a score for each record; of one that is unfinished, that of the next event that is finished."""
    normalizer = Normalizer(adapter, "sample")
    context = Context(received_us)
    scores: list[float] = []
    unfinished = 0
    for record in sample:
        results = normalizer.take(record, context)
        events = [result for result in results if isinstance(result, Event)]
        if not results:
            unfinished += 1
            continue
        if len(events) < len(results):
            scores.append(0.0)
            continue
        scores += [max(map(_score, events))] * (1 + unfinished)
        unfinished = 0
    late = [result for result in normalizer.flush(context) if isinstance(result, Event)]
    return scores + [sum(map(_score, late)) / len(late) if late else _READ] * unfinished


def _score(event: Event) -> float:
    # Names under roots of the product's own may be keys that the adapter does not know; ECS names are understood.
    own = sum(
        name.partition(".")[0] in ROOTS and not name.startswith(_OF_ANY_LINE)
        for name in event.fields
    )
    categorized = "event.category" in event.fields or event.fields.get("event.kind") == "metric"
    return _READ + _CATEGORIZED * categorized + _RICH * min(own / _RICH_FIELDS, 1)
