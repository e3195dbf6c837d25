"""An enforcement point in memory: for tests, for `replay`, and to see in `observe` what would be held. It drops nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from contract.ports import Enforcer, EnforcerType, Meter
from contract.records import Decision
from respond.converge import Converger
from respond.device import Changed, Held
from respond.guard import GuardSettings
from respond.ledger import Element, Key


class MemorySettings(BaseModel):
    """The settings of a point of kind `memory`.

    Attributes:
        guard: guard rails of the installation; the runtime sets them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    guard: GuardSettings = GuardSettings()


class MemoryDevice:
    """A `respond.device.Device` whose state is `held`; elements vanish at their time, as a kernel's do."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.held: dict[Key, Held] = {}
        self._clock = clock

    def refuses(self, decision: Decision) -> str | None:
        """Return None: memory holds whatever it is given."""
        return None

    async def read(self) -> dict[Key, Held]:
        """See the port."""
        now_us = self._clock()
        for key, held in list(self.held.items()):
            if held.expires_us is not None and held.expires_us <= now_us:
                del self.held[key]
        return dict(self.held)

    async def change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        """See the port; never fails."""
        for element in puts:
            self.held[element.key] = Held(element.decision, element.revision, element.expires_us)
        for key in takes:
            self.held.pop(key, None)
        held = await self.read()
        return Changed({one.key: held[one.key] for one in puts if one.key in held})

    async def close(self) -> None:
        """See the port."""


def open(name: str, settings: MemorySettings, meter: Meter, clock: Callable[[], int]) -> Enforcer:
    """Return an enforcer over a new, empty device."""
    return Converger(name, MemoryDevice(clock), settings.guard, meter, clock)


ENFORCER = EnforcerType("memory", MemorySettings, open)
