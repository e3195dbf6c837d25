"""A group's state at rest: versioned JSON, in parts, of which only those that changed are written.

`head`: what is not entries: episodes, times, inner alerts. `e<n>`: the entries that came since the snapshot
before; each is written once, unless a late one comes among them: then what follows it is written again. A part
goes when all its entries went. A group with a few entries and no alert is one small part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from contract.errors import StoreError
from contract.records import Alert, Entity, Level
from correlate.window.episode import Episode, Inner, Past
from correlate.window.evaluate import DistinctValues, Value
from correlate.window.sensor import SensorRule
from correlate.window.sketch import SlidingSketch

if TYPE_CHECKING:
    from correlate.window.window import Window

VERSION = 1
HEAD = "head"
MAX_ROWS = 2048
"""Entries of one part."""

Stored: TypeAlias = tuple[int, int, int]
"""(number, time of its first entry, time of its last) of a part of entries."""


class _Past(msgspec.Struct, array_like=True):
    first: tuple[int, int, str]
    last_us: int
    count: int
    ids: list[str]
    agreed: dict[str, Any] | None
    entities: list[tuple[str, str, str]]
    carried: dict[str, list[Any]]
    spare: int  # 0; was a count that nothing needs, and keeps its place in the row
    newest: str
    last: tuple[int, int, str] | None
    end_us: int


class _Episode(msgspec.Struct, array_like=True):
    id: str
    fired: tuple[int, int, str]
    last: tuple[int, int, str]
    start_us: int
    end_us: int
    revision: int
    told: int
    next_count: int
    changed: bool
    past: _Past | None
    seen: dict[str, list[Any]] | None


class _Head(msgspec.Struct, omit_defaults=True):
    version: int
    digest: str
    rule: tuple[str, str, Level, tuple[str, ...], tuple[str, ...]] | None = None
    wake: int | None = None
    horizon: int | None = None
    sealed: int | None = None
    decided: int | None = None
    floor: int | None = None
    cut: tuple[int, int, str] | None = None
    episodes: list[_Episode] = []
    retracted: dict[str, int] = {}
    sketch: dict[str, str] | None = None
    inner: list[tuple[tuple[int, int, str], dict[str, Any]]] = []


_Row = tuple[int, int, str, str | int | tuple[str, str] | None, bytes]
"""(time, part, event id, value, facts in base 64)"""


class _Entries(msgspec.Struct):
    version: int
    digest: str
    wake: int | None
    entries: list[_Row]
    fires: list[int | None]


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_entries = msgspec.json.Decoder(_Entries).decode


# ------------------------------------------------------------------ save


def save(window: Window) -> dict[str, bytes | None]:
    """Return the parts of a group that changed since the last call."""
    parts: dict[str, bytes | None] = dict.fromkeys(window.stale)
    window.stale = ()
    if window.is_empty():
        if window.header_dirty:
            parts.update(dict.fromkeys((HEAD, *(f"e{one[0]}" for one in window.stored))))
        window.stored, window.dirty, window.fresh, window.header_dirty = [], None, None, False
        window.headed = False
        return parts
    if window.dirty is not None:
        _save_entries(window, parts)
    elif window.fresh is not None:
        _append(window, window.fresh, parts)
    window.dirty = window.fresh = None
    if window.cut is not None and window.stored and window.stored[0][2] < window.cut[0]:
        gone = 0
        while gone < len(window.stored) and window.stored[gone][2] < window.cut[0]:
            parts[f"e{window.stored[gone][0]}"] = None
            gone += 1
        del window.stored[:gone]
    if window.header_dirty or (window.headed and window.wake != window.saved_wake):
        window.header_dirty, window.headed = False, True
        window.saved_wake = window.wake
        parts[HEAD] = _save_head(window)
    return parts


def _save_entries(window: Window, parts: dict[str, bytes | None]) -> None:
    """Write again what follows a change among the entries stored, and what is new."""
    entries, stored = window.entries, window.stored
    since = window.dirty if window.dirty is not None else 0
    if window.fresh is not None and window.fresh < len(entries):
        since = min(since, entries[window.fresh][0])
    number = stored[-1][0] + 1 if stored else 0
    while stored and stored[-1][2] >= since:
        old, first, _ = (
            stored.pop()
        )  # in place: there are as many parts as epochs in the time frame
        parts[f"e{old}"] = None
        since = min(since, first)
    _append(window, bisect_left(entries, (since,)), parts, number)


def _append(
    window: Window, at: int, parts: dict[str, bytes | None], number: int | None = None
) -> None:
    """Write the entries from a place on, under the number given or the next."""
    entries, fires, stored = window.entries, window.fires, window.stored
    if number is None:
        number = stored[-1][0] + 1 if stored else 0
    while at < len(entries):
        end = min(at + MAX_ROWS, len(entries))
        # As they stand, without a step of Python for each: this runs for every entry there ever is.
        part = _Entries(VERSION, window.plan.digest, window.wake, entries[at:end], fires[at:end])  # type: ignore[arg-type]
        parts[f"e{number}"] = _encode(part)
        stored.append((number, entries[at][0], entries[end - 1][0]))
        number += 1
        at = end


def _save_head(window: Window) -> bytes:
    return _encode(
        _Head(
            VERSION,
            window.plan.digest,
            _rule(window),
            window.wake,
            window.horizon,
            window.sealed,
            window.decided,
            window.floor,
            window.cut,
            [_pack(episode) for episode in window.episodes],
            window.retracted or {},
            window.evaluator.sketch.save() if window.evaluator.sketch is not None else None,
            [
                (inner.place, inner.alert.model_dump(mode="json"))
                for inner in (window.inner or {}).values()
            ],
        )
    )


def _rule(window: Window) -> tuple[str, str, Level, tuple[str, ...], tuple[str, ...]] | None:
    """Return what folding must know of a rule that no file states: a sensor's own."""
    plan = window.plan
    if not plan.is_fold:
        return None
    rule = plan.rule
    return rule.id, rule.name, rule.level, plan.tactics, plan.techniques


def _plain(value: object) -> tuple[str, str]:
    """Return a fraction, the one value that JSON has no form for, as two texts."""
    if isinstance(value, Fraction):
        return str(value.numerator), str(value.denominator)
    raise NotImplementedError(f"a {type(value).__name__} in state")


def _pack(episode: Episode) -> _Episode:
    past = episode.past
    return _Episode(
        episode.id, episode.fired, episode.last, episode.start_us, episode.end_us,
        episode.revision, episode.told, episode.next_count, episode.changed,
        None if past is None else _Past(
            past.first, past.last_us, past.count, past.ids, past.agreed,
            [(e.type, e.value, e.role) for e in past.entities], past.carried, 0,
            past.newest, past.last, past.end_us,
        ),
        episode.seen,
    )  # fmt: skip


_encode = msgspec.json.Encoder(enc_hook=_plain).encode

# ------------------------------------------------------------------ open


def rule_of(parts: Mapping[str, bytes]) -> SensorRule | None:
    """Return the sensor's rule that a group's state is about.

    Raises:
        StoreError: the part is no JSON of ours.
    """
    if HEAD not in parts:
        return None
    try:
        rule = _decode_head(parts[HEAD]).rule
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(f"state of a sensor's alerts cannot be read: {error}") from error
    return None if rule is None else SensorRule(*rule, group="")


def restore(window: Window, parts: Mapping[str, bytes]) -> bool:
    """Fill a new window with what its snapshots left.

    Returns:
        False when the state was made by another version of the rule and was not taken.

    Raises:
        StoreError: a part is no JSON of ours, or of a later version.
    """
    found = _read(window, parts)
    if found is None:
        return False
    head, blocks = found
    if head is not None:
        _open_head(window, head)
    for number in sorted(blocks):
        rows = blocks[number].entries
        window.stored.append((number, rows[0][0], rows[-1][0]))
        for (time, part, id, value, facts), since in zip(rows, blocks[number].fires, strict=True):
            if window.cut is None or (time, part, id) > window.cut:
                window.entries.append((time, part, id, _value(value), facts))
                window.fires.append(since)
    window.facts.held += len(window.entries)
    if head is not None and head.sketch is not None:
        _open_sketch(window, head.sketch)
    window.evaluator.reset(window.entries, len(window.entries))
    if not window.is_empty():
        window.count_in()
    # When it wakes is state too: the order of what is told must not show a restart.
    window.wake = head.wake if head is not None else blocks[max(blocks)].wake
    window.saved_wake, window.headed = window.wake, head is not None
    return True


def _read(
    window: Window, parts: Mapping[str, bytes]
) -> tuple[_Head | None, dict[int, _Entries]] | None:
    """Decode the parts; None when they belong to another version of the rule."""
    try:
        head = _decode_head(parts[HEAD]) if HEAD in parts else None
        blocks = {int(n[1:]): _decode_entries(p) for n, p in parts.items() if n != HEAD}
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(f"state of {window.key!r} cannot be read: {error}") from error
    for part in (*blocks.values(), *([head] if head else ())):
        if part.version > VERSION:
            raise StoreError(
                f"state of {window.key!r} is of version {part.version}; we read {VERSION}"
            )
        if part.digest != window.plan.digest:
            return None
    return head, blocks


def _open_sketch(window: Window, panes: dict[str, str]) -> None:
    if not isinstance(window.evaluator, DistinctValues):
        return
    window.evaluator.sketch = SlidingSketch(window.plan.span_us)
    try:
        window.evaluator.sketch.load(panes)
    except ValueError as error:
        raise StoreError(f"state of {window.key!r} cannot be read: {error}") from error


def _value(value: str | int | tuple[str, str] | None) -> Value:
    return Fraction(int(value[0]), int(value[1])) if isinstance(value, tuple) else value


def _open_head(window: Window, head: _Head) -> None:
    window.horizon = head.horizon
    window.sealed = head.sealed
    window.decided = head.decided
    window.floor = head.floor
    window.cut = head.cut
    window.episodes = tuple(_unpack(episode) for episode in head.episodes)
    window.retracted = head.retracted or None
    for place, data in head.inner:
        alert = Alert.model_validate(data)
        if window.inner is None:
            window.inner = {}
        window.inner[alert.id] = Inner(alert, place)


def _unpack(row: _Episode) -> Episode:
    past = row.past
    return Episode(
        row.id, row.fired, row.last, row.start_us, row.end_us,
        None if past is None else Past(
            past.first, past.last_us, past.count, past.ids, past.agreed,
            {Entity.model_validate({"type": t, "value": v, "role": r}): None
             for t, v, r in past.entities},
            past.carried, past.newest, past.last, past.end_us,
        ),
        row.revision, row.told, row.next_count, row.changed, row.seen,
    )  # fmt: skip
