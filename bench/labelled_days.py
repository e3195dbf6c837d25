"""Labelled days put together anew: one site's attack in another's noise, and days with one thing changed (AIT-ADS, ../shared).

What `stand_ins` plays. A case is made from its name, so that it is the same on every machine.
"""

from __future__ import annotations

import csv
import gzip
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.correlate.chain.test_coincidence import SHARED

DAYS = SHARED / "data/chain/ait_ads"
SITES = ("russellmitchell", "shaw")
NOT_ATTACK = ("-", "dnsteal")
HOUR_S = 3600.0
DAY_S = 86400.0
TARGET = "intranet_server"
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


# ------------------------------------------------------------------ the cases

Case: TypeAlias = Callable[[random.Random], list[Row]]


def other(name: str) -> str:
    """Return the other site."""
    return SITES[1 - SITES.index(name)]


def cases() -> Iterator[tuple[str, Case]]:
    """Yield every case by its name."""
    for name in SITES:
        days = round((SITE[name].last - SITE[name].first) / DAY_S)
        noon = day_at(name, days - 2, 11)
        yield from _recorded(name)
        yield from _moved(name, days, noon)
        yield from _noisier(name, noon)


def _recorded(name: str) -> Iterator[tuple[str, Case]]:
    """A site's own attack in its own noise."""
    here, short = SITE[name], name[0]
    whole, began = [*here.noise, *here.attack], begin(here.attack)
    yield f"same {short}", lambda dice: whole
    for share in (0.1, 0.2, 0.3, 0.4):
        yield (
            f"lost {short} {share}",
            lambda dice, share=share: [  # type: ignore[misc]
                *lost(here.noise, share, dice),
                *lost(here.attack, share, dice),
            ],
        )
    for sensors in (("Wazuh",), ("AMiner",), ("Wazuh", "AMiner"), ("AMiner", "Suricata")):
        yield f"only {short} {'+'.join(sensors)}", lambda dice, kept=sensors: only(whole, *kept)  # type: ignore[misc]
    for minutes in (10, 25, 50, 90, 240, 360):
        yield (
            f"paused {short} {minutes}m",
            lambda dice, minutes=minutes: [  # type: ignore[misc]
                *here.noise,
                *paused(placed(name, name, day_at(name, 2, 10)), 60 * minutes),
            ],
        )
    for kept in (3, 2):
        yield (
            f"days {short} last {kept}",
            lambda dice, kept=kept: [  # type: ignore[misc]
                row for row in whole if row.at > began - kept * DAY_S
            ],
        )
    earlier = round(here.last - here.first) + 60
    yield (
        f"days {short} twice as many",
        lambda dice: [
            *(row._replace(at=row.at - earlier) for row in here.noise),
            *whole,
        ],
    )


def _moved(name: str, days: int, noon: float) -> Iterator[tuple[str, Case]]:
    """The other site's attack in a site's noise: at other times, thinner, faster, slower, elsewhere."""
    here, alien, short = SITE[name], other(name), name[0]
    late = ((days - 2, 20), (days - 1, 8), (days - 1, 13), (days - 1, 18))
    for day, hour in ((1, 3), (1, 12), (2, 9), (2, 15), *late):
        when = day_at(name, day, hour)
        yield (
            f"moved {short} day {day} {hour}h",
            lambda dice, when=when: [  # type: ignore[misc]
                *here.noise,
                *placed(alien, name, when + dice.random() * HOUR_S),
            ],
        )
    attack = placed(alien, name, noon)
    for share in (0.1, 0.2, 0.3, 0.4):
        yield (
            f"lost moved {short} {share}",
            lambda dice, share=share: [  # type: ignore[misc]
                *here.noise,
                *lost(attack, share, dice),
            ],
        )
    for by in (0.1, 20, 200):
        yield (
            f"stretched {short} x{by:g}",
            lambda dice, by=by: [  # type: ignore[misc]
                *here.noise,
                *stretched(attack, by),
            ],
        )
    for place in ("webserver", "cloud_share", "mail"):
        yield (
            f"target {short} {place}",
            lambda dice, place=place: [  # type: ignore[misc]
                *here.noise,
                *renamed(attack, {TARGET: place, place: TARGET}, here.addresses),
            ],
        )


def _noisier(name: str, noon: float) -> Iterator[tuple[str, Case]]:
    """More noise, less of it, denser, or of the attack's own kinds."""
    here, short = SITE[name], name[0]
    attack = placed(other(name), name, noon)
    double = [*here.noise, *shifted(name, 24)]
    yield f"noise {short} x2", lambda dice: [*double, *here.attack]
    yield f"noise {short} x2 moved", lambda dice: [*double, *attack]
    yield f"noise {short} x3", lambda dice: [*double, *shifted(name, 49), *here.attack]
    yield f"noise {short} x0.5", lambda dice: [*lost(here.noise, 0.5, dice), *attack]
    for hours, before in ((1, 0.2), (3, 3), (3, 1.5), (2, -0.1)):
        start = noon - before * HOUR_S
        yield (
            f"burst {short} {hours}h {before}h before",
            lambda dice, start=start, hours=hours: [  # type: ignore[misc]
                *here.noise,
                *burst(name, start, hours, dice),
                *attack,
            ],
        )
    for kinds, often in ((5, 1), (10, 1), (5, 3), (10, 3)):
        yield (
            f"shared {short} {kinds} kinds {often}/day",
            lambda dice, kinds=kinds, often=often: [  # type: ignore[misc]
                *here.noise,
                *shared(name, attack, kinds, often, dice),
                *attack,
            ],
        )
