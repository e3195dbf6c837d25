"""The engine against the naive evaluator of the tests: all rules on real events, routed and unrouted; no difference is allowed.

Example: .venv/bin/python bench/naive.py --events 20000

The naive evaluator (`tests/correlate/sigma/naive.py`) is written from the specification's text and shares no code with
the engine. It is asked once for each rule and each different set of values of the fields that the rule names.
Unrouted, every rule is tried on every event; routed, those whose log source fits, as `opsonin match` does it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from typing_extensions import override

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from contract.document import Document, read  # noqa: E402  # after the path to the checkout
from correlate.sigma.compile import load  # noqa: E402
from correlate.sigma.engine import Engine  # noqa: E402
from correlate.sigma.lines import LineMatcher, decode  # noqa: E402
from correlate.sigma.route import Route, Router  # noqa: E402
from correlate.sigma.rules import RuleSet  # noqa: E402
from correlate.sigma.taxonomy import Names  # noqa: E402
from correlate.sigma.view import flat  # noqa: E402
from tests.correlate.sigma import naive  # noqa: E402

SHARED = ROOT / "../shared"
SAY_EVERY = 500
_ABSENT = object()


class Everything(Router):
    """Tries every rule on every event."""

    deciding = frozenset()

    @override
    def key(self, event: Any) -> Any:
        """Return the same for all events."""
        return 0

    @override
    def route(self, event: Any) -> Route:
        """Return a route on which every rule fits."""
        return Route()

    @override
    def deciders(self, event: Any) -> frozenset[str]:
        """Return no field: none decides."""
        return frozenset()


class Naive:
    """The naive evaluator's word on one rule, asked once for equal values of its fields."""

    def __init__(self, document: Document) -> None:
        self._data = document.data
        self._fields = fields_of(document.data["detection"])
        self._known: dict[Any, bool] = {}

    def __call__(self, event: dict[str, Any]) -> bool:
        """Tell whether the rule holds for a flat event."""
        if self._fields is None:
            return naive.matches(self._data, event)
        values = [event.get(name, _ABSENT) for name in self._fields]
        key = tuple([one if type(one) is str else (type(one), repr(one)) for one in values])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = naive.matches(self._data, event)
        return known


def fields_of(detection: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the fields that a detection section names; None: it asks the whole event."""
    found: set[str] = set()
    for name, search in detection.items():
        if name == "condition":
            continue
        for item in search if isinstance(search, list) else [search]:
            if not isinstance(item, dict):
                return None
            for key, value in item.items():
                field, *modifiers = str(key).split("|")
                if not field:
                    return None
                found.add(field)
                if "fieldref" in modifiers:
                    found |= set(value if isinstance(value, list) else [value])
    return tuple(sorted(found))


def events_of(path: Path, count: int) -> Iterator[bytes]:
    """Yield so many lines at even distances."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        lines = file.readlines()
    step = max(1.0, len(lines) / count)
    at = 0.0
    while at < len(lines):
        yield lines[int(at)]
        at += step


def public(root: Path) -> tuple[RuleSet, dict[str, Naive]]:
    """Return the compiled rules of a checkout of SigmaHQ, and the naive ones by id."""
    documents = [
        document
        for path in sorted(root.rglob("*.yml"))
        if "regression_data" not in path.relative_to(root).parts and path.name != "info.yml"
        for document in read(path.read_text("utf-8"), str(path))
    ]
    rules = load(documents)
    return rules, {
        one.data["id"]: Naive(one) for one in documents if one.data.get("id") in rules.detections
    }


def viewed(event: dict[str, Any], names: Names) -> dict[str, Any]:
    """Return an event under the names that rules use, where its log source has others."""
    known = {mine: event[theirs] for mine, theirs in names.fields.items() if theirs in event}
    return {name: one for name, one in event.items() if name not in names.fields} | known


def unrouted(rules: RuleSet, checks: dict[str, Naive]) -> Callable[[bytes], tuple[Any, Any]]:
    """Return what engine and naive evaluator say of a line when every rule is tried."""
    engine = Engine(rules.detections.values(), Everything())

    def both(line: bytes) -> tuple[Any, Any]:
        event = flat(decode(line))
        wanted = [id for id in rules.detections if checks[id](event)]
        return [rule.id for rule in engine.match(event, line)], wanted

    return both


def routed(rules: RuleSet, checks: dict[str, Naive]) -> Callable[[bytes], tuple[Any, Any]]:
    """Return the same with routing from the raw event."""
    matcher, router = LineMatcher(rules.detections.values()), Router()
    sources = {rule.logsource for rule in rules.detections.values()}
    ways_of: dict[int, tuple[Route, dict[Any, list[Names]]]] = {}

    def both(line: bytes) -> tuple[Any, Any]:
        event = flat(decode(line))
        route = router.route(event)
        if id(route) not in ways_of:
            ways_of[id(route)] = route, {one: route.names_for(one) for one in sources}
        ways = ways_of[id(route)][1]
        views = {id(names): viewed(event, names) for row in ways.values() for names in row}
        wanted = [
            id_
            for id_, rule in rules.detections.items()
            if any(checks[id_](views[id(names)]) for names in ways[rule.logsource])
        ]
        return [rule.id for rule in matcher.match(line)], wanted

    return both


def main() -> int:
    """Compare, and print one JSON object: rules, events, hits and differences of each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rules", type=Path, default=SHARED / "data/sigmahq")
    parser.add_argument("--file", type=Path, default=SHARED / "data/bench/windows_events.jsonl.gz")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--ways", default="routed,unrouted")
    arguments = parser.parse_args()
    rules, checks = public(arguments.rules)
    result: dict[str, Any] = {"rules": len(rules.detections), "refused": len(rules.errors)}
    differences = 0
    for way in arguments.ways.split(","):
        both = {"routed": routed, "unrouted": unrouted}[way](rules, checks)
        began = time.perf_counter()
        counts = {"events": 0, "hits": 0, "differences": 0}
        for at, line in enumerate(events_of(arguments.file, arguments.events)):
            ours, wanted = both(line)
            counts["events"] += 1
            counts["hits"] += len(wanted)
            if ours != wanted:
                counts["differences"] += 1
                print(f"{way}, event {at}: {set(ours) ^ set(wanted)}", file=sys.stderr)
            if at % SAY_EVERY == 0:
                print(f"{way}: {at}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
        result[way] = counts
        differences += counts["differences"]
    print(json.dumps(result), flush=True)
    return 1 if differences else 0


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())
