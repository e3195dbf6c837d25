"""The optional native module, or its absence.

`native/` is built by `make install` where a Rust compiler is found. Nothing needs it: whoever takes functions of it has
a path of its own that gives the same. `OPSONIN_NATIVE=0` in the environment leaves it out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


def load(functions: Iterable[str]) -> ModuleType | None:
    """Return `opsonin_native` if it is there and has these functions: one built before they were written is as good as none."""
    if os.environ.get("OPSONIN_NATIVE") == "0":
        return None
    try:
        module = import_module("opsonin_native")
    except ImportError:
        return None
    return module if all(hasattr(module, name) for name in functions) else None
