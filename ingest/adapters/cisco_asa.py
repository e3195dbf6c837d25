"""Cisco ASA, PIX, FWSM and Secure Firewall Threat Defense (FTD): syslog messages by their id.

Source: Cisco Secure Firewall ASA Series Syslog Messages 9.20, Threat Defense Syslog Messages 7.4. A
message without a template of its own still gives its code, severity, and the addresses in its text.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.address import canonical_ip
from ingest.formats.cisco_flow import IMPLIED, STEPS, icmp
from ingest.formats.cisco_ftd import EVENTS, read_ftd
from ingest.formats.cisco_guess import guess
from ingest.formats.cisco_template import MAX_TEXT, Template, compile_template
from ingest.formats.device import MAX_HEAD, Device
from ingest.formats.finish import finish
from ingest.formats.text import decode
from ingest.tables import cisco_asa as table
from ingest.tables.protocols import transport_fields

_HEAD = re.compile(
    r"%?(ASA|FTD|PIX|FWSM|ACE|NGIPS)-(?:([A-Za-z]\w*)-)?(\d)-(\d{5,6})(?:: ?|\s|$)"
).search
_HEAD_AT = re.compile(
    r"%(ASA|FTD|PIX|FWSM|ACE|NGIPS)-(?:([A-Za-z]\w*)-)?(\d)-(\d{5,6})(?:: ?|\s|$)"
).match
_DEVICES = {
    product: Device(
        {
            "event.module": "cisco",
            "event.dataset": "cisco.asa",
            "observer.vendor": "Cisco",
            "observer.product": product.upper(),
            "observer.type": "firewall",
        },
        tag_is_host=True,
    )
    for product in ("ASA", "FTD", "PIX", "FWSM", "ACE", "NGIPS")
}
# Of a built connection the first end is the one in the less trusted network, whoever began it.
_BEGUN_BY_SECOND = {
    "302013": "o",
    "302015": "o",
    "302017": "o",
    "302303": "o",
    "302035": "o",
    "302020": "i",
}
_LEVELS = (
    "emergency", "alert", "critical", "error", "warning", "notification", "informational", "debugging",
)  # fmt: skip
_REMEMBERED = 4096


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one record.

    Raises:
        ParseError: no `%ASA-level-id:` (or of a sister product) stands in it.
    """
    text = decode(raw)
    percent = text.find("%", 0, 1024)
    head = _HEAD_AT(text, percent) if percent >= 0 else None
    head = head or _HEAD(text, 0, 1024)
    if head is None:
        return _without_id(text, context)
    product, group, level, code = head.groups()
    start = _DEVICES[product].start(text[: head.start()], context)
    message = text[head.end() :].rstrip()
    fields = start | _constants(code, level)
    if message:
        fields["message"] = message
    if group is not None:
        fields["cisco.asa.message_class"] = group
    if code in EVENTS:
        finish(fields, read_ftd(fields, code, message))
        return [fields]
    cut = message if len(message) <= MAX_TEXT else message[:MAX_TEXT]
    for template in _templates(code):
        found = template.match(cut)
        if found is not None:
            values = found.groups()
            names = template.names
            if (
                template.direction >= 0
                and _BEGUN_BY_SECOND.get(code) == values[template.direction][:1]
            ):
                names = template.swapped
            fields.update({name: value for name, value in zip(names, values, strict=True) if value})
            for step in template.steps:
                step(fields)
            finish(fields, icmp(fields))
            return [fields]
    guess(fields, cut)
    if "authentication" in fields["event.category"] and _FAILED(cut):
        fields["event.outcome"] = "failure"
    finish(fields)
    return [fields]


_FAILED = re.compile(
    r"\b(?:fail|denied|reject|unable|invalid|refused|incorrect|can't|cannot|must authenticate)",
    re.IGNORECASE,
).search
_VPN_TEXT = re.compile(r"(?:TunnelGroup <[^>]*> GroupPolicy|Group) <").search
_AUDIT = re.compile(
    r"(?:^|[:\s])([^\s@:,]{1,128})@([0-9A-Fa-f.:]{3,39}), ([^,].*), ([^,]+)$"
).search


def _without_id(text: str, context: Context) -> list[Fields]:
    """Read what stands without `%ASA-level-id:`: a VPN message whose head a relay cut off, the audit of a management center.

    Raises:
        ParseError: the text is neither.
    """
    cut = text[:MAX_TEXT].rstrip()
    if (vpn := _VPN_TEXT(cut, 0, MAX_HEAD)) is not None:
        fields = _DEVICES["ASA"].start(text[: vpn.start()], context) | _constants("722000", "6")
        del fields["event.code"], fields["event.severity"], fields["log.level"]
        fields["message"] = cut[vpn.start() :]
        for template in _templates("722000"):
            found = template.match(fields["message"])
            if found is not None:
                fields.update(
                    (name, value)
                    for name, value in zip(template.names, found.groups(), strict=True)
                    if value
                )
                for step in template.steps:
                    step(fields)
                finish(fields)
                return [fields]
    if (audit := _AUDIT(cut)) is not None and canonical_ip(audit[2]) is not None:
        fields = _DEVICES["FTD"].start(text[: audit.start(1)].rstrip(), context) | {
            "event.kind": "event",
            "event.category": ["configuration"],
            "event.type": ["info"],
            "event.action": audit[4].strip().lower().replace(" ", "-"),
            "message": cut[audit.start(1) :],
            "user.name": audit[1],
            "source.ip": audit[2],
            "cisco.asa.subsystem": audit[3].strip(),
        }
        finish(fields)
        return [fields]
    raise ParseError("expected %ASA-level-id: or the like, came none")


@lru_cache(_REMEMBERED)
def _templates(code: str) -> tuple[Template, ...]:
    own = table.SAME.get(code, code)
    if own not in table.TEMPLATES:
        own = table.FAMILIES.get(code[:3], "")
    return _compiled(own) if own else ()


@cache
def _compiled(code: str) -> tuple[Template, ...]:
    sources = table.TEMPLATES[code]
    return tuple(
        compile_template(source, table.PLACES, table.PREFIX, STEPS)
        for source in ((sources,) if isinstance(sources, str) else sources)
    )


@lru_cache(_REMEMBERED)
def _constants(code: str, level: str) -> Fields:
    categories, types, action = (
        table.CLASSES.get(code) or table.CLASSES.get(code[:3]) or ("network", "info", "message")
    )
    severity = int(level)
    fields: Fields = {
        "event.kind": "alert" if code[:3] in table.ALERTS else "event",
        "event.category": categories.split(),
        "event.type": types.split(),
        "event.action": action,
        "event.code": code,
        "event.severity": severity,
    }
    if severity < len(_LEVELS):
        fields["log.level"] = _LEVELS[severity]
    if "authentication" in categories or code in table.FAILED:
        fields["event.outcome"] = "failure" if code in table.FAILED else "success"
    elif "denied" in types:
        fields["event.outcome"] = "success"
    if code in IMPLIED:
        fields |= transport_fields(IMPLIED[code])
    return fields


_HOLES = {
    "count": (
        "connection ", "bytes ", "xmt: ", "rcv: ", "InitiatorBytes: ", "ResponderBytes: ",
        "InitiatorPackets: ", "ResponderPackets: ", "ConnectionID: ",
    ),
    "port": ("SrcPort: ", "DstPort: "),
    "span": ("duration ",),
}  # fmt: skip

ADAPTER = Adapter(name="cisco.asa", parse=parse, typed=True, holes=_HOLES)
