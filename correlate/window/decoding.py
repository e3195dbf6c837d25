"""Reads stored forms back: parts, heads and clocks of this version and those before it that are still read."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import msgspec

from contract.errors import StoreError
from contract.records import Alert
from correlate.window.distinct import DistinctValues
from correlate.window.entry import Entry, Value
from correlate.window.episode import Episode, Inner, Past
from correlate.window.forms import VERSION, Clock, EpisodeForm, Head, Part, Row
from correlate.window.group import Group
from correlate.window.sensor import SensorRule
from correlate.window.sketch import SlidingSketch

_decode_head = msgspec.json.Decoder(Head).decode
_decode = msgspec.msgpack.Decoder(Part).decode
_decode_clock = msgspec.msgpack.Decoder(Clock).decode
_decode_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode

T = TypeVar("T")


def decode(data: bytes, where: str) -> Part:
    """Read a part.

    Raises:
        StoreError: it is none of ours, or of a later version.
    """
    _check(data, where)
    return _read(_decode, data, where)


def decode_head(data: bytes, where: str) -> Head:
    """Read a head.

    Raises:
        StoreError: it is none of ours.
    """
    return _read(_decode_head, data, where)


def decode_clock(data: bytes, where: str) -> Clock:
    """Read the part that says how far time is.

    Raises:
        StoreError: it is none of ours, or of a later version.
    """
    _check(data, where)
    return _read(_decode_clock, data, where)


def _version(data: bytes) -> int:
    return msgspec.msgpack.decode(_decode_list(data)[0], type=int)


def _check(data: bytes, where: str) -> None:
    version = _read(_version, data, where)
    if version > VERSION:
        raise StoreError(f"state of {where!r} is of version {version}; we read {VERSION}")


def _read(decode: Callable[[bytes], T], data: bytes, where: str) -> T:
    try:
        return decode(data)
    except (msgspec.DecodeError, ValueError, IndexError) as error:
        raise StoreError(f"state of {where!r} cannot be read: {error}") from error


def entry_of(row: Row, facts: bytes, shape: int) -> Entry:
    """Return a row as an entry, its facts as the shapes here have them."""
    value: Value
    value = _number(row[3]) if isinstance(row[3], tuple) else row[3]
    return row[0], row[1], row[2], value, facts, shape


def _number(texts: tuple[str, str]) -> int | Fraction:
    exact = Fraction(int(texts[0]), int(texts[1]))
    return exact.numerator if exact.denominator == 1 else exact


def open_head(group: Group, head: Head) -> None:
    """Give a group what its head says.

    Raises:
        StoreError: the head is none of ours.
    """
    group.wake = head.wake
    group.horizon = head.horizon
    group.sealed = head.sealed
    group.decided = head.decided
    group.floor = head.floor
    group.episodes = [_unpack(episode) for episode in head.episodes]
    group.retracted = head.retracted or None
    group.undecided = head.undecided
    for place, data in head.inner:
        alert = Alert.model_validate(data)
        if group.inner is None:
            group.inner = {}
        group.inner[alert.id] = Inner(alert, place)
    if head.sketch is not None and isinstance(group.evaluator, DistinctValues):
        group.evaluator.sketch = SlidingSketch(group.plan.span_us)
        try:
            group.evaluator.sketch.load(head.sketch)
        except ValueError as error:
            raise StoreError(f"state of {group.key!r} cannot be read: {error}") from error


def rule_of(head: Head) -> SensorRule | None:
    """Return the sensor's rule that a group is about."""
    return None if head.rule is None else SensorRule(*head.rule, group="")


def _unpack(row: EpisodeForm) -> Episode:
    past = row.past
    return Episode(
        row.id, row.fired, row.last, row.start_us, row.end_us,
        None if past is None else Past(
            past.first, past.last_us, past.count, past.ids, past.agreed,
            dict.fromkeys(past.entities), past.carried, past.newest, past.last, past.end_us,
        ),
        row.revision, row.told, row.next_count, row.changed, row.seen,
    )  # fmt: skip
