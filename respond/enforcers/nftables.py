"""nftables on the engine's own machine, or in one of its network namespaces: denies addresses and networks.

Everything is in a table of its own, so that no other ruleset is touched and `nft delete table inet opsonin` undoes
all. Elements carry their timeouts: they expire in the kernel even when the engine is dead. Calls run in one worker
thread, which alone enters the namespace. Source: nft(8) and libnftables(3) 1.0.6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, Field

from contract.errors import PointError
from contract.ports import Enforcer, EnforcerType, Meter
from contract.records import Decision
from respond.converge import Converger
from respond.device import Changed, Held
from respond.guard import GuardSettings
from respond.ledger import Element, Key
from respond.nft import intervals, table
from respond.nft.kernel import Kernel
from respond.nft.library import CommandError
from respond.target import Network, network, network_of, of_network

T = TypeVar("T")

_MAX_TRIES = 128
"""Transactions tried to save what can be saved of one that failed; a failing one costs up to 20 ms."""

log = structlog.get_logger()


class NftablesSettings(BaseModel):
    """The settings of a point of kind `nftables`.

    Attributes:
        table: name of our table, of family `inet`; whatever else bears it is replaced.
        netns: name of a network namespace (`ip netns`); empty: the engine's own.
        hooks: where packets are dropped; `forward` for a router, `input` and `output` for the machine itself.
        priority: of our chains; below 0 stands before the usual `filter` chains and their `ct established accept`.
        counters: whether nft counts what each element dropped.
        log_group: NFLOG group that gets a sample of what is dropped (20 a second); None: no log.
        max_elements: a set takes no more; what passes it is a failed outcome.
        guard: guard rails of the installation; the runtime sets them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,63}$")] = "opsonin"
    netns: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,200}$")] = ""
    hooks: Annotated[
        tuple[Literal["forward", "input", "output"], ...], Field(min_length=1, max_length=3)
    ] = ("forward", "input", "output")
    priority: Annotated[int, Field(ge=-1_000, le=1_000)] = -10
    counters: bool = True
    log_group: Annotated[int, Field(ge=0, le=65_535)] | None = None
    max_elements: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    guard: GuardSettings = GuardSettings()


class NftablesDevice:
    """A `respond.device.Device` over libnftables."""

    def __init__(
        self, point: str, settings: NftablesSettings, meter: Meter, clock: Callable[[], int]
    ) -> None:
        self._point = point
        self._netns = settings.netns
        self._layout = table.Layout(
            table=settings.table,
            hooks=tuple(dict.fromkeys(settings.hooks)),
            priority=settings.priority,
            counters=settings.counters,
            log_group=settings.log_group,
            max_elements=settings.max_elements,
            never_touch=(*settings.guard.admin_networks, *settings.guard.never_touch),
        )
        self._meter = meter
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"nft-{point}")
        self._kernel: Kernel | None = None
        self._shape = ""
        self._nets: dict[Network, Element] = {}
        self._present: set[Network] = set()

    def refuses(self, decision: Decision) -> str | None:
        """Return why: only `deny` of addresses and networks can be expressed."""
        if decision.action != "deny":
            return f"nftables cannot {decision.action}; it denies addresses and networks"
        try:
            if network_of(decision.target) is not None:
                return None
        except ValueError as error:
            return str(error)
        return f"nftables cannot deny a target of type {decision.target.type}"

    async def read(self) -> dict[Key, Held]:
        """See the port; builds the table anew when others changed it."""
        return await self._in_worker(self._read)

    async def change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        """See the port."""
        return await self._in_worker(lambda: self._change(puts, takes))

    async def close(self) -> None:
        """See the port; elements stay until their time."""
        if self._kernel is not None:
            await self._in_worker(self._kernel.close)
            self._kernel = None
        self._worker.shutdown()

    async def _in_worker(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call)

    # -------------------------------------------------------------- in the worker thread

    def _nft(self) -> Kernel:
        """Return the kernel's side, with our table in place since the first use."""
        if self._kernel is None:
            kernel = Kernel(self._layout.table, self._netns)
            try:
                self._rebuild(kernel, kernel.list_table())
            except PointError:
                kernel.close()
                raise
            self._kernel = kernel
        return self._kernel

    def _rebuild(self, kernel: Kernel, old: table.Listing | None) -> None:
        """Put our table in place in one transaction, keeping elements that are ours and still have time."""
        now_us = self._clock()
        kept: list[tuple[Network, Element]] = []
        for net, entry in (old.entries if old is not None else {}).items():
            if entry.decision and entry.expires_ms:
                expires_us = now_us + entry.expires_ms * 1_000
                element = Element(
                    _key(net), of_network(net), entry.decision, entry.revision, expires_us
                )
                kept.append((net, element))
        kernel.run(table.build(self._layout) + "\n" + table.add(self._layout, kept, now_us))
        fresh = kernel.list_table()
        if fresh is None:
            raise PointError(f"table inet {self._layout.table} vanished while it was made")
        self._shape = fresh.shape
        self._nets = {net: one for net, one in kept if net.prefixlen != net.max_prefixlen}
        self._present = set(fresh.entries)
        log.info("point.table_built", point=self._point, table=self._layout.table, kept=len(kept))

    def _read(self) -> dict[Key, Held]:
        kernel = self._nft()
        at_us = self._clock()
        listing = kernel.list_table()
        intact = listing is not None and listing.shape == self._shape
        if not intact:
            self._meter.add("point_rebuilds_total", point=self._point)
            log.warning("point.table_changed_by_others", point=self._point)
            wanted = self._nets
            self._rebuild(kernel, listing)
            self._nets = {**wanted, **self._nets}
        else:
            self._present = set(listing.entries) if listing is not None else set()
        entries = listing.entries if listing is not None else {}
        return self._holding(entries, [*entries, *self._nets], at_us, intact=intact)

    def _holding(
        self,
        entries: Mapping[Network, table.Entry],
        nets: Iterable[Network],
        at_us: int,
        *,
        intact: bool,
    ) -> dict[Key, Held]:
        """Return what is held of these networks; one that lies in a wider held one is held by that.

        `at_us` is when the kernel was asked: reading a long answer takes longer than the kernel's giving it.
        """
        found: dict[Key, Held] = {}
        for net in nets:
            entry = entries.get(net)
            wanted = self._nets.get(net)
            if entry is not None and entry.expires_ms is not None:
                expires_us = at_us + entry.expires_ms * 1_000
                found[_key(net)] = Held(entry.decision, entry.revision, expires_us, intact)
            elif entry is not None:
                found[_key(net)] = Held(intact=intact)  # without end: none of ours
            elif (
                wanted is not None
                and wanted.expires_us > at_us
                and intervals.is_covered(net, entries)
            ):
                found[_key(net)] = Held(wanted.decision, wanted.revision, wanted.expires_us, intact)
        return found

    def _change(self, puts: Sequence[Element], takes: Sequence[Key]) -> Changed:
        kernel = self._nft()
        failures: dict[Key, str] = {}
        try:
            self._transact(kernel, puts, takes)
        except CommandError as error:
            if kernel.list_table() is None:
                self._rebuild(kernel, None)  # deleted under us; what else it held converges
            nets = [net for one in puts if (net := _net(one.key)) is not None]
            self._present.update(kernel.find(nets))
            failures = self._salvage(kernel, puts, takes, str(error))
        nets = [net for key in (*(one.key for one in puts), *takes) if (net := _net(key))]
        at_us = self._clock()
        entries = kernel.find(nets)
        self._present.difference_update(nets)
        self._present.update(entries)
        return Changed(self._holding(entries, nets, at_us, intact=True), failures)

    def _salvage(
        self, kernel: Kernel, puts: Sequence[Element], takes: Sequence[Key], reason: str
    ) -> dict[Key, str]:
        """Do what of a failed transaction can be done, by halves, so that one fault spoils little else."""
        failures: dict[Key, str] = {}
        parts: list[tuple[Sequence[Element], Sequence[Key]]] = [((), takes), (puts, ())]
        tries = _MAX_TRIES
        while parts:
            put, take = parts.pop()
            both = [*(one.key for one in put), *take]
            if not both:
                continue
            tries -= 1
            if tries < 0:
                why = f"not tried again after {_MAX_TRIES} tries: {reason}"
                failures.update(dict.fromkeys(both, why))
                continue
            try:
                self._transact(kernel, put, take)
            except CommandError as error:
                if len(both) == 1:
                    failures[both[0]] = str(error)
                    continue
                middle, half = len(put) // 2, len(take) // 2
                parts += [(put[middle:], take[half:]), (put[:middle], take[:half])]
        return failures

    def _transact(self, kernel: Kernel, puts: Sequence[Element], takes: Sequence[Key]) -> None:
        now_us = self._clock()
        hosts: list[tuple[Network, Element]] = []
        wide: dict[Network, Element] = {}
        for element in puts:
            net = _net(element.key)
            if net is not None and net.prefixlen == net.max_prefixlen:
                hosts.append((net, element))
            elif net is not None:
                wide[net] = element
        gone = [net for key in takes if (net := _net(key)) is not None]
        old = [row for row in hosts if row[0] in self._present]
        new = [row for row in hosts if row[0] not in self._present]
        touched = [net for net, _ in old]
        touched += [net for net in gone if net.prefixlen == net.max_prefixlen]
        gone = [net for net in gone if net.prefixlen != net.max_prefixlen]
        layout = self._layout
        # Deleting what is absent fails the transaction, and adding leaves an old timeout alone: add, delete, add. What
        # is believed absent is created: a third of the work, and half the room in a set that has a size.
        commands = table.bare("add", layout, touched) + table.bare("delete", layout, touched)
        commands += table.add(layout, old, now_us) + table.add(layout, new, now_us, "create")
        nets = self._nets
        if wide or gone:
            nets = {net: one for net, one in nets.items() if one.expires_us > now_us}
            nets = {net: one for net, one in (nets | wide).items() if net not in gone}
            held: dict[Network, table.Entry] = {}
            for name in sorted({table.set_of(net) for net in (*wide, *gone)}):
                held.update(kernel.list_set(name))
            change = intervals.change(nets, set(wide), set(gone), held)
            commands += table.bare("delete", layout, change.stale)
            commands += table.add(layout, change.fresh.items(), now_us)
        if commands:
            kernel.run(commands)
        self._nets = nets


def _net(key: Key) -> Network | None:
    return network(key.value) if key.type in ("ipv4_net", "ipv6_net") else None


def _key(net: Network) -> Key:
    target = of_network(net)
    return Key("deny", target.type, target.value)


def open(name: str, settings: NftablesSettings, meter: Meter, clock: Callable[[], int]) -> Enforcer:
    """Return the enforcer; nothing is touched before its first call."""
    device = NftablesDevice(name, settings, meter, clock)
    return Converger(name, device, settings.guard, meter, clock)


ENFORCER = EnforcerType("nftables", NftablesSettings, open)
