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
        raise ParseError(f"expected a JSON object, came {type(value).__name__}")
    return value


def flatten(value: dict[str, Any], prefix: str = "") -> Fields:
    """Return the leaves of nested objects by dotted name, each name after `prefix`.

    Null and empty objects are left out; lists stay as they are, objects in them included.

    Raises:
        ParseError: deeper than `MAX_DEPTH` or more than `MAX_FIELDS` names.
    """
    flat: Fields = {}
    flatten_into(flat, value, prefix)
    return flat


def flatten_into(flat: Fields, value: dict[str, Any], prefix: str, depth: int = 1) -> None:
    """Add the leaves of `value` to `flat`, as `flatten` does; a later name replaces an earlier one.

    Raises:
        ParseError: deeper than `MAX_DEPTH` or `flat` would hold more than `MAX_FIELDS` names.
    """
    if depth > MAX_DEPTH:
        raise ParseError(f"objects nested deeper than {MAX_DEPTH}")
    for key, item in value.items():
        if type(item) is dict:
            flatten_into(flat, item, f"{prefix}{key}.", depth + 1)
        elif item is not None:
            flat[prefix + key] = item
    if len(flat) > MAX_FIELDS:
        raise ParseError(f"more than {MAX_FIELDS} fields in one record")
