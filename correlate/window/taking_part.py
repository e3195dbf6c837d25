"""What part one event takes in a correlation: by which detection, in which group, with which value."""

from __future__ import annotations

from collections.abc import Iterator

from contract.event import Fields
from correlate.sigma.rules import Detection, RuleSet
from correlate.window.grouping import lookup
from correlate.window.library import readable
from correlate.window.rule import Correlation


def referred(id: str, rules: RuleSet) -> Iterator[tuple[Correlation, str, Detection]]:
    """Yield each detection that a correlation takes, directly or by a correlation below it.

    With it come the correlation that refers to it and the reference as written there. Of a correlation that is
    refused, or refers to one, comes nothing: `aggregate.check` names the fault.
    """
    read, resolved = readable(rules, [])
    seen: set[str] = set()
    waiting = [id]
    while waiting:
        id = waiting.pop(0)
        if id in seen or id not in resolved:
            continue
        seen.add(id)
        for reference, inner in zip(read[id].rules, resolved[id], strict=True):
            if inner in rules.detections:
                yield read[id], reference, rules.detections[inner]
            else:
                waiting.append(inner)


def part(correlation: Correlation, reference: str, fields: Fields) -> Iterator[str]:
    """Say in words what a correlation takes of an event that one of its rules matched; a line each."""
    for name in correlation.group_by:
        field = correlation.field_of(name, reference)
        value = lookup(fields, field)
        if value is not None:
            yield f"group-by {field} is {value!r}"
        elif correlation.policy.group_absent:
            yield f"group-by {field} is absent: in the group of those without"
        else:
            yield f"group-by {field} is absent: takes no part"
    for name in correlation.fields:
        field = correlation.field_of(name, reference)
        value = lookup(fields, field)
        yield (
            f"field {field} is absent: takes no part"
            if value is None
            else f"field {field} is {value!r}"
        )
