"""Small factories for rules and matches, shared by the tests of this folder."""

from typing import Any

import msgspec

from contract.document import read
from correlate.sigma.compile import load
from correlate.sigma.lines import LineMatcher
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Options, RuleSet

HEAD = "title: {title}\nid: {id}\nlogsource: {{{source}}}\nlevel: low\ndetection:\n"


def rule(
    detection: str,
    *,
    condition: str = "s",
    source: str = "product: windows",
    id: str = "r",
    title: str = "",
) -> str:
    body = "".join(f"  {line}\n" for line in detection.splitlines())
    return (
        HEAD.format(title=title or id, id=id, source=source) + body + f"  condition: {condition}\n"
    )


def loaded(*texts: str, pipelines: tuple[str, ...] = (), options: Options | None = None) -> RuleSet:
    documents = [
        document for at, text in enumerate(texts) for document in read(text, f"rules/r{at}.yml")
    ]
    return load(
        documents,
        pipelines=[Pipeline(f"p{at}", one) for at, one in enumerate(pipelines)],
        options=options,
    )


def hits(rules: RuleSet, *events: Any) -> list[list[str]]:
    assert not rules.errors, [str(error) for error in rules.errors]
    matcher = LineMatcher(rules.detections.values())
    return [[one.id for one in matcher.match(msgspec.json.encode(event))] for event in events]


def count(detection: str, *events: Any, condition: str = "s", **options: Any) -> int:
    return sum(
        bool(one) for one in hits(loaded(rule(detection, condition=condition), **options), *events)
    )
