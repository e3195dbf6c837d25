"""pf: captures of the pflog interface, what tcpdump prints of it, and filterlog columns.

Lines of tcpdump as in `ingest.formats.pflog_text`, captures as in `ingest.formats.pflog`, filterlog as in `ingest.formats.filterlog`.
"""

from __future__ import annotations

import re

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import filterlog, pflog, pflog_text
from ingest.formats.device import Device
from ingest.formats.finish import finish
from ingest.formats.pcap import Packet, is_pcap, packets
from ingest.formats.text import decode
from ingest.formats.time import any_us

_DEVICE = Device(
    {
        "event.module": "openbsd",
        "event.dataset": "openbsd.pf",
        "observer.vendor": "OpenBSD",
        "observer.product": "pf",
        "observer.type": "firewall",
    }
)
_STAMP = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|"
    r"\d{9,10}\.\d{1,9}) $"
).search


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line, or a capture with all its packets.

    Raises:
        ParseError: neither a capture of pflog, nor a line of tcpdump on it, nor filterlog columns.
    """
    if is_pcap(raw):
        return [_of_packet(packet, context) for packet in packets(raw)]
    text = decode(raw)
    found = pflog_text.search(text)
    if found is not None:
        return [_of_text(text, found, context)]
    comma = text.find(",")
    if comma < 0:
        raise ParseError("neither tcpdump's words of pflog nor filterlog columns")
    start = max(text.rfind(" ", 0, comma), text.rfind(">", 0, comma)) + 1
    fields = dict(_DEVICE.start(text[:start], context))
    icmp = filterlog.read(fields, text[start:].split(","), pflog_text.OWN)
    finish(fields, icmp)
    return [fields]


def _of_packet(packet: Packet, context: Context) -> Fields:
    said, icmp = pflog.read(packet)
    fields = _DEVICE.start("", context) | said
    fields["@timestamp"] = iso(packet.time_us)
    finish(fields, icmp)
    return fields


def _of_text(text: str, found: re.Match[str], context: Context) -> Fields:
    head = text[: found.start()]
    said, icmp = pflog_text.read(text, found)
    fields = _DEVICE.start(head, context) | said
    if stamp := _STAMP(head):
        try:
            fields["@timestamp"] = iso(any_us(stamp[1], context.zone, context.received_us))
        except ValueError:
            fields[pflog_text.OWN + "time"] = stamp[1]
    finish(fields, icmp)
    return fields


_HOLES = filterlog.HOLES | {
    "count": (*filterlog.HOLES["count"], "pid ", "seq ", "ack ", "win ", "length ", "id ", "len ")
}

ADAPTER = Adapter(name="openbsd.pf", parse=parse, typed=True, holes=_HOLES)
