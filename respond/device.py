"""A device: the bare enforcement point, as `respond.converge` drives it. A new kind of point writes only this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contract.records import Decision
from respond.ledger import Element, Key

TOLERANCE_US = 5_000_000
"""Between the expiry desired and the one read back: points list whole seconds, and a busy machine takes its time."""


@dataclass(slots=True, frozen=True)
class Held:
    """What a device holds under a key.

    Attributes:
        decision: id of the decision that it was written for; empty when others wrote it.
        revision: of that decision.
        expires_us: wall clock; None when the device keeps no expiry and relies on being told.
        intact: false when it is there but not in force (the rule that uses it was changed).
    """

    decision: str = ""
    revision: int = 0
    expires_us: int | None = None
    intact: bool = True


@dataclass(slots=True, frozen=True)
class Changed:
    """What came of a change.

    Attributes:
        held: what the keys concerned hold now, read back, not assumed; keys that hold nothing are absent.
        failures: why, for each key that could not be done; the others were.
    """

    held: dict[Key, Held] = field(default_factory=dict)
    failures: dict[Key, str] = field(default_factory=dict)


class Device(Protocol):
    """The bare enforcement point. Calls never overlap. All but `refuses` raise `contract.errors.PointError`."""

    def refuses(self, decision: Decision) -> str | None:
        """Return why this device cannot express the decision, or None when it can."""

    async def read(self) -> dict[Key, Held]:
        """Return all that is held, what others wrote included."""

    async def change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        """Put elements in the place of whatever their keys hold, take others away; both idempotent. Then read back."""

    async def close(self) -> None:
        """Let go, leaving the state as it is."""


def is_same(element: Element | None, held: Held | None) -> bool:
    """Tell whether a device holds just what is desired."""
    if element is None or held is None or not held.intact:
        return False
    if (held.decision, held.revision) != (element.decision, element.revision):
        return False
    return held.expires_us is None or abs(held.expires_us - element.expires_us) <= TOLERANCE_US


def describe(held: Held | None) -> str:
    """Return in words what a device held."""
    if held is None:
        return "absent"
    if not held.intact:
        return "there but not in force, its rules were changed"
    if not held.decision:
        return "written by others"
    return f"that of decision {held.decision} revision {held.revision}, or of another expiry"
