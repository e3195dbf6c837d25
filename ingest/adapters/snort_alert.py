"""Snort 2 and 3 alerts: fast, full, syslog, CSV (Snort's and pfSense's columns), and Snort 3 JSON.

Sources: Snort 2.9 manual 2.6 "Output Modules" (`alert_fast`, `alert_full`, `alert_syslog`, `alert_csv`);
Snort 3 `alert_fast`, `alert_json` (docs.snort.org/start/alert_logging); pfSense's Snort package; read 2026-11.
Suricata's `fast.log` has the same form and is read too. A full alert may come as one record or line by line.
"""

from __future__ import annotations

import re
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.csv_line import split
from ingest.formats.flow import add_flow
from ingest.formats.json import flatten, load_object
from ingest.formats.snort_stamp import stamp_us
from ingest.formats.syslog import read
from ingest.formats.text import decode
from ingest.tables.protocols import transport_fields

NAME: Final = "snort.alert"

_RULE = re.compile(
    r"(?:\[(?P<verdict>[A-Za-z_ ]{1,20})\] )?(?:\[\*\*\] )?\[(?P<gid>\d{1,10}):(?P<sid>\d{1,10}):(?P<rev>\d{1,10})\] (?P<rest>.*)",
    re.DOTALL,
)
_TAGS = re.compile(r"\[(Classification|Priority|AppID|Xref =>|Impact): ?([^\]\[]{0,512}+)\]")
_FLOW = re.compile(
    r"(?:<(?P<interface>[^>]{1,64})> )?\{(?P<protocol>[^}]{1,32})\} (?P<source>\S{2,64}) -> (?P<destination>\S{2,64})"
)
_FULL_FLOW = re.compile(r"(\S{8,32}) (\S{2,64}) -> (\S{2,64})$")
_FULL_HEAD = re.compile(r"(TCP|UDP|ICMP|IPV6-ICMP|IP|PROTO:?\d{1,3}) TTL:(\d{1,3})")
_FULL_TAIL = re.compile(
    r"(?:\S{1,12} TTL:\d|Type:\d|Len: ?\d|\*[*A-Z0-9]{7} Seq:|\[Xref => |TCP Options|=\+=|\s*$)"
)
"""Lines of a full alert behind its addresses: packet headers, repeated in the packet log."""
_STAMP = re.compile(r"[\d/]{5,10}-\d\d:\d\d:\d\d")
_FULL_MARK: Final = "full"
_MAX_HEAD: Final = 4_096
_DENIED: Final = frozenset(("drop", "block", "reset", "sdrop", "reject", "blocked", "denied"))


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the alert of this record; the lines of a full alert give it with its addresses.

    Raises:
        ParseError: no alert in any of the forms read here.
    """
    if raw[:1] == b"{":
        return [_json(load_object(raw), context)]
    text = decode(raw)
    if "\n" in text:
        return _lines(text, context)
    if text[:6] == "[**] [" and text[-4:] == "[**]":
        context.state[_FULL_MARK] = [text]
        return []
    if _FULL_MARK in context.state:
        return _full_line(text, context)
    if _FULL_TAIL.match(text):
        return []
    return [_one(text, context)]


def _lines(text: str, context: Context) -> list[Fields]:
    """A whole full alert, or several lines of the others."""
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and lines[0][:6] == "[**] [" and lines[0].rstrip()[-4:] == "[**]":
        return [_full(lines, context)]
    return [_one(line, context) for line in lines]


def _one(text: str, context: Context) -> Fields:
    if text[:1].isdigit() and "[**]" not in text and text.count(",") > 10:  # noqa: PLR2004 - the shortest of the CSV forms has 13 columns
        return _csv(text, context)
    return _fast(text, context)


# ------------------------------------------------------------------ fast and syslog


def _fast(text: str, context: Context) -> Fields:
    """`time [**] [g:s:r] msg [**] [Classification: …] [Priority: n] {P} a -> b`, or behind a syslog header."""
    fields = _begin()
    if _STAMP.match(text):
        stamp, _, rest = text.partition(" ")
        fields["@timestamp"] = _time(stamp, context)
        rest = rest.lstrip()
    else:
        rest = _syslog(fields, text, context)
    match = _RULE.match(rest[: _MAX_HEAD * 4])
    if match is None:
        raise ParseError("no Snort alert: expected [gid:sid:rev] behind the time or the header")
    _rule(fields, match["gid"], match["sid"], match["rev"])
    body = match["rest"]
    end = body.find("[**]")
    tags = _tags(fields, body)
    flow = _FLOW.search(body, end + 1 if end >= 0 else 0)
    if end < 0:
        ends = [at for at in (tags, flow.start() if flow else -1) if at >= 0]
        end = min(ends, default=len(body))
    _name(fields, body[:end].strip().rstrip(":"))
    _verdict(fields, match["verdict"] or _trailing_verdict(body[end:]))
    if flow is not None:
        _protocol(fields, flow["protocol"])
        _ends(fields, flow["source"], flow["destination"])
        if flow["interface"]:
            fields["observer.ingress.interface.name"] = flow["interface"]
    return fields


def _syslog(fields: Fields, text: str, context: Context) -> str:
    header = read(text, context.received_us, context.zone)
    if header.form == "bare" and header.priority < 0 and header.app == "":
        return text
    if header.time_us is not None:
        fields["@timestamp"] = iso(header.time_us)
    if header.host:
        fields["observer.name"] = fields["observer.hostname"] = header.host
    if header.app:
        fields["process.name"] = header.app
    if header.pid.isdecimal() and len(header.pid) < 11:  # noqa: PLR2004 - a pid
        fields["process.pid"] = int(header.pid)
    return header.message.lstrip()


def _tags(fields: Fields, body: str) -> int:
    """Read `[Classification: …]` and its like; return where the first stands, or -1."""
    first = -1
    for match in _TAGS.finditer(body):
        name, value = match.groups()
        if first < 0:
            first = match.start()
        if name == "Classification" and value not in ("(null)", "none", ""):
            fields["rule.category"] = value
        elif name == "Priority" and value.isdecimal() and len(value) < 10:  # noqa: PLR2004 - 32 bits
            fields["event.severity"] = int(value)
        elif name == "AppID" and value:
            fields["network.application"] = value.lower()
        elif name.startswith("Xref") and value:
            fields.setdefault("rule.reference", value.strip())
    return first


def _trailing_verdict(text: str) -> str:
    """Suricata writes `[Drop]` before the rule, Snort behind it in some versions."""
    match = re.search(r"\[(Drop|Block|Blocked|wDrop|Would Drop|Allow)\]", text[:512])
    return match[1] if match else ""


# ------------------------------------------------------------------ full


def _full_line(text: str, context: Context) -> list[Fields]:
    held: list[str] = context.state[_FULL_MARK]
    held.append(text)
    if _FULL_FLOW.match(text):
        del context.state[_FULL_MARK]
        return [_full(held, context)]
    if len(held) > 8:  # noqa: PLR2004 - the addresses stand in the third or fourth line
        del context.state[_FULL_MARK]
        raise ParseError("a full alert without its line of addresses")
    return []


def _full(lines: list[str], context: Context) -> Fields:
    fields = _begin()
    match = _RULE.match(lines[0])
    if match is None:
        raise ParseError("no Snort alert: expected [**] [gid:sid:rev] message [**]")
    _rule(fields, match["gid"], match["sid"], match["rev"])
    _name(fields, match["rest"].removesuffix("[**]").strip())
    for line in lines[1:]:
        _tags(fields, line)
        if (flow := _FULL_FLOW.match(line.strip())) and _STAMP.match(flow[1]):
            fields["@timestamp"] = _time(flow[1], context)
            fields["snort.flow"] = [flow[2], flow[3]]
        elif head := _FULL_HEAD.match(line):
            _protocol(fields, head[1].replace("PROTO:", "").replace("PROTO", ""))
            fields["snort.ttl"] = int(head[2])
    ends = fields.pop("snort.flow", None)
    if ends is not None:
        _ends(fields, *ends)
    _verdict(fields, match["verdict"] or "")
    return fields


def flush(context: Context) -> list[Fields]:
    """Return a full alert whose addresses never came."""
    held = context.state.pop(_FULL_MARK, None)
    return [_full(held, context)] if held else []


# ------------------------------------------------------------------ CSV

_PFSENSE: Final = (
    "timestamp", "gid", "sid", "rev", "msg", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "ip_id",
    "class", "priority", "action", "disposition",
)  # fmt: skip
_CSV: Final = (
    "timestamp", "gid", "sid", "rev", "msg", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "eth_src",
    "eth_dst", "eth_len", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_len", "tcp_win", "ttl", "tos", "ip_id",
    "dgm_len", "ip_len", "icmp_type", "icmp_code", "icmp_id", "icmp_seq",
)  # fmt: skip


def _csv(text: str, context: Context) -> Fields:
    values = [value.strip() for value in split(text)]
    columns = _PFSENSE if len(values) <= len(_PFSENSE) else _CSV
    item: dict[str, Any] = {
        name: value for name, value in zip(columns, values, strict=False) if value
    }
    if not str(item.get("sid", "")).isdecimal() or not str(item.get("gid", "")).isdecimal():
        raise ParseError("no Snort alert: expected gid and sid in the second and third column")
    return _json(item, context)


# ------------------------------------------------------------------ JSON

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


def _json(item: dict[str, Any], context: Context) -> Fields:
    fields = _begin()
    fields["@timestamp"] = _moment(item, context)
    gid, sid, rev = (str(item.get(name, "")) for name in ("gid", "sid", "rev"))
    if not sid and type(item.get("rule")) is str:
        gid, sid, rev = (*item["rule"].split(":"), "", "")[:3]
    if not sid.isdecimal():
        raise ParseError("no Snort alert: expected sid or rule in the record")
    _rule(fields, gid, sid, rev)
    _name(fields, str(item.get("msg", "")))
    if item.get("class") not in (None, "", "none"):
        fields["rule.category"] = str(item["class"])
    if str(item.get("priority", "")).isdecimal():
        fields["event.severity"] = int(str(item["priority"])[:9])
    _verdict(fields, str(item.get("action", "")))
    if item.get("proto"):
        _protocol(fields, str(item["proto"]))
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
    return _time(stamp, context)


def _side(fields: Fields, side: str, item: dict[str, Any], short: str) -> None:
    address = canonical_ip(str(item.get(short + "_addr", "")))
    port = str(item.get(short + "_port", ""))
    if address is None and item.get(short + "_ap"):
        address, port = _split(str(item[short + "_ap"]), with_port=True)
    if address is not None:
        fields[side + ".ip"] = address
    if port.isdecimal() and 0 < int(port[:9]) < 65_536:  # noqa: PLR2004 - ports
        fields[side + ".port"] = int(port)
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


# ------------------------------------------------------------------ all forms


def _begin() -> Fields:
    return {
        "event.kind": "alert",
        "event.category": ["network", "intrusion_detection"],
        "event.type": ["allowed"],
        "event.action": "alert",
        "event.module": "snort",
        "event.dataset": "snort.log",
        "observer.vendor": "Snort",
        "observer.product": "Snort",
        "observer.type": "ids",
    }


def _time(text: str, context: Context) -> str:
    try:
        return iso(stamp_us(text, context.zone, context.received_us))
    except (ValueError, OverflowError) as error:
        raise ParseError(f"time of the alert: {error}") from None


def _rule(fields: Fields, gid: str, sid: str, rev: str) -> None:
    fields["rule.id"] = sid
    if rev:
        fields["rule.version"] = rev
    if gid.isdecimal():
        fields["snort.gid"] = int(gid[:10])


def _name(fields: Fields, text: str) -> None:
    name = text.strip('"')
    if name and name != "(null)":
        fields["rule.name"] = fields["message"] = name


def _verdict(fields: Fields, text: str) -> None:
    word = text.strip().lower()
    if not word:
        return
    fields["event.action"] = word
    if word in _DENIED:
        fields["event.type"] = ["denied"]
        fields["observer.type"] = "ips"


def _protocol(fields: Fields, text: str) -> None:
    name = text.strip().removeprefix("PROTO:").lstrip("0") or "0"
    if not (found := transport_fields(name)):
        found = {"snort.protocol": name}
    fields |= found


def _split(text: str, *, with_port: bool) -> tuple[str | None, str]:
    """Part address and port; an IPv6 address stands without brackets, its port behind the last colon."""
    if with_port:
        address, _, port = text.rpartition(":")
        found = canonical_ip(address)
        if found is not None and port.isdecimal():
            return found, port
    return canonical_ip(text), ""


def _ends(fields: Fields, source: str, destination: str) -> None:
    transport = fields.get("network.transport")
    with_port = transport in ("tcp", "udp", "sctp") or (
        transport is None and ":" in source and "." in source
    )
    for side, text in (("source", source), ("destination", destination)):
        address, port = _split(text, with_port=with_port)
        if address is None:
            address, port = _split(text, with_port=True)
            port = port if with_port else ""
        if address is not None:
            fields[side + ".ip"] = address
        elif text:
            fields[f"snort.{side}"] = text
        if port and 0 < int(port[:9]) < 65_536:  # noqa: PLR2004 - ports
            fields[side + ".port"] = int(port)
    add_flow(fields)


ADAPTER = Adapter(NAME, parse, flush, typed=True)
