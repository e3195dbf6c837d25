r"""Zeek's tab-separated logs: the header that says how to read what follows, and one line by it.

Source: docs.zeek.org/en/master/log-formats.html, read 2026-11. A header line is `#name<sep>value…`; types
are `time interval count int double bool port addr subnet string enum` and `set[…]`, `vector[…]` of these.
Bytes outside printable ASCII come as `\xNN`, and so do separators within values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from contract.errors import ParseError

Convert: TypeAlias = Callable[[str], Any]
MAX_COLUMNS: Final = 512
_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_HEADER_NAMES: Final = frozenset(
    ("separator", "set_separator", "empty_field", "unset_field", "path", "fields", "types")
)


def take_header(state: dict[str, Any], line: str) -> None:
    """Add one `#` line to a header; `#separator` begins a new one. Unknown lines are passed over.

    `state` holds JSON values: it is what an adapter remembers of the stream.

    Raises:
        ParseError: more columns than the bound.
    """
    separator = state.get("separator", "\t")
    if line.startswith("#separator"):
        state.clear()
        state["separator"] = unescape(line[10:].strip()) or "\t"
        return
    name, _, rest = line[1:].partition(separator)
    if name not in _HEADER_NAMES:
        return
    if name in ("fields", "types"):
        values = rest.split(separator)
        if len(values) > MAX_COLUMNS:
            raise ParseError(f"{len(values)} columns in #{name}; the bound is {MAX_COLUMNS}")
        state[name] = values
    else:
        state[name] = rest
    if "fields" in state and "types" in state and "path" in state:
        state["ready"] = repr([state[key] for key in sorted(state) if key != "ready"])


def unescape(text: str) -> str:
    r"""Undo `\xNN`; runs that are UTF-8 become their characters, others stay as they are."""
    return _ESCAPES.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "backslashreplace")


def converters(state: dict[str, Any]) -> list[Convert | None]:
    """Return how to read each column; None: text as it is.

    Raises:
        ParseError: #fields and #types differ in number.
    """
    fields, types = state["fields"], state["types"]
    if len(fields) != len(types):
        raise ParseError(f"{len(fields)} #fields but {len(types)} #types")
    separator = unescape(state.get("set_separator", ","))
    empty = state.get("empty_field", "(empty)")
    return [_converter(kind, separator or ",", empty) for kind in types]


def _converter(kind: str, separator: str, empty: str) -> Convert | None:
    if kind[:4] == "set[" or kind[:7] == "vector[":
        inner = _scalar(kind[kind.index("[") + 1 :].rstrip("]"))

        def read(text: str) -> Any:
            if text == empty or not text:
                return None
            parts = text.split(separator)
            if inner is None:
                return [unescape(part) if "\\x" in part else part for part in parts]
            return [inner(part) for part in parts if part != "-"]

        return read
    scalar = _scalar(kind)
    if scalar is not None:
        return scalar

    def text_of(text: str) -> Any:
        if "\\x" in text:
            return unescape(text)
        return None if text == empty else text

    return None if kind in ("addr", "enum") else text_of


def _scalar(kind: str) -> Convert | None:
    return _SCALARS.get(kind)


def _count(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return text


def _double(text: str) -> Any:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if -1e300 < number < 1e300 else text  # noqa: PLR2004 - infinity has no JSON form


def _bool(text: str) -> Any:
    return {"T": True, "F": False}.get(text, text)


_SCALARS: Final[dict[str, Convert]] = {
    "count": _count, "int": _count, "port": _count, "double": _double, "interval": _double,
    "bool": _bool,
}  # fmt: skip
