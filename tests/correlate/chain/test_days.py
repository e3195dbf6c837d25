"""Other days than the two that are given: two attacks at once, and ten times the noise (AIT-ADS, labelled alerts).

The data stand beside the checkout and are never part of it.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from contract.records import Alert, Chain
from tests.correlate.chain.test_coincidence import SHARED, replayed

DAYS = SHARED / "data/chain/ait_ads"
NOISE = ("-", "dnsteal")
HOUR_S = 3600.0

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DAYS.is_dir(), reason="the labelled days are not beside the checkout"),
]


class Row(NamedTuple):
    """One alert of the set; `of` is the day that it is from."""

    at: float
    rule: str
    address: str
    host: str
    step: str
    of: str


def day(name: str) -> list[Row]:
    with gzip.open(Path(DAYS, f"{name}_alerts.csv.gz"), "rt", encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        return [Row(float(row[0]), ",".join(row[1:-5]), row[-5], row[-4], row[-1], name) for row in reader]  # fmt: skip


def attack(rows: Iterable[Row]) -> tuple[float, float]:
    times = [row.at for row in rows if row.step not in NOISE]
    return min(times), max(times)


def documents(rows: list[Row]) -> Iterator[bytes]:
    """Write each row as a sensor's alert; its id is its place."""
    for number, row in enumerate(rows):
        provider, _, name = row.rule.partition(": ")
        yield json.dumps(
            {
                "@timestamp": datetime.fromtimestamp(row.at, UTC).isoformat(), "event.kind": "alert",
                "event.id": str(number), "event.provider": provider.lower(), "rule.name": name or row.rule,
                "host.name": row.host, "host.ip": [row.address],
            }
        ).encode()  # fmt: skip


def linked(rows: list[Row]) -> list[list[Row]]:
    """Return the rows behind each chain, the best chain first."""
    rows.sort(key=lambda row: row.at)
    alerts, chains = replayed(documents(rows))
    return [list(behind(chain, alerts, rows)) for chain in chains]


def behind(chain: Chain, alerts: dict[str, Alert], rows: list[Row]) -> Iterator[Row]:
    for one in chain.alerts:
        yield from (rows[int(event)] for event in alerts[one].events)


def steps(rows: Iterable[Row]) -> set[str]:
    return {row.step for row in rows if row.step not in NOISE}


def thinned(rows: Iterable[Row]) -> list[Row]:
    """Return the first row of each kind on each host in each quarter of an hour: its repetitions are one step anyway."""
    found: dict[tuple[str, str, int], Row] = {}
    for row in rows:
        found.setdefault((row.host, row.rule, int(row.at // 900)), row)
    return list(found.values())


def thinned_noise(rows: list[Row]) -> list[Row]:
    """Return all rows of the attack, and the noise without its repetitions."""
    return [*(row for row in rows if row.step not in NOISE), *thinned(row for row in rows if row.step in NOISE)]  # fmt: skip


@pytest.mark.parametrize("renamed", [True, False], ids=["other hosts", "hosts of the same names"])
def test_two_attacks_within_an_hour_are_two_chains(renamed: bool) -> None:
    one, two = (thinned_noise(day(name)) for name in ("russellmitchell", "shaw"))
    shift = attack(one)[0] + HOUR_S / 2 - attack(two)[0]
    moved = [row._replace(at=row.at + shift) for row in two]
    if renamed:
        moved = [row._replace(host=f"x-{row.host}") for row in moved]
    attacks = [rows for rows in linked([*one, *moved]) if len(steps(rows)) > 2]
    assert sorted("+".join({row.of for row in rows}) for rows in attacks) == [
        "russellmitchell",
        "shaw",
    ]
    for rows in attacks:
        (of,) = {row.of for row in rows}
        # One kind of the first, a busy processor, comes some times a day and may be found in neither.
        assert len(steps(rows)) >= len(steps(row for row in (*one, *two) if row.of == of)) - 1


def test_ten_times_the_noise_leaves_the_top_chain() -> None:
    """The quiet hours of nine other sites' hosts beside one site's own."""
    rows = thinned_noise(day("russellmitchell"))
    first, last = attack(rows)
    quiet = [row for row in thinned(rows) if not first - HOUR_S < row.at < last + HOUR_S]
    begun, ended = min(row.at for row in rows), max(row.at for row in rows)
    alone = linked(list(rows))[0]
    noise = [
        row._replace(
            at=begun + (row.at - begun + number * 7.3 * HOUR_S) % (ended - begun),
            host=f"{row.host}-{number}", address=f"10.{number}.{index % 200}.9", step="-", of="noise",
        )
        for number in range(1, 10)
        for index, row in enumerate(quiet)
    ]  # fmt: skip
    top = linked([*rows, *noise])[0]
    assert {row.of for row in top} == {"russellmitchell"}
    assert len(steps(top)) >= len(steps(alone)) - 1
