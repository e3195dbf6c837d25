"""The public rule set: what loads, what it hits, and the same hits on raw Windows JSON and on our ECS events."""

import gzip
from functools import cache
from pathlib import Path

import pytest

from contract.ports import Context
from correlate.sigma.cache import load_files
from correlate.sigma.engine import Engine
from correlate.sigma.lines import LineMatcher
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Detection
from ingest.adapters.windows_eventlog import ADAPTER

SHARED = Path(__file__).parents[3] / "../shared"
SIGMAHQ = SHARED / "data/sigmahq"
BENCH = SHARED / "data/bench/windows_events.jsonl.gz"
TRUTH = SHARED / "peers/rsigma_matches_dev.tsv.gz"
FOLDERS = ("rules", "rules-emerging-threats", "rules-threat-hunting")
PIPELINES = Path(__file__).parents[3] / "rules/pipeline"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not TRUTH.exists(), reason="the shared data are not beside the checkout"),
]


@cache
def windows(pipeline: str = "") -> tuple[Detection, ...]:
    files = [
        (str(path), path.read_bytes())
        for folder in FOLDERS
        for path in sorted((SIGMAHQ / folder).rglob("*.yml"))
    ]
    pipelines = (
        [Pipeline(pipeline, (PIPELINES / f"{pipeline}.yml").read_text())] if pipeline else []
    )
    rules = load_files(files, pipelines=pipelines).rules
    # Two rules of the set need placeholders that only a site can give.
    assert len(rules.errors) == 2
    assert all("placeholder %known_cdcs%" in error.message for error in rules.errors)
    return tuple(r for r in rules.detections.values() if r.logsource.product == "windows")


@cache
def lines(step: int) -> list[tuple[int, bytes]]:
    with gzip.open(BENCH, "rb") as file:
        return [(at, line) for at, line in enumerate(file) if at % step == 0]


def test_hits_on_the_bench_file_are_the_known_ones() -> None:
    with gzip.open(TRUTH, "rt") as file:
        wanted = {
            (rule, int(at))
            for rule, at in (line.split("\t") for line in file.read().split("\n") if line)
        }
    assert len(wanted) == 464
    matcher = LineMatcher(windows())
    found = {(rule.id, at) for at, line in lines(1) for rule in matcher.match(line)}
    assert found == wanted


@pytest.mark.parametrize("pipeline", ["", "ecs_windows"])
def test_hits_on_our_own_events_are_those_on_raw_json(pipeline: str) -> None:
    raw = LineMatcher(windows())
    ours = Engine(windows(pipeline))
    context = Context(1_600_000_000_000_000)
    seen = 0
    for _, line in lines(9):
        wanted = [rule.id for rule in raw.match(line)]
        (fields,) = ADAPTER.parse(line.strip(), context)
        assert [rule.id for rule in ours.match(fields)] == wanted
        seen += len(wanted)
    assert seen > 40
