"""Every package that the program imports is declared, and nothing is declared for nothing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS = {*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "opsonin_native"}
FOR_OTHERS = {
    "crc32c": "kafka-python",
    "lz4": "kafka-python",
    "zstandard": "kafka-python",
    "cramjam": "aiokafka",
    "backports-zstd": "ingest, by the name it has in Python 3.14",
}
"""What is declared and not imported as such, and who looks for it."""


def plain(name: str) -> str:
    """Return a distribution's name as registries compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *chain.from_iterable(extras)]
    return {plain(re.match(r"[\w.-]+", line)[0]) for line in lines}  # type: ignore[index]


def imported() -> Iterator[tuple[str, str]]:
    """Yield module and file of each import of something that is neither ours nor Python's."""
    for package in sorted(OURS - {"opsonin_native"}):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                for name in names:
                    first = name.partition(".")[0]
                    if first not in OURS and first not in sys.stdlib_module_names:
                        yield first, str(path.relative_to(ROOT))


IMPORTED = dict(imported())


@pytest.mark.parametrize("module", IMPORTED)
def test_what_is_imported_is_declared(module: str) -> None:
    found = packages_distributions().get(module, ())
    if not found:
        pytest.skip(f"{module}, for {IMPORTED[module]}, is not installed")
    assert {plain(one) for one in found} & declared(), IMPORTED[module]


def test_what_is_declared_is_imported_or_looked_for_by_another() -> None:
    known = packages_distributions()
    used = {plain(one) for module in IMPORTED for one in known.get(module, ())}
    assert declared() - used - {"evtx"} == FOR_OTHERS.keys() & declared()
    assert FOR_OTHERS.keys() <= declared()
