"""Snort 2 and 3 alerts: fast, full, syslog, CSV (Snort's and pfSense's columns), and Snort 3 JSON.

Sources: Snort 2.9 manual 2.6 "Output Modules" (`alert_fast`, `alert_full`, `alert_syslog`, `alert_csv`);
Snort 3 `alert_fast`, `alert_json` (docs.snort.org/start/alert_logging); pfSense's Snort package; read 2026-11.
Suricata's `fast.log` has the same form and is read too. A full alert may come as one record or line by line.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.device import MOST_DIGITS
from ingest.formats.json import load_object
from ingest.formats.snort import (
    add_ends,
    add_name,
    add_protocol,
    add_rule,
    add_verdict,
    begin,
    time_of,
)
from ingest.formats.snort_json import of_csv, of_object
from ingest.formats.syslog import read
from ingest.formats.text import decode

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


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the alert of this record; the lines of a full alert give it with its addresses.

    Raises:
        ParseError: no alert in any of the forms read here.
    """
    if raw[:1] == b"{":
        return [of_object(load_object(raw), context)]
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
        return of_csv(text, context)
    return _fast(text, context)


# ------------------------------------------------------------------ fast and syslog


def _fast(text: str, context: Context) -> Fields:
    """`time [**] [g:s:r] msg [**] [Classification: …] [Priority: n] {P} a -> b`, or behind a syslog header."""
    fields = begin()
    if _STAMP.match(text):
        stamp, _, rest = text.partition(" ")
        fields["@timestamp"] = time_of(stamp, context)
        rest = rest.lstrip()
    else:
        rest = _syslog(fields, text, context)
    match = _RULE.match(rest[: _MAX_HEAD * 4])
    if match is None:
        raise ParseError("no Snort alert: expected [gid:sid:rev] behind the time or the header")
    add_rule(fields, match["gid"], match["sid"], match["rev"])
    body = match["rest"]
    end = body.find("[**]")
    tags = _tags(fields, body)
    flow = _FLOW.search(body, end + 1 if end >= 0 else 0)
    if end < 0:
        ends = [at for at in (tags, flow.start() if flow else -1) if at >= 0]
        end = min(ends, default=len(body))
    add_name(fields, body[:end].strip().rstrip(":"))
    add_verdict(fields, match["verdict"] or _trailing_verdict(body[end:]))
    if flow is not None:
        add_protocol(fields, flow["protocol"])
        add_ends(fields, flow["source"], flow["destination"])
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
    if header.pid.isdecimal() and len(header.pid) <= MOST_DIGITS:
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
    fields = begin()
    match = _RULE.match(lines[0])
    if match is None:
        raise ParseError("no Snort alert: expected [**] [gid:sid:rev] message [**]")
    add_rule(fields, match["gid"], match["sid"], match["rev"])
    add_name(fields, match["rest"].removesuffix("[**]").strip())
    for line in lines[1:]:
        _tags(fields, line)
        if (flow := _FULL_FLOW.match(line.strip())) and _STAMP.match(flow[1]):
            fields["@timestamp"] = time_of(flow[1], context)
            fields["snort.flow"] = [flow[2], flow[3]]
        elif head := _FULL_HEAD.match(line):
            add_protocol(fields, head[1].replace("PROTO:", "").replace("PROTO", ""))
            fields["snort.ttl"] = int(head[2])
    ends = fields.pop("snort.flow", None)
    if ends is not None:
        add_ends(fields, *ends)
    add_verdict(fields, match["verdict"] or "")
    return fields


def flush(context: Context) -> list[Fields]:
    """Return a full alert whose addresses never came."""
    held = context.state.pop(_FULL_MARK, None)
    return [_full(held, context)] if held else []


_HOLES: Final = {
    "port": ('src_port":', 'dst_port":'),
    "count": ("[", 'pkt_num":', 'pkt_len":', 'ttl":', 'ip_id":', 'ip_len":', 'eth_len":', 'client_bytes":', 'server_bytes":'),
    "epoch": ('seconds":',),
}  # fmt: skip

ADAPTER = Adapter(NAME, parse, flush, typed=True, holes=_HOLES)
