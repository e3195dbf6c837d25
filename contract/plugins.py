"""Find plugins by looking: every module of a package that holds the named object. No registry, no decorators."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from difflib import get_close_matches
from typing import TypeVar

from contract.errors import PluginError

T = TypeVar("T")


def load(package: str, attribute: str, expected: type[T]) -> dict[str, T]:
    """Import every module directly in `package` and return its plugins by name, sorted.

    The file name must be the plugin's name with dots as underscores, so that a name leads to its file.

    Raises:
        PluginError: a module cannot be imported, lacks `attribute`, holds another type, or is misnamed.
    """
    found: dict[str, T] = {}
    for module in sorted(
        pkgutil.iter_modules(importlib.import_module(package).__path__), key=lambda m: m.name
    ):
        plugin = _load_one(package, module.name, attribute, expected)
        found[plugin.name] = plugin  # type: ignore[attr-defined]
    return found


def load_named(package: str, name: str, attribute: str, expected: type[T]) -> T:
    """Import only the module that must hold the plugin `name`.

    Raises:
        PluginError: there is none of that name (the message lists those that are), or it breaks its contract.
    """
    module = name.replace(".", "_")
    modules = [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    if module in modules:
        return _load_one(package, module, attribute, expected)
    names = []
    for other in sorted(modules):
        with contextlib.suppress(PluginError):  # what is broken is not what was asked for
            names.append(_load_one(package, other, attribute, expected).name)  # type: ignore[attr-defined]
    near = get_close_matches(name, names, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise PluginError(
        f"no {attribute.lower()} is named {name!r}; there are {', '.join(names)}{guess}",
        file=package,
    )


def _load_one(package: str, module: str, attribute: str, expected: type[T]) -> T:
    path = f"{package}.{module}"
    try:
        plugin = getattr(importlib.import_module(path), attribute, None)
    except Exception as error:
        raise PluginError(
            f"cannot be imported: {type(error).__name__}: {error}", file=path
        ) from error
    if not isinstance(plugin, expected):
        raise PluginError(
            f"expected {attribute} to be {expected.__name__}, came {type(plugin).__name__}",
            file=path,
        )
    name = plugin.name  # type: ignore[attr-defined]
    if name.replace(".", "_") != module:
        raise PluginError(
            f"{attribute}.name is {name!r}; the file must be named {name.replace('.', '_')}.py",
            file=path,
        )
    return plugin
