"""Fortinet FortiGate: FortiOS key=value logs and FortiOS CEF, traffic, UTM and event; FortiWeb and FortiMail as far as they agree.

Source: FortiOS Log Message Reference 7.6 (read 2026-11). Long sessions are reported again and again;
`sentdelta` then says what this record adds, so that sums over records are right, and the total since
the session's start stays under `fortinet.fortigate.*`.
"""

from __future__ import annotations

import re

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats import cef
from ingest.formats.account import user_fields
from ingest.formats.device import Device
from ingest.formats.finish import finish
from ingest.formats.fortios import STEPS, classes, read_time
from ingest.formats.keytable import KeyTable, Plan
from ingest.formats.shapes import QUOTED, TRAILING, Shapes, Values
from ingest.formats.sides import add_totals
from ingest.formats.text import decode
from ingest.tables import fortinet_fortigate as table

_OWN = table.PREFIX
_TYPE, _SUBTYPE, _LOGTYPE = _OWN + "type", _OWN + "subtype", _OWN + "logtype"
_DEVICE = Device(
    {
        "event.module": "fortinet",
        "event.dataset": "fortinet.fortigate",
        "observer.vendor": "Fortinet",
        "observer.product": "FortiGate",
        "observer.type": "firewall",
    }
)
_IS_CSV = re.compile(r'[a-z_]+=(?:[^\s",=]*|"[^"]*"),[a-z_]+=').match
# A pair begins behind a comma alone, so that no text is read more than once.
_CSV_PAIR = re.compile(r'(?:^|(?<=,))\s?([A-Za-z_]\w*+)=("[^"]*"|[^,"]*+)(?=,|$)').findall
_CEF_PREFIXES = ("FTNTFGT", "FortinetFortiGate", "ad.")
_LABELS = tuple(f"{_OWN}{key}Label" for key in ("cn1", "cn2", "cn3", "cs1", "cs2", "cs5"))


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: neither FortiOS key=value nor CEF of Fortinet.
    """
    text = decode(raw)
    if "|Fortinet|" in text[:512]:
        header = cef.read(text)
        if header is not None:
            return [_of_cef(text, header, context)]
    first = text.find("=")
    if first < 0:
        raise ParseError("expected key=value pairs, came none")
    if text.startswith("msg=audit(", text.find(" ", first) + 1):
        raise ParseError("an audit record of Linux, no record of FortiGate")
    start = max(text.rfind(" ", 0, first), text.rfind(">", 0, first)) + 1
    if _IS_CSV(text, start):
        # `set format csv`: the same pairs with commas between them
        pairs = _CSV_PAIR(text[start:])
        plan = _TABLE.plan([key for key, _ in pairs])
        values: Values = [value.strip('"') for _, value in pairs]
    else:
        plan, values = _LINES.read(text, start)
    if plan.known < min(2, len(values)) or not values:
        raise ParseError("none of FortiGate's keys stands in the record")
    fields = _TABLE.fill(plan, values, _DEVICE.start(text[:start], context))
    return [_complete(fields, plan, context)]


def _of_cef(text: str, header: cef.Cef, context: Context) -> Fields:
    plan, values = _CEF_LINES.read(text, header.extension)
    cleaned = cef.cleaned(values, text)
    fields = _TABLE.fill(plan, cleaned, _DEVICE.start(text[: header.start], context))
    fields["observer.version"] = header.version
    fields.setdefault("event.code", header.event_class)
    for label in _LABELS:
        fields.pop(label, None)
    kind, _, subtype = fields.pop(_LOGTYPE, "").partition(":")
    if kind:
        fields.setdefault(_TYPE, kind)
    if subtype:
        fields.setdefault(_SUBTYPE, subtype)
    # FortiOS writes the service as `app`; its own application, where it knows one, as FTNTFGTapp.
    if "network.protocol" in fields:
        fields.setdefault("network.application", fields["network.protocol"])
    if "source.user.name" not in fields and "destination.user.name" in fields:
        fields.update(user_fields("user", fields["destination.user.name"]))
    return _complete(fields, plan, context)


def _complete(fields: Fields, plan: Plan, context: Context) -> Fields:
    read_time(fields, context)
    for step in plan.steps:
        step(fields)
    add_totals(fields)
    get = fields.get
    fields.update(
        classes(
            get(_TYPE, ""),
            get(_SUBTYPE, ""),
            get("event.action", ""),
            get("log.level", ""),
            get(_OWN + "status", ""),
            get("rule.description", ""),
        )
    )
    finish(fields)
    return fields


def _cef_plan(keys: tuple[str, ...]) -> Plan:
    own = []
    for key in keys:
        for prefix in _CEF_PREFIXES:
            if key.startswith(prefix):
                own.append(key[len(prefix) :])
                break
        else:
            own.append(table.CEF_NAMES.get(key, key))
    return _TABLE.plan(own)


_TABLE = KeyTable(_OWN, table.NAMES, ("N/A", "n/a", "(null)"), STEPS)
_LINES: Shapes[Plan] = Shapes(QUOTED, _TABLE.plan)
_CEF_LINES: Shapes[Plan] = Shapes(TRAILING, _cef_plan)

_NAMES = {
    "port": "srcport dstport transport tranport remport locport src_port dst_port trans_src_port trans_dst_port",
    "count": "sentbyte rcvdbyte sentpkt rcvdpkt sentdelta rcvddelta sentpktdelta rcvdpktdelta duration sessionid xid "
    "incidentserialno filesize durationdelta logdev_offline_duration",
    "epoch": "eventtime itime timestamp",
    "date": "date",
    "clock": "time",
    "name": "user unauthuser hostname srcname dstname qname srcserver",
    "url": "url",
}
_CEF_HOLES = {
    "port": "spt dpt sourceTranslatedPort destinationTranslatedPort",
    "count": "in out cnt cn1 cn2 cn3 externalId",
    "epoch": "rt start end",
    "name": "suser duser",
    "other": "*",
    "fixed": "logid log_id eventid craction level proto cat sev type",
}
_HOLES = {
    kind: [
        prefix + name + "="
        for prefix in ("", *_CEF_PREFIXES)
        for name in _NAMES.get(kind, "").split()
    ]
    + [name + "=" for name in _CEF_HOLES.get(kind, "").split()]
    for kind in _NAMES | _CEF_HOLES
}
# What a table names may mean something: only keys that none names have other numbers.
_TAKEN = {key for keys in _HOLES.values() for key in keys}
_HOLES["fixed"] += sorted(
    {
        prefix + name + "="
        for prefix in ("", *_CEF_PREFIXES)
        for name in table.NAMES | table.CEF_NAMES
    }
    - _TAKEN
)

ADAPTER = Adapter(name="fortinet.fortigate", parse=parse, typed=True, holes=_HOLES)
