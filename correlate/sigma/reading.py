"""What is read of a line: only the fields that the rules of its class ask, where it is a flat Windows event.

Most lines match no rule, and no rule asks for most of what they hold; the decoder steps over that without making
objects of it. Stepping over refuses what decoding refuses, save two things: wrong UTF-8, which the caller must look
for, and numbers out of range, which `lines.decode` therefore takes as texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import msgspec

HEAD = ("Channel", "EventID", "SourceName", "Provider_Name", "EventData")
"""What tells the class of an event that has a channel at its top; of the last three, whether they are there."""
MAX_FIELDS = 64
"""Each name in a line is compared with all of these; with more of them the decoder is no faster."""

values_of = msgspec.structs.astuple


class Reading:
    """How to read the lines of one class.

    Args:
        fields: wanted, each once.
        parents: names of objects that dotted names look into; a line that has one must be decoded whole.

    Attributes:
        decode: a line to a record; `values_of` gives its values: those of `fields` in their order, then others.
            What is absent is None, or `msgspec.UNSET` for a name of `HEAD` and the parents.
        head: those values to the values of `HEAD`.
        parents: those values to the values of the parents; None: there are none.
    """

    def __init__(self, fields: Iterable[str], parents: Iterable[str]) -> None:
        parents = sorted(parents)
        names = list(dict.fromkeys([*fields, *HEAD, *parents]))
        unset = {*HEAD, *parents}
        record = msgspec.defstruct(
            "Record",
            [
                (f"f{at}", Any, msgspec.UNSET if name in unset else None)
                for at, name in enumerate(names)
            ],
            rename={f"f{at}": name for at, name in enumerate(names)},
            gc=False,  # a record refers to nothing that refers to it
        )
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(record).decode
        self.head = itemgetter(*[names.index(name) for name in HEAD])
        places = [names.index(name) for name in parents]
        self.parents: Callable[[tuple[Any, ...]], list[Any]] | None = None
        if places:
            self.parents = lambda values: [values[at] for at in places]


def can_read(names: Iterable[str]) -> bool:
    """Tell whether these fields can be read so: they are not many, and their names can be declared."""
    names = list(names)
    return len(names) <= MAX_FIELDS and all(
        name.isprintable() and not {'"', "\\"} & set(name) for name in names
    )
