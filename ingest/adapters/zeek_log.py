"""Zeek's logs, tab-separated with their header or as JSON, of any version and writer.

Sources: docs.zeek.org/en/master/log-formats.html and script-reference/log-files.html (Zeek 7, read
2026-11); JSON as Zeek, Corelight (`_path`), Security Onion and Humio (`@stream`), and Metron's wrapper
(`{"conn": {…}}`) write it. The header of a tab-separated stream is remembered, so that lines may come one
by one; a rotated file brings its own. Every column stays under `zeek.<log>.<column>`.

Options: `log`, the name of the log whose records do not say it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.json import flatten_into, load_object
from ingest.formats.text import decode
from ingest.formats.zeek_details import COMPLETE, flow
from ingest.formats.zeek_names import column_name, log_name, said_log, told_log
from ingest.formats.zeek_tsv import Convert, converters, take_header
from ingest.formats.zeek_values import Read, compile_column, time_text
from ingest.tables.zeek import COLUMNS, EVERY, LOGS, OTHER, TRANSPORTS

NAME: Final = "zeek.log"


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the fields of the records in one line, or in a whole file.

    Header lines give none. In a record of several lines, one that cannot be read becomes an event of
    kind `pipeline_error` with the line, so that the others are not lost.

    Raises:
        ParseError: a single line that cannot be read.
    """
    if b"\n" not in raw:
        fields = _line(raw, context)
        return [] if fields is None else [fields]
    found: list[Fields] = []
    for line in raw.split(b"\n"):
        try:
            fields = _line(line, context)
        except ParseError as error:
            fields = {
                "event.kind": "pipeline_error",
                "event.module": "zeek",
                "event.dataset": "zeek.log",
                "error.message": str(error),
                "event.original": line.decode("utf-8", "backslashreplace"),
            }
        if fields is not None:
            found.append(fields)
    return found


def _line(raw: bytes, context: Context) -> Fields | None:
    first = raw[:1]
    if first == b"{":
        return _json(load_object(raw), context)
    text = decode(raw)
    if first == b"#":
        take_header(context.state.setdefault("header", {}), text)
        return None
    if not text or text.isspace():
        return None
    if text[:1] == "{":
        return _json(load_object(text), context)
    header = context.state.get("header") or {}
    if "ready" not in header:
        raise ParseError("neither JSON nor a line after a #fields and #types header")
    return _tsv(text, header)


# ------------------------------------------------------------------ tab-separated


_Column: TypeAlias = tuple[str, str, Read | None, Convert | None]
"""Zeek's own field, the ECS field, the reader that makes several, how the text is typed; empty: none."""


@lru_cache(8192)
def _target(path: str, column: str) -> _Target:
    column = column or "unnamed"
    spec = COLUMNS.get(path, {}).get(column) or EVERY.get(column)
    own = "" if column in ("uid", "ts") or column[0] in "_@" else f"zeek.{path}.{column}"
    made = "" if spec is None else compile_column(spec)
    return (own, made, None) if isinstance(made, str) else (own, "", made)


@dataclass(slots=True, frozen=True)
class _Log:
    """How the lines under one header are read.

    Attributes:
        columns: for any line.
        plain: for lines without escapes and empty values, whose text columns are what they say.
        stamp: index of `ts`; -1: there is none.
    """

    path: str
    separator: str
    unset: str
    empty: str
    columns: list[_Column]
    plain: list[_Column]
    stamp: int


_LOGS: dict[str, _Log] = {}
_MAX_LOGS: Final = 512


def _log_of(header: dict[str, Any]) -> _Log:
    found = _LOGS.get(header["ready"])
    if found is not None:
        return found
    path = log_name(header["path"])
    names, types = header["fields"], header["types"]
    columns = [
        (*_target(path, column_name(name)), convert)
        for name, convert in zip(names, converters(header), strict=True)
    ]
    plain = [
        (own, field, reader, None if kind == "string" else convert)
        for (own, field, reader, convert), kind in zip(columns, types, strict=True)
    ]
    if len(_LOGS) >= _MAX_LOGS:
        _LOGS.clear()
    log = _LOGS[header["ready"]] = _Log(
        path, header.get("separator", "\t"), header.get("unset_field", "-"),
        header.get("empty_field", "(empty)"), columns, plain, names.index("ts") if "ts" in names else -1,
    )  # fmt: skip
    return log


def _tsv(text: str, header: dict[str, Any]) -> Fields:
    log = _log_of(header)
    values = text.split(log.separator)
    is_plain = "\\x" not in text and log.empty not in text
    columns = log.plain if is_plain else log.columns
    if len(values) != len(columns):
        raise ParseError(f"{len(values)} values where #fields names {len(columns)}")
    fields = _begin(log.path)
    unset = log.unset
    typed: Any
    for value, (own, field, reader, convert) in zip(values, columns, strict=True):
        if value == unset:
            continue
        typed = value
        if convert is not None:
            typed = convert(value)
            if typed is None:
                continue
        if own:
            fields[own] = typed
        if field:
            fields[field] = typed
        elif reader is not None:
            reader(fields, typed)
    if log.stamp >= 0:
        _stamp(fields, values[log.stamp])
    return _complete(fields, log.path)


# ------------------------------------------------------------------ JSON


def _json(item: dict[str, Any], context: Context) -> Fields:
    path = ""
    if len(item) == 1:
        # Metron's writer names the log by wrapping the record.
        name, inner = next(iter(item.items()))
        if type(inner) is dict and (name in LOGS or "ts" in inner):
            path, item = name, inner
    path = log_name(path or said_log(item) or context.options.get("log") or told_log(item))
    fields = _begin(path)
    targets = _targets(path)
    for name, value in item.items():
        if type(value) is dict:
            inner_fields: Fields = {}
            flatten_into(inner_fields, value, name + ".", 2)
            for column, leaf in inner_fields.items():
                _take(fields, targets.get(column) or _learn(path, column), leaf)
        elif value is not None:
            _take(fields, targets.get(name) or _learn(path, name), value)
    stamp = item.get("ts", item.get("_write_ts", item.get("@timestamp")))
    _stamp(fields, stamp)
    return _complete(fields, path)


_Target: TypeAlias = tuple[str, str, Read | None]
_MAX_NAMES: Final = 2_048


@lru_cache(256)
def _targets(path: str) -> dict[str, _Target]:
    """What is known of the names of one log's JSON records; `_learn` adds to it."""
    return {}


def _learn(path: str, name: str) -> _Target:
    target = _target(path, column_name(name))
    targets = _targets(path)
    if len(targets) < _MAX_NAMES:
        targets[name] = target
    return target


def _take(fields: Fields, target: _Target, value: Any) -> None:
    if value in ("", []):
        return
    own, field, reader = target
    if own:
        fields[own] = value
    if field:
        fields[field] = value
    elif reader is not None:
        reader(fields, value)


# ------------------------------------------------------------------ both


@lru_cache(256)
def _row(path: str) -> tuple[Fields, tuple[str, ...], tuple[str, ...]]:
    kind, categories, types, protocol = LOGS.get(path, OTHER)
    fields: Fields = {
        "event.kind": kind,
        "event.module": "zeek",
        "event.dataset": f"zeek.{path}",
        "observer.vendor": "Zeek",
        "observer.type": "sensor",
    }
    if protocol:
        fields["network.protocol"] = protocol
    if path in TRANSPORTS:
        fields["network.transport"] = TRANSPORTS[path]
    return fields, tuple(categories.split()), tuple(types.split())


def _begin(path: str) -> Fields:
    constant, categories, types = _row(path)
    fields = constant.copy()
    fields["event.category"] = [*categories]
    fields["event.type"] = [*types]
    return fields


def _stamp(fields: Fields, value: Any) -> None:
    text = None if value is None else time_text(value)
    if text is not None:
        fields["@timestamp"] = text


def _complete(fields: Fields, path: str) -> Fields:
    complete = COMPLETE.get(path)
    if complete is not None:
        complete(fields, f"zeek.{path}.")
    if "source.ip" in fields:
        flow(fields)
    return fields


ADAPTER = Adapter(NAME, parse)
