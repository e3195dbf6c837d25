"""The optional native sieve: tells from a line's bytes that no rule can hold, before Python touches it.

`native/src/sieve.rs` reads the line, finds its class and looks in the values for what the class's rules wait for. It errs to
one side alone: whatever it is not sure of is looked at here, by the path that is the reference. This module tells it what
the classes wait for, and which values turned out to make no rule a candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, cast

from contract.native import load
from correlate.sigma.index import MEMO_VALUE_LENGTH, FieldIndex
from correlate.sigma.keyword_index import FOLDS_TO_ASCII
from correlate.sigma.rule_class import Plan, RuleClass

LOOK, SAMPLE, UNKNOWN = 1, 2, 3
"""Answers to a line beside 0, no rule holds: look at it; look, and take it into its class's sample; not known."""
MAX_CLASSES = 1024
"""Classes known to the sieve; when there are more, all are forgotten."""


class _Native(Protocol):
    """The functions of `opsonin_native`; see `native/src/sieve_ffi.rs`."""

    def sieve(self, guard: bytes, /) -> object: ...

    def ask(self, sieve: object, line: bytes, /) -> int: ...

    def tell(self, sieve: object, what: int, number: int, other: int, data: bytes, /) -> None: ...


_NATIVE: Final = cast(_Native | None, load(("sieve", "ask", "tell")))
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
    """A sieve and what it was told. For one thread."""

    def __init__(self, native: _Native) -> None:
        self._sieve = native.sieve("".join(FOLDS_TO_ASCII).encode())
        ask, sieve = native.ask, self._sieve
        self.ask: Callable[[bytes], int] = lambda line: ask(sieve, line)
        self._tell = native.tell
        self._told: dict[RuleClass, _Told] = {}

    def know(self, chosen: RuleClass, channel: str, code: str | int, *, is_nxlog: bool) -> None:
        """Tell that lines of this channel, code and shape are of a class."""
        told = self._told.get(chosen)
        if told is None:
            if len(self._told) >= MAX_CLASSES:
                self._told.clear()
                self._tell(self._sieve, _ALL, 0, 0, b"")
            told = self._told[chosen] = _Told(len(self._told))
        kind = b"i" if isinstance(code, int) else b"s"
        key = b"%b\0%b%c%b" % (channel.encode(), kind, is_nxlog, str(code).encode())
        self._tell(self._sieve, _ROUTE, told.number, 0, key)
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
                self._tell(self._sieve, _DEFINE, told.number, 0, spec)
        stride = chosen.stride if chosen.samples is not None else 0
        if stride != told.stride:
            told.stride = stride
            self._tell(self._sieve, _SAMPLE, told.number, stride, b"")

    def clean(self, chosen: RuleClass, values: Iterable[Any]) -> None:
        """Tell texts of the plan's fields, in its order, none of which made a rule a candidate."""
        told = self._told.get(chosen)
        if told is None or told.plan is not chosen.plan:
            return
        for at, (_, value) in enumerate(zip(chosen.plan, values, strict=False)):
            if type(value) is str and len(value) <= MEMO_VALUE_LENGTH:
                self._tell(self._sieve, _CLEAN, told.number, at, value.encode())

    def forget_values(self) -> None:
        """Drop what is remembered of values."""
        self._tell(self._sieve, _VALUES, 0, 0, b"")


def made() -> Sieve | None:
    """Return a new sieve; None where the native module is absent."""
    return None if _NATIVE is None else Sieve(_NATIVE)


def _description(chosen: RuleClass) -> bytes | None:
    """Return what a class waits for as tagged items; None: some rule is to be evaluated for every event."""
    keywords = chosen.keywords
    if chosen.always or (keywords is not None and keywords.always):
        return None
    items = [(b"P", name.encode()) for name in chosen.parents]
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
    return b"".join([tag + len(text).to_bytes(4, "little") + text for tag, text in items])


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
