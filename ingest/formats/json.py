"""JSON from the wire, under bounds: exact integers, nesting and size that cannot hurt, flattened to dotted names.

Source: RFC 8259. Of a name that stands twice in one object the last value holds (section 4 leaves it
open; this is what every widely used reader does). msgspec reads as fast as orjson here and, unlike
it, keeps integers beyond 64 bits exact.
"""

from __future__ import annotations

from typing import Any

import msgspec

from contract.errors import ParseError
from contract.event import Fields

MAX_DEPTH = 32
"""Objects within objects that `flatten` follows; deeper input is refused."""
MAX_FIELDS = 4096
"""Names in one flattened record; a Suricata `stats` record with all counters has about 900."""

MAX_REMEMBERED = 65_536
"""Dotted names that are made once and kept."""

_NUMBERS = (int, float)
_KINDS = {
    dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean",
    type(None): "null",
}  # fmt: skip
_decode = msgspec.json.Decoder().decode


def loads(raw: bytes | str) -> Any:
    """Return the JSON value of `raw`, whatever its kind.

    A byte order mark is passed over; bytes that are not UTF-8 become U+FFFD.

    Raises:
        ParseError: not JSON, or nested deeper than the interpreter follows (about 1,000).
    """
    try:
        return _decode(raw)
    except UnicodeDecodeError:
        repaired = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        return _loads_again(repaired)
    except RecursionError:
        raise ParseError("JSON nested too deep") from None
    except msgspec.DecodeError as error:
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        if text.startswith("\ufeff"):
            return _loads_again(text[1:])
        raise ParseError(f"not JSON: {error}") from None


def _loads_again(text: str) -> Any:
    try:
        return _decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise ParseError("JSON nested too deep") from None
    except msgspec.DecodeError as error:
        raise ParseError(f"not JSON: {error}") from None


def load_object(raw: bytes | str) -> dict[str, Any]:
    """Return the JSON object of `raw`.

    Raises:
        ParseError: not JSON, or not an object.
    """
    value = loads(raw)
    if type(value) is not dict:
        raise ParseError(f"expected a JSON object, came {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """Return what JSON calls a value, with its article, for reasons of dead letters."""
    return _KINDS.get(type(value), "a value that JSON has not")


class _Names:
    """The dotted names below one prefix, made once: joining and hashing them anew costs most of flattening."""

    __slots__ = ("below", "names", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.names: dict[str, str] = {}
        self.below: dict[str, _Names] = {}


_roots: dict[str, _Names] = {}
_remembered = 0


def _room() -> bool:
    """Whether one more name may be remembered; keys come from outside, so there is a bound."""
    global _remembered  # noqa: PLW0603 - a cache's size
    _remembered += 1
    return _remembered <= MAX_REMEMBERED


def flatten(value: dict[str, Any], prefix: str = "") -> Fields:
    """Return the leaves of nested objects by dotted name, each name after `prefix`.

    Null, empty text, empty lists and objects are left out; lists stay as they are, objects in them included.

    Raises:
        ParseError: deeper than `MAX_DEPTH` or more than `MAX_FIELDS` names.
    """
    flat: Fields = {}
    flatten_into(flat, value, prefix)
    return flat


def flatten_into(flat: Fields, value: dict[str, Any], prefix: str, depth: int = 1) -> None:
    """Add the leaves of `value`, itself `depth` objects deep, to `flat`; a later name replaces an earlier one.

    Raises:
        ParseError: deeper than `MAX_DEPTH` or `flat` would hold more than `MAX_FIELDS` names.
    """
    names = _roots.get(prefix)
    if names is None:
        names = _Names(prefix)
        if _room():
            _roots[prefix] = names
    _flatten(flat, value, names, depth)
    if len(flat) > MAX_FIELDS:
        raise ParseError(f"more than {MAX_FIELDS} fields in one record")


def _flatten(flat: Fields, value: dict[str, Any], names: _Names, depth: int) -> None:
    known = names.names
    for key, item in value.items():
        if type(item) is dict:
            below = names.below.get(key)
            if below is None:
                if depth >= MAX_DEPTH or len(flat) > MAX_FIELDS:
                    raise ParseError(f"objects nested deeper than {MAX_DEPTH}, or too many fields")
                below = _Names(f"{names.prefix}{key}.")
                if _room():
                    names.below[key] = below
            _flatten(flat, item, below, depth + 1)
        elif item or item is False or type(item) in _NUMBERS:
            try:
                flat[known[key]] = item
            except KeyError:
                name = names.prefix + key
                if _room():
                    known[key] = name
                flat[name] = item
