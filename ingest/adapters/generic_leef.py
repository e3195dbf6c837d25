"""Log Event Extended Format of whatever product, read by QRadar's predefined attributes.

Source: IBM Security QRadar LEEF guide, versions 1.0 and 2.0. Vendors' own attributes stay under `leef.*`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import leef
from ingest.formats.cef_meaning import mean, read_times
from ingest.formats.device import Device
from ingest.formats.java_time import java_us
from ingest.formats.keytable import KeyTable, Plan, holes_of
from ingest.formats.text import decode
from ingest.tables import cef as table

_OWN = table.LEEF_PREFIX
_DEVICE = Device({"event.module": "leef", "event.dataset": "generic.leef"})
_TABLE = KeyTable(_OWN, table.LEEF_NAMES, ("-", "N/A", "n/a"))
_NUMBER = re.compile(r"-?\d{1,3}").match
_LOGON = {"isLoginEvent": "start", "isLogoutEvent": "end"}


@lru_cache(4096)
def _plan(keys: tuple[str, ...]) -> Plan:
    return _TABLE.plan(keys)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: no LEEF header stands in it.
    """
    text = decode(raw)
    header = leef.read(text)
    if header is None:
        raise ParseError("expected LEEF:version|vendor|product|version|event id|, came none")
    keys, values = leef.pairs(text, header.extension, header.delimiter)
    fields = _TABLE.fill(_plan(tuple(keys)), values, _DEVICE.start(text[: header.start], context))
    fields |= {
        "observer.vendor": header.vendor,
        "observer.product": header.product,
        "observer.version": header.version,
        "event.code": header.event_id,
        "rule.id": header.event_id,
    }
    severity = _NUMBER(str(fields.get(_OWN + "sev", "")))
    if severity:
        fields["event.severity"] = int(severity[0])
    _time(fields, context)
    mean(fields, _OWN)
    for key, kind in _LOGON.items():
        if str(fields.get(_OWN + key)).lower() == "true":
            fields["event.category"], fields["event.type"] = ["authentication"], [kind]
    return [fields]


def _time(fields: Fields, context: Context) -> None:
    """Read `devTime` by `devTimeFormat`, a pattern of Java's SimpleDateFormat, or by its looks."""
    text, pattern = fields.get(_OWN + "devTime"), fields.pop(_OWN + "devTimeFormat", "")
    if text and pattern:
        moment = java_us(text, pattern, context.zone, context.received_us)
        if moment is not None:
            fields["@timestamp"] = iso(moment)
            del fields[_OWN + "devTime"]
            return
        fields[_OWN + "devTimeFormat"] = pattern
    read_times(fields, _OWN, context, {"devTime": ""})


_HOLES = holes_of(
    table.LEEF_NAMES,
    epoch="devTime",
    name="usrName identHostName",
    other="*",
    fixed="cat proto sev",
)

ADAPTER = Adapter(name="generic.leef", parse=parse, typed=True, holes=_HOLES)
