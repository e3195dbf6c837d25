"""TOML and `OPSONIN_` variables to one mapping, with the line of each key for error messages.

The standard library's reader gives no lines; they are found again by walking the text, which is exact for tables
and keys written one a line and falls back to the table's line within multi-line values.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeAlias

from contract.errors import SettingsError

PREFIX = "OPSONIN_"
_HEADER = re.compile(r"\s*(\[{1,2})\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-\"'.]+)\s*=")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")

Path: TypeAlias = tuple[str | int, ...]


def read(text: str, file: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        SettingsError: not TOML; names line and column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        # Without a place the fault is "at end of document".
        line, column = (int(at[1]), int(at[2])) if at else (text.count("\n") + 1, 0)
        reason = _AT.sub("", str(error)).strip()
        raise SettingsError(
            f"not valid TOML: {reason}", file=file, line=line, column=column
        ) from error


def _within(parts: list[str], counts: Mapping[Path, int]) -> Path:
    """Return a header's path; the array tables that it lies in are meant by their last element."""
    path: Path = ()
    for part in parts:
        if path in counts:
            path = (*path, counts[path] - 1)
        path = (*path, part.strip().strip("\"'"))
    return path


def lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each table and key path; array tables count from 0."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            table = _within(header[2].split("."), counts)
            if header[1] == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                found.setdefault(table, number)
                table = (*table, index)
            found[table] = number
            continue
        key = _KEY.match(line)
        if key:
            path = (*table, *(part.strip("\"'") for part in key[1].split(".")))
            found.setdefault(path, number)
    return found


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return settings given as `OPSONIN_<TABLE>__<KEY>=value`; values are TOML, or plain text when they are not.

    Names without `__` (OPSONIN_REQUIRE, OPSONIN_ACCEPT, …) belong to tools, not to the settings.
    """
    tree: dict[str, Any] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *tables, key = name.removeprefix(PREFIX).lower().split("__")
        place = tree
        for part in tables:
            place = place.setdefault(part, {})
        place[key] = _value(value)
    return tree


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with `above` laid over it, table by table."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
        )
    return merged
