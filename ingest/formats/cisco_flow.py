"""What follows a matched Cisco message: ends of flows, people, durations; and the rule for messages unknown.

Each step is run only for templates that hold one of its fields.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from contract.event import Fields
from ingest.formats.account import split_account
from ingest.formats.address import canonical_ip
from ingest.formats.keytable import KeyTable, Step
from ingest.formats.number import whole
from ingest.formats.sides import add_totals, settle
from ingest.formats.url import url_fields
from ingest.tables import cisco_asa as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_SECOND_NS = 1_000_000_000
_COUNTS: Final = ("network.bytes", "source.bytes", "destination.bytes", "process.pid")
_WEIGHTS = (86400, 3600, 60, 1)
_SIDES: Final = tuple(
    (f"{side}.ip", f"{side}.port", f"{side}.nat.ip", f"{side}.nat.port", f"{_OWN}{side}_port", side)
    for side in ("source", "destination")
)
_LIST_NAME = re.compile(r"[\w\-]+(?:\.[\w\-]+)+").fullmatch


def _protocol(fields: Fields) -> None:
    said = fields.pop("network.transport", None)
    if said is None:
        return
    known = transport_fields(said)
    if known:
        fields.update(known)
    else:
        fields["network.protocol"] = said.lower()


def _ends(fields: Fields) -> None:
    get = fields.get
    for ip, port, mapped_ip, mapped_port, own, side in _SIDES:
        number = get(port)
        if number is not None:
            value = whole(number)
            if value is None:
                fields[own] = fields.pop(port)
            else:
                fields[port] = value
        if mapped_ip in fields:
            _mapped(fields, (ip, port, mapped_ip, mapped_port), side)


def _mapped(fields: Fields, names: tuple[str, str, str, str], side: str) -> None:
    """Keep a mapped address only where it differs, since without translation the device repeats the real one."""
    real_ip, real_port, ip, port = names
    if fields[ip] == fields.get(real_ip):
        del fields[ip]
    elif canonical_ip(fields[ip]) is None:
        fields[f"{_OWN}{side}_mapped_name"] = fields.pop(ip)
    number = fields.get(port)
    if number is not None:
        value = whole(number)
        if value is None or value == fields.get(real_port):
            del fields[port]
        else:
            fields[port] = value


def _tail(fields: Fields) -> None:
    """Read what may follow the count of bytes: why, `from` which end, `(whose session)`."""
    tail = fields.pop(_OWN + "tail", "").strip()
    if tail.endswith(")"):
        tail, _, user = tail[:-1].rpartition("(")
        fields[_OWN + "ending_user"] = user
        tail = tail.rstrip()
    reason, found, end = tail.partition(" from ")
    if found and " " not in end:
        fields[_OWN + "terminated_by"] = end
        tail = reason
    if tail:
        fields["event.reason"] = tail


def _people(fields: Fields) -> None:
    for who in ("source.user", "destination.user", "user"):
        account = fields.get(f"{who}.name")
        if account is not None:
            if (
                canonical_ip(account) is not None
            ):  # `(192.0.2.1)`: an address without a port, not a person
                del fields[f"{who}.name"]
                continue
            name, domain = split_account(account.removeprefix("user=").strip())
            fields[f"{who}.name"] = name
            if domain and domain != "LOCAL":
                fields[f"{who}.domain"] = domain
    # Of a flow with a user at each end Elastic's package takes the one that is reached; both keep their own field.
    for end in ("destination.user.name", "source.user.name"):
        if end in fields:
            fields.setdefault("user.name", fields[end])


def _duration(fields: Fields) -> None:
    text = fields.pop("event.duration", None)
    if text is not None:
        spent = _nanoseconds(text)
        if spent is None:
            fields[_OWN + "duration"] = text
        else:
            fields["event.duration"] = spent


@lru_cache(4096)
def _nanoseconds(text: str) -> int | None:
    """Return a span such as `0:01:30`, `1h:02m:03s` or `3d04h`, or None."""
    parts = re.findall(r"\d+", text)
    if not parts or len(parts) > len(_WEIGHTS) or len(text) > 32:  # noqa: PLR2004 - `31d 23h:59m:59s` at most
        return None
    pairs = zip(reversed(parts), reversed(_WEIGHTS), strict=False)
    return sum(int(part) * weight for part, weight in pairs) * _SECOND_NS


def _counts(fields: Fields) -> None:
    for name in _COUNTS:
        if name in fields:
            fields[name] = int(fields[name])
    add_totals(fields)


def _direction(fields: Fields) -> None:
    said = fields.get("network.direction")
    if said is not None:
        fields["network.direction"] = "outbound" if said[:1] in "oO" else "inbound"


def _mail(fields: Fields) -> None:
    if "network.protocol" in fields:
        fields["network.protocol"] = fields["network.protocol"].lower()


def _url(fields: Fields) -> None:
    if "url.original" in fields:
        fields.update(url_fields(fields["url.original"]))


def _verdict(fields: Fields) -> None:
    denied = fields.get(_OWN + "verdict") in ("denied", "dropped")
    fields["event.type"] = (
        ["indicator"]
        if fields["event.kind"] == "alert"
        else ["connection", "denied" if denied else "allowed"]
    )
    fields["event.outcome"] = "success"


def _listed(fields: Fields) -> None:
    """Name the side that stands on a list, as far as the list's entry is a name."""
    said = fields.get("message", "")
    name = fields.get(_OWN + "listed", "")
    side = "destination" if ", destination" in said else "source"
    if _LIST_NAME(name) and canonical_ip(name) is None:
        fields[f"{side}.domain"] = name
    fields["rule.name"] = "dynamic-filter"
    if f"{side}.ip" in fields:
        fields["threat.indicator.ip"] = fields[f"{side}.ip"]
        fields["threat.indicator.type"] = (
            "ipv6-addr" if ":" in fields[f"{side}.ip"] else "ipv4-addr"
        )


def _translation(fields: Fields) -> None:
    """Name the translated address as such too; in these messages it stands where a destination would."""
    for part in ("ip", "port"):
        if f"destination.{part}" in fields:
            fields[f"source.nat.{part}"] = fields[f"destination.{part}"]


def _ftp(fields: Fields) -> None:
    if "file.path" not in fields:
        return
    fields["network.protocol"] = "ftp"
    fields["file.name"] = fields["file.path"].rpartition("/")[2] or fields["file.path"]


IMPLIED: Final = {"106013": "icmp"}
"""Protocol of messages that do not name it."""


def icmp(fields: Fields) -> tuple[int, int] | None:
    """Return ICMP type and code, where the message names them (a code left out is 0)."""
    kind = fields.get(_OWN + "icmp_type")
    if kind is None:
        return None
    code = fields.get(_OWN + "icmp_code", 0)
    fields[_OWN + "icmp_type"], fields[_OWN + "icmp_code"] = int(kind), int(code)
    return int(kind), int(code)


STEPS: Final[tuple[Step, ...]] = (
    (("network.transport",), _protocol),
    (("network.direction",), _direction),
    (("source.port", "destination.port", "source.nat.ip", "destination.nat.ip"), _ends),
    ((_OWN + "tail",), _tail),
    (("source.user.name", "destination.user.name", "user.name"), _people),
    (("event.duration",), _duration),
    (_COUNTS, _counts),
    (("network.protocol",), _mail),
    (("url.original",), _url),
    (("file.path",), _ftp),
    ((_OWN + "translation",), _translation),
    ((_OWN + "verdict",), _verdict),
    ((_OWN + "listed",), _listed),
)

# ------------------------------------------------------------------ FTD events 430001 to 430005

_PAIR = re.compile(
    r"(?:^|, )([A-Z]\w*|Prefilter Policy|Tunnel or Prefilter Rule|Endpoint Profile|Security Group"
    r"|(?:Source|Destination) Security Group(?: Tag| Type)?|originalClientSrcIP): "
)
_NAMES = KeyTable(_OWN, table.FTD_NAMES, ("Unknown", "N/A", "No Authentication Required"))
_FTD_CLASSES: Final[dict[str, Fields]] = {
    "430001": {
        "event.action": "intrusion-detected",
        "event.kind": "alert",
        "event.category": ["intrusion_detection", "network"],
        "event.type": ["info"],
    },
    "430002": {"event.action": "connection-started", "event.type": ["connection", "start"]},
    "430003": {"event.action": "connection-finished", "event.type": ["connection", "end"]},
    "430004": {
        "event.action": "file-detected",
        "event.category": ["file", "network"],
        "event.type": ["info"],
    },
    "430005": {
        "event.action": "malware-detected",
        "event.kind": "alert",
        "event.category": ["malware", "network"],
        "event.type": ["info"],
    },
}


def read_ftd(fields: Fields, code: str, message: str) -> None:
    """Add the `Name: value` pairs of a connection, intrusion, file or malware event."""
    parts = _PAIR.split(message)
    keys, values = parts[1::2], parts[2::2]
    fields.update(_NAMES.fill(_NAMES.plan(keys), values, {}))
    fields |= _FTD_CLASSES[code]
    action = fields.get(_OWN + "AccessControlRuleAction") or fields.get("event.action", "")
    types = fields["event.type"]
    if "connection" in types:
        denied = "block" in str(action).lower()
        fields["event.type"] = [*types, "denied" if denied else "allowed"]
        fields["event.outcome"] = "success"
    said = fields.pop(_OWN + "Protocol", None)
    if said is not None:
        fields.update(transport_fields(said) or {"network.protocol": said.lower()})
    if "network.protocol" in fields:
        fields["network.protocol"] = fields["network.protocol"].lower()
    _dns_words(fields)
    if (client := fields.get(_OWN + "Client")) and "network.application" not in fields:
        fields["network.application"] = client
    if "url.original" in fields:
        fields.update(url_fields(fields["url.original"]))
    seconds = whole(fields.get(_OWN + "ConnectionDuration", ""))
    if seconds is not None:
        fields["event.duration"] = seconds * _SECOND_NS
    for side in ("source", "destination"):
        settle(fields, side)
    add_totals(fields)


_TLS_VERSION = re.compile(r"(TLS|SSL)v?(\d(?:\.\d)?)$").match


def _dns_words(fields: Fields) -> None:
    """Turn the words for DNS types and answers into those of the protocol."""
    for name, words in (
        ("dns.question.type", table.DNS_TYPES),
        ("dns.response_code", table.DNS_CODES),
    ):
        said = fields.get(name)
        if said is not None:
            fields[name] = words.get(said.lower(), said)
    if found := _TLS_VERSION(fields.get("tls.version", "")):
        fields["tls.version_protocol"] = found[1].lower()
        fields["tls.version"] = found[2] if "." in found[2] else found[2] + ".0"


# ------------------------------------------------------------------ messages without a template

_ADDRESS = re.compile(
    r"(?<![\w.:])(?:([A-Za-z][\w.\-]{0,63}):)?((?:\d{1,3}\.){3}\d{1,3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})"
    r"(?:/(\d{1,5}))?(?![\w.])"
)
_ACCOUNT = re.compile(
    r"\b(?:[Uu]ser(?:name)?|Uname)\s?[=:]?\s?[<'\"]([^>'\"\s]{1,128})[>'\"]|\b(?:[Uu]ser(?:name)?|Uname)\s?[=:]\s?([^\s,;()]{1,128})"
).search
_WORD = re.compile(r"\b(TCP|UDP|ICMP|ICMPv6|GRE|ESP|AH|SCTP|OSPF|EIGRP)\b", re.IGNORECASE).search
_MOST_ADDRESSES = 2


_TO = re.compile(
    r"\b(?:[Tt]o|[Dd]st|[Dd]est(?:ination)?(?:[ _](?:IP|address))?|[Ss]erver)[\s=:]+$"
).search
_NO_INTERFACE = re.compile(
    r"(?i:(?:.*[_.\-])?(?:ip|addr|address|host|server|client|peer|local|remote|src|dst|dest|source|destination|nbr|neighbor))$"
).match
_ON_INTERFACE = re.compile(r"\bon (?:the )?interface (\S{1,64}?)(?=[.,;]?(?:\s|$))").search
_BEFORE = 24
"""Characters before an address in which a word may say that it is a destination."""


def guess(fields: Fields, message: str) -> None:
    """Take what can be told of any message: the first two addresses, an interface, a user, a protocol."""
    found = _guess_ends(fields, message)
    if on := _ON_INTERFACE(message):
        fields.setdefault("observer.ingress.interface.name", on[1])
    if who := _ACCOUNT(message):
        fields["user.name"] = who[1] or who[2]
        _people(fields)
    if found == _MOST_ADDRESSES and (word := _WORD(message)):
        fields.update(transport_fields(word[1]))


def _guess_ends(fields: Fields, message: str) -> int:
    """Place the first two addresses, with what stands about them; return how many there are."""
    found = 0
    for match in _ADDRESS.finditer(message):
        interface, address, port = match.groups()
        if canonical_ip(address) is None:
            continue
        side, way = ("source", "ingress") if found == 0 else ("destination", "egress")
        if found == 0 and _TO(message, max(match.start() - _BEFORE, 0), match.start()):
            side, way = "destination", "egress"
        elif f"{side}.ip" in fields:
            side, way = "source", "ingress"
        fields[f"{side}.ip"] = address
        if port is not None:
            fields[f"{side}.port"] = int(port)
        if interface is not None and not _NO_INTERFACE(interface):
            fields[f"observer.{way}.interface.name"] = interface
        found += 1
        if found == _MOST_ADDRESSES:
            break
    return found
