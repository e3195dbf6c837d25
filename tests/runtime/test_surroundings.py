"""What must stay reachable, read from a made-up machine."""

from __future__ import annotations

from pathlib import Path

from runtime.surroundings import detect

FIB = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""
ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


def test_addresses_gateways_and_resolvers_are_found(tmp_path: Path) -> None:
    net = tmp_path / "proc/net"
    net.mkdir(parents=True)
    (net / "fib_trie").write_text(FIB)
    (net / "route").write_text(ROUTE)
    (net / "if_inet6").write_text("20010db8000000000000000000000007 02 40 00 80     eth0\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text(
        "# dns\nnameserver 192.0.2.53\nnameserver not-an-address\noptions x\n"
    )
    assert detect(tmp_path) == {
        "own address": ["192.0.2.7", "2001:db8::7"],
        "gateway": ["192.0.2.1"],
        "resolver": ["192.0.2.53"],
    }


def test_a_machine_that_says_nothing_gives_nothing(tmp_path: Path) -> None:
    assert detect(tmp_path) == {"own address": [], "gateway": [], "resolver": []}
