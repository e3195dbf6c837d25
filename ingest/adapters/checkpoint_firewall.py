"""Check Point Security Gateway and Management: Log Exporter's syslog, key=value, CEF, LEEF and JSON, and exported CSV.

Source: Check Point R81.20 Log Exporter administration (sk122323), field descriptions (sk144192). Harmony
Email's JSON, which the same exporters send, is read as far as its facts are those of a sensor's alert.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats import cef, leef
from ingest.formats.checkpoint import complete, of_harmony
from ingest.formats.device import Device
from ingest.formats.json import load_object
from ingest.formats.keytable import KeyTable, Plan, holes_of
from ingest.formats.shapes import COLON, QUOTED, TRAILING, Shapes
from ingest.formats.text import decode
from ingest.tables import checkpoint_firewall as table

_OWN = table.PREFIX
_DEVICE = Device(
    {
        "event.module": "checkpoint",
        "event.dataset": "checkpoint.firewall",
        "observer.vendor": "Check Point",
        "observer.product": "Security Gateway",
        "observer.type": "firewall",
    }
)
_TABLE = KeyTable(_OWN, table.NAMES, ("N/A", "na"))
_OUR_NAMES = frozenset(table.NAMES) | {
    "time",
    "product",
    "loguid",
    "origin",
    "ifdir",
    "ifname",
    "proto",
}
_FEWEST = 2


def _plan(keys: tuple[str, ...]) -> Plan:
    return _TABLE.plan([table.CEF_NAMES.get(key, key) for key in keys])


_BRACKETS: Shapes[Plan] = Shapes(COLON, _plan)
_PAIRS: Shapes[Plan] = Shapes(QUOTED, _plan)
_CEF: Shapes[Plan] = Shapes(TRAILING, _plan)
_planned = lru_cache(4096)(_plan)
_UNESCAPE = re.compile(r'\\([\\"\]])').sub
_QUOTED_COLUMNS = re.compile(r'"([^"]*)"')
_INFO = re.compile(r"(?:^|; )([\w ]{1,64}): ([^;]*)")


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: none of Check Point's forms.
    """
    text = decode(raw)
    start = text.find("[")
    if start >= 0 and text.find(':"', start, start + 160) > 0:
        return [_of_brackets(text, start, context)]
    if "Check Point" in text[:512]:
        header = cef.read(text)
        if header is not None:
            return [_of_cef(text, header, context)]
        second = leef.read(text)
        if second is not None:
            return [_of_leef(text, second, context)]
    stripped = text.lstrip()
    if stripped[:1] == "{":
        return [_of_json(load_object(stripped), context)]
    if stripped[:1] == '"' and '" "' in stripped[:64]:
        return [_of_columns(stripped, context)]
    return [_of_pairs(text, context)]


def _of_brackets(text: str, start: int, context: Context) -> Fields:
    plan, values = _BRACKETS.read(text, start)
    if plan.known < _FEWEST and not _OUR_NAMES.intersection(
        name.removeprefix(_OWN) for name in plan.names
    ):
        raise ParseError("none of Check Point's fields stands in the record")
    if "\\" in text:
        values = [_UNESCAPE(r"\1", value) for value in values]
    head = text[:start].removesuffix("syslog")
    fields = _TABLE.fill(plan, values, _DEVICE.start(head, context))
    return complete(fields, context)


def _of_cef(text: str, header: cef.Cef, context: Context) -> Fields:
    if not header.vendor and header.product == "Check Point":
        # One bar too many: each part of the header stands one place further.
        bar = text.find("|", header.extension)
        if 0 <= bar < header.extension + 64:
            header.product, header.event_class = header.version, header.name
            header.name, header.severity = header.severity, text[header.extension : bar]
            header.extension = bar + 1
    plan, values = _CEF.read(text, header.extension)
    cleaned = cef.cleaned(values, text)
    fields = _TABLE.fill(plan, cleaned, _DEVICE.start(text[: header.start], context))
    fields["event.code"] = header.event_class
    if header.name not in ("", "Log", "Unknown"):
        fields[_OWN + "name"] = header.name
    fields.setdefault(_OWN + "severity", header.severity)
    fields.setdefault(_OWN + "product", header.product)
    for key in [key for key in fields if key.endswith("Label") and key.startswith(_OWN)]:
        _label(fields, key, key.removesuffix("Label"))
    return complete(fields, context)


def _label(fields: Fields, label_key: str, key: str) -> None:
    """Name a custom field by its label; where both stand several times, pair them in order."""
    label, value = fields.pop(label_key), fields.pop(key, None)
    labels = fields.pop(label_key + "_all", [label])
    values = fields.pop(key + "_all", [value])
    for one, said in zip(labels, values, strict=False):
        if said:
            fields.setdefault(table.LABELS.get(one) or _TABLE.own(one), said)
    if len(values) > len(labels):
        fields[key + "_all"] = values[len(labels) :]


def _of_leef(text: str, header: leef.Leef, context: Context) -> Fields:
    keys, values = leef.pairs(text, header.extension, header.delimiter)
    fields = _TABLE.fill(
        _planned(tuple(keys)), values, _DEVICE.start(text[: header.start], context)
    )
    fields["event.code"] = header.event_id
    fields.setdefault(_OWN + "product", header.product)
    fields.setdefault("event.action", header.event_id)
    return complete(fields, context)


def _of_json(record: dict[str, Any], context: Context) -> Fields:
    inner = record.get("event")
    if isinstance(inner, dict) and "security_event" in inner:
        fields = of_harmony(inner)
        return _DEVICE.start("", context) | fields
    said = {key: value for key, value in record.items() if value not in (None, "")}
    if not _OUR_NAMES.intersection(said):
        raise ParseError("none of Check Point's fields stands in the JSON record")
    values = [value if isinstance(value, str) else str(value) for value in said.values()]
    fields = _TABLE.fill(_planned(tuple(said)), values, _DEVICE.start("", context))
    return complete(fields, context)


def _of_columns(text: str, context: Context) -> Fields:
    values = _QUOTED_COLUMNS.findall(text)
    said = {key: value for key, value in zip(table.CSV_COLUMNS, values, strict=False) if value}
    if "origin" not in said or "action" not in said:
        raise ParseError("too few quoted columns for an exported log")
    for key, value in _INFO.findall(said.pop("info", "")[:4096]):
        said.setdefault(key.strip().replace(" ", "_").lower(), value)
    date, clock = said.pop("date", ""), said.pop("clock", "")
    fields = _TABLE.fill(_planned(tuple(said)), list(said.values()), _DEVICE.start("", context))
    if found := re.fullmatch(r"(\d{1,2})([A-Za-z]{3})(\d{4})", date):
        fields[_OWN + "time"] = f"{found[1]} {found[2]} {found[3]} {clock.strip()}"
    return complete(fields, context)


def _of_pairs(text: str, context: Context) -> Fields:
    first = text.find("=")
    if first < 0:
        raise ParseError(
            "expected Check Point syslog, key=value, CEF, LEEF, JSON or CSV, came none"
        )
    start = max(text.rfind(mark, 0, first) for mark in " >[|") + 1
    if text.count("|", start) >= _FEWEST:
        keys, values = leef.pairs(text, start, "|")
        plan: Plan = _planned(tuple(keys))
        found: Any = values
    else:
        plan, found = _PAIRS.read(text, start)
    if plan.known < _FEWEST and not _OUR_NAMES.intersection(
        name.removeprefix(_OWN) for name in plan.names
    ):
        raise ParseError("none of Check Point's fields stands in the record")
    return complete(_TABLE.fill(plan, found, _DEVICE.start(text[:start], context)), context)


_KEYS = table.NAMES | {key: table.NAMES.get(name, "") for key, name in table.CEF_NAMES.items()}
_HOLES = holes_of(
    _KEYS,
    ("=", ":", '":'),
    epoch="time rt devTime lastupdatetime policy_time",
    count="sequencenum conns duration",
    fixed="proto origin hostname icmp_type icmp_code",
    other="*",
)

ADAPTER = Adapter(name="checkpoint.firewall", parse=parse, typed=True, holes=_HOLES)
