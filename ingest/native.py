"""What adapters use of the optional native module, typed, or its absence (see `contract.native`).

Without it every line takes the adapters' own path, and both give the same bytes.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, cast

from contract.native import load

Engine: TypeAlias = Any
"""What `make` returns: templates of one adapter under one setting."""


class Native(Protocol):
    """The functions of `opsonin_native`; see `native/src/ffi.rs`."""

    def make(self, spec: bytes, name: bytes, /) -> Engine:
        """Return an engine of an adapter by this name, whose table of holes this is."""

    def take(
        self, engine: Engine, raw: bytes, received_us: int, /
    ) -> tuple[str, int, bytes] | None:
        """Return id, time and JSON of the event of a line, or None where no template serves it."""

    def scan(self, engine: Engine, raw: bytes, /) -> tuple[bytes, bytes] | None:
        """Return skeleton and packed holes of a line, or None where it cannot be served."""

    def learn(self, engine: Engine, raw: bytes, plan: bytes, /) -> None:
        """Remember a template for lines with this one's skeleton; an empty one: not served for a while, `!`: never."""

    def missing(self, engine: Engine, /) -> bytes:
        """Return what had to be known of the site for the line that `take` refused last: `S`, `D` or `H` and a name, each ended by NUL."""

    def inform(self, engine: Engine, name: bytes, is_own: int, json: bytes, /) -> None:
        """Tell what is known of such a name: whether it lies inside, and what is added, as JSON after a comma. An empty name: forget all."""

    def wants(self, engine: Engine, /) -> int:
        """Return whether the line that `take` refused last is seen often enough to be learnt."""


NATIVE = cast(Native | None, load())
"""None where the module is absent."""
