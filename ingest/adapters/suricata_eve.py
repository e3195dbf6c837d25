"""Suricata's EVE JSON, versions 5 to 8: every event type.

Source: Suricata 7.0 and 8.0 user guide, "Eve JSON Format", and its `etc/schema.json` (read 2026-11).
What ECS has a field for moves there (`ingest.formats.eve` holds the application protocols); all the
rest stays under `suricata.eve.*` by its own name, so nothing is lost and nothing stands twice.

`source` and `destination` are the packet's, as EVE's `src_*` and `dest_*` are; counters to server and
to client are turned accordingly where an alert was raised by the server's packet.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.ecs_types import is_long, is_port
from ingest.formats.address import canonical_ip
from ingest.formats.community_id import community_id
from ingest.formats.eve import APPLICATIONS, PROTOCOLS
from ingest.formats.eve_alert import read_alert
from ingest.formats.json import flatten_into, load_object
from ingest.formats.time import canonical_us, utc_text
from ingest.tables.protocols import transport_fields

_CONSTANT: Final[Fields] = {
    "event.kind": "event",
    "event.module": "suricata",
    "event.dataset": "suricata.eve",
    "event.category": ["network"],
    "event.type": ["info"],
    "observer.vendor": "OISF",
    "observer.product": "Suricata",
    "observer.type": "ids",
}
_UNDECIDED: Final = frozenset(("failed", "unknown", ""))
_ICMP: Final = frozenset(("1", "58"))
_PORTS: Final = (("src_port", "source.port"), ("dest_port", "destination.port"))
_FLOW_ENDPOINTS: Final = ("src_ip", "dest_ip", "src_port", "dest_port")

_transport = lru_cache(1024)(transport_fields)


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one EVE object.

    Raises:
        ParseError: not a JSON object, or without `event_type` or a readable `timestamp`.
    """
    record = load_object(raw)
    # Forwarders that re-write EVE sometimes lose the type of alerts, whose section still names it.
    kind = record.pop("event_type", "alert" if "alert" in record else None)
    stamp = record.pop("timestamp", None)
    if type(kind) is not str or type(stamp) is not str or not kind:
        raise ParseError("expected an EVE record with event_type and timestamp")
    fields = _CONSTANT.copy()
    try:
        fields["@timestamp"] = utc_text(stamp, context.zone)
    except ValueError as error:
        raise ParseError(f"timestamp: {error}") from None
    fields["suricata.eve.event_type"] = kind
    if "src_ip" in record:
        _endpoints(fields, record)
    application = record.pop("app_proto", None)
    if type(application) is str and application not in _UNDECIDED:
        fields["network.protocol"] = application.lower()
    flow = record.get("flow")
    is_answer = type(flow) is dict and _flow(fields, flow)
    _sections(fields, record, kind)
    if "destination.domain" in fields and (is_answer or _is_file_answer(fields, kind)):
        fields["source.domain"] = fields.pop("destination.domain")
    _beside(fields, record)
    flatten_into(fields, record, "suricata.eve.")
    return [fields]


def _endpoints(fields: Fields, record: dict[str, Any]) -> None:
    """Place addresses, ports, transport, community id."""
    take = record.pop
    source, destination = take("src_ip"), take("dest_ip", "")
    if type(source) is not str or type(destination) is not str:
        raise ParseError("expected src_ip and dest_ip to be text")
    related = []
    if (ip := canonical_ip(source)) is not None:
        fields["source.ip"] = source = ip
        related.append(ip)
    if source:
        fields["source.address"] = source
        fields["network.type"] = "ipv6" if ":" in source else "ipv4"
    if (ip := canonical_ip(destination)) is not None:
        fields["destination.ip"] = destination = ip
        if ip != source:
            related.append(ip)
    if destination:
        fields["destination.address"] = destination
    if related:
        fields["related.ip"] = related
    for name, field in _PORTS:
        if is_port(record.get(name)):
            fields[field] = take(name)
    _transport_of(fields, record)


def _transport_of(fields: Fields, record: dict[str, Any]) -> None:
    """Place transport and community id."""
    take = record.pop
    protocol = take("proto", None)
    if type(protocol) is str and protocol:
        fields.update(_transport(protocol) or {"network.transport": protocol.lower()})
    flow_id = take("community_id", None)
    if type(flow_id) is str and flow_id:
        fields["network.community_id"] = flow_id
    elif "destination.ip" in fields:
        _community(fields, record)


def _community(fields: Fields, record: dict[str, Any]) -> None:
    """Compute the community id where the sensor gave none."""
    number = fields.get("network.iana_number")
    if number is None or "source.ip" not in fields:
        return
    first, second = fields.get("source.port"), fields.get("destination.port")
    if number in _ICMP:
        first, second = record.get("icmp_type"), record.get("icmp_code", 0)
    ports = (first, second) if type(first) is int and type(second) is int else None
    flow_id = community_id(fields["source.ip"], fields["destination.ip"], int(number), ports)
    if flow_id is not None:
        fields["network.community_id"] = flow_id


def _flow(fields: Fields, flow: dict[str, Any]) -> bool:
    """Place counters by side, start, end and duration; tell whether the packet was the server's."""
    # An alert raised by the server's packet has the server as source; the flow names its client.
    client = flow.get("src_ip")
    is_answer = False
    if type(client) is str and (ip := canonical_ip(client)) is not None:
        is_answer = ip != fields.get("source.ip") and ip == fields.get("destination.ip")
        if is_answer or ip == fields.get("source.ip"):
            for name in _FLOW_ENDPOINTS:
                flow.pop(name, None)  # said by source and destination already
    sent, answered = ("destination", "source") if is_answer else ("source", "destination")
    there, back = flow.get("bytes_toserver"), flow.get("bytes_toclient")
    if is_long(there) and is_long(back):
        del flow["bytes_toserver"], flow["bytes_toclient"]
        fields[sent + ".bytes"], fields[answered + ".bytes"] = there, back
        fields["network.bytes"] = there + back
    there, back = flow.get("pkts_toserver"), flow.get("pkts_toclient")
    if is_long(there) and is_long(back):
        del flow["pkts_toserver"], flow["pkts_toclient"]
        fields[sent + ".packets"], fields[answered + ".packets"] = there, back
        fields["network.packets"] = there + back
    _term(fields, flow)
    return is_answer


def _term(fields: Fields, flow: dict[str, Any]) -> None:
    """Place when a flow began and ended; what is no time stays under Suricata's own name."""
    start, end = flow.get("start"), flow.get("end")
    if type(start) is not str or not start:
        return
    with suppress(ValueError):
        begin = utc_text(start)
        start_us = canonical_us(begin)
        fields["event.start"] = begin
        del flow["start"]
        if type(end) is str and end:
            over = utc_text(end)
            fields["event.duration"] = max(canonical_us(over) - start_us, 0) * 1000
            fields["event.end"] = over
            del flow["end"]


def _is_file_answer(fields: Fields, kind: str) -> bool:
    """Whether a file seems to come from the server: its record does not say who asked."""
    if kind != "fileinfo":
        return False
    source, destination = fields.get("source.port"), fields.get("destination.port")
    return type(source) is int and type(destination) is int and source < destination


def _sections(fields: Fields, record: dict[str, Any], kind: str) -> None:
    """Let each section that the record holds place what ECS knows of it."""
    for name, section in record.items():
        if type(section) is dict:
            if name == "alert":
                read_alert(fields, section)
            elif name in PROTOCOLS:
                PROTOCOLS[name](fields, section, kind)
        elif name == "files" and type(section) is list:
            PROTOCOLS[name](fields, section, kind)
    if record.get("files") == [{}]:
        del record["files"]
    if kind != "alert":
        _of_kind(fields, record, kind)
        if "network.protocol" not in fields and kind in APPLICATIONS:
            fields["network.protocol"] = kind.replace("_", "-")


def _of_kind(fields: Fields, record: dict[str, Any], kind: str) -> None:
    """Say what a flow, a drop, an anomaly, a statistic is."""
    section = record.get(kind)
    if type(section) is not dict:
        section = {}
    if kind in {"flow", "netflow"}:
        fields["event.type"] = ["connection", "end"]
        if type(section.get("reason")) is str and section["reason"]:
            fields["event.reason"] = section.pop("reason")
    elif kind == "drop":
        fields["event.type"] = ["denied"]
        fields["event.action"] = "drop"
    elif kind == "anomaly":
        if type(section.get("event")) is str and section["event"]:
            fields["event.action"] = section["event"]
    elif kind == "stats":
        fields["event.kind"] = "metric"
        del fields["event.category"]


def _beside(fields: Fields, record: dict[str, Any]) -> None:
    """Place what stands beside the sections."""
    interface = record.get("in_iface")
    if type(interface) is str and interface:
        fields["observer.ingress.interface.name"] = record.pop("in_iface")
    sensor = record.get("host")
    if type(sensor) is str and sensor:
        fields["observer.name"] = fields["observer.hostname"] = record.pop("host")
    if "vlan" in record:
        vlan = record["vlan"]
        if type(vlan) is list and 0 < len(vlan) <= 2:  # noqa: PLR2004 - outer and inner tag
            fields["network.vlan.id"] = str(vlan[0])
            if len(vlan) > 1:
                fields["network.inner.vlan.id"] = str(vlan[1])
            del record["vlan"]
    if "xff" in record and type(record["xff"]) is str:
        forwarded = canonical_ip(record["xff"])
        if forwarded is not None:
            fields["network.forwarded_ip"] = forwarded
            del record["xff"]


_NAMES: Final = {
    "port": "src_port dest_port http_port dynamic_port",
    "long": "flow_id parent_id",
    "count": "pcap_cnt tx_id bytes_toserver bytes_toclient pkts_toserver pkts_toclient tcp_seq "
    "tcp_ack xid id size length bytes pkts age spi stream_size",
    "name": "hostname rrname rdata sni",
    "text": "community_id http_user_agent http_refer md5 sha1 sha256 hash",
    "url": "url filename",
}
_HOLES: Final = {kind: [f'{name}":' for name in names.split()] for kind, names in _NAMES.items()}
_HOLES["name"].append("CN=")  # of a certificate's subject; its other parts seldom vary

ADAPTER = Adapter("suricata.eve", parse, typed=True, holes=_HOLES)
