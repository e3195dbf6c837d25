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
from ingest.formats.keytable import Step
from ingest.formats.number import whole
from ingest.formats.sides import add_totals
from ingest.formats.url import url_fields
from ingest.tables import cisco_asa as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_SECOND_NS = 1_000_000_000
_COUNTS: Final = ("network.bytes", "source.bytes", "destination.bytes", "process.pid")
_WEIGHTS = (86400, 3600, 60, 1)
_UNITS = dict(zip("dhms", _WEIGHTS, strict=True))
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


def place_people(fields: Fields) -> None:
    """Part accounts into name and domain, drop addresses that stand in their place, and name the event's user."""
    for who in ("source.user", "destination.user", "user"):
        account = fields.get(f"{who}.name")
        if account is not None:
            # `(192.0.2.1)`: an address without a port; `Unknown`: IKE before anybody said who he is.
            if canonical_ip(account) is not None or account == "Unknown":
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


_SPAN = re.compile(r"(\d{1,9})([dhms]?)")
_MAX_SPAN = 32  # `31d 23h:59m:59s` at most


@lru_cache(4096)
def _nanoseconds(text: str) -> int | None:
    """Return a span such as `0:01:30`, `1h:02m:03s` or `3d04h`, or None."""
    parts = _SPAN.findall(text)
    if not parts or len(parts) > len(_WEIGHTS) or len(text) > _MAX_SPAN:
        return None
    if all(unit for _, unit in parts):
        return sum(int(part) * _UNITS[unit] for part, unit in parts) * _SECOND_NS
    pairs = zip(reversed(parts), reversed(_WEIGHTS), strict=False)
    return sum(int(part) * weight for (part, _), weight in pairs) * _SECOND_NS


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
    (("source.user.name", "destination.user.name", "user.name"), place_people),
    (("event.duration",), _duration),
    (_COUNTS, _counts),
    (("network.protocol",), _mail),
    (("url.original",), _url),
    (("file.path",), _ftp),
    ((_OWN + "translation",), _translation),
    ((_OWN + "verdict",), _verdict),
    ((_OWN + "listed",), _listed),
)
