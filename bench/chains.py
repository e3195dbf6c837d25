"""How many alerts one core links, and whether memory stays flat when the replay is ten times as long.

Lanes: `mix`, in shares as sensors give them: everyday repetitions on many hosts, scans and brute force from outside, and
intrusions of several steps; `flood`, one rule against one target, each alert from another source; `new`, where a fifth of the
alerts repeats nothing and is grave enough to be a chain alone. Alerts are made beforehand and are not part of the time; each run is a new process, so
that one run's memory is not the other's; `rss_mb_tenths` is its peak after each tenth. Rates are of processor time: what one core would do if nobody shared it.

Each alert is a moment of its own, which ends as the next begins. Last line: {"alerts_per_s", "alerts_per_s_10x", "rss_mb",
"rss_mb_10x", "rss_mb_tenths_10x", "flood_alerts_per_s", "flood_rss_mb", "new_alerts_per_s", "new_rss_mb", "chains", "chains_10x", "p50_us", "p99_us"}.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from contract.records import Alert, Chain, Level, Rule
from contract.timestamps import from_datetime
from correlate.chain.entities import entity
from correlate.chain.settings import LinkSettings
from correlate.link import Linker

START = datetime(2026, 1, 1, tzinfo=UTC)
ALERTS = 200_000
"""Alerts of one replay; ten times as many of the tenfold."""
FLOOD = 100_000
STEP = timedelta(seconds=1)
"""Between two alerts: a replay is longer than a chain lives, so that memory is at its level when it ends."""
LATENESS_US = 10_000_000
"""By which a host's watermark is behind what it took last."""
BLOCK = 5_000
GC_THRESHOLD = (100_000, 20, 50)
"""As the embedded host sets it."""

STAGES: tuple[tuple[str, str, str, Level], ...] = (
    ("scan", "reconnaissance", "T1595.001", "low"),
    ("exploit", "initial-access", "T1190", "high"),
    ("shell", "execution", "T1059.004", "high"),
    ("dump", "credential-access", "T1003.008", "high"),
    ("move", "lateral-movement", "T1021.004", "medium"),
)


def main() -> None:
    """Run the three measurements, each in a process of its own."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--alerts", type=int, default=ALERTS, help="alerts of one replay")
    options.add_argument("--only", choices=tuple(LANES), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.only:
        print(json.dumps(measure(chosen.only, chosen.alerts)))
        return
    once = _apart("mix", chosen.alerts)
    ten = _apart("mix", chosen.alerts * 10)
    flood = _apart("flood", FLOOD)
    new = _apart("new", FLOOD)
    print(
        json.dumps(
            {
                "alerts_per_s": once["alerts_per_s"],
                "alerts_per_s_10x": ten["alerts_per_s"],
                "rss_mb": once["rss_mb"],
                "rss_mb_10x": ten["rss_mb"],
                "rss_mb_tenths_10x": ten["rss_mb_tenths"],
                "chains": once["chains"],
                "chains_10x": ten["chains"],
                "flood_alerts_per_s": flood["alerts_per_s"],
                "flood_rss_mb": flood["rss_mb"],
                "new_alerts_per_s": new["alerts_per_s"],
                "new_rss_mb": new["rss_mb"],
                "p50_us": once["p50_us"],
                "p99_us": once["p99_us"],
            }
        )
    )


def _apart(kind: str, alerts: int) -> dict[str, Any]:
    print(f"{kind}: {alerts} alerts", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, __file__, "--only", kind, "--alerts", str(alerts)],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(found, file=sys.stderr)
    return found


def measure(kind: str, count: int) -> dict[str, Any]:
    """Link `count` alerts; return rate, memory above the start's, chains and the time of single alerts."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    logic = Linker(LinkSettings(), (), {})
    source = LANES[kind](count)
    chains: set[str] = set()
    spent, times, rss = 0.0, [], []
    while block := list(islice(source, BLOCK)):
        begun = time.process_time()
        for number, item in enumerate(block):
            if number % 50 == 0:
                one = time.perf_counter()
                out = [*logic.on_moment(from_datetime(item.time)), *logic.on_item(item)]
                times.append(time.perf_counter() - one)
            else:
                out = [*logic.on_moment(from_datetime(item.time)), *logic.on_item(item)]
            chains.update(record.id for record in out if isinstance(record, Chain))
        now_us = from_datetime(block[-1].time) - LATENESS_US
        wake = logic.wake_at()
        if wake is not None and wake <= now_us:
            list(logic.on_time(now_us))
        logic.snapshot()
        spent += time.process_time() - begun
        rss.append(_rss_mb())
    times.sort()
    return {
        "alerts_per_s": round(count / spent),
        "rss_mb": round(rss[-1], 1),
        "rss_mb_tenths": [
            round(rss[max(0, len(rss) * tenth // 10 - 1)], 1) for tenth in range(1, 11)
        ],
        "chains": len(chains),
        "p50_us": round(times[len(times) // 2] * 1e6, 1),
        "p99_us": round(times[len(times) * 99 // 100] * 1e6, 1),
    }


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ------------------------------------------------------------------ alerts


def mix(count: int) -> Iterator[Alert]:
    """Yield a site's alerts: 96 % everyday repetitions, 3.9 % scans and guesses, 0.1 % steps of intrusions."""
    draw = random.Random(7)  # noqa: S311 - test data, repeatable
    for number in range(count):
        at = START + number * STEP
        kind = draw.random()
        if kind < 0.96:  # noqa: PLR2004
            # Sensors repeat themselves in bursts: some hundred kinds at a time, others a few minutes later.
            active = number // 2_000 * 37 + draw.randrange(100)
            yield make(number, at, f"daily-{active % 25}", "low", host=f"host-{active % 200}")
        elif kind < 0.999:  # noqa: PLR2004
            source = f"100.64.{draw.randrange(4)}.{draw.randrange(250)}"
            yield make(
                number, at, "guess", "low", source=source, target=f"10.0.0.{draw.randrange(20)}"
            )
        else:
            attack = number // 5_000
            name, tactic, technique, level = STAGES[draw.randrange(len(STAGES))]
            yield make(
                number, at, name, level, source=f"198.18.{attack // 250 % 250}.{attack % 250}",
                target=f"10.0.{attack % 200}.9", stage=(tactic, technique),
            )  # fmt: skip


def flood(count: int) -> Iterator[Alert]:
    """Yield one rule's alerts against one target, each from another source."""
    for number in range(count):
        source = f"100.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        at = START + number * timedelta(milliseconds=1)
        yield make(number, at, "flood", "medium", source=source, target="10.0.0.5")


def new(count: int) -> Iterator[Alert]:
    """Yield everyday repetitions, and every fifth time what was never seen: another source, mostly another target."""
    draw = random.Random(9)  # noqa: S311 - test data, repeatable
    for number in range(count):
        at = START + number * STEP
        if draw.random() < 0.2:  # noqa: PLR2004
            source = f"100.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            target = f"10.0.{draw.randrange(20)}.{draw.randrange(250)}"
            yield make(
                number, at, f"odd-{draw.randrange(50)}", "medium", source=source, target=target
            )
        else:
            active = number // 2_000 * 37 + draw.randrange(100)
            yield make(number, at, f"daily-{active % 25}", "low", host=f"host-{active % 200}")


LANES: dict[str, Callable[[int], Iterator[Alert]]] = {"mix": mix, "flood": flood, "new": new}


def make(
    number: int, at: datetime, rule: str, level: Level, *, host: str = "", source: str = "",
    target: str = "", stage: tuple[str, str] | None = None,
) -> Alert:  # fmt: skip
    """Return an alert as `aggregate` gives it."""
    entities = []
    if host:
        entities.append(entity("host", host, "subject"))
    if source:
        entities.append(entity("ip", source, "source"))
        entities.append(entity("ip", target, "target"))
    return Alert(
        id=f"alert-{number:08}", revision=1, rule=Rule(id=rule, name=rule, level=level), time=at, last=at,
        events=(f"event-{number:08}",), event_count=1, entities=tuple(entities),
        tactics=stage[:1] if stage else (), techniques=stage[1:] if stage else (),
    )  # fmt: skip


if __name__ == "__main__":
    main()
