"""Paths of files, of Windows and of Unix, into ECS `file.*` and its like."""

from __future__ import annotations

from contract.event import Fields


def base_name(path: str) -> str:
    r"""Return what stands after the last `\` or `/`."""
    return path[max(path.rfind("\\"), path.rfind("/")) + 1 :]


def path_fields(fields: Fields, prefix: str, path: str) -> None:
    """Add `<prefix>.path`, `.name`, `.directory`, `.extension`."""
    name = base_name(path)
    fields[prefix + ".path"] = path
    if not name:
        return
    fields[prefix + ".name"] = name
    if len(name) < len(path):
        fields[prefix + ".directory"] = path[: -len(name) - 1] or path[:1]
    stem, point, extension = name.rpartition(".")
    if point and stem and extension and ":" not in extension:
        fields[prefix + ".extension"] = extension.lower()
