"""Every fault of a refused detection, not the first alone: what is wrong is taken out, and the rest is compiled again."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from contract.document import Document
from contract.errors import RuleError
from correlate.sigma.compile import load
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Options

MAX_FAULTS = 20
"""Named of one rule."""

_SECTION = "detection"
_HARMLESS: dict[str, Any] = {"removed": None}
"""A search that is always right, in place of one that was wrong."""


def faults(
    document: Document, *, pipelines: Sequence[Pipeline] = (), options: Options | None = None
) -> Iterator[RuleError]:
    """Yield the faults of one detection rule, the one that it is refused for first. O(faults x rule)."""
    left = Document(document.file, copy.deepcopy(document.data), document.lines)
    paths = {
        place: path
        for path, place in sorted(document.lines.items(), key=lambda one: len(one[0]))
        if path[:1] == (_SECTION,)
    }
    for _ in range(MAX_FAULTS):
        error = next(iter(load([left], pipelines=pipelines, options=options).errors), None)
        if error is None:
            return
        yield error
        path = paths.get((error.line, error.column), ())
        # Where no search is to blame, or one that was taken out already, nothing more can be told apart.
        if len(path) < 2 or path[1] == "condition" or not _take_out(left.data, path):  # noqa: PLR2004
            return


def _take_out(data: dict[str, Any], path: Sequence[str | int]) -> bool:
    """Take out what stands at a path; tell whether it was there."""
    parent: Any = data
    for part in path[:-1]:
        try:
            parent = parent[part]
        except (KeyError, IndexError, TypeError):
            return False
    last = path[-1]
    if isinstance(parent, list) and isinstance(last, int) and last < len(parent):
        parent[last] = dict(_HARMLESS) if isinstance(parent[last], dict) else "removed"
        return True
    if not isinstance(parent, dict) or last not in parent or last in _HARMLESS:
        return False
    del parent[last]
    if len(path) == 2:  # noqa: PLR2004  # a whole search: the condition still names it
        parent[last] = dict(_HARMLESS)
    elif not parent:
        parent.update(_HARMLESS)
    return True
