"""Events that are ECS already, nested or dotted, as Beats, Elastic Agent, Vector or a script of one's own send them.

Source: Elastic Common Schema 9.4. One JSON object is one event, an array several. What is there is kept
as it is; only what every event must have is filled in: time, `event.kind`, and the names of
module and data set; and what the record states under another name than the one that rules and chains ask for: the
command line as a list of arguments, a program's or a file's name as the end of its path, names of ECS 1, the
second of the two sections that Winlogbeat keeps apart.
Types are checked by the normalizer.
"""

from __future__ import annotations

from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.file_path import base_name
from ingest.formats.json import flatten, kind_of, loads
from ingest.formats.time import any_us, epoch_us

MAX_EVENTS: Final = 10_000
"""In one array."""

_TIMES: Final = ("@timestamp", "timestamp", "time", "event.created")
_RENAMED: Final = (("process.ppid", "process.parent.pid"),)
"""Names of ECS 1, as Auditbeat 7 writes them, and those of ECS 9."""
_NAMED: Final = (
    ("process.executable", "process.name"),
    ("process.parent.executable", "process.parent.name"),
    ("file.path", "file.name"),
)
_USER_DATA: Final = "winlog.user_data."
"""Of a Windows event whose provider wrote `UserData`; rules name what stands there as event data."""
_TRANSPORT_ONLY: Final = ("@metadata", "@version")


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one object, or an array of objects.

    Raises:
        ParseError: not JSON, something else than objects, or no time that can be read where one is given.
    """
    value = loads(raw)
    if type(value) is list:
        if not 0 < len(value) <= MAX_EVENTS:
            raise ParseError(f"an array of {len(value)} events; expected 1 to {MAX_EVENTS}")
        return [_event(one, context) for one in value]
    return [_event(value, context)]


def _event(value: Any, context: Context) -> Fields:
    if type(value) is not dict:
        raise ParseError(f"expected a JSON object, came {kind_of(value)}")
    source = value.get("_source")
    if type(source) is dict and "_index" in value:  # a hit of an Elasticsearch search
        value = source
    for name in _TRANSPORT_ONLY:
        value.pop(name, None)
    fields = flatten(value)
    if not fields:
        raise ParseError("expected fields, came an empty object")
    _time(fields, context)
    fields.setdefault("event.kind", "event")
    fields.setdefault("event.module", "generic")
    fields.setdefault("event.dataset", "generic.ecs")
    for name in ("event.category", "event.type"):
        if type(fields.get(name)) is str:
            fields[name] = [fields[name]]
    _complete(fields)
    return fields


def _complete(fields: Fields) -> None:
    for old, name in _RENAMED:
        if old in fields:
            fields.setdefault(name, fields.pop(old))
    for prefix in ("process", "process.parent"):
        arguments = fields.get(prefix + ".args")
        if type(arguments) is list and arguments and all(type(one) is str for one in arguments):
            fields.setdefault(prefix + ".command_line", " ".join(arguments))
    if "winlog.channel" in fields:
        for name in [name for name in fields if name.startswith(_USER_DATA)]:
            data = "winlog.event_data." + name.removeprefix(_USER_DATA)
            fields.setdefault(data, fields[name])
    for path, name in _NAMED:
        if type(fields.get(path)) is str and (last := base_name(fields[path])):
            fields.setdefault(name, last)


def _time(fields: Fields, context: Context) -> None:
    for name in _TIMES:
        stamp = fields.get(name)
        try:
            if isinstance(stamp, (int, float)):
                fields["@timestamp"] = iso(epoch_us(stamp))
                return
            if type(stamp) is str and stamp:
                fields["@timestamp"] = iso(any_us(stamp, context.zone, context.received_us))
                return
        except ValueError as error:
            raise ParseError(f"{name}: {error}") from None


_SIDES: Final = ("source", "destination", "client", "server")
_LEARNT: Final = {  # in nested objects a field goes by the last part of its name
    "port": ("port", *(f"{side}.{name}" for side in _SIDES for name in ("port", "nat.port"))),
    "count": (
        *(f"{side}.{name}" for side in (*_SIDES, "network") for name in ("bytes", "packets")),
        *("event.sequence", "event.duration", "log.offset", "file.size"),
        *("process.pid", "process.parent.pid", "process.thread.id"),
        *("bytes", "packets", "sequence", "duration", "offset", "size", "pid"),
    ),
    "text": (
        *("message", "event.original", "process.command_line", "process.parent.command_line"),
        *("user_agent.original", "url.original", "url.full", "url.path", "url.query"),
        *("network.community_id", "log.syslog.procid"),
        *("command_line", "original", "query", "community_id", "procid"),
    ),
    "name": ("dns.question.name", "url.domain", "agent.ephemeral_id", "ephemeral_id"),
}
_HOLES: Final = {kind: [f'{name}":' for name in names] for kind, names in _LEARNT.items()}

ADAPTER = Adapter("generic.ecs", parse, holes=_HOLES)
