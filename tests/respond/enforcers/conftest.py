"""The enforcement points that every enforcer test runs against."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from contract.meter import MemoryMeter
from contract.ports import Enforcer
from respond.converge import Converger
from respond.device import Held
from respond.enforcers import memory, nftables, suricata
from respond.guard import GuardSettings
from respond.ledger import Key
from respond.nft import table
from respond.target import canonical, network

GUARD = GuardSettings.model_validate({"never_touch": ["198.51.100.1"]})


@dataclass
class Bench:
    """A point under test with a clock that a test moves, and ways to interfere from outside.

    Kernel timers follow the real clock, so the bench's clock starts at the real time and `wait` moves both.
    """

    enforcer: Enforcer
    now: datetime
    flush: Callable[[], object]
    delete: Callable[[str], object]
    plant: Callable[[str], object]
    held: Callable[[], set[str]]
    meter: MemoryMeter = field(default_factory=MemoryMeter)

    sees_others = True

    def fit(self, value: str) -> str:
        """Return the value, or another where the point cannot express such a one."""
        return value

    def clock(self) -> int:
        return int(self.now.timestamp() * 1_000_000)

    def reopen(self) -> None:
        """Replace the enforcer by a new one over the same device state, as a restart does."""
        raise NotImplementedError


class MemoryBench(Bench):
    def __init__(self) -> None:
        self.now = datetime.now(UTC)  # noqa: TID251
        self.meter = MemoryMeter()
        self.device = memory.MemoryDevice(self.clock)
        self.reopen()
        self.flush = self.device.held.clear
        self.delete = lambda value: self.device.held.pop(_key(value), None) and None
        self.plant = lambda value: self.device.held.update({_key(value): Held()})

    def reopen(self) -> None:
        self.enforcer = Converger("point", self.device, GUARD, self.meter, self.clock)

    def held(self) -> set[str]:
        return {key.value for key in self.device.held}


def documented() -> ModuleType:
    """The whole point that the guide shows, taken from the guide."""
    guide = Path(__file__).parents[3] / "docs" / "enforcers.md"
    lines = guide.read_text().partition("## Your own enforcement point")[2].splitlines()
    block = [line[4:] for line in lines if line.startswith("    ") or not line]
    module = ModuleType("documented")
    exec("\n".join(block), module.__dict__)  # noqa: S102 - our own guide
    return module


class FileBench(Bench):
    """The block file of the guide."""

    def __init__(self, path: Path) -> None:
        self.now = datetime.now(UTC)  # noqa: TID251
        self.meter = MemoryMeter()
        self.path = path
        self.module = documented()
        self.reopen()
        self.flush = lambda: path.write_text("") and None
        self.delete = lambda value: self.edit(lambda line: not line.startswith(f"{value} "))
        self.plant = lambda value: path.write_text(path.read_text() + f"{value}\n") and None

    def reopen(self) -> None:
        settings = self.module.BlockFileSettings(path=self.path, guard=GUARD)
        self.enforcer = self.module.ENFORCER.open("point", settings, self.meter, self.clock)

    def edit(self, keep: Callable[[str], bool]) -> None:
        lines = self.path.read_text().splitlines(keepends=True)
        self.path.write_text("".join(filter(keep, lines)))

    def held(self) -> set[str]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return {line.partition(" ")[0] for line in lines}


class SuricataBench(Bench):
    """A running Suricata. It cannot list its bits, so the bench notes which targets the enforcer was given."""

    sees_others = False

    def fit(self, value: str) -> str:
        """Single IPv4 addresses only."""
        net = network(value)
        last = int(net.network_address) & 0xFF
        return str(net.network_address) if net.version == 4 else f"192.0.2.{last + 1}"

    def __init__(self, server: Any) -> None:
        self.now = datetime.now(UTC)  # noqa: TID251
        self.meter = MemoryMeter()
        self.server = server
        self.given: set[str] = set()
        self.reopen()
        self.flush = server.clear
        self.delete = lambda value: server.call("remove-hostbit", value) and None
        self.plant = lambda value: server.call("add-hostbit", value, expire=9) and None

    def reopen(self) -> None:
        settings = suricata.SuricataSettings(socket=self.server.socket, patience_s=60, guard=GUARD)
        self.enforcer = suricata.ENFORCER.open("point", settings, self.meter, self.clock)

    def held(self) -> set[str]:
        return self.server.held()


class NftBench(Bench):
    def __init__(self, netns: str, **settings: Any) -> None:
        self.now = datetime.now(UTC)  # noqa: TID251
        self.meter = MemoryMeter()
        self.netns = netns
        self.settings = nftables.NftablesSettings(netns=netns, guard=GUARD, **settings)
        self.reopen()
        self.flush = lambda: self.nft("flush ruleset") and None
        self.delete = lambda value: self.nft(f"delete element {_place(value)}") and None
        self.plant = lambda value: self.nft(f"add element {_place(value)}") and None

    def reopen(self) -> None:
        self.enforcer = nftables.ENFORCER.open("point", self.settings, self.meter, self.clock)

    def nft(self, commands: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.netns, "nft", "-f", "-"],
            input=commands + "\n", check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def held(self) -> set[str]:
        listing = table.from_json(
            subprocess.run(
                ["ip", "netns", "exec", self.netns, "nft", "-j", "list table inet opsonin"],
                check=True, capture_output=True, text=True,
            ).stdout
        )  # fmt: skip
        return {canonical(net) for net in listing.entries}


def _key(value: str) -> Key:
    return Key("deny", "ipv6_net" if ":" in value else "ipv4_net", value)


def _place(value: str) -> str:
    kind = "net" if "/" in value else "deny"
    return f"inet opsonin {kind}{6 if ':' in value else 4} {{ {value} }}"


POINTS = (
    "memory",
    "documented",
    pytest.param("nftables", marks=pytest.mark.nftables),
    pytest.param("suricata", marks=[pytest.mark.suricata, pytest.mark.root]),
)


@pytest.fixture(params=POINTS)
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return MemoryBench()
    if request.param == "documented":
        return FileBench(request.getfixturevalue("tmp_path") / "blocked")
    if request.param == "suricata":
        server = request.getfixturevalue("suricata_server")
        server.clear()
        return SuricataBench(server)
    return NftBench(request.getfixturevalue("new_netns")())


@pytest.fixture
def nft_bench(new_netns: Callable[[], str]) -> NftBench:
    return NftBench(new_netns())


@pytest.fixture
def deny(bench: Bench, make_decision: Callable[..., Any]) -> Callable[..., Any]:
    """A denial made at the bench's present time."""

    def make(value: str = "203.0.113.9", revision: int = 1, **changes: Any) -> Any:
        return make_decision(bench.fit(value), revision, start=bench.now, **changes)

    return make


@pytest.fixture
def later(bench: Bench) -> Callable[[float], None]:
    """Move the bench's clock on."""

    def move(seconds: float) -> None:
        bench.now += timedelta(seconds=seconds)

    return move
