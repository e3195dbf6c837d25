"""Names in Zeek's JSON: which log a record is of, and its columns as Zeek writes them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from ingest.tables.zeek import LOGS, TELLING

_PATH_NAMES: Final = ("_path", "@stream", "_stream", "stream", "log", "event_type")
_FOLDED: Final = ("id_", "certificate_", "san_", "basic_constraints_", "times_", "seen_")
"""Records within a record, whose point some JSON writers turn into an underscore."""


@lru_cache(4096)
def column_name(name: str) -> str:
    """Return a column as Zeek writes it, whose point a JSON writer turned into an underscore."""
    for prefix in _FOLDED:
        if name.startswith(prefix):
            return prefix[:-1] + "." + name[len(prefix) :]
    return name


def said_log(item: dict[str, Any]) -> str:
    """Return the log that the record names, or empty text."""
    for name in _PATH_NAMES:
        value = item.get(name)
        if type(value) is str and value and (name[0] in "_@" or value in LOGS):
            return value
    return ""


def told_log(item: dict[str, Any]) -> str:
    """Tell the log by its columns.

    Raises:
        ParseError: no log of those known has two of them.
    """
    names = {column_name(name) for name in item}
    for path, telling in TELLING:
        if len(names.intersection(telling)) > 1:
            return path
    raise ParseError(f"JSON that names no Zeek log (_path), with {', '.join(list(item)[:6])}")


@lru_cache(1024)
def log_name(path: str) -> str:
    """Return the log's name without a writer's additions (`conn.log`, `zeek_conn`, `bro_dns`)."""
    name = path.rpartition("/")[2].removesuffix(".log")
    for prefix in ("json_streaming_", "zeek_", "bro_"):
        name = name.removeprefix(prefix)
    return name.lower() if name.isidentifier() else "unknown"
