"""Rule files to documents, told apart by what they say: Sigma rules, chain patterns, playbooks, pipelines."""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from contract.document import Document, read
from contract.errors import InputError, RuleError, SettingsError

MAX_FILES = 100_000
_ENDINGS = (".yml", ".yaml")
_TEST_ENDINGS = (".test.yml", ".test.yaml")


@dataclass(slots=True)
class RuleFiles:
    """All documents below some folders, by kind, in order of path.

    Attributes:
        sigma: detections, correlations and filters.
        errors: files that could not be read as YAML, and documents of no known kind.
    """

    sigma: list[Document] = field(default_factory=list)
    patterns: list[Document] = field(default_factory=list)
    playbooks: list[Document] = field(default_factory=list)
    errors: list[InputError] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Sort a document in, by what it says; pipelines, which are read elsewhere, are passed over."""
        data = document.data
        if (
            "detection" in data
            or "correlation" in data
            or "filter" in data
            or data.get("action") in ("global", "repeat", "reset")
        ):
            self.sigma.append(document)
        elif "when" in data:
            self.playbooks.append(document)
        elif "pattern" in data:
            self.patterns.append(document)
        elif "transformations" not in data and "postprocessing" not in data and "vars" not in data:
            self.errors.append(
                document.error(
                    "expected a Sigma rule (detection, correlation or filter), a playbook (when) or a chain pattern (pattern)"
                )
            )


def shipped() -> Path:
    """Return the folder of the rules that ship with the project."""
    spec = importlib.util.find_spec("rules")
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError("the shipped rules are not installed; name a folder in engine.rules")
    return Path(next(iter(spec.submodule_search_locations)))


def paths(roots: Iterable[Path]) -> list[Path]:
    """Return the rule files of folders and files, sorted; tests beside rules are left out.

    Raises:
        SettingsError: a root is not there, or holds too many files.
    """
    found: list[Path] = []
    for root in roots:
        if root.is_file():
            found.append(root)
        elif root.is_dir():
            found += sorted(
                one
                for one in root.rglob("*")
                if one.suffix in _ENDINGS and not one.name.endswith(_TEST_ENDINGS) and one.is_file()
            )
        else:
            raise SettingsError("no such file or folder of rules", file=str(root))
        if len(found) > MAX_FILES:
            raise SettingsError(f"more than {MAX_FILES} rule files", file=str(root))
    return found


def stamps(roots: Iterable[Path]) -> dict[str, tuple[int, int, int]]:
    """Return what tells whether rule files changed, by path: time of change, size, inode. What is not there has none."""
    found: dict[str, tuple[int, int, int]] = {}
    for root in roots:
        _stamp(str(root), found)
        for folder, _, names in os.walk(root):
            for name in names:
                if name.endswith(_ENDINGS) and not name.endswith(_TEST_ENDINGS):
                    _stamp(os.path.join(folder, name), found)  # noqa: PTH118  # half the time of a Path
    return found


def _stamp(path: str, found: dict[str, tuple[int, int, int]]) -> None:
    with suppress(OSError):
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISREG(status.st_mode):
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)


def read_rules(roots: Iterable[Path]) -> RuleFiles:
    """Read every rule file; faults are collected, not raised.

    Raises:
        SettingsError: as `paths`.
    """
    files = RuleFiles()
    for path in paths(roots):
        try:
            for document in read(path.read_text(encoding="utf-8"), str(path)):
                files.add(document)
        except RuleError as error:
            files.errors.append(error)
        except (OSError, UnicodeDecodeError) as error:
            files.errors.append(RuleError(f"cannot be read: {error}", file=str(path)))
    return files
