"""Every metric that the code counts has a help text, and docs/metrics.md lists them; OPSONIN_ACCEPT=1 writes it anew."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from runtime.metric_help import HELP
from runtime.metrics import PREFIX, PrometheusMeter

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
HEAD = """\
# Metrics

In the Prometheus text format at `/metrics` (see `[web]` in [settings](settings.md)) and in `opsonin status`. Nothing that passes a bound goes
uncounted: a number here says how much. This page is written from the code by a test
(`OPSONIN_ACCEPT=1 make test PYTEST_ARGS=tests/runtime/test_metrics_page.py`).

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
"""
KINDS = {"add": "counter", "set": "gauge"}
COUNTED = {
    "matches_total": ("rule",),
    "alerts_total": ("new",),
    "chains_total": ("new",),
    "decisions_total": ("state",),
    "outcomes_total": ("result",),
}
"""Names that `runtime.flow` composes."""


def used() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the name, kind and labels of each metric in the code."""
    for folder in ("contract", "ingest", "correlate", "respond", "runtime", "console"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args:
                    yield from metric(node)
    for name, labels in COUNTED.items():
        yield name, "counter", labels


def metric(call: ast.Call) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield what one call counts, if it counts."""
    name = call.args[0]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return
    if isinstance(call.func, ast.Name) and call.func.id == "Notice":
        yield name.value, "counter", ("label",)
        return
    kind = KINDS.get(getattr(call.func, "attr", ""))
    if kind and isinstance(call.func, ast.Attribute) and "meter" in ast.unparse(call.func.value):
        yield name.value, kind, tuple(sorted(one.arg for one in call.keywords if one.arg))


def exposed(name: str, kind: str) -> str:
    return PREFIX + name.removesuffix("_total") + ("_total" if kind == "counter" else "")


def page() -> str:
    kinds: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, kind, labels in used():
        kinds.setdefault(name, (kind, labels))
    lines = []
    for name, text in HELP.items():
        kind, labels = kinds[name]
        lines.append(
            f"| `{exposed(name, kind)}` | {kind} | {', '.join(labels) or 'none'} | {text} |\n"
        )
    return HEAD + "".join(lines)


def test_every_metric_is_explained_and_every_explanation_is_of_a_metric() -> None:
    assert {name for name, _, _ in used()} == set(HELP)


def test_a_metric_has_one_kind_and_one_set_of_labels() -> None:
    found: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for name, kind, labels in used():
        found.setdefault(name, set()).add((kind, labels))
    assert {name: each for name, each in found.items() if len(each) > 1} == {}


def test_the_page_is_what_the_code_says() -> None:
    if os.environ.get("OPSONIN_ACCEPT"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_the_exposition_carries_the_help_text() -> None:
    meter = PrometheusMeter()
    meter.add("epochs_total")
    meter.add("a_plugin_counts_this")
    text = meter.text().decode()
    assert f"# HELP opsonin_epochs {HELP['epochs_total']}" in text
    assert "# HELP opsonin_a_plugin_counts_this a plugin counts this" in text


def test_the_alerting_rules_speak_of_metrics_that_are_there() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "opsonin.rules.yml").read_text())
    spoken = {
        name
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"\bopsonin_\w+", rule["expr"])
    }
    assert spoken
    assert spoken <= {exposed(name, kind) for name, kind, _ in used()}
