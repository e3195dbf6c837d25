"""Common Event Format of whatever product, read by the standard's dictionary.

Source: ArcSight Common Event Format, implementation standard version 26 (2022). Custom fields are
named by their labels; vendors' own keys stay under `cef.*`.
"""

from __future__ import annotations

from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats import cef
from ingest.formats.address import canonical_ip
from ingest.formats.cef_meaning import mean, read_times
from ingest.formats.device import Device
from ingest.formats.file_path import base_name
from ingest.formats.keytable import KeyTable, Plan, holes_of
from ingest.formats.shapes import TRAILING, Shapes
from ingest.formats.text import decode
from ingest.tables import cef as table

_OWN = table.CEF_PREFIX
_DEVICE = Device({"event.module": "cef", "event.dataset": "generic.cef"})
_TABLE = KeyTable(_OWN, table.CEF_NAMES, ("N/A", "n/a"))
_LINES: Shapes[Plan] = Shapes(TRAILING, _TABLE.plan)
_CUSTOM = tuple((_OWN + key, f"{_OWN}{key}Label") for key in table.CUSTOM)
_TIMES = {"rt": "", "end": "event.end", "start": "event.start", "fileCreateTime": "file.created"}
_DIRECTIONS = {"0": "inbound", "1": "outbound"}
_PROCESS = (("deviceProcessName", "process.name"), ("sproc", "process.name"), ("dproc", "process.name"),
            ("spid", "process.pid"), ("dpid", "process.pid"))  # fmt: skip


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: no CEF header stands in it.
    """
    text = decode(raw)
    header = cef.read(text)
    if header is None:
        raise ParseError(
            "expected CEF:version|vendor|product|version|class|name|severity|, came none"
        )
    plan, values = _LINES.read(text, header.extension)
    cleaned = cef.cleaned(values, text)
    head = _DEVICE.start(text[: header.start], context)
    fields = _TABLE.fill(plan, cleaned, head)
    if fields.get("observer.name") != head.get("observer.name"):
        # The header's name is then the relay's: the device has one of its own (`dvchost`).
        fields.pop("host.name", None)
        fields.pop("host.hostname", None)
    fields |= {
        "observer.vendor": header.vendor,
        "observer.product": header.product,
        "observer.version": header.version,
        "event.code": header.event_class,
        "rule.id": header.event_class,
        "rule.name": header.name,
    }
    severity = cef.severity_number(header.severity)
    if severity is not None:
        fields["event.severity"] = severity
    else:
        fields[_OWN + "severity"] = header.severity
    for key, label_key in _labelled(plan.names):
        _label(fields, key, label_key)
    _vendor(fields, header.vendor)
    _place(fields)
    read_times(fields, _OWN, context, _TIMES)
    mean(fields, _OWN)
    return [fields]


@lru_cache(4096)
def _labelled(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in _CUSTOM if set(pair).issubset(names))


def _label(fields: Fields, key: str, label_key: str) -> None:
    """Name a custom field by its label; a label without value is kept as it stands."""
    label, value = fields.get(label_key), fields.get(key)
    if label and value:
        del fields[label_key], fields[key]
        known, own = _named(label)
        if known is None or (known in fields and known != "rule.name"):
            known = own
        fields[known] = _unquoted(value)


@lru_cache(4096)
def _named(label: str) -> tuple[str | None, str]:
    """Return the field that a label stands for, if it is known, and the vendor's own."""
    label = label.strip('"')
    return table.LABELS.get(label.lower().replace("_", " ")), _TABLE.own(label)


def _unquoted(value: str) -> str:
    whole = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1] if whole else value


def _vendor(fields: Fields, vendor: str) -> None:
    """Add what keys of a known endpoint product mean beside the standard's reading."""
    for key, field in table.VENDORS.get(vendor.lower(), {}).items():
        value = fields.get(_TABLE.plan((key,)).names[0])
        if value:
            fields[field] = value.strip('"')
            if field == "host.name":
                fields["host.hostname"] = value


def _place(fields: Fields) -> None:
    pop = fields.pop
    direction = _DIRECTIONS.get(pop(_OWN + "deviceDirection", ""))
    if direction is not None:
        fields["network.direction"] = direction
    domain = fields.get(_OWN + "dntdom")
    if domain:
        fields.setdefault("destination.domain", domain)
        fields["destination.user.domain"] = pop(_OWN + "dntdom")
    if fields.get(_OWN + "sntdom"):
        fields["source.user.domain"] = pop(_OWN + "sntdom")
    for key, field in _PROCESS:
        value = fields.get(_OWN + key)
        if value and field not in fields:
            fields[field] = pop(_OWN + key)
    program = fields.get("process.name", "")
    if "\\" in program or program[:1] == "/":
        fields["process.executable"] = program
        fields["process.name"] = base_name(program)
    address = fields.get("source.domain", "")
    if address and "source.ip" not in fields and canonical_ip(address) is not None:
        fields["source.ip"] = fields.pop("source.domain")


_READ = (
    *(
        "cat",
        "proto",
        "deviceDirection",
        "outcome",
        "sev",
        "severity",
        "dntdom",
        "sntdom",
        "fileHash",
    ),
    *(key for key, _ in _PROCESS),
    *(key + end for key in table.CUSTOM for end in ("", "Label")),
    *(key for keys in table.VENDORS.values() for key in keys),
)
"""Keys that mean something beside what the table says; those that nobody reads are only copied, whatever they hold."""
_HOLES = holes_of(
    table.CEF_NAMES,
    epoch="rt start end fileCreateTime",
    count="cn1 cn2 cn3 cnt fsize",
    name="suser duser shost dhost dvchost",
    trailing="* msg reason",
    fixed=" ".join(_READ),
)

ADAPTER = Adapter(name="generic.cef", parse=parse, typed=True, holes=_HOLES)
