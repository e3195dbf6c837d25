"""Pick the events that tell who is who and who did what, whether or not a rule matched them.

Two alerts are often joined by an event that is none: the process between them, the logon, the flow that both
ends saw. Only such events pass: process start, entering of another process, network connection of a known process or through
NAT or a proxy, address lease, successful logon, file written, service, task and autostart made, attestation result. All others
are turned away after one or two dict lookups, because this stands in the path of every event.

Source: ECS 9.4 categorization fields (`event.category`, `event.type`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contract.event import Event, Fields, Observation
from correlate.chain.entering import ACCESS, RIGHTS, THREAD_STARTED, enters
from correlate.chain.entities import keep
from correlate.sigma.node import Leaf

_AUTOSTARTS = (
    "\\currentversion\\run", "\\services\\", "\\image file execution options\\",
    "\\inprocserver32", "\\winlogon\\", "\\schedule\\taskcache\\", "\\appinit_dlls",
)  # fmt: skip
"""Registry paths from which Windows starts or loads files; writes elsewhere join nothing."""


def _has(fields: Fields, name: str, *values: str) -> bool:
    found: Any = fields.get(name)
    if isinstance(found, list):
        return any(value in found for value in values)
    return found in values


def _process(fields: Fields) -> bool:
    return (_has(fields, "event.type", "start", "creation") or enters(fields)) and (
        "process.entity_id" in fields or "process.pid" in fields
    )


def _network(fields: Fields) -> bool:
    if fields.get("network.protocol") == "dhcp":
        return True
    if "process.entity_id" in fields or "process.pid" in fields:
        return "destination.ip" in fields
    return (
        "source.nat.ip" in fields
        or "destination.nat.ip" in fields
        or "network.forwarded_ip" in fields
    )


def _logon(fields: Fields) -> bool:
    return fields.get("event.outcome") != "failure" and "user.name" in fields


def _file(fields: Fields) -> bool:
    return (
        "file.path" in fields
        and ("process.entity_id" in fields or "process.pid" in fields)
        and _has(fields, "event.type", "creation", "change")
    )


def _registry(fields: Fields) -> bool:
    path = fields.get("registry.path")
    if not isinstance(path, str) or not _has(fields, "event.type", "creation", "change"):
        return False
    lower = path.lower()
    return any(part in lower for part in _AUTOSTARTS)


def _made(fields: Fields) -> bool:
    return "service.name" in fields or "winlog.event_data.TaskName" in fields


def _attested(fields: Fields) -> bool:
    return "opsonin.attestation.result" in fields


_CHECKS: dict[str, Callable[[Fields], bool]] = {
    "process": _process,
    "network": _network,
    "authentication": _logon,
    "session": _logon,
    "file": _file,
    "registry": _registry,
    "configuration": _made,
    "host": _attested,
}


def _category(*names: str) -> tuple[Leaf, ...]:
    return tuple(Leaf("equal", "event.category", one) for one in names)


def _type(*names: str) -> tuple[Leaf, ...]:
    return tuple(Leaf("equal", "event.type", one) for one in names)


def _there(*names: str) -> tuple[Leaf, ...]:
    return tuple(Leaf("exists", one, True) for one in names)


WATCHED: Final = (
    (*_category("process"), *_type("start", "creation")),
    (*_category("process"), Leaf("equal", "event.code", THREAD_STARTED)),
    (*_category("process"), *(Leaf("suffix", ACCESS, one) for one in sorted(RIGHTS))),
    (*_category("network"), *_there("destination.ip", "process.pid")),
    (*_category("network"), *_there("destination.ip", "process.entity_id")),
    (*_category("network"), *_there("source.nat.ip")),
    (*_category("network"), *_there("destination.nat.ip")),
    (*_category("network"), *_there("network.forwarded_ip")),
    (*_category("network"), Leaf("equal", "network.protocol", "dhcp")),
    (*_category("authentication", "session"), *_there("user.name")),
    (*_category("file"), *_type("creation", "change"), *_there("file.path")),
    (*_category("registry"), *(Leaf("infix", "registry.path", one) for one in _AUTOSTARTS)),
    (*_category("configuration"), *_there("service.name")),
    (*_category("configuration"), *_there("winlog.event_data.TaskName")),
    (*_category("host"), *_there("opsonin.attestation.result")),
)
"""An event that `observe` picks has, of one of these, each field with one of its texts; for who looks for them in JSON."""


def observe(event: Event) -> Observation | None:
    """Return what joins may need of the event, or None when it tells nothing of that kind.

    Pure. Under 0.5 µs for an event that is turned away.
    """
    fields = event.fields
    category = fields.get("event.category")
    if category is None:
        return None
    if isinstance(category, str):
        check = _CHECKS.get(category)
        if check is None or not check(fields):
            return None
    elif isinstance(category, list):
        for one in category:
            check = _CHECKS.get(one) if type(one) is str else None
            if check is not None and check(fields):
                break
        else:
            return None
    else:
        return None  # no category: others may write events too
    return Observation(event.id, event.time_us, keep(fields))
