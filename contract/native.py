"""The optional native module, or its absence.

`native/` is built by `make install` where a Rust compiler is found. Nothing needs it: whoever takes functions of it has
a path of its own that gives the same. `OPSONIN_NATIVE=0` in the environment leaves it out.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import Final

INTERFACE: Final = 2
"""Which functions the module has and what they take and mean; raised with `INTERFACE` of `native/src/ffi.rs` when that changes."""


def load() -> ModuleType | None:
    """Return `opsonin_native` if it is there and is what this code was written for: one of another interface is as good as none."""
    if os.environ.get("OPSONIN_NATIVE") == "0":
        return None
    try:
        module = import_module("opsonin_native")
    except ImportError:
        return None
    return module if getattr(module, "INTERFACE", 0) == INTERFACE else None
