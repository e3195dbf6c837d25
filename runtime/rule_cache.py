"""Rule files and the cache of their compiled form, on disk; the form itself is `correlate.sigma.cache`'s.

The cache is a convenience: one that cannot be read is made anew, one that cannot be written is not kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from contract.errors import RuleError, SettingsError
from correlate.sigma.cache import Loaded, load_files
from correlate.sigma.pipelines import Pipeline
from correlate.sigma.rules import Options
from runtime.rule_files import paths, shipped

PIPELINE_FOLDER = "pipeline"


def load_rules(
    roots: Sequence[Path],
    *,
    pipelines: Sequence[Pipeline] = (),
    options: Options | None = None,
    cache_folder: Path | None = None,
) -> Loaded:
    """Compile every rule file below `roots`, from the cache where nothing changed.

    Args:
        roots: folders and files.
        pipelines: see `pipelines_of`.
        options: see there.
        cache_folder: one file a set of roots is kept there; None: compile anew, keep nothing.

    Raises:
        SettingsError: a root is not there or holds too many files.
        RuleError: a pipeline is not one.
    """
    files, unreadable = _contents(paths(roots))
    cache = _cache_file(roots, cache_folder)
    loaded = load_files(files, pipelines=pipelines, options=options, cache=_read(cache))
    if loaded.cache is not None and cache is not None:
        _write(cache, loaded.cache)
    if unreadable:
        rules = loaded.rules
        loaded.rules = type(rules)(
            rules.detections, rules.correlations, rules.filters, (*rules.errors, *unreadable)
        )
    return loaded


def pipelines_of(names: Iterable[str]) -> list[Pipeline]:
    """Read pipelines by name (of the shipped ones) or by file.

    Raises:
        SettingsError: there is none of that name, and no such file.
    """
    made = []
    for name in names:
        file = pipeline_file(name)
        if file is None:
            folder = shipped() / PIPELINE_FOLDER
            known = ", ".join(sorted(one.stem for one in folder.glob("*.yml")))
            raise SettingsError(f"no pipeline {name!r}: no such file; shipped are: {known}")
        try:
            made.append(Pipeline(name, file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot be read: {error}", file=str(file)) from error
    return made


def pipeline_file(name: str) -> Path | None:
    """Return the file of a pipeline, its own or that which ships under this name; None: there is none."""
    if "\0" in name:
        return None
    for file in (Path(name), shipped() / PIPELINE_FOLDER / f"{name}.yml"):
        if file.is_file():
            return file
    return None


def default_cache_folder() -> Path | None:
    """Return the user's cache folder for compiled rules (XDG base directories); None: the user has none."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "opsonin"
    except RuntimeError:
        return None


def _contents(files: Iterable[Path]) -> tuple[list[tuple[str, bytes]], list[RuleError]]:
    found = []
    errors = []
    for path in files:
        try:
            found.append((str(path), path.read_bytes()))
        except OSError as error:
            errors.append(RuleError(f"cannot be read: {error.strerror}", file=str(path)))
    return found, errors


def _cache_file(roots: Sequence[Path], folder: Path | None) -> Path | None:
    if folder is None:
        return None
    key = blake2b("\0".join(str(root.resolve()) for root in roots).encode(), digest_size=8)
    return folder / f"rules-{key.hexdigest()}.json"


def _read(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError:
        return None


def _write(file: Path, data: bytes) -> None:
    """Put the new cache in place of the old at once, so that no reader sees half of it."""
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as made:
            try:
                made.write(data)
                made.flush()
                Path(made.name).replace(file)
            except OSError:
                Path(made.name).unlink(missing_ok=True)
