"""Every public set of records with an expected document: what the goal asks, once the contradictions in `docs/` are left out.

The measure is that of `../shared/tools/score_ingest.py`. What is left out stands in
`tests/data/reference/contradictions.toml`, each with a row of `docs/ecs-differences*.md` that quotes the
specification; a row that no difference needs any more is named too.
"""

import importlib.util
import json
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contract.event import Event
from contract.plugins import load
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.normalize import Normalizer

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data/ingest/dev"
TOOL = ROOT.parent / "shared/tools/score_ingest.py"
ROWS = ROOT / "tests/data/reference/contradictions.toml"
RECEIVED_US = from_iso("2026-06-15T12:00:00Z")
NOT_SCORED = ("metron", "crowdsec_hub", "wazuh_ini", "sc4s", "logstash_patterns", "loghub")
EQUAL, WRONG, PARSED = 0.98, 0.005, 0.995

Row = dict[str, Any]
Difference = tuple[str, str, str, str]
"""(case, field, what the collection has, what we have)"""


@cache
def tool() -> Any:
    spec = importlib.util.spec_from_file_location("score_ingest", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sets() -> list[str]:
    if not TOOL.exists():
        return []
    return [
        "/".join(path.parts[-3:-1])
        for path in sorted(DATA.glob("*/*/cases.jsonl"))
        if path.parts[-2] in tool().ADAPTERS and path.parts[-3] not in NOT_SCORED
    ]


@cache
def rows() -> list[Row]:
    pages = tomllib.loads(ROWS.read_text(encoding="utf-8"))["page"]
    return [row | {"file": page["file"]} for page in pages for row in page["row"]]


def excuse(name: str, difference: Difference) -> Row | None:
    case, field, want, have = difference
    for row in rows():
        if (
            re.fullmatch(row["sets"], name)
            and re.fullmatch(row["field"], field)
            and re.fullmatch(row["want"], want, re.DOTALL)
            and re.fullmatch(row["have"], have, re.DOTALL)
            and row.get("case", "") in case
        ):
            return row
    return None


def cases_of(name: str) -> list[dict[str, Any]]:
    text = (DATA / name / "cases.jsonl").read_text(encoding="utf-8", errors="surrogatepass")
    found = [json.loads(line) for line in text.split("\n") if line]
    return [case for case in found if isinstance(case.get("expected"), dict) and case.get("input")]


def events_of(adapter: str, case: dict[str, Any]) -> list[dict[str, Any]]:
    one = Normalizer(load("ingest.adapters", "ADAPTER", Adapter)[adapter], "reference")
    raw = tool().raw(case).encode("utf-8", "surrogateescape")
    context = Context(received_us=RECEIVED_US)
    found = [*one.take(raw, context), *one.flush(context)]
    return [dict(tool().flatten(event.fields)) for event in found if isinstance(event, Event)]


@cache
def measured(name: str) -> tuple[Counter[str], list[Difference]]:
    """Return counts of cases, parsed, fields, and the fields that are not equal."""
    score = tool()
    adapter = score.ADAPTERS[name.partition("/")[2]]
    count: Counter[str] = Counter()
    differences: list[Difference] = []
    for case in cases_of(name):
        events = events_of(adapter, case)
        count["cases"] += 1
        refused = not events and any(
            row.get("refused") and row["case"] in case["id"] and re.fullmatch(row["sets"], name)
            for row in rows()
        )
        count["parsed"] += bool(events) or refused
        for field, value in score.flatten(case["expected"]):
            if field not in score.FIELDS or value in (None, "", [], "-"):
                continue
            count["fields"] += 1
            want = score.norm(field, value)
            have: set[str] = set()
            for event in events:
                if event.get(field) not in (None, ""):
                    have |= score.norm(field, event[field])
            if not have or not (want <= have or have <= want):
                differences.append(
                    (case["id"], field, ", ".join(sorted(want)), ", ".join(sorted(have)))
                )
    return count, differences


pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="no ../shared/tools/score_ingest.py")


@pytest.mark.parametrize("name", sets())
def test_a_set_reaches_the_goal_once_contradictions_are_left_out(name: str) -> None:
    count, differences = measured(name)
    left = [one for one in differences if excuse(name, one) is None]
    fields = count["fields"] - (len(differences) - len(left))
    wrong = [one for one in left if one[3]]
    assert count["parsed"] >= PARSED * count["cases"]
    assert fields - len(left) >= EQUAL * fields, left
    assert len(wrong) <= WRONG * fields, wrong


def test_every_contradiction_is_needed_and_stands_in_the_docs() -> None:
    used = [excuse(name, one) for name in sets() for one in measured(name)[1]]
    pages: dict[str, str] = {}
    for row in rows():
        text = pages.setdefault(row["file"], (ROOT / "docs" / row["file"]).read_text("utf-8"))
        assert row["row"] in text, (row["file"], row["row"])
        assert row in used or row.get("refused"), row
