"""Labelled days put together anew: one site's attack in another's noise, and days with one thing changed (AIT-ADS, ../shared).

What the cases of `stand_in_cases` are made of.
"""

from __future__ import annotations

import csv
import gzip
import random
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.correlate.chain.test_coincidence import SHARED

DAYS = SHARED / "data/chain/ait_ads"
SITES = ("russellmitchell", "shaw")
NOT_ATTACK = ("-", "dnsteal")
HOUR_S = 3600.0
DAY_S = 86400.0
TARGET = "intranet_server"
SCANS = ("service_scan", "dns_scan", "dirb", "wpscan")
FEW = 3
"""Minutes before the attack in which a kind may have come, for what comes during it to be its doing."""


class Row(NamedTuple):
    """One alert; `step` is its label, `-` for noise."""

    at: float
    rule: str
    address: str
    host: str
    step: str

    @property
    def is_attack(self) -> bool:
        """Tell whether the row is labelled as a step of the attack."""
        return self.step not in NOT_ATTACK


class Site(NamedTuple):
    """One recorded site.

    Attributes:
        noise: what is no attack, without what the attack left beside its steps.
        attack: its steps, and what else it caused, which nobody labelled as a step.
        addresses: of each host.
        first, last: of all alerts.
    """

    noise: list[Row]
    attack: list[Row]
    addresses: dict[str, str]
    first: float
    last: float


def site(name: str) -> Site:
    """Read a recorded site and part its attack from its noise."""
    with gzip.open(DAYS / f"{name}_alerts.csv.gz", "rt", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        rows = [Row(float(one[0]), ",".join(one[1:-5]), one[-5], one[-4], one[-1]) for one in reader]  # fmt: skip
    steps = [row.at for row in rows if row.is_attack]
    around = min(steps) - 600, max(steps) + 600
    usual: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in rows:
        if row.at < around[0]:
            usual[row.host, row.rule].add(int(row.at // 60))
    caused = {
        row
        for row in rows
        if not row.is_attack and around[0] <= row.at <= around[1] and len(usual[row.host, row.rule]) <= FEW
    }  # fmt: skip
    return Site(
        [row for row in rows if not row.is_attack and row not in caused],
        [row for row in rows if row.is_attack or row in caused],
        {row.host: row.address for row in rows},
        min(row.at for row in rows),
        max(row.at for row in rows),
    )


SITE = {name: site(name) for name in SITES} if DAYS.is_dir() else {}


# ------------------------------------------------------------------ what a case is made of


def begin(rows: Iterable[Row]) -> float:
    """Return when the first step begins."""
    return min(row.at for row in rows if row.is_attack)


def placed(attack: str, noise: str, at: float) -> list[Row]:
    """Return the attack of one site on the hosts of another; its first step is at a time."""
    there, rows = SITE[noise], SITE[attack].attack
    shift = at - begin(rows)
    return [
        row._replace(at=round(row.at + shift), address=there.addresses.get(row.host, row.address))
        for row in rows
    ]


def day_at(noise: str, day: float, hour: float) -> float:
    """Return a time: days after the site's first midnight, and an hour."""
    return SITE[noise].first // DAY_S * DAY_S + day * DAY_S + hour * HOUR_S


def steps_of(rows: list[Row]) -> list[list[Row]]:
    """Return the rows by when their step begins; what is no step goes with the step before it."""
    first: dict[str, float] = {}
    for row in sorted(rows):
        if row.is_attack:
            first.setdefault(row.step, row.at)
    order = sorted(first, key=lambda step: first[step])
    parts: list[list[Row]] = [[] for _ in order]
    for row in rows:
        if row.is_attack:
            parts[order.index(row.step)].append(row)
        else:
            parts[max(0, sum(first[step] <= row.at for step in order) - 1)].append(row)
    return parts


def paused(rows: list[Row], pause_s: float) -> list[Row]:
    """Return an attack with a longer pause before each step but the first."""
    return [
        row._replace(at=row.at + pause_s * number)
        for number, part in enumerate(steps_of(rows))
        for row in part
    ]


def stretched(rows: list[Row], by: float) -> list[Row]:
    """Return an attack each of whose steps takes longer, or shorter; its pauses stay."""
    found: list[Row] = []
    late = 0.0
    for part in steps_of(rows):
        first, last = min(row.at for row in part), max(row.at for row in part)
        found += [row._replace(at=round(first + late + (row.at - first) * by)) for row in part]
        late += (last - first) * (by - 1)
    return found


def paced(rows: list[Row], by: float) -> list[Row]:
    """Return an attack whose steps begin so many times later after the first; each lasts as long as before."""
    start = begin(rows)
    found = []
    for part in steps_of(rows):
        late = (min(row.at for row in part) - start) * (by - 1)
        found += [row._replace(at=round(row.at + late)) for row in part]
    return found


def louder(rows: list[Row], by: int, hours: float = 0) -> list[Row]:
    """Return an attack whose scans have so many times the alerts and last as much longer, or so many hours in all."""
    parts = steps_of(rows)
    spans = [max(row.at for row in part) - min(row.at for row in part) + 1 for part in parts]
    scans = [any(row.step in SCANS for row in part) for part in parts]
    whole = by * sum(span for span, is_scan in zip(spans, scans, strict=True) if is_scan)
    slower = max(1.0, hours * HOUR_S / whole)
    found: list[Row] = []
    late = 0.0
    for part, span, is_scan in zip(parts, spans, scans, strict=True):
        if not is_scan:
            found += [row._replace(at=round(row.at + late)) for row in part]
            continue
        first = min(row.at for row in part)
        found += [
            row._replace(at=round(first + late + (row.at - first + number * span) * slower))
            for row in part
            for number in range(by)
        ]
        late += span * (by * slower - 1)
    return found


def crowded(noise: str, copies: int) -> list[Row]:
    """Return a site's noise with more users: copies of the hosts of each, at other hours."""
    found = list(SITE[noise].noise)
    for number in range(1, copies + 1):
        found += [
            row._replace(host=f"user{number}_{row.host}", address=f"10.99.{number}.{row.address.rpartition('.')[2]}")
            for row in shifted(noise, 7 * number)
            if row.host.endswith("_mail")
        ]  # fmt: skip
    return found


def newcomers(noise: str, at: float, bursts: int, dice: random.Random) -> list[Row]:
    """Return kinds that nobody saw before, a few at a time on some host, within half a day of a time."""
    hosts = sorted(SITE[noise].addresses)
    found = []
    for number in range(bursts):
        host, when = dice.choice(hosts), at + (dice.random() - 0.5) * DAY_S
        found += [
            Row(round(when + 20 * kind), f"AMiner: New thing {number}.{kind}", SITE[noise].addresses[host], host, "-")
            for kind in range(dice.randint(1, 3))
        ]  # fmt: skip
    return found


def lost(rows: Iterable[Row], share: float, dice: random.Random) -> list[Row]:
    """Return the rows without a share of them."""
    return [row for row in rows if dice.random() >= share]


def shifted(noise: str, hours: float) -> list[Row]:
    """Return a site's noise, later, turned around its end."""
    there = SITE[noise]
    span = there.last - there.first
    return [row._replace(at=there.first + (row.at - there.first + hours * HOUR_S) % span) for row in there.noise]  # fmt: skip


def burst(noise: str, at: float, hours: float, dice: random.Random) -> list[Row]:
    """Return some hours of the other site's busy day on the hosts of one, from a time on."""
    (other,) = (name for name in SITES if name != noise)
    there, here = SITE[other], SITE[noise]
    start = day_at(other, dice.choice((1, 2)), 9 + dice.random() * 3)
    return [
        row._replace(at=round(row.at - start + at), address=here.addresses[row.host])
        for row in there.noise
        if start <= row.at < start + hours * HOUR_S and row.host in here.addresses
    ]


def shared(
    noise: str, rows: list[Row], kinds: int, per_day: float, dice: random.Random
) -> list[Row]:
    """Return noise of the attack's own kinds on its own hosts, so often a day."""
    here = SITE[noise]
    known = sorted({(row.rule, row.address, row.host) for row in rows if row.is_attack})
    days = (here.last - here.first) / DAY_S
    found = []
    for rule, address, host in dice.sample(known, min(kinds, len(known))):
        for _ in range(round(per_day * days)):
            at = round(here.first + dice.random() * (here.last - here.first))
            found += [Row(at + number, rule, address, host, "-") for number in range(dice.randint(1, 4))]  # fmt: skip
    return found


def renamed(rows: list[Row], names: dict[str, str], addresses: dict[str, str]) -> list[Row]:
    """Return rows of which some hosts are others."""
    return [
        row._replace(host=names[row.host], address=addresses[names[row.host]])
        if row.host in names
        else row
        for row in rows
    ]


def only(rows: list[Row], *sensors: str) -> list[Row]:
    """Return what some sensors saw."""
    return [row for row in rows if row.rule.partition(":")[0] in sensors]
