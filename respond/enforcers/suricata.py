"""Suricata's host bits: addresses that an inline Suricata drops, each with its expiry, set over the command socket.

Host bits, not data sets: a data set has no expiry, so a denial would outlive an engine that died. The rules that
drop are in `respond/suricata/opsonin.rules` and must be loaded; rules are never reloaded as a response (8 s with 30,000).

Suricata keeps no word on who set a bit and cannot list all hosts, so after a restart of the engine what is desired
is set anew, and what ended meanwhile lasts until its own expiry. IPv6 is left out: a bit set on one IPv6 address is
listed for every other. Source: measured with 7.0.10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.errors import PointError
from contract.ports import Enforcer, EnforcerType, Meter
from contract.records import Decision
from respond.converge import Converger
from respond.device import Changed, Held
from respond.guard import GuardSettings
from respond.ledger import Element, Key
from respond.suricata.command import CommandSocket
from respond.target import network_of


class SuricataSettings(BaseModel):
    """The settings of a point of kind `suricata`.

    Attributes:
        socket: Suricata's `unix-command: filename`.
        hostbit: name of the bit; the one in the rules that are loaded.
        patience_s: for connecting and for each answer.
        guard: guard rails of the installation; the runtime sets them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    socket: Path = Path("/var/run/suricata/suricata-command.socket")
    hostbit: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,63}$")] = "opsonin_deny"
    patience_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    guard: GuardSettings = GuardSettings()


class SuricataDevice:
    """A `respond.device.Device` over host bits; remembers for which decision it set each."""

    def __init__(self, settings: SuricataSettings, clock: Callable[[], int]) -> None:
        self._socket = CommandSocket(settings.socket, settings.patience_s)
        self._bit = settings.hostbit
        self._clock = clock
        self._owners: dict[Key, tuple[str, int]] = {}

    def refuses(self, decision: Decision) -> str | None:
        """Return why: only `deny` of single IPv4 addresses can be expressed."""
        if decision.action != "deny":
            return f"Suricata's host bits cannot {decision.action}; they deny addresses"
        try:
            net = network_of(decision.target)
        except ValueError as error:
            return str(error)
        if net is None:
            return f"host bits cannot deny a target of type {decision.target.type}"
        if not isinstance(net, IPv4Network):
            return "host bits cannot deny IPv6: Suricata's commands take every such address for the same"
        if net.prefixlen != net.max_prefixlen:
            return f"host bits are of single addresses; {decision.target.value} is a network"
        return None

    async def read(self) -> dict[Key, Held]:
        """See the port; only what this device set can be asked for."""
        return await self._look(list(self._owners))

    async def change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        """See the port."""
        failures: dict[Key, str] = {}
        for key in takes:
            await self._remove(key)
        for element in puts:
            fault = await self._put(element)
            if fault is not None:
                failures[element.key] = fault
        held = await self._look([*(one.key for one in puts), *takes])
        return Changed(held, failures)

    async def close(self) -> None:
        """See the port; bits stay until their time."""
        await self._socket.close()

    async def _look(self, keys: Sequence[Key]) -> dict[Key, Held]:
        found: dict[Key, Held] = {}
        for key in keys:
            answer = await self._socket.call("list-hostbit", ipaddress=key.value)
            left_s = _seconds_left(answer.message, self._bit) if answer.is_ok else None
            if left_s is not None:
                expires_us = self._clock() + left_s * 1_000_000
                found[key] = Held(*self._owners.get(key, ("", 0)), expires_us)
        return found

    async def _put(self, element: Element) -> str | None:
        """Set the bit, and return why it could not be; adding to a bit that is set leaves its old expiry."""
        await self._remove(element.key)
        left_s = max(1, (element.expires_us - self._clock()) // 1_000_000)
        answer = await self._socket.call(
            "add-hostbit", ipaddress=element.key.value, hostbit=self._bit, expire=left_s
        )
        if answer.is_ok:
            self._owners[element.key] = (element.decision, element.revision)
            return None
        if answer.message == "hostbit not found":
            raise PointError(
                f"Suricata knows no host bit {self._bit!r}: load respond/suricata/opsonin.rules"
            )
        return f"add-hostbit: {answer.message}"

    async def _remove(self, key: Key) -> None:
        self._owners.pop(key, None)
        await self._socket.call("remove-hostbit", ipaddress=key.value, hostbit=self._bit)


def _seconds_left(message: object, name: str) -> int | None:
    """Return what is left of a bit as `list-hostbit` says, or None when it is not set."""
    bits = message.get("hostbits") if isinstance(message, dict) else None
    if not isinstance(bits, list):
        raise PointError(f"expected Suricata to list host bits, came {message!r}")
    for bit in bits:
        if bit.get("name") == name:
            return int(bit["expire"])
    return None


def open(name: str, settings: SuricataSettings, meter: Meter, clock: Callable[[], int]) -> Enforcer:
    """Return the enforcer; the socket is opened by its first call."""
    return Converger(name, SuricataDevice(settings, clock), settings.guard, meter, clock)


ENFORCER = EnforcerType("suricata", SuricataSettings, open)
