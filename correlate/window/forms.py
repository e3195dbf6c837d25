"""The forms in which groups are stored: parts of a journal as msgpack, with a version; heads as JSON.

A part says of groups: what entries came, which groups are gone, which stored entries are void, up to where entries were let go of, and what is not entries (the *head*: episodes and bounds).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

import msgspec

from contract.records import Level
from correlate.chain.entities import Named
from correlate.window.entry import Entry, Place
from correlate.window.episode import Episode, Undecided
from correlate.window.facts import Shape
from correlate.window.group import Group

VERSION = 4

_Value: TypeAlias = str | int | tuple[str, str] | None
Row: TypeAlias = tuple[int, int, str, _Value, bytes, int]
Block: TypeAlias = tuple[str, Place | None, Place | None, list[Row], list[int | None]]
"""(group, place from which stored entries are void, place of the last entry let go of, new entries, their firings)."""


Change: TypeAlias = tuple[str, Place | None, Place | None, list[Entry], list[int | None]]
"""A block in the making."""


class PastForm(msgspec.Struct, array_like=True):
    """`Past`, as it is stored."""

    first: Place
    last_us: int
    count: int
    ids: list[str]
    agreed: dict[str, Any] | None
    entities: list[Named]
    carried: dict[str, list[Any]]
    newest: str
    last: Place | None
    end_us: int


class EpisodeForm(msgspec.Struct, array_like=True):
    """`Episode`, as it is stored."""

    id: str
    fired: Place
    last: Place
    start_us: int
    end_us: int
    revision: int
    told: int
    next_count: int
    changed: bool
    past: PastForm | None
    seen: dict[str, list[Any]] | None


_Rule: TypeAlias = tuple[str, str, Level, tuple[str, ...], tuple[str, ...]]


class Head(msgspec.Struct, array_like=True):
    """What a group holds beside entries."""

    wake: int | None
    horizon: int | None
    sealed: int | None
    decided: int | None
    floor: int | None
    episodes: list[EpisodeForm]
    retracted: dict[str, tuple[int, int]]
    sketch: dict[int, bytes] | None
    inner: list[tuple[Place, dict[str, Any]]]
    rule: _Rule | None
    undecided: Undecided | None = None


class Part(msgspec.Struct, array_like=True):
    """What changed in one epoch, in the order in which it is to be read.

    Attributes:
        version: of this format.
        digest: of the plan; other state is not read.
        last: no entry in it is later.
        shapes: names of the facts' fields, by number of shape in this part.
        groups: of the rows.
        rows: entries that follow those before in their groups; None: the group is gone.
        blocks: what else changed among entries.
        heads: of groups that have one, as JSON: it holds numbers of any size.
        fired: by index among the rows, since when there is evidence where the rule held; version 2 had none.
    """

    version: int
    digest: str
    last: int
    shapes: dict[int, Shape]
    groups: list[str]
    rows: list[Row | None]
    blocks: list[Block]
    heads: list[tuple[str, bytes]]
    fired: dict[int, int] = {}


class Clock(msgspec.Struct, array_like=True):
    """The part that says how far time is."""

    version: int
    digest: str
    now: int


_encode_head = msgspec.json.Encoder().encode


def _plain(value: object) -> tuple[str, str]:
    """Return a fraction, the one value that msgpack has no form for, as two texts."""
    if isinstance(value, Fraction):
        return str(value.numerator), str(value.denominator)
    raise NotImplementedError(f"a {type(value).__name__} in state")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)

# ------------------------------------------------------------------ write


def encode(
    digest: str,
    last: int,
    shapes: dict[int, Shape],
    groups: list[str],
    rows: list[Entry | None],
    blocks: list[Change],
    heads: list[tuple[str, bytes]],
    fired: dict[int, int],
) -> bytes:
    """Return a part; entries as they stand, without a step of Python for each."""
    try:
        return _encoder.encode((VERSION, digest, last, shapes, groups, rows, blocks, heads, fired))
    except OverflowError:  # numbers of more than 64 bits
        rows = [entry and _wide(entry) for entry in rows]
        blocks = [(*block[:3], [_wide(entry) for entry in block[3]], block[4]) for block in blocks]
        return _encoder.encode((VERSION, digest, last, shapes, groups, rows, blocks, heads, fired))


def _wide(entry: Entry) -> Any:
    value = entry[3]
    return (*entry[:3], (str(value), "1") if type(value) is int else value, *entry[4:])


def encode_clock(digest: str, now: int) -> bytes:
    """Return the part that says how far time is."""
    return _encoder.encode(Clock(VERSION, digest, now))


def head_of(group: Group) -> bytes:
    """Return what a group holds beside entries."""
    sketch = group.evaluator.sketch
    plan = group.plan
    rule = plan.rule
    head = Head(
        group.wake,
        group.horizon,
        group.sealed,
        group.decided,
        group.floor,
        [_pack(episode) for episode in group.episodes],
        group.retracted or {},
        sketch.save() if sketch is not None else None,
        [
            (inner.place, inner.alert.model_dump(mode="json"))
            for inner in (group.inner or {}).values()
        ],
        # A sensor's own rule stands in no file.
        (rule.id, rule.name, rule.level, plan.tactics, plan.techniques) if plan.is_fold else None,
        group.undecided,
    )
    return _encode_head(head)


def _pack(episode: Episode) -> EpisodeForm:
    past = episode.past
    return EpisodeForm(
        episode.id, episode.fired, episode.last, episode.start_us, episode.end_us,
        episode.revision, episode.told, episode.next_count, episode.changed,
        None if past is None else PastForm(
            past.first, past.last_us, past.count, past.ids, past.agreed,
            list(past.entities), past.carried,
            past.newest, past.last, past.end_us,
        ),
        episode.seen,
    )  # fmt: skip
