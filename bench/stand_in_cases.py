"""The cases that `stand_ins` plays: what other days of the same testbed are likely to be, mixtures, and what is harder on purpose.

Likely is what the testbed varies from site to site: attacks from the third day on, at any hour; scans with up to twenty times the
alerts, over hours; the same steps at another pace, or one of them left out; more or fewer users; busier or calmer days; and
kinds of noise that appear on the very day. Mixed is several of these at once, each drawn by chance; large is scans with
hundreds of thousands of alerts and attacks of many hours. Quiet is no attack at all. Hard is what shows where the odds give out: first days, alerts lost, sensors silent.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).parent))

from labelled_days import (  # type: ignore[import-not-found]  # beside this script
    DAY_S,
    HOUR_S,
    SCANS,
    SITE,
    SITES,
    TARGET,
    Row,
    begin,
    burst,
    crowded,
    day_at,
    lost,
    louder,
    newcomers,
    only,
    paced,
    paused,
    placed,
    renamed,
    shared,
    shifted,
    stretched,
)

Case: TypeAlias = Callable[[random.Random], list[Row]]
LATE_HOURS = ((-2, 20), (-1, 8), (-1, 13), (-1, 18))
"""Days before the last, and hours."""
HALF = 0.5
MIXED = 10
"""Of each site."""


def other(name: str) -> str:
    """Return the other site."""
    return str(SITES[1 - SITES.index(name)])


def cases() -> Iterator[tuple[str, Case]]:
    """Yield every case by its name."""
    yield from likely()
    yield from mixed()
    yield from large()
    yield from hard()


def likely() -> Iterator[tuple[str, Case]]:
    """Yield what other days of the testbed are likely to be."""
    for name in SITES:
        yield f"same {name[0]}", _in(SITE[name].noise, SITE[name].attack)
        days = _days(name)
        for day, hour in ((2, 9), (2, 15), *((days + back, hour) for back, hour in LATE_HOURS)):
            yield f"moved {name[0]} day {day} {hour}h", _moved_to(name, day, hour)
        yield from _other_attacks(f"own {name[0]}", name, lambda _, name=name: SITE[name].attack)  # type: ignore[misc]
        alien = _some_day(name)
        yield from _other_attacks(f"moved {name[0]}", name, alien)
        yield from _other_noise(name, alien)


def mixed() -> Iterator[tuple[str, Case]]:
    """Yield days on which several things differ at once."""
    for name in SITES:
        for number in range(MIXED):
            yield f"mixed {name[0]} {number}", lambda dice, name=name: _mixed(name, dice)  # type: ignore[misc]


def _mixed(name: str, dice: random.Random) -> list[Row]:
    here = SITE[name]
    attack = here.attack if dice.random() < HALF else _some_day(name)(dice)
    few = [row for row in here.noise if not row.host.endswith("_mail")]
    noise = dice.choice((here.noise, here.noise, few, crowded(name, 3)))
    if dice.random() < HALF / 2:
        noise = lost(noise, HALF, dice)
    attack = paced(attack, dice.choice((0.7, 1, 1, 1.5, 2, 3)))
    by, hours = dice.choice(((1, 0), (1, 0), (5, 0), (5, 1), (20, 0), (20, 1), (20, 2)))
    if by > 1:
        attack = louder(attack, by, hours)
    if dice.random() < HALF:
        left_out = dice.choice((("crack_passwords",), SCANS[:2], ("escalated_sudo_command",), ("dirb",)))  # fmt: skip
        attack = [row for row in attack if row.step not in left_out]
    if dice.random() < HALF / 2:
        noise = [*noise, *newcomers(name, begin(attack), 3, dice)]
    return [*noise, *attack]


def large() -> Iterator[tuple[str, Case]]:
    """Yield days with scans of hundreds of thousands of alerts, and attacks of many hours."""
    for name in SITES:
        noise = SITE[name].noise
        for title, attack in (
            (f"own {name[0]}", lambda _, name=name: SITE[name].attack),
            (f"moved {name[0]}", _some_day(name)),
        ):
            for by, hours in ((50, 0), (50, 4)):
                yield (
                    f"volume {title} x{by} {hours}h",
                    lambda dice, by=by, hours=hours, noise=noise, attack=attack: [  # type: ignore[misc]
                        *noise,
                        *louder(attack(dice), by, hours),
                    ],
                )
            yield (
                f"pace {title} x8",
                lambda dice, noise=noise, attack=attack: [*noise, *paced(attack(dice), 8)],  # type: ignore[misc]
            )


def quiet() -> Iterator[tuple[str, Case]]:
    """Yield days without an attack: as they were, twice as loud, with more users, with kinds that nobody saw before."""
    for name in SITES:
        here, short = SITE[name], name[0]
        yield f"quiet {short}", _in(here.noise, [])
        yield f"quiet {short} noise x2", _in([*here.noise, *shifted(name, 24)], [])
        yield f"quiet {short} more users", lambda dice, name=name: crowded(name, 3)  # type: ignore[misc]
        yield (
            f"quiet {short} new kinds",
            lambda dice, name=name, here=here: [  # type: ignore[misc]
                *here.noise,
                *newcomers(name, here.last - DAY_S, 12, dice),
            ],
        )


def hard() -> Iterator[tuple[str, Case]]:
    """Yield what shows where the odds give out."""
    for name in SITES:
        noon = day_at(name, _days(name) - 2, 11)
        for day, hour in ((1, 3), (1, 12)):
            yield f"moved {name[0]} day {day} {hour}h", _moved_to(name, day, hour)
        yield from _recorded(name)
        yield from _thinner(name, placed(other(name), name, noon))
        yield from _noisier(name, placed(other(name), name, noon), noon)


def _days(name: str) -> int:
    return int((SITE[name].last - SITE[name].first) / DAY_S + 0.5)


def _in(noise: list[Row], attack: list[Row]) -> Case:
    return lambda dice: [*noise, *attack]


def _moved_to(name: str, day: int, hour: float) -> Case:
    when = day_at(name, day, hour)
    return lambda dice: [*SITE[name].noise, *placed(other(name), name, when + dice.random() * HOUR_S)]  # fmt: skip


def _some_day(name: str) -> Case:
    """Return the other site's attack at some working hour of the last two days."""
    days = _days(name)
    return lambda dice: placed(
        other(name), name, day_at(name, dice.choice((days - 2, days - 1)), 8 + 8 * dice.random())
    )


def _other_attacks(title: str, name: str, attack: Case) -> Iterator[tuple[str, Case]]:
    """An attack with louder scans, at another pace, with steps left out."""
    noise = SITE[name].noise
    for by, hours in ((5, 0), (20, 0), (20, 2)):
        yield (
            f"volume {title} x{by} {hours}h",
            lambda dice, by=by, hours=hours: [*noise, *louder(attack(dice), by, hours)],  # type: ignore[misc]
        )
    for pace in (0.5, 1.5, 2, 3):
        yield (
            f"pace {title} x{pace:g}",
            lambda dice, pace=pace: [*noise, *paced(attack(dice), pace)],  # type: ignore[misc]
        )
    for steps in (("crack_passwords",), SCANS[:2], ("escalated_sudo_command",)):
        yield (
            f"without {title} {steps[0]}",
            lambda dice, steps=steps: [  # type: ignore[misc]
                *noise,
                *(row for row in attack(dice) if row.step not in steps),
            ],
        )


def _other_noise(name: str, attack: Case) -> Iterator[tuple[str, Case]]:
    """More or fewer users, days that turn busy or calm, kinds that come up on the day."""
    noise, short = SITE[name].noise, name[0]
    few = [row for row in noise if not row.host.endswith("_mail")]
    yield f"users {short} fewer", lambda dice: [*few, *attack(dice)]
    yield f"users {short} more", lambda dice: [*crowded(name, 3), *attack(dice)]
    turn = SITE[name].last - 2 * DAY_S
    more = [row for row in shifted(name, 24) if row.at >= turn]
    yield f"late noise {short} x2", lambda dice: [*noise, *more, *attack(dice)]
    yield (
        f"late noise {short} x0.5",
        lambda dice: [
            *attack(dice),
            *(row for row in noise if row.at < turn or dice.random() < HALF),
        ],
    )
    for bursts in (6, 12):
        yield (
            f"new kinds {short} {bursts}",
            lambda dice, bursts=bursts: _with_newcomers(name, attack(dice), bursts, dice),  # type: ignore[misc]
        )


def _with_newcomers(name: str, attack: list[Row], bursts: int, dice: random.Random) -> list[Row]:
    return [*SITE[name].noise, *newcomers(name, begin(attack), bursts, dice), *attack]


def _recorded(name: str) -> Iterator[tuple[str, Case]]:
    """A site's own attack in its own noise, with losses, silent sensors, long pauses, other days before."""
    here, short = SITE[name], name[0]
    whole, began = [*here.noise, *here.attack], begin(here.attack)
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
    for minutes in (10, 25, 50):
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


def _thinner(name: str, attack: list[Row]) -> Iterator[tuple[str, Case]]:
    """The other site's attack in a site's noise: thinner, faster, slower, elsewhere."""
    here, short = SITE[name], name[0]
    for share in (0.1, 0.2, 0.3, 0.4):
        yield (
            f"lost moved {short} {share}",
            lambda dice, share=share: [  # type: ignore[misc]
                *here.noise,
                *lost(attack, share, dice),
            ],
        )
    for by in (0.1, 20):
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


def _noisier(name: str, attack: list[Row], noon: float) -> Iterator[tuple[str, Case]]:
    """More noise, less of it, denser, or of the attack's own kinds."""
    here, short = SITE[name], name[0]
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
