"""Every bound and span of linking, by name; what passes a bound is counted in a Notice."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contract.records import Level
from contract.timespan import Timespan

Count = Annotated[int, Field(ge=1)]


class LinkSettings(BaseModel):
    """How alerts become chains.

    Attributes:
        site: name of the key whose graph an alert joins; one graph a site.
        lateness: alerts and observations up to this much older than the watermark change a chain as
            if they had come in order.
        lifetime: a chain without a new alert for so long is closed and forgotten.
        run_gap: alerts of one rule about the same things closer than this are one run: one node.
        refresh: a chain that only grew by repetitions is published again after this much event time.
        regain: a host that failed its attestation is trusted again when it has passed for so long; what is well
            again within minutes may have been wiped only.
        single_level: an alert that joins nothing is published as a chain from this level on.
        crowd: more runs of one rule that share one thing say nothing of any one of them.
        coincidence: how far apart two rare things may be and still be a coincidence.
        chance: the share of chance up to which a coincidence is taken for evidence.
        chance_per_day: coincidences that chance may make a day on one host: one in fifty days.
        chance_across_per_day: the same across all pairs of hosts of the site: one in four days. With a dozen
            hosts both together stay below one false chain in two days.
        hubs: what supports joins and makes none: addresses and networks behind which many hosts stand (NAT, proxy,
            VPN gateway), names of hosts that all talk to (domain controllers), accounts that all use.
        host_networks: networks whose addresses mean something on one host only (bridges of containers, of virtual
            machines): the same address on two hosts is two.
        max_runs, max_chain_runs, max_run_alerts, max_resting, max_relations, max_names: sizes of the graph, of
            one chain, of one run, of the crowds' members beside the graph, of what observations told, and of ids
            remembered after a merge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str = "default"
    lateness: Timespan = timedelta(minutes=5)
    lifetime: Timespan = timedelta(days=1)
    run_gap: Timespan = timedelta(minutes=15)
    refresh: Timespan = timedelta(minutes=1)
    regain: Timespan = timedelta(minutes=30)
    single_level: Level = "medium"
    crowd: Count = 16
    coincidence: Timespan = timedelta(hours=1)
    chance: Annotated[float, Field(gt=0, lt=1)] = 0.1
    chance_per_day: Annotated[float, Field(gt=0)] = 0.02
    chance_across_per_day: Annotated[float, Field(gt=0)] = 0.25
    hubs: tuple[str, ...] = ()
    host_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    max_runs: Count = 20_000
    max_chain_runs: Count = 512
    max_run_alerts: Count = 256
    max_resting: Count = 100_000
    max_relations: Count = 200_000
    max_names: Count = 20_000
