"""Snort alerts whose values are named: Snort 3 JSON, and the CSV columns of Snort and of pfSense's package."""

from __future__ import annotations

from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.csv_line import split
from ingest.formats.flow import add_flow
from ingest.formats.json import flatten
from ingest.formats.number import port_of
from ingest.formats.snort import add_name, add_protocol, add_rule, add_verdict, begin, part, time_of

_PFSENSE: Final = (
    "timestamp", "gid", "sid", "rev", "msg", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "ip_id",
    "class", "priority", "action", "disposition",
)  # fmt: skip
_CSV: Final = (
    "timestamp", "gid", "sid", "rev", "msg", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "eth_src",
    "eth_dst", "eth_len", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_len", "tcp_win", "ttl", "tos", "ip_id",
    "dgm_len", "ip_len", "icmp_type", "icmp_code", "icmp_id", "icmp_seq",
)  # fmt: skip


def of_csv(text: str, context: Context) -> Fields:
    """Return the alert of a line of columns, told apart by their number.

    Raises:
        ParseError: gid and sid do not stand where they must.
    """
    values = [value.strip() for value in split(text)]
    columns = _PFSENSE if len(values) <= len(_PFSENSE) else _CSV
    item: dict[str, Any] = {
        name: value for name, value in zip(columns, values, strict=False) if value
    }
    if not str(item.get("sid", "")).isdecimal() or not str(item.get("gid", "")).isdecimal():
        raise ParseError("no Snort alert: expected gid and sid in the second and third column")
    return of_object(item, context)


_EMPTY: Final[tuple[Any, ...]] = ("", None, [], {})
_TAKEN: Final = frozenset(
    [
        "timestamp",
        "seconds",
        "msg",
        "gid",
        "sid",
        "rev",
        "rule",
        "class",
        "priority",
        "proto",
        "src_addr",
        "src_port",
        "dst_addr",
        "dst_port",
        "src_ap",
        "dst_ap",
        "action",
        "eth_src",
        "eth_dst",
        "iface",
        "service",
        "vlan",
        "appid",
    ]
)


def of_object(item: dict[str, Any], context: Context) -> Fields:
    """Return the alert of Snort 3's JSON, or of columns by the same names.

    Raises:
        ParseError: no rule is named, or its time is no time.
    """
    fields = begin()
    fields["@timestamp"] = _moment(item, context)
    gid, sid, rev = (str(item.get(name, "")) for name in ("gid", "sid", "rev"))
    if not sid and type(item.get("rule")) is str:
        gid, sid, rev = (*item["rule"].split(":"), "", "")[:3]
    if not sid.isdecimal():
        raise ParseError("no Snort alert: expected sid or rule in the record")
    add_rule(fields, gid, sid, rev)
    add_name(fields, str(item.get("msg", "")))
    if item.get("class") not in (None, "", "none"):
        fields["rule.category"] = str(item["class"])
    if str(item.get("priority", "")).isdecimal():
        fields["event.severity"] = int(str(item["priority"])[:9])
    add_verdict(fields, str(item.get("action", "")))
    if item.get("proto"):
        add_protocol(fields, str(item["proto"]))
    for side, short in (("source", "src"), ("destination", "dst")):
        _side(fields, side, item, short)
    add_flow(fields)
    _json_rest(fields, item)
    rest = {
        name: value for name, value in item.items() if name not in _TAKEN and value not in _EMPTY
    }
    for name, value in flatten(rest, "snort.").items():
        if value not in _EMPTY:
            fields[name] = value
    return fields


def _moment(item: dict[str, Any], context: Context) -> str:
    seconds = item.get("seconds")
    stamp = str(item.get("timestamp", ""))
    if type(seconds) is int and 0 < seconds < 10**11:
        digits = stamp.rpartition(".")[2] if "." in stamp else ""
        micros = int(digits[:6].ljust(6, "0")) if digits.isdecimal() else 0
        return iso(seconds * 1_000_000 + micros)
    return time_of(stamp, context)


def _side(fields: Fields, side: str, item: dict[str, Any], short: str) -> None:
    address = canonical_ip(str(item.get(short + "_addr", "")))
    port = str(item.get(short + "_port", ""))
    if address is None and item.get(short + "_ap"):
        address, port = part(str(item[short + "_ap"]), with_port=True)
    if address is not None:
        fields[side + ".ip"] = address
    if (number := port_of(port)) is not None:
        fields[side + ".port"] = number
    mac = canonical_mac(str(item.get("eth_" + short, "")))
    if mac is not None:
        fields[side + ".mac"] = mac


def _json_rest(fields: Fields, item: dict[str, Any]) -> None:
    if item.get("iface"):
        fields["observer.ingress.interface.name"] = str(item["iface"])
    service = item.get("service")
    if service and service != "unknown":
        fields["network.protocol"] = str(service).lower()
    if item.get("appid"):
        fields["network.application"] = str(item["appid"]).lower()
    if item.get("vlan"):
        fields["network.vlan.id"] = str(item["vlan"])
    sides = ("source", "destination") if item.get("dir") != "S2C" else ("destination", "source")
    for name, side in (("client", sides[0]), ("server", sides[1])):
        for what, field in (("_bytes", ".bytes"), ("_pkts", ".packets")):
            value = item.get(name + what)
            if type(value) is int and value >= 0:
                fields[side + field] = value
