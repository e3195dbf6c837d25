"""What ulogd writes as JSON: packets that netfilter logged to NFLOG, and connections of the conntrack table.

Source: ulogd 2.0.8, `output/ulogd_output_JSON.c`, `filter/raw2packet/ulogd_raw2packet_BASE.c`, `input/flow/ulogd_inpflow_NFCT.c`, and
what it wrote of real packets, read 2026-11. NFLOG reaches userspace without the kernel's log and its rate limit, and a unix
socket (`mode="unix"`) hands it on without a file. Names follow those of the text form, `netfilter.*`.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.timestamps import iso
from ingest.formats.finish import finish
from ingest.formats.json import load_object
from ingest.formats.netfilter_prefix import prefix_fields
from ingest.formats.time import any_us
from ingest.tables.protocols import transport_fields

_OWN: Final = "netfilter."
_HOOKS: Final = ("prerouting", "input", "forward", "output", "postrouting")
_FLAGS: Final = ("syn", "ack", "fin", "rst", "psh", "urg")
_NAMES: Final = {
    "ip.ttl": "netfilter.ttl", "ip.id": "netfilter.id", "ip.tos": "netfilter.tos", "ip6.hoplimit": "netfilter.ttl",
    "ip6.flowlabel": "netfilter.flow_label", "tcp.window": "netfilter.tcp.window", "tcp.seq": "netfilter.tcp.sequence",
    "icmp.type": "netfilter.icmp.type", "icmp.code": "netfilter.icmp.code", "icmpv6.type": "netfilter.icmp.type",
    "icmpv6.code": "netfilter.icmp.code", "icmp.gateway": "netfilter.icmp.gateway", "oob.mark": "netfilter.mark",
    "ct.mark": "netfilter.mark", "ct.id": "netfilter.connection.id", "oob.uid": "user.id", "oob.gid": "group.id",
    "nufw.user.name": "user.name", "nufw.app.name": "process.name",
}  # fmt: skip
_TEXT: Final = {"src_ip": "source.ip", "dest_ip": "destination.ip", "mac.saddr.str": "source.mac", "mac.daddr.str": "destination.mac"}  # fmt: skip
_MARKS: Final = ("oob.", "raw.", "ct.", "orig.")
_MACHINE: Final = "Netfilter"
"""ulogd's own word for the device where its settings name none."""
_DONT_FRAGMENT, _MORE_FRAGMENTS = 0x4000, 0x2000
_SECOND_US: Final = 1_000_000
_LATEST_S: Final = 1 << 34
"""The year 2514; what is beyond was no time."""
_EVENTS: Final = {1: ("connection-started", "start"), 2: ("connection-changed", "info"), 4: ("connection-ended", "end")}  # fmt: skip
_SIDES: Final = (("source", "orig"), ("destination", "reply"))


def read(raw: bytes, received_us: int, zone: tzinfo) -> Fields:
    """Return the fields of one record, complete and typed.

    Raises:
        ParseError: not JSON, or none of ulogd's records.
    """
    said = load_object(raw)
    if not isinstance(said.get("src_ip"), str) or not isinstance(said.get("dest_ip"), str):
        raise ParseError("expected src_ip and dest_ip of ulogd (filter IP2STR)")
    if not any(name.startswith(_MARKS) for name in said):  # others write src_ip too
        raise ParseError("expected a record of ulogd with oob.*, raw.* or ct.*")
    fields: Fields = {"event.kind": "event", "event.category": ["network"], "network.type": "ipv4"}
    for name, field in _TEXT.items():
        if isinstance(said.get(name), str):
            fields[field] = said[name]
    fields["source.address"], fields["destination.address"] = said["src_ip"], said["dest_ip"]
    if ":" in said["src_ip"]:
        fields["network.type"] = "ipv6"
    device = said.get("dvc")
    if isinstance(device, str) and device and device != _MACHINE:
        fields["observer.name"] = fields["observer.hostname"] = device
    is_flow = "ct.id" in said or "ct.event" in said
    time_us = (_flow if is_flow else _packet)(fields, said)
    if time_us is None:
        stamp = said.get("@timestamp") or said.get("timestamp")
        time_us = _stamped(stamp, zone, received_us)
    fields["@timestamp"] = iso(time_us)
    for name, field in _NAMES.items():
        value = said.get(name)
        if value not in (None, "") and type(value) is not bool:
            fields[field] = str(value)
    kind, code = _number(said, "icmp.type", "icmpv6.type"), _number(said, "icmp.code", "icmpv6.code")  # fmt: skip
    finish(fields, None if kind is None or code is None else (kind, code))
    return fields


def _packet(fields: Fields, said: dict[str, Any]) -> int | None:
    """Place what a logged packet says; return its time."""
    prefix = said.get("oob.prefix")
    fields |= prefix_fields(prefix if isinstance(prefix, str) else "")
    fields.update(transport_fields(str(said.get("ip.protocol", said.get("ip6.nexthdr", "")))))
    _ports(fields, said, "src_port", "dest_port")
    size = _number(said, "ip.totlen", "raw.pktlen")
    if size is not None:
        fields["source.bytes"] = fields["network.bytes"] = size
    for name, field in (("oob.in", "ingress"), ("oob.out", "egress")):
        if isinstance(said.get(name), str) and said[name]:
            fields[f"observer.{field}.interface.name"] = said[name]
    hook = _number(said, "oob.hook")
    if hook is not None and hook < len(_HOOKS):
        fields[_OWN + "hook"] = _HOOKS[hook]
        if _HOOKS[hook] in ("input", "output"):
            fields["network.direction"] = "ingress" if _HOOKS[hook] == "input" else "egress"
            if "observer.name" in fields:
                fields["host.name"] = fields["host.hostname"] = fields["observer.name"]
    if flags := [name.upper() for name in _FLAGS if said.get("tcp." + name)]:
        fields[_OWN + "tcp.flags"] = flags
    offset = _number(said, "ip.fragoff") or 0
    fragments = [
        name for name, bit in (("DF", _DONT_FRAGMENT), ("MF", _MORE_FRAGMENTS)) if offset & bit
    ]
    if fragments:
        fields[_OWN + "fragment_flags"] = fragments
    return _us(said, "oob.time.sec", "oob.time.usec")


def _flow(fields: Fields, said: dict[str, Any]) -> int | None:
    """Place what the conntrack table says of a connection; return the time of what happened to it."""
    action, kind = _EVENTS.get(_number(said, "ct.event") or 0, ("connection-changed", "info"))
    fields["event.action"] = action
    fields["event.type"] = ["connection", kind]
    fields.update(transport_fields(str(said.get("orig.ip.protocol", ""))))
    _ports(fields, said, "orig.l4.sport", "orig.l4.dport")
    for unit, name in (("bytes", "raw.pktlen"), ("packets", "raw.pktcount")):
        counts = [_number(said, f"{way}.{name}") for _, way in _SIDES]
        for (side, _), count in zip(_SIDES, counts, strict=True):
            if count:
                fields[f"{side}.{unit}"] = count
        if any(counts):
            fields[f"network.{unit}"] = sum(count or 0 for count in counts)
    _translated(fields, said)
    start, end = _us(said, "flow.start.sec", "flow.start.usec"), _us(said, "flow.end.sec", "flow.end.usec")  # fmt: skip
    if start is not None:
        fields["event.start"] = iso(start)
    if end is not None:
        fields["event.end"] = iso(end)
        if start is not None and end >= start:
            fields["event.duration"] = (end - start) * 1_000
    return end if end is not None else start if kind == "start" else None


def _translated(fields: Fields, said: dict[str, Any]) -> None:
    """Name the other address of an end that NAT has changed: answers come from, and go to, another one."""
    for side, ip, port, own in (
        ("destination", "reply.ip.saddr.str", "reply.l4.sport", "dest_ip"),
        ("source", "reply.ip.daddr.str", "reply.l4.dport", "src_ip"),
    ):
        other = said.get(ip)
        if isinstance(other, str) and other and other != said[own]:
            fields[f"{side}.nat.ip"] = other
            number = _number(said, port)
            if number is not None and number != fields.get(f"{side}.port"):
                fields[f"{side}.nat.port"] = number


def _ports(fields: Fields, said: dict[str, Any], source: str, destination: str) -> None:
    for side, name in (("source.port", source), ("destination.port", destination)):
        number = _number(said, name)
        if number is not None:
            fields[side] = number


def _number(said: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = said.get(name)
        if type(value) is int and value >= 0:
            return value
    return None


def _us(said: dict[str, Any], seconds: str, fraction: str) -> int | None:
    second = _number(said, seconds)
    if second is None or second > _LATEST_S:
        return None
    micros = _number(said, fraction) or 0
    return second * _SECOND_US + (micros if micros < _SECOND_US else 0)


def _stamped(stamp: Any, zone: tzinfo, received_us: int) -> int:
    try:
        return any_us(str(stamp), zone, received_us)
    except (ValueError, OverflowError) as error:
        raise ParseError(f"no time that can be read: {error}") from error
