"""The nftables point: what only it can get wrong, down to packets on a wire of virtual cables."""

import asyncio
import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contract.errors import PointError
from contract.meter import MemoryMeter
from contract.records import Decision, Target
from respond.enforcers.nftables import ENFORCER, NftablesSettings
from respond.guard import GuardSettings
from respond.nft import intervals, table
from respond.nft.library import Library
from respond.nft.netlink import Lookup
from respond.target import network
from tests.conftest import PATIENCE_S

Deny = Callable[..., Decision]


@pytest.fixture
def bench(nft_bench: Any) -> Any:
    return nft_bench


def run(bench: Any, dialogue: Any) -> None:
    async def whole() -> None:
        try:
            await dialogue()
        finally:
            await bench.enforcer.close()

    asyncio.run(whole())


def results(outcomes: Any) -> list[str]:
    return [one.result for one in outcomes]


# ------------------------------------------------------------------ text, without root


def test_entries_are_read_from_json() -> None:
    elements = (
        '"1.1.1.1", {"elem": {"val": "1.1.1.2", "expires": 60, "comment": "opsonin:abc:2"}},'
        '{"elem": {"val": "1.1.1.3", "expires": 1, "comment": "by others"}}'
    )
    nets = '{"prefix": {"addr": "10.0.0.0", "len": 24}}, {"range": ["10.1.0.0", "10.1.0.2"]}'
    text = (
        '{"nftables": [{"metainfo": {}}, {"set": {"name": "deny4", "elem": [%s]}},'
        '{"set": {"name": "net4", "elem": [%s]}}]}'
    )
    entries = table.from_json(text % (elements, nets)).entries
    assert {str(net): one[1:] for net, one in entries.items()} == {
        "1.1.1.1/32": ("", 0, None),
        "1.1.1.2/32": ("abc", 2, 60_000),
        "1.1.1.3/32": ("", 0, 1_000),
        "10.0.0.0/24": ("", 0, None),
        "10.1.0.0/31": ("", 0, None),
        "10.1.0.2/32": ("", 0, None),
    }


def test_counts_and_handles_are_no_change_of_shape() -> None:
    chain = '{{"nftables": [{{"metainfo": {{}}}}, {{"rule": {{"handle": {0}, "expr": [{{"counter": {{"packets": {0}}}}}]}}}}]}}'
    one, two = (table.from_json(chain.format(number)).shape for number in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        ("contain", {"type": "ipv4_net", "value": "192.0.2.1"}, "cannot contain"),
        ("deny", {"type": "user", "value": "ann"}, "target of type user"),
        ("deny", {"type": "ipv4_net", "value": "192.0.2.1/24"}, "host bits"),
        ("deny", {"type": "ipv4_net", "value": "2001:db8::1"}, "no ipv4_net"),
    ],
)
def test_what_nftables_cannot_express_is_unsupported(
    make_decision: Deny, action: str, target: dict[str, str], said: str
) -> None:
    enforcer = ENFORCER.open("fw", NftablesSettings(), MemoryMeter(), lambda: 0)
    decision = make_decision(action=action, target=Target.model_validate(target))
    assert said in str(enforcer.refuses(decision))
    (outcome,) = asyncio.run(enforcer.apply([decision]))
    assert outcome.result == "unsupported"
    asyncio.run(enforcer.close())


@pytest.mark.parametrize(
    "settings",
    [
        {"table": "a b"},
        {"table": "x; flush ruleset"},
        {"netns": "../x"},
        {"hooks": []},
        {"wrong": 1},
    ],
)
def test_settings_that_could_not_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        NftablesSettings.model_validate(settings)


def test_an_absent_namespace_is_said() -> None:
    with pytest.raises(PointError, match="ip netns add no-such-netns"):
        Library("no-such-netns")


def test_an_absent_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("respond.nft.library._LIBRARY", "libabsent.so.9")
    with pytest.raises(PointError, match="install it"):
        Library()


@pytest.mark.nftables
def test_without_the_capability_the_point_says_what_to_do(new_netns: Callable[[], str]) -> None:
    netns = new_netns()
    code = (
        "from contract.errors import PointError\n"
        "from respond.nft.library import Library\n"
        "try: Library().run('list tables')\n"
        "except PointError as error: print(error)\n"
    )
    done = subprocess.run(
        ["ip", "netns", "exec", netns, "setpriv", "--bounding-set=-net_admin",
         "--inh-caps=-net_admin", sys.executable, "-c", code],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert "CAP_NET_ADMIN" in done.stdout


# ------------------------------------------------------------------ the table


@pytest.mark.nftables
def test_the_engine_itself_stays_outside_the_namespace(bench: Any, make_decision: Deny) -> None:
    def namespace() -> int:
        return Path("/proc/thread-self/ns/net").stat().st_ino

    before = namespace()

    async def dialogue() -> None:
        await bench.enforcer.apply([make_decision(start=bench.now)])
        assert namespace() == before

    run(bench, dialogue)


@pytest.mark.nftables
@pytest.mark.parametrize(
    "damage",
    [
        "delete table inet opsonin",
        "flush chain inet opsonin forward",
        "insert rule inet opsonin forward accept",
        "flush set inet opsonin never4",
        "add chain inet opsonin input { policy drop; }",
    ],
)
def test_a_table_that_others_changed_is_built_anew(
    bench: Any, make_decision: Deny, damage: str
) -> None:
    desired = [make_decision(start=bench.now), make_decision("203.0.113.0/24", start=bench.now)]

    async def dialogue() -> None:
        await bench.enforcer.converge(desired)
        whole = bench.nft("list table inet opsonin").count("drop")
        bench.nft(damage)
        assert results(await bench.enforcer.converge(desired)) == ["drifted", "drifted"]
        assert bench.nft("list table inet opsonin").count("drop") == whole
        assert "198.51.100.1" in bench.nft("list set inet opsonin never4")
        assert bench.held() == {"203.0.113.9", "203.0.113.0/24"}
        assert await bench.enforcer.converge(desired) == []

    run(bench, dialogue)


@pytest.mark.nftables
def test_a_table_deleted_between_two_decisions_is_built_anew(
    bench: Any, make_decision: Deny
) -> None:
    async def dialogue() -> None:
        await bench.enforcer.apply([make_decision(start=bench.now)])
        bench.nft("delete table inet opsonin")
        (outcome,) = await bench.enforcer.apply([make_decision("192.0.2.5", start=bench.now)])
        assert outcome.result == "applied"
        assert bench.held() == {"192.0.2.5"}

    run(bench, dialogue)


@pytest.mark.nftables
def test_other_tables_are_left_alone(bench: Any, make_decision: Deny) -> None:
    bench.nft("table inet mine { set keep { type ipv4_addr; elements = { 192.0.2.1 }; }; }")

    async def dialogue() -> None:
        await bench.enforcer.apply([make_decision(start=bench.now)])
        await bench.enforcer.converge([])
        assert "192.0.2.1" in bench.nft("list table inet mine")

    run(bench, dialogue)


@pytest.mark.nftables
def test_overlapping_networks_are_held_by_the_wider_and_survive_its_revert(
    bench: Any, make_decision: Deny
) -> None:
    wide = make_decision("203.0.112.0/23", start=bench.now, id="aa")
    narrow = make_decision("203.0.113.0/24", start=bench.now, id="bb")
    bench.settings = bench.settings.model_copy(
        update={"guard": bench.settings.guard.model_copy(update={"min_prefix_v4": 16})}
    )
    bench.reopen()

    async def dialogue() -> None:
        assert results(await bench.enforcer.apply([narrow])) == ["applied"]
        assert results(await bench.enforcer.apply([wide])) == ["applied"]
        assert bench.held() == {"203.0.112.0/23"}
        assert await bench.enforcer.converge([wide, narrow]) == []
        back = wide.model_copy(update={"revision": 2, "state": "reverted"})
        assert results(await bench.enforcer.apply([back])) == ["removed"]
        assert bench.held() == {"203.0.113.0/24"}
        assert await bench.enforcer.converge([back, narrow]) == []

    run(bench, dialogue)


@pytest.mark.nftables
def test_a_full_set_fails_only_what_does_not_fit(
    new_netns: Callable[[], str], make_decision: Deny, nft_bench: Any
) -> None:
    nft_bench.settings = nft_bench.settings.model_copy(update={"max_elements": 2})
    nft_bench.reopen()

    async def dialogue() -> None:
        made = [make_decision(f"203.0.113.{n}", start=nft_bench.now) for n in range(4)]
        outcomes = await nft_bench.enforcer.apply(made)
        assert sorted(results(outcomes)) == ["applied", "applied", "failed", "failed"]
        assert len(nft_bench.held()) == 2

    run(nft_bench, dialogue)


@pytest.mark.nftables
def test_a_huge_batch_that_cannot_be_done_is_given_up_in_bounded_time(
    nft_bench: Any, make_decision: Deny
) -> None:
    nft_bench.settings = nft_bench.settings.model_copy(update={"max_elements": 100})
    nft_bench.reopen()

    async def dialogue() -> None:
        made = [make_decision(f"9.0.{n >> 8}.{n & 255}", start=nft_bench.now) for n in range(2000)]
        outcomes = await nft_bench.enforcer.apply(made)
        assert len(outcomes) == 2000
        count = results(outcomes).count("applied")
        assert count == len(nft_bench.held())
        assert 50 <= count <= 100
        assert any("not tried again" in one.detail for one in outcomes)

    run(nft_bench, dialogue)


def test_the_end_of_what_was_never_possible_is_passed_over(make_decision: Deny) -> None:
    enforcer = ENFORCER.open("fw", NftablesSettings(), MemoryMeter(), lambda: 0)
    target = Target(type="ipv4_net", value="192.0.2.1/24")
    assert asyncio.run(enforcer.apply([make_decision(state="reverted", target=target)])) == []
    asyncio.run(enforcer.close())


# ------------------------------------------------------------------ packets


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """Enter a network namespace with this thread; sockets made inside stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", netns).open() as there:
        assert libc.setns(there.fileno(), 0) == 0
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), 0) == 0


class Wire:
    """attacker (10.9.1.2, .3, .5) - router with our table - target (10.9.2.2), with a TCP connection open."""

    def __init__(self, attacker: str, router: str, target: str) -> None:
        self.attacker, self.router, self.target = attacker, router, target
        self._link(attacker, "a0", router, "r0")
        self._link(target, "t0", router, "r1")
        for netns, device, addresses in (
            (attacker, "a0", ("10.9.1.2/24", "10.9.1.3/24", "10.9.1.5/24")),
            (router, "r0", ("10.9.1.1/24",)),
            (router, "r1", ("10.9.2.1/24",)),
            (target, "t0", ("10.9.2.2/24",)),
        ):
            for address in addresses:
                self.ip(netns, "addr", "add", address, "dev", device)
            self.ip(netns, "link", "set", device, "up")
        self.ip(attacker, "route", "add", "default", "via", "10.9.1.1")
        self.ip(target, "route", "add", "default", "via", "10.9.2.1")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        subprocess.run(["ip", "netns", "exec", router, "sh", "-c", forward], check=True)
        with inside(target):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("10.9.2.2", 9))
            self._server = socket.create_server(("10.9.2.2", 80))
        self._senders: dict[str, socket.socket] = {}

    def _link(self, one: str, device: str, other: str, peer: str) -> None:
        command = ["link", "add", device, "netns", one, "type", "veth", "peer", "name", peer]
        subprocess.run(["ip", *command, "netns", other], check=True)

    def ip(self, netns: str, *words: str) -> None:
        subprocess.run(["ip", "-n", netns, *words], check=True)

    def connect(self, source: str) -> tuple[socket.socket, socket.socket]:
        with inside(self.attacker):
            near = socket.create_connection(("10.9.2.2", 80), PATIENCE_S, (source, 0))
        far, _ = self._server.accept()
        return near, far

    def passes(self, source: str, patience_s: float = 0.3) -> bool:
        """Tell whether one datagram from this source reaches the target."""
        if source not in self._senders:
            with inside(self.attacker):
                self._senders[source] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._senders[source].bind((source, 0))
        while arrives(self._udp, 0):
            pass  # late ones of before
        self._senders[source].sendto(b"x", ("10.9.2.2", 9))
        return arrives(self._udp, patience_s)

    def passes_in_the_end(self, source: str) -> bool:
        """Tell whether datagrams from this source reach the target, sent again and again."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.passes(source)) and time.monotonic() < end:
            pass
        return found

    def close(self) -> None:
        for one in (self._udp, self._server, *self._senders.values()):
            one.close()


def arrives(one: socket.socket, patience_s: float = 0.3) -> bool:
    one.settimeout(patience_s)
    try:
        return bool(one.recv(64))
    except (TimeoutError, BlockingIOError):
        return False


@pytest.fixture
def wire(new_netns: Callable[[], str], nft_bench: Any) -> Iterator[Wire]:
    made = Wire(new_netns(), nft_bench.netns, new_netns())
    # As routers have it: what is established is accepted, in a chain of the usual priority.
    nft_bench.nft(
        "table inet fw { chain forward { type filter hook forward priority filter; policy accept;"
        " ct state established,related accept; }; }"
    )
    yield made
    made.close()


@pytest.mark.nftables
def test_the_next_packet_is_dropped_and_passes_again_after_expiry(
    bench: Any, wire: Wire, make_decision: Deny
) -> None:
    async def dialogue() -> None:
        assert wire.passes_in_the_end("10.9.1.2")
        began = time.monotonic()
        (outcome,) = await bench.enforcer.apply(
            [make_decision("10.9.1.2", start=bench.now, expires=2)]
        )
        assert outcome.result == "applied"
        is_dropped = not wire.passes("10.9.1.2")
        # A slow machine may be too late to see it.
        assert is_dropped or time.monotonic() - began > 2
        assert wire.passes_in_the_end("10.9.1.3")  # its neighbour is not denied
        await asyncio.sleep(2.2)
        assert wire.passes_in_the_end("10.9.1.2")  # the kernel let it go by itself

    run(bench, dialogue)


@pytest.mark.nftables
def test_an_established_flow_is_cut_in_both_directions(
    bench: Any, wire: Wire, make_decision: Deny
) -> None:
    near, far = wire.connect("10.9.1.2")
    near.sendall(b"before")
    assert arrives(far, PATIENCE_S)

    async def dialogue() -> None:
        denial = make_decision("10.9.1.2", start=bench.now)
        await bench.enforcer.apply([denial])
        near.sendall(b"after")
        assert not arrives(far)
        far.sendall(b"back")
        assert not arrives(near)
        back = denial.model_copy(update={"revision": 2, "state": "reverted"})
        assert results(await bench.enforcer.apply([back])) == ["removed"]
        assert wire.passes_in_the_end("10.9.1.2")

    try:
        run(bench, dialogue)
    finally:
        near.close()
        far.close()


@pytest.mark.nftables
def test_a_never_touched_address_passes_even_when_it_stands_in_the_set(
    bench: Any, wire: Wire, make_decision: Deny
) -> None:
    guard = bench.settings.guard.model_copy(update={"admin_networks": (network("10.9.1.5"),)})
    bench.settings = bench.settings.model_copy(update={"guard": guard})
    bench.reopen()

    async def dialogue() -> None:
        denials = [make_decision(f"10.9.1.{n}", start=bench.now) for n in (2, 5)]
        assert sorted(results(await bench.enforcer.apply(denials))) == ["applied", "failed"]
        bench.plant("10.9.1.5")  # as a forged or faulty command would
        assert not wire.passes("10.9.1.2")
        assert wire.passes_in_the_end("10.9.1.5")

    run(bench, dialogue)


@pytest.mark.nftables
def test_elements_outlive_the_engine(bench: Any, wire: Wire, make_decision: Deny) -> None:
    async def dialogue() -> None:
        await bench.enforcer.apply([make_decision("10.9.1.2", start=bench.now, expires=60)])

    run(bench, dialogue)
    assert not wire.passes("10.9.1.2")


@pytest.mark.nftables
@pytest.mark.parametrize(
    "settings",
    [
        {"counters": False},
        {"hooks": ["input"]},
        {"priority": -200, "table": "other"},
        {"log_group": 7},
    ],
)
def test_every_setting_makes_a_table_that_the_kernel_takes(
    bench: Any, make_decision: Deny, settings: dict[str, Any]
) -> None:
    bench.settings = NftablesSettings.model_validate(bench.settings.model_dump() | settings)
    bench.reopen()
    desired = [make_decision(start=bench.now), make_decision("2001:db8::/64", start=bench.now)]

    async def dialogue() -> None:
        assert results(await bench.enforcer.converge(desired)) == ["applied", "applied"]
        assert await bench.enforcer.converge(desired) == []
        listed = bench.nft(f"list table inet {bench.settings.table}")
        assert listed.count("type filter hook") == len(bench.settings.hooks)
        assert ("log prefix" in listed) == (bench.settings.log_group is not None)

    run(bench, dialogue)


@pytest.mark.nftables
def test_an_address_of_ipv6_is_dropped_too(
    bench: Any, new_netns: Callable[[], str], make_decision: Deny
) -> None:
    other = new_netns()
    link = ["ip", "link", "add", "a0", "netns", other, "type", "veth", "peer", "name", "r0"]
    subprocess.run([*link, "netns", bench.netns], check=True)
    for netns, device, address in (
        (other, "a0", "2001:db8::2"),
        (bench.netns, "r0", "2001:db8::1"),
    ):
        for words in (
            ["addr", "add", f"{address}/64", "dev", device, "nodad"],
            ["link", "set", device, "up"],
        ):
            subprocess.run(["ip", "-n", netns, *words], check=True)
    with inside(bench.netns):
        receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        receiver.bind(("2001:db8::1", 9))
    with inside(other):
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sender.bind(("2001:db8::2", 0))

    def passes(patience_s: float) -> bool:
        sender.sendto(b"x", ("2001:db8::1", 9))
        return arrives(receiver, patience_s)

    async def dialogue() -> None:
        assert passes(3)
        assert results(await bench.enforcer.apply([make_decision("2001:db8::2", start=bench.now)]))
        assert not passes(0.3)

    try:
        run(bench, dialogue)
    finally:
        sender.close()
        receiver.close()


@pytest.mark.nftables
def test_the_kernel_is_asked_for_one_element(bench: Any) -> None:
    bench.nft(
        "table inet t { set s { type ipv4_addr; flags timeout; }; }\n"
        'add element inet t s { 192.0.2.1 timeout 1h comment "opsonin:ab:3", 192.0.2.2 }'
    )
    with inside(bench.netns):
        lookup = Lookup()
    try:
        found = lookup.find("t", "s", bytes((192, 0, 2, 1)))
        assert found is not None
        assert found.comment == "opsonin:ab:3"
        assert 3_590_000 < (found.expires_ms or 0) <= 3_600_000
        assert lookup.find("t", "s", bytes((192, 0, 2, 2))) == (None, "")
        assert lookup.find("t", "s", bytes((192, 0, 2, 3))) is None
        assert lookup.find("t", "absent", bytes(4)) is None
        assert lookup.find("absent", "s", bytes(4)) is None
        with pytest.raises(PointError, match="nfnetlink"):
            lookup.find("t", "s", bytes(16))
    finally:
        lookup.close()


# ------------------------------------------------------------------ any decisions, any interference

NESTED = (
    "9.0.0.0/16", "9.0.0.0/17", "9.0.128.0/17", "9.0.0.0/24", "9.0.0.0/25", "9.0.0.128/25",
    "9.0.0.1", "9.0.0.200", "9.9.9.9", "2001:db8::/48", "2001:db8::/64", "2001:db8::1",
)  # fmt: skip


@pytest.mark.nftables
@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_just_what_is_desired_is_denied(
    bench: Any, make_decision: Deny, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    bench.settings = bench.settings.model_copy(
        update={"guard": GuardSettings(min_prefix_v4=8, min_prefix_v6=32)}
    )
    bench.reopen()
    newest: dict[str, Decision] = {}

    async def tell() -> None:
        batch = []
        for value in random.sample(NESTED, random.randint(1, 4)):
            id = value.encode().hex()[:24]
            revision = newest[id].revision + 1 if id in newest else 1
            state = random.choice(["approved", "approved", "reverted"])
            lasts = random.randint(60, 3600)
            newest[id] = make_decision(
                value, revision, state=state, start=bench.now, expires=lasts, id=id
            )
            batch.append(newest[id])
        outcomes = await bench.enforcer.apply(batch)
        assert set(results(outcomes)) <= {"applied", "removed"}, outcomes

    async def dialogue() -> None:
        await bench.enforcer.converge([])
        for _ in range(25):
            deed = random.choice(["tell", "tell", "tell", "converge", "flush", "plant", "restart"])
            if deed == "tell":
                await tell()
            elif deed == "flush":
                bench.nft(random.choice(["flush ruleset", "flush set inet opsonin net4"]))
                await bench.enforcer.converge(list(newest.values()))
            elif deed == "plant":
                with contextlib.suppress(AssertionError):  # overlaps with what is held
                    bench.plant(random.choice(["9.0.0.0/20", "9.0.0.77", "7.7.7.7", "7.7.0.0/16"]))
            elif deed == "restart":
                await bench.enforcer.close()
                bench.reopen()
            else:
                await bench.enforcer.converge(list(newest.values()))
        await bench.enforcer.converge(list(newest.values()))
        wanted = {one.target.value for one in newest.values() if one.state == "approved"}
        assert bench.held() == {
            value
            for value in wanted
            if "/" not in value
            or not intervals.is_covered(network(value), [network(one) for one in wanted])
        }
        assert await bench.enforcer.converge(list(newest.values())) == []

    run(bench, dialogue)
