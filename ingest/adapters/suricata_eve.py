"""Suricata's EVE JSON, versions 5 to 8: every event type.

Source: Suricata 7.0 and 8.0 user guide, "Eve JSON Format", and its `etc/schema.json` (read 2026-11).
What ECS has a field for moves there (`ingest.formats.eve` holds the application protocols); all the
rest stays under `suricata.eve.*` by its own name, so nothing is lost and nothing stands twice.

`source` and `destination` are the packet's, as EVE's `src_*` and `dest_*` are; counters to server and
to client are turned accordingly where an alert was raised by the server's packet.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.address import canonical_ip
from ingest.formats.community_id import community_id
from ingest.formats.eve import APPLICATIONS, PROTOCOLS
from ingest.formats.eve_alert import read_alert
from ingest.formats.json import flatten_into, load_object
from ingest.formats.time import canonical_us, utc_text
from ingest.tables.protocols import transport_fields

_UNDECIDED: Final = frozenset(("failed", "unknown", ""))
_ICMP: Final = frozenset(("1", "58"))
_CONNECTION: Final = frozenset(("flow", "netflow"))


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one EVE object.

    Raises:
        ParseError: not a JSON object, or without `event_type` or a readable `timestamp`.
    """
    record = load_object(raw)
    # Forwarders that re-write EVE sometimes lose the type of alerts, whose section still names it.
    kind = record.pop("event_type", "alert" if "alert" in record else None)
    if type(kind) is not str:
        raise ParseError("expected an EVE record with event_type")
    fields: Fields = {
        "@timestamp": _time(record.pop("timestamp", None), context),
        "event.kind": "event",
        "event.module": "suricata",
        "event.dataset": "suricata.eve",
        "event.category": ["network"],
        "event.type": ["info"],
        "observer.vendor": "OISF",
        "observer.product": "Suricata",
        "observer.type": "ids",
        "suricata.eve.event_type": kind,
    }
    if "src_ip" in record:
        _endpoints(fields, record)
    application = record.pop("app_proto", None)
    if application is not None and application not in _UNDECIDED:
        fields["network.protocol"] = application.lower()
    if kind == "stats":
        fields["event.kind"] = "metric"
        del fields["event.category"]
    flow = record.get("flow")
    reversed_ = type(flow) is dict and _flow(fields, flow)
    _sections(fields, record, kind)
    if "destination.domain" in fields and (
        reversed_ or (kind == "fileinfo" and _is_answer(fields))
    ):
        fields["source.domain"] = fields.pop("destination.domain")
    _finish(fields, record, kind)
    return [fields]


def _time(text: Any, context: Context) -> str:
    if type(text) is not str:
        raise ParseError("expected an EVE record with timestamp")
    return utc_text(text, context.zone)


_transport = lru_cache(1024)(transport_fields)


def _endpoints(fields: Fields, record: dict[str, Any]) -> None:
    """Place addresses, ports, transport, community id."""
    take = record.pop
    source, destination = take("src_ip"), take("dest_ip", "")
    if type(source) is not str or type(destination) is not str:
        raise ParseError("expected src_ip and dest_ip to be text")
    source = canonical_ip(source) or source
    destination = canonical_ip(destination) or destination
    fields["source.address"] = fields["source.ip"] = source
    fields["network.type"] = "ipv6" if ":" in source else "ipv4"
    if destination:
        fields["destination.address"] = fields["destination.ip"] = destination
    fields["related.ip"] = (
        [source, destination] if destination and destination != source else [source]
    )
    source_port, destination_port = take("src_port", None), take("dest_port", None)
    if source_port is not None:
        fields["source.port"] = source_port
    if destination_port is not None:
        fields["destination.port"] = destination_port
    protocol = take("proto", None)
    if type(protocol) is str:
        fields.update(_transport(protocol) or {"network.transport": protocol.lower()})
    flow_id = take("community_id", None)
    if flow_id is not None:
        fields["network.community_id"] = flow_id
    else:
        _community(fields, record, source_port, destination_port)


def _community(
    fields: Fields, record: dict[str, Any], source_port: Any, destination_port: Any
) -> None:
    number = fields.get("network.iana_number")
    if number in _ICMP:
        source_port, destination_port = record.get("icmp_type"), record.get("icmp_code", 0)
    if number is None:
        return
    both = type(source_port) is int and type(destination_port) is int
    flow_id = community_id(
        fields["source.ip"],
        fields.get("destination.ip", ""),
        int(number),
        (source_port, destination_port) if both else None,
    )
    if flow_id is not None:
        fields["network.community_id"] = flow_id


def _is_answer(fields: Fields) -> bool:
    """Whether the packet seems to come from the server: a file's record does not say who asked."""
    source, destination = fields.get("source.port"), fields.get("destination.port")
    return type(source) is int and type(destination) is int and source < destination


def _flow(fields: Fields, flow: dict[str, Any]) -> bool:
    """Place counters by side, start, end and duration; tell whether the packet was the server's."""
    sent, answered = "source", "destination"
    # An alert raised by the server's packet has the server as source; the flow names its client.
    client = flow.get("src_ip")
    if type(client) is str and canonical_ip(client) != fields.get("source.ip"):
        sent, answered = answered, sent
    for unit, short in (("bytes", "bytes"), ("packets", "pkts")):
        there, back = flow.pop(short + "_toserver", None), flow.pop(short + "_toclient", None)
        if type(there) is int:
            fields[f"{sent}.{unit}"] = there
        if type(back) is int:
            fields[f"{answered}.{unit}"] = back
        if type(there) is int and type(back) is int:
            fields[f"network.{unit}"] = there + back
    start, end = flow.pop("start", None), flow.pop("end", None)
    if type(start) is str:
        fields["event.start"] = start = utc_text(start)
    if type(end) is str:
        fields["event.end"] = end = utc_text(end)
        if type(start) is str:
            fields["event.duration"] = max(canonical_us(end) - canonical_us(start), 0) * 1000
    return sent == "destination"


def _sections(fields: Fields, record: dict[str, Any], kind: str) -> None:
    """Let each section that the record holds place what ECS knows of it."""
    for name, section in record.items():
        if (type(section) is dict or type(section) is list) and name in PROTOCOLS:
            PROTOCOLS[name](fields, section, kind)
    if record.get("files") == [{}]:
        del record["files"]
    alert = record.get("alert")
    if type(alert) is dict:
        read_alert(fields, alert)
    _of_kind(fields, record, kind)
    if "network.protocol" not in fields and kind in APPLICATIONS:
        fields["network.protocol"] = kind.replace("_", "-")


def _of_kind(fields: Fields, record: dict[str, Any], kind: str) -> None:
    """Say what a flow, a drop, an anomaly is."""
    if kind in _CONNECTION:
        fields["event.type"] = ["connection", "end"]
        section = record.get(kind)
        if type(section) is dict and type(section.get("reason")) is str:
            fields["event.reason"] = section["reason"]
    elif kind == "drop":
        fields["event.type"] = ["denied"]
        fields["event.action"] = "drop"
    elif kind == "anomaly":
        section = record.get("anomaly")
        if type(section) is dict and type(section.get("event")) is str:
            fields["event.action"] = section["event"]


def _finish(fields: Fields, record: dict[str, Any], kind: str) -> None:
    """Place what stands beside the sections, and keep all else under its own name."""
    interface = record.pop("in_iface", None)
    if interface is not None:
        fields["observer.ingress.interface.name"] = interface
    sensor = record.pop("host", None)
    if type(sensor) is str:
        fields["observer.name"] = fields["observer.hostname"] = sensor
    vlan = record.pop("vlan", None)
    if type(vlan) is list and vlan:
        fields["network.vlan.id"] = str(vlan[0])
        if len(vlan) > 1:
            fields["network.inner.vlan.id"] = str(vlan[1])
    forwarded = record.pop("xff", None)
    if type(forwarded) is str:
        fields["network.forwarded_ip"] = forwarded
    flatten_into(fields, record, "suricata.eve.")


ADAPTER = Adapter("suricata.eve", parse)
