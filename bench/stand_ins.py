"""How well chains are found on days that nobody recorded: labelled alerts put together anew (AIT-ADS, ../shared).

Two recorded days say little of a third. A stand-in takes the attack of one site into the noise of the other (hosts by their
roles, with the addresses of the new site), or changes one thing of a day: the hour, the volume of scans, the pace, the users,
alerts lost, a sensor silent, noise doubled, denser or strange (`stand_in_cases`). Each case is made from its name, so that it is
the same on every machine. Each is played through the engine with its defaults and judged by ../shared/tools/ait_ads.py.

    bench/stand_ins.py                     all cases, one line each, and the shares that keep each goal
    bench/stand_ins.py --likely            those that other days of the testbed are likely to be
    bench/stand_ins.py --quiet             days without an attack: the highest scores, beside that of the site's own attack
    bench/stand_ins.py --only 'moved*'     those whose name fits
    bench/stand_ins.py --write DIR NAME    one case as the set's CSV, for the command line
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import io
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from labelled_days import DAYS, Row  # type: ignore[import-not-found]  # noqa: E402  beside this script
from stand_in_cases import cases, hard, large, likely, mixed, quiet  # type: ignore[import-not-found]  # noqa: E402

from contract.records import Alert, Chain  # noqa: E402  after the path
from tests.correlate.chain.test_coincidence import SHARED, replayed  # noqa: E402

COVER = 0.9
GOALS: dict[str, Callable[[Any], bool]] = {
    "cover1": lambda value: value >= COVER,
    "k90": lambda value: value is not None and value <= 2,  # noqa: PLR2004
    "kinds1": lambda value: value is not None and value >= 0.85,  # noqa: PLR2004
    "span1": lambda value: value is not None and value <= 1.5,  # noqa: PLR2004
    "false_per_day": lambda value: value <= 0.5,  # noqa: PLR2004
    "ratio": lambda value: value >= 500,  # noqa: PLR2004
    "order1": lambda value: value is not None and value >= 0.95,  # noqa: PLR2004
}
"""As the public set's judge states them."""


def written(rows: list[Row], path: Path) -> None:
    """Write rows in the form of the set."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("time", "name", "ip", "host", "short", "time_label", "event_label"))
        for row in sorted(rows, key=lambda one: one.at):
            lines.writerow((f"{row.at:.0f}", row.rule, row.address, row.host, "", "", row.step))


def judge() -> Any:
    """Return the set's own judge."""
    spec = importlib.util.spec_from_file_location("ait_ads", SHARED / "tools/ait_ads.py")
    if spec is None or spec.loader is None:
        sys.exit("../shared/tools/ait_ads.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(run: Callable[..., None], *arguments: str) -> str:
    """Return what a function prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        run(*arguments)
    return out.getvalue()


def linked(rows: list[Row], folder: Path) -> tuple[dict[str, Alert], list[Chain], Path]:
    """Play a case; return its alerts and its chains, the worst first, and the file of its rows."""
    path = folder / "case.csv"
    written(rows, path)
    alerts, chains = replayed(said(judge().ecs, str(path)).encode().splitlines())
    return alerts, chains, path


def played(rows: list[Row], folder: Path) -> dict[str, Any]:
    """Play a case and return what the judge says."""
    records = folder / "records.ndjson"
    alerts, chains, path = linked(rows, folder)
    with records.open("w", encoding="utf-8") as file:
        for one in (*alerts.values(), *chains):
            file.write(f"{one.model_dump_json(by_alias=True)}\n")
    found: dict[str, Any] = json.loads(said(judge().score, str(path), str(records)))
    return found


def rested() -> None:
    """Print the highest scores of days without an attack, after those of the days with the sites' own."""
    own = ((name, case) for name, case in likely() if name.startswith("same "))
    for name, case in (*own, *quiet()):
        with tempfile.TemporaryDirectory() as folder:
            _, chains, _ = linked(case(_dice(name)), Path(folder))
        print(f"{name:24} {len(chains):4} chains, scores {[round(one.score, 1) for one in chains[:4]]}", flush=True)  # fmt: skip


def main() -> None:
    """Play the cases that are asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--only", action="append", help="names, as a pattern; may be said again")
    options.add_argument("--likely", action="store_true", help="leave the hard ones out")
    options.add_argument("--quiet", action="store_true", help="days without an attack")
    options.add_argument("--write", nargs=2, metavar=("DIR", "NAME"))
    chosen = options.parse_args()
    if not DAYS.is_dir():
        sys.exit("../shared/data/chain/ait_ads is not there")
    if chosen.quiet:
        rested()
        return
    patterns = chosen.write[1:] if chosen.write else chosen.only or ["*"]
    asked = {
        name: case
        for name, case in (likely() if chosen.likely else cases())
        if any(name == one or fnmatch(name, one) for one in patterns)
    }
    if not asked:
        sys.exit(f"no case is named {' or '.join(patterns)}")
    if chosen.write:
        for name, case in asked.items():
            written(case(_dice(name)), Path(chosen.write[0], f"{name}.csv"))
        return
    found = {}
    for name, case in asked.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = played(case(_dice(name)), Path(folder))
        print(f"{name:36} {told(found[name])}", flush=True)
    for family in (likely, mixed, large, hard):
        summary(family.__name__, [found[name] for name, _ in family() if name in found])


def _dice(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311  nothing is secret here


def told(one: dict[str, Any]) -> str:
    """Return what the judge says of a case, and which goals it misses, as a line."""
    figures = " ".join(
        f"{goal.removesuffix('_per_day')} {'-' if one[goal] is None else one[goal]!s:5}" for goal in GOALS
    )  # fmt: skip
    missed = [goal for goal, holds in GOALS.items() if not holds(one[goal])]
    return f"{figures} {'MISSES ' + ' '.join(missed) if missed else ''} {','.join(one['missed'])}"


def summary(title: str, found: list[dict[str, Any]]) -> None:
    """Print how many cases keep each goal, and the means; of k90 among those that have one."""
    if not found:
        return
    kept: Counter[str] = Counter()
    for one in found:
        kept.update(goal for goal, holds in GOALS.items() if holds(one[goal]))
        kept["all"] += all(holds(one[goal]) for goal, holds in GOALS.items())
    means = {
        goal: round(statistics.fmean(known), 3)
        for goal in GOALS
        if (known := [one[goal] for one in found if one[goal] is not None])
    }
    print(json.dumps({"cases": title, "count": len(found), "kept": dict(kept), "means": means}))


if __name__ == "__main__":
    main()
