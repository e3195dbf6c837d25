"""Faults of settings, said with file, line, key and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

from contract.errors import PluginError, SettingsError
from contract.plugins import load_named
from runtime import toml_file

Where: TypeAlias = tuple[str, dict[toml_file.Path, int]]
"""The file, and the line of each key in it."""


def plugin(
    package: str, name: str, attribute: str, expected: Any, at: toml_file.Path, where: Where
) -> Any:
    """Return what a file of this name offers.

    Raises:
        SettingsError: there is none, at this place of the settings.
    """
    try:
        return load_named(package, name, attribute, expected)
    except PluginError as error:
        raise _fault(error.message, at, where) from error


def refuse_twice(table: str, names: list[str], where: Where) -> None:
    """Refuse a list of tables of which two have one name.

    Raises:
        SettingsError: two have.
    """
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _fault(
                f"{name!r} stands twice; expected names to differ", (table, index, "name"), where
            )


def validate(model: type[Any], data: Mapping[str, Any], at: toml_file.Path, where: Where) -> Any:
    """Return a table as its model.

    Raises:
        SettingsError: its first fault: file, line, key, what was expected.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        # A misspelt key is usually why another is missing.
        first = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
        if first["type"] == "extra_forbidden":
            message = _unknown(str(first["loc"][-1]), _keys_near(model, first["loc"]))
        else:
            message = _WORDS.get(first["type"], first["msg"].removeprefix("Value error, "))
            if first["type"] != "missing" and "came " not in message:
                message += _came(first)
        place = takewhile(lambda part: not (isinstance(part, str) and "[" in part), first["loc"])
        raise _fault(message, (*at, *place), where) from error


# Pydantic's own words speak of Python. Of a choice between types it adds to the place which it tried, in brackets.
_WORDS: Final = {
    "ip_v4_network": "expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address",
    "ip_v6_network": "expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an address",
    "list_type": "expected a list",
    "missing": "missing, and required",
    "tuple_type": "expected a list, or a table in [[double brackets]]",
}


def _unknown(name: str, keys: list[str]) -> str:
    near = get_close_matches(name, keys, 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"unknown key; expected one of {', '.join(keys)}{guess}"


def _keys_near(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    for part in path[:-1]:
        field = model.model_fields.get(str(part))
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            break
        model = field.annotation
    return sorted(model.model_fields)


def _fault(message: str, at: toml_file.Path, where: Where) -> SettingsError:
    file, known = where
    line = 0
    for end in range(len(at), 0, -1):
        if at[:end] in known:
            line = known[at[:end]]
            break
    return SettingsError(f"{_dotted(at)}: {message}", file=file, line=line)


def _dotted(at: toml_file.Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")


_SECRET_WORDS = ("token", "secret", "password", "key")


def _came(error: Mapping[str, Any]) -> str:
    """Return what came, unless it may be a secret."""
    if any(word in str(part) for part in error["loc"] for word in _SECRET_WORDS):
        return ""
    return f"; came {str(error['input'])[:80]!r}"
