"""IANA protocol numbers and the names that ECS `network.transport` takes.

Source: IANA "Assigned Internet Protocol Numbers", registry of 2025-01; names in lower case, as ECS
demands of `network.transport` ("udp, tcp, ipv6-icmp").
"""

from __future__ import annotations

from typing import Final

from contract.event import Fields

_NAMES = """
hopopt icmp igmp ggp ipv4 st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos udp mux
dcn-meas hmp prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt mfe-nsp merit-inp dccp 3pc
idpr xtp ddp idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag idrp rsvp gre dsr bna esp ah i-nlsp swipe
narp min-ipv4 tlsp skip ipv6-icmp ipv6-nonxt ipv6-opts any-host cftp any-network sat-expak kryptolan rvd ippc
any-file sat-mon visa ipcv cpnx cphb wsn pvp br-sat-mon sun-nd wb-mon wb-expak iso-ip vmtp secure-vmtp vines
iptm nsfnet-igp dgp tcf eigrp ospf sprite-rpc larp mtp ax.25 ipip micp scc-sp etherip encap any-private gmtp
ifmp pnni pim aris scps qnx a/n ipcomp snp compaq-peer ipx-in-ip vrrp pgm any-0-hop l2tp ddx iatp stp srp uti
smp sm ptp isis fire crtp crudp sscopmce iplt sps pipe sctp fc rsvp-e2e-ignore mobility udplite mpls-in-ip
manet hip shim6 wesp rohc ethernet aggfrag nsh homa bit-emu
""".split()  # noqa: SIM905 - a table is read more easily without 147 pairs of quotes

TRANSPORTS: Final[dict[str, str]] = {str(number): name for number, name in enumerate(_NAMES)}
"""Name by number, both as text."""

NUMBERS: Final[dict[str, str]] = {name: number for number, name in TRANSPORTS.items()} | {
    "icmp6": "58",
    "icmpv6": "58",
    "ipv6icmp": "58",
    "icmp-v6": "58",
    "ipinip": "94",
    "ip-in-ip": "4",
    "ipencap": "4",
    "ospfigp": "89",
    "igrp": "9",
    "pcp": "108",
    "nos": "94",
    "ahp": "51",
    "udp-lite": "136",
    "mobility-header": "135",
}
"""Number by name in lower case, names that products use instead of IANA's included."""


def _fields(number: str) -> Fields:
    return {"network.transport": TRANSPORTS[number], "network.iana_number": number}


_FIELDS: Final = {number: _fields(number) for number in TRANSPORTS} | {
    name: _fields(number) for name, number in NUMBERS.items()
}
_UNKNOWN: Final[Fields] = {}


def transport_fields(protocol: str) -> Fields:
    """Return `network.transport` and `network.iana_number` of a name or number, not to be changed; empty when unknown."""
    return _FIELDS.get(protocol) or _FIELDS.get(protocol.lower(), _UNKNOWN)
