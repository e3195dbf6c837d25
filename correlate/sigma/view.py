"""Events as they come, in whatever shape, to one flat mapping of field names to values.

Known shapes: flat (NXLog, our own ECS events), Windows event XML rendered as JSON (`Event.System`,
`Event.EventData`, `Event.UserData`; several renderers), nested objects in general (Winlogbeat, cloud
logs), whose fields get dotted names. Source of the Windows names: Sigma 2.1, "Field Usage": a
system attribute is `Tag_Attribute`; event data go by their `Name`.
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 32
"""Objects nested deeper keep no dotted names; keywords still look through them."""

_ATTRIBUTES = ("#attributes", "@attributes", "_attributes", "attributes", "$")
_BESIDE = "_attributes"
"""Ends the name under which some renderers put a tag's attributes beside the tag."""
_TEXTS = ("#text", "text", "_text", "value", "_value", "$t", "_")


def flat(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event flat; the same object when it is already."""
    if "Event" in event or "EventData" in event or "System" in event:
        body = event.get("Event", event)
        if isinstance(body, dict) and (
            isinstance(body.get("System"), dict) or isinstance(body.get("EventData"), dict | list)
        ):
            return _windows(event, body)
    made = dotted(event)
    user_data = made.get("winlog.user_data")
    if type(user_data) is dict:
        # Winlogbeat keeps event XML's two sections apart; rules name the fields of either alike.
        made = {f"winlog.event_data.{name}": one for name, one in user_data.items()} | made
    return made


def dotted(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with a dotted name for each value in an object; objects stay beside them.

    A name with dots that the event itself has wins over one made of nesting. O(values).
    """
    kinds = set(map(type, event.values()))
    if dict not in kinds and list not in kinds:
        return event
    made: dict[str, Any] = {}
    for name, value in event.items():
        if type(value) is dict or (type(value) is list and _holds_objects(value)):
            _spread(name, value, made, 1)
    if not made:
        return event
    made.update(event)
    return made


def _holds_objects(values: list[Any]) -> bool:
    for value in values:  # noqa: SIM110  # a generator costs twice as much
        if type(value) is dict or type(value) is list:
            return True
    return False


def _spread(name: str, value: Any, made: dict[str, Any], depth: int) -> None:
    if depth > MAX_DEPTH:
        return
    if type(value) is dict:
        for key, inner in value.items():
            path = f"{name}.{key}"
            _put(path, inner, made)
            if type(inner) is dict or type(inner) is list:
                _spread(path, inner, made, depth + 1)
    elif type(value) is list:
        for element in value:
            if type(element) is dict or type(element) is list:
                _spread(name, element, made, depth + 1)


def _put(path: str, value: Any, made: dict[str, Any]) -> None:
    """Set a value; further ones, of objects in a list, make the field multi-valued."""
    if path not in made:
        made[path] = value
    elif type(made[path]) is list:
        made[path] = [*made[path], value]
    else:
        made[path] = [made[path], value]


def _windows(event: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    system = body.get("System")
    for tag, value in (system if isinstance(system, dict) else {}).items():
        _system(tag, value, made)
    data: dict[str, Any] = {}
    for key in ("EventData", "UserData"):
        _data(body.get(key), data)
    for name, value in data.items():
        made.setdefault(name, value)
        # "use them as they appear in the log source and strip all spaces"
        made.setdefault(name.replace(" ", ""), value)
    rendering = body.get("RenderingInfo")
    if isinstance(rendering, dict) and "Message" in rendering:
        made.setdefault("Message", rendering["Message"])
    for name, value in (*body.items(), *event.items()):
        if name not in ("Event", "System", "EventData", "UserData", "RenderingInfo", *_ATTRIBUTES):
            made.setdefault(name, value)
    return made


def _system(tag: str, value: Any, made: dict[str, Any]) -> None:
    if tag.endswith(_BESIDE) and isinstance(value, dict):
        for name, inner in value.items():
            made[f"{tag.removesuffix(_BESIDE)}_{name}"] = inner
        return
    if not isinstance(value, dict):
        if value is not None:
            made[tag] = value
        return
    attributes = dict(value)
    for key in _ATTRIBUTES:
        inner = attributes.pop(key, None)
        if isinstance(inner, dict):
            attributes.update(inner)
    for key in _TEXTS:
        if key in attributes:
            made[tag] = attributes.pop(key)
            break
    for name, inner in attributes.items():
        made[f"{tag}_{name.lstrip('@')}"] = inner


def _data(section: Any, made: dict[str, Any]) -> None:
    """Read event data: name to value, a list of named `Data`, or nested user data."""
    if isinstance(section, list):
        for element in section:
            _data(element, made)
        return
    if not isinstance(section, dict):
        return
    named = _named(section)
    if named is not None:
        made.setdefault(*named)
        return
    for name, value in section.items():
        if name == "Data" and isinstance(value, list | dict):
            _data_elements(value if isinstance(value, list) else [value], made)
        elif isinstance(value, dict) and (text := _text(value)) is not None:
            made.setdefault(name, text)
        elif isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(one, dict) for one in value)
        ):
            if name not in _ATTRIBUTES:
                _data(value, made)
        else:
            made.setdefault(name, value)


def _data_elements(elements: list[Any], made: dict[str, Any]) -> None:
    unnamed = []
    for element in elements:
        named = _named(element) if isinstance(element, dict) else None
        if named is not None:
            made.setdefault(*named)
        elif isinstance(element, dict):
            text = _text(element)
            if text is None:
                _data(element, made)
            else:
                unnamed.append(text)
        else:
            unnamed.append(element)
    if unnamed:
        made.setdefault("Data", unnamed[0] if len(unnamed) == 1 else unnamed)


def _named(element: dict[str, Any]) -> tuple[str, Any] | None:
    """Return (name, value) of `<Data Name="…">…</Data>` in one of its renderings."""
    attributes = next(
        (element[key] for key in _ATTRIBUTES if isinstance(element.get(key), dict)), element
    )
    name = attributes.get("Name", attributes.get("@Name"))
    if not isinstance(name, str) or not set(element) <= {
        "Name", "@Name", *_ATTRIBUTES, *_TEXTS, "content", "Value",
    }:  # fmt: skip
        return None
    if attributes is element and len(element) > 1 and _text(element) is None:
        return None
    return name, _text(element)


def _text(element: dict[str, Any]) -> Any:
    for key in (*_TEXTS, "content", "Value"):
        if key in element:
            return element[key]
    return None
