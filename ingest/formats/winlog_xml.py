"""Windows events as XML: what `wevtutil /f:xml`, Windows Event Forwarding and Sysmon for Linux write.

Source: the event schema, learn.microsoft.com/windows/win32/wes/eventschema-schema, read 2026-11.
Document types are refused before the parser sees them: an event has none, and entities are how XML is
made to explode. Event text may hold control characters that XML 1.0 forbids; they are cut out and the
text is read again.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, XMLParser
from xml.etree.ElementTree import ParseError as XmlError

from contract.errors import ParseError

MAX_EVENTS = 10_000
"""Events of one `<Events>` document."""
MAX_ITEMS = 512
"""Event data items of one event."""
MAX_DEPTH = 64
MAX_TAGS = 4_096
"""Tags for each event of a document; one has two hundred."""

_NAMESPACE = re.compile(
    r""" xmlns=(?:"http://schemas.microsoft.com/win/2004/08/events/event"|'http://schemas.microsoft.com/win/2004/08/events/event')"""
)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:x(?:[0-8bBcCeEfF]|1[0-9a-fA-F])|[0-8]|1[124-9]|2[0-9]|3[01]);"
)
_STRAY_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_ELEMENT = re.compile(r"<[A-Za-z_]")

_TEXT = {
    "EventID": "event_id", "Version": "version", "Level": "level", "Task": "task",
    "Opcode": "opcode_value", "Keywords": "keywords", "EventRecordID": "record_id",
    "Channel": "channel", "Computer": "computer_name",
}  # fmt: skip
_ATTRIBUTES: dict[str, tuple[tuple[str, str], ...]] = {
    "Provider": (
        ("Name", "provider_name"),
        ("Guid", "provider_guid"),
        ("EventSourceName", "event_source_name"),
    ),
    "TimeCreated": (("SystemTime", "time_created"),),
    "Execution": (("ProcessID", "process.pid"), ("ThreadID", "process.thread.id")),
    "Correlation": (
        ("ActivityID", "activity_id"),
        ("RelatedActivityID", "related_activity_id"),
    ),
    "Security": (("UserID", "user.identifier"), ("UserId", "user.identifier")),
    "EventID": (("Qualifiers", "qualifiers"),),
}
_RENDERED = {"Level": "level_name", "Task": "category", "Opcode": "opcode"}


def events_of_xml(text: str) -> list[tuple[dict[str, Any], dict[str, Any], str]]:
    """Return (system, data, message) of each `<Event>` in `text`, as `WindowsRecord` holds them.

    Raises:
        ParseError: not XML, a document type, no event, or past a bound.
    """
    root = _read(text)
    if _local(root.tag) == "Event":
        return [_event(root)]
    events = [child for child in root.iter() if _local(child.tag) == "Event"]
    if not events:
        raise ParseError(f"expected <Event>, came <{_local(root.tag)[:40]}>")
    if len(events) > MAX_EVENTS:
        raise ParseError(f"{len(events)} events in one document; expected at most {MAX_EVENTS}")
    return [_event(child) for child in events]


def data_of_xml(text: str) -> dict[str, Any]:
    """Return the items of a lone `<EventData>` or `<UserData>`.

    Raises:
        ParseError: not XML, a document type, or past a bound.
    """
    data: dict[str, Any] = {}
    _data(data, _read(text))
    return data


def _read(text: str) -> Element:
    first = _ELEMENT.search(text)
    if first is None or "<!" in text[: first.start()]:
        raise ParseError("expected XML that begins with an element, without a document type")
    if text.count("<") > MAX_TAGS * max(text.count("<Event"), 1):
        raise ParseError(f"more than {MAX_TAGS} tags for each event")
    # Without its one namespace, tags compare as they are written.
    text = _NAMESPACE.sub("", text, 1)
    try:
        return _parse(text)
    except XmlError:
        cleaned = _STRAY_AMPERSAND.sub("&amp;", _FORBIDDEN.sub("", text)).strip()
        try:
            return _parse(cleaned)
        except XmlError as error:
            raise ParseError(f"not XML: {error}") from None


def _parse(text: str) -> Element:
    parser = XMLParser()  # noqa: S314 - no DTD passes
    try:
        parser.feed(text)
        root = parser.close()
    except UnicodeEncodeError as error:
        raise ParseError(f"not XML: {error}") from None
    assert isinstance(root, Element)  # noqa: S101 - the default builder makes elements
    return root


def _local(tag: str) -> str:
    return tag if tag[:1] != "{" else tag.rpartition("}")[2]


def _event(event: Element) -> tuple[dict[str, Any], dict[str, Any], str]:
    system: dict[str, Any] = {}
    data: dict[str, Any] = {}
    message = ""
    for part in event:
        name = _local(part.tag)
        if name == "System":
            _system(system, part)
        elif name == "EventData":
            _data(data, part)
        elif name == "UserData":
            for inner in part:
                _user_data(data, inner)
        elif name == "RenderingInfo":
            message = _rendering(system, part)
        elif name in ("ProcessingErrorData", "DebugData"):
            _user_data(data, part)
    return system, data, message


def _system(system: dict[str, Any], part: Element) -> None:
    for item in part:
        name = item.tag
        if name[:1] == "{":
            name = _local(name)
        known = _TEXT.get(name)
        if known is not None:
            text = item.text
            if text is not None:
                system[known] = text.strip()
            if name != "EventID":
                continue
        given = item.attrib
        if given:
            for key, target in _ATTRIBUTES.get(name, ()):
                value = given.get(key)
                if value is not None:
                    system[target] = value


def _data(data: dict[str, Any], part: Element) -> None:
    number = 0
    for item in part:
        name = item.get("Name")
        if name is None:
            local = _local(item.tag)
            if local == "Data":
                number += 1
                name = f"param{number}"
            else:
                name = local
        text = item.text
        if text is None or len(item):
            text = "".join(item.itertext())
        data[name] = text
    if len(data) > MAX_ITEMS:
        raise ParseError(f"more than {MAX_ITEMS} items of event data")


def _user_data(data: dict[str, Any], part: Element, prefix: str = "", depth: int = 0) -> None:
    """Leaves by name; nested ones by their dotted path below the provider's own element."""
    if depth > MAX_DEPTH:
        raise ParseError(f"user data nested deeper than {MAX_DEPTH}")
    for item in part:
        name = prefix + (item.get("Name") or _local(item.tag))
        if len(item):
            _user_data(data, item, name + ".", depth + 1)
        else:
            data[name] = item.text or ""
    if len(data) > MAX_ITEMS:
        raise ParseError(f"more than {MAX_ITEMS} items of event data")


def _rendering(system: dict[str, Any], part: Element) -> str:
    message = ""
    for item in part:
        name = _local(item.tag)
        if name == "Message":
            message = item.text or ""
        elif name == "Keywords":
            words = [word.text for word in item if word.text]
            if words:
                system["keyword_names"] = words
        elif name in _RENDERED and item.text:
            system[_RENDERED[name]] = item.text
    return message
