"""What one Windows event is, whichever shipper brought it, and how its data become text.

Windows' own data are text (inserts of a message template); shippers that made numbers of them are undone,
so that one rule matches them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contract.errors import ParseError
from contract.event import Fields
from ingest.formats.json import flatten

MAX_DATA = 512
"""Event data items kept of one event; Windows itself allows at most 128 inserts."""


@dataclass(slots=True)
class WindowsRecord:
    """One event as its log holds it.

    Attributes:
        system: by the names of Winlogbeat below `winlog.`: `provider_name`, `event_id`, `channel`,
            `computer_name`, `record_id`, `time_created`, `keywords`, `level`, …
        data: event data (and user data) by Windows' own names; unnamed items are `param1`, `param2`, …
        message: the rendered text, or empty.
        extra: flat fields that the shipper added under names of ECS or its own.
    """

    system: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    extra: Fields = field(default_factory=dict)


def take(data: dict[str, Any], source: dict[str, Any]) -> None:
    """Add `source` to event data as text; lists of unnamed items become `param1`, ….

    Raises:
        ParseError: more than `MAX_DATA` items.
    """
    for name, value in source.items():
        if type(value) is str:
            data[name] = value
        elif value is None or name == "#attributes":
            continue
        elif type(value) is dict:
            _nested_data(data, name, value)
        elif type(value) is list and name in ("Data", "#text"):
            for number, part in enumerate(value, 1):
                _unnamed(data, number, part)
        else:
            data[name] = text_of(value)
    if len(data) > MAX_DATA:
        raise ParseError(f"more than {MAX_DATA} items of event data")


def _nested_data(data: dict[str, Any], name: str, value: dict[str, Any]) -> None:
    text = value.get("#text")
    if name == "Data" and "@Name" in value:
        data[str(value["@Name"])] = text_of(text) if text is not None else ""
    elif name == "Data" and type(text) is list:
        for number, part in enumerate(text, 1):
            data[f"param{number}"] = text_of(part)
    elif text is not None:
        data[name] = text_of(text)
    else:
        for key, item in flatten(value, name + ".").items():
            data[key] = text_of(item)


def _unnamed(data: dict[str, Any], number: int, part: Any) -> None:
    if type(part) is dict:
        label = part.get("@Name") or (part.get("#attributes") or {}).get("Name")
        data[str(label or f"param{number}")] = text_of(part.get("#text", ""))
    else:
        data[f"param{number}"] = text_of(part)


def text_of(value: Any) -> str:
    """Return a datum as the text that Windows would have written."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is list:
        return ", ".join(text_of(part) for part in value)
    return "" if value is None else str(value)
