"""The optional native sieve: tells from a line's bytes that no rule can hold, before Python touches it.

`native/src/sieve.rs` reads the line, finds its class by what decides its route, and looks in the
values for what the class's rules wait for. It errs to one side alone: whatever it is not sure of is looked at here, by the path that is the reference. This module tells it what
the classes wait for, and which values turned out to make no rule a candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, cast

from contract.native import load
from correlate.sigma.index import MEMO_VALUE_LENGTH, FieldIndex
from correlate.sigma.keyword_index import FOLDS_TO_ASCII
from correlate.sigma.node import Leaf
from correlate.sigma.route import SHAPES
from correlate.sigma.rule_class import Plan, RuleClass

NOTHING, LOOK, SAMPLE, UNKNOWN, UNSERVED = range(5)
"""Answers to a line: no rule holds; look at it; look, and take it into its class's sample; look, and tell its class; none of the sieve's."""
MAX_CLASSES = 1024
"""Classes known to the sieve; when there are more, all are forgotten."""


Watched: TypeAlias = Iterable[tuple[Leaf, ...]]


class _Native(Protocol):
    """The functions of `opsonin_native`; see `native/src/sieve_ffi.rs`."""

    def sieve(self, guard: bytes, shapes: bytes, /) -> object: ...

    def ask(self, sieve: object, line: bytes, time_us: int, /) -> int: ...

    def tell(self, sieve: object, what: int, number: int, other: int, data: bytes, /) -> None: ...


_NATIVE: Final = cast(_Native | None, load())
FOREIGN: Final = ("Event", "EventData", "System")
"""Fields that stand for event XML, which `view.flat` reads."""
_VALUES, _ALL, _DEFINE, _DROP, _ROUTE, _SAMPLE, _CLEAN = range(7)
_TAGS = {"equal": b"E", "infix": b"I", "prefix": b"B", "suffix": b"Z"}
_PLACES = frozenset({"infix", "prefix", "suffix"})
_FLAGS = {"number": b"n", "null": b"a"}


class _Told:
    """What the sieve knows of a class."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.plan: Plan | None = None
        self.stride = 0


class Sieve:
    """A sieve and what it was told. For one thread.

    Args:
        native: the module.
        watched: what else makes a line worth a look, whatever its class: all fields of one of these, each with one of the
            texts that its leaves name (folded, of ASCII), or any value where a leaf asks that it `exists`.
        identity: names of the fields that hold an event's id, which must be a text, and its time, which must be the
            one that is asked with, as `contract.timestamps.iso` writes it; None: lines have neither.

    Attributes:
        ask: (line, time in microseconds) to an answer.
    """

    def __init__(
        self,
        native: _Native,
        watched: Watched = (),
        identity: tuple[str, str] | None = None,
    ) -> None:
        self._sieve = native.sieve("".join(FOLDS_TO_ASCII).encode(), _shapes(identity))
        self.ask: Callable[[bytes, int], int] = partial(native.ask, self._sieve)
        self._watched = _of_watched(watched)
        self._tell = native.tell
        self._told: dict[RuleClass, _Told] = {}

    def know(self, chosen: RuleClass, line: bytes) -> None:
        """Tell that a line, and those whose route is decided alike, are of a class."""
        told = self._told.get(chosen)
        if told is None:
            if len(self._told) >= MAX_CLASSES:
                self._told.clear()
                self._tell(self._sieve, _ALL, 0, 0, b"")
            told = self._told[chosen] = _Told(len(self._told))
        self._tell(self._sieve, _ROUTE, told.number, 0, line)
        self.refresh(chosen)

    def refresh(self, chosen: RuleClass) -> None:
        """Tell what changed of a class: what it waits for, and whether a sample is taken."""
        told = self._told.get(chosen)
        if told is None:
            return
        if told.plan is not chosen.plan:
            told.plan = chosen.plan
            told.stride = 0
            spec = _description(chosen)
            if spec is None:
                self._tell(self._sieve, _DROP, told.number, 0, b"")
            else:
                self._tell(self._sieve, _DEFINE, told.number, 0, spec + self._watched)
        stride = chosen.stride if chosen.samples is not None else 0
        if stride != told.stride:
            told.stride = stride
            self._tell(self._sieve, _SAMPLE, told.number, stride, b"")

    def clean(self, chosen: RuleClass, values: Iterable[Any]) -> None:
        """Tell values of the plan's fields, in its order, none of which made a rule a candidate."""
        told = self._told.get(chosen)
        if told is None or told.plan is not chosen.plan:
            return
        for at, (_, value) in enumerate(zip(chosen.plan, values, strict=False)):
            if type(value) is str and len(value) <= MEMO_VALUE_LENGTH:
                self._tell(self._sieve, _CLEAN, told.number, at, value.encode())

    def forget_values(self) -> None:
        """Drop what is remembered of values."""
        self._tell(self._sieve, _VALUES, 0, 0, b"")


def made(watched: Watched = (), identity: tuple[str, str] | None = None) -> Sieve | None:
    """Return a new sieve, see there; None where the native module is absent."""
    return None if _NATIVE is None else Sieve(_NATIVE, watched, identity)


def _packed(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return tagged texts as the native module reads them."""
    return b"".join([tag + len(text).to_bytes(4, "little") + text for tag, text in items])


def _of_watched(watched: Watched) -> bytes:
    """Return the tagged items of what is watched."""
    items = []
    for leaves in watched:
        items.append((b"D", b""))
        for name in dict.fromkeys([leaf.field or "" for leaf in leaves]):
            items.append((b"F", name.encode()))
            for leaf in leaves:
                if leaf.field == name and leaf.op == "exists":
                    items.append((b"O", b"o"))
                elif leaf.field == name:
                    items.append((_TAGS[leaf.op], str(leaf.value).encode()))
    return _packed(items)


def _shapes(identity: tuple[str, str] | None) -> bytes:
    """Return what decides the class of a line."""
    items = [(b"X", name.encode()) for name in FOREIGN]
    if identity is not None:
        items += [(b"I", identity[0].encode()), (b"W", identity[1].encode())]
    for shape in SHAPES:
        items.append((b"G", shape.gate.encode()))
        items += [(b"V", name.encode()) for name in shape.values]
        items += [(b"H", name.encode()) for name in shape.presence]
        for name, texts in shape.texts.items():
            items += [(b"T", name.encode()), *[(b"A", text.encode()) for text in sorted(texts)]]
        if "EventID" not in shape.values:
            items.append((b"N", b"EventID"))
    return _packed(items)


def _description(chosen: RuleClass) -> bytes | None:
    """Return what a class waits for as tagged items; None: some rule is to be evaluated for every event."""
    keywords = chosen.keywords
    if chosen.always or (keywords is not None and keywords.always):
        return None
    items: list[tuple[bytes, bytes]] = []
    if keywords is not None:
        items += [(b"K", b""), *[(b"K", piece) for piece in keywords.pieces]]
    for name, index in chosen.indexes.items():
        items.append((b"F", name.encode()))
        flags = b""
        for kind, text, also in index.wanted():
            if kind in _FLAGS:
                flags += _FLAGS[kind]
            elif all(map(str.isascii, (text, *also))):
                # The sieve answers for texts of ASCII alone, which hold no other.
                items.append((_TAGS[kind], text.encode()))
                items += [(b"A", one.encode()) for one in also if one]
        vetoes = _vetoes(chosen, name, index)
        items += [(b"O", flags if vetoes is not None else flags + b"o"), *(vetoes or ())]
    return _packed(items)


def _vetoes(chosen: RuleClass, name: str, index: FieldIndex) -> list[tuple[bytes, bytes]] | None:
    """Return, for each rule that waits for something no text stands for, texts of which one rules it out; None: there are none."""
    items = []
    for number in sorted(index.others):
        texts = [
            (_TAGS[leaf.op], leaf.value.encode())
            for leaf in chosen.vetoes(name, number)
            if leaf.op in _PLACES and not leaf.cased and leaf.value and leaf.value.isascii()
        ]
        if not texts:
            return None
        items += [(b"V", b""), *texts]
    return items
