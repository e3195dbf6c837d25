"""The garbage collector of a process that lives long and makes much: rules and tables are let alone, and cycles looked for seldom."""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLD: Final = (100_000, 20, 50)
"""Events are trees without cycles, so looking for cycles after every 700 new objects finds none: a tenth of all time."""


def settle() -> None:
    """Take what is there now as lasting; call it when a process begins its work.

    Rules and tables live as long as the process: the collector need not walk them again and again, which would stop
    everything for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLD)
