"""Which files a path means: a file, all of a folder, or what a pattern matches."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_GLOB: Final = "*?["
is_rotated: Final = re.compile(r".*[.\-_]\d[\d.\-_T]*(\.gz)?").fullmatch
"""Names that rotation gives: a number or a date behind."""
_PART: Final = re.compile(r"[.\-_]").finditer


def matches(path: Path) -> list[Path]:
    """Return the files that a path means, oldest first: rotated ones come before the live one."""
    if path.is_dir():
        found: Iterable[Path] = path.iterdir()
    elif any(mark in path.name for mark in _GLOB):
        found = path.parent.glob(path.name)
    else:
        found = [path]
    return [one for _, one in by_age(found)]


def folder_of(path: Path) -> Path:
    """Return the folder in which the files of a path come and go."""
    return path if path.is_dir() else path.parent


def by_age(paths: Iterable[Path]) -> list[tuple[int, Path]]:
    """Return when each file was changed, in nanoseconds, and the file; oldest first, and without those that just went away."""
    dated = []
    for path in dict.fromkeys(paths):
        with contextlib.suppress(OSError):
            if path.is_file():
                dated.append((path.stat().st_mtime_ns, path))
    return sorted(dated)


def rotated_of(logs: Iterable[Path]) -> list[Path]:
    """Return the files that stand beside logs under their names, with a number or a date behind."""
    names: dict[Path, set[str]] = {}
    for log in logs:
        names.setdefault(log.parent, set()).add(log.name)
    found: list[Path] = []
    for folder, known in names.items():
        with contextlib.suppress(OSError):
            found += [
                path for path in folder.iterdir()
                if is_rotated(path.name) and any(path.name[: part.start()] in known for part in _PART(path.name))
            ]  # fmt: skip
    return found
