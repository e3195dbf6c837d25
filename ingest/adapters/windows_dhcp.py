"""The DHCP server of Windows: its audit log (`DhcpSrvLog-Mon.log`), comma-separated, IPv4.

Source: Microsoft Learn, "Analyze DHCP server log files" and the explanation that heads each file (ids 00 to 36 and, from 50, of rogue servers), Windows
Server 2012 to 2025, read 2026-11. Times are local to the server and have no zone: the source's setting says it.
"""

from __future__ import annotations

import re
from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats import csv_line
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.text import decode
from ingest.formats.time import local_us

_OWN: Final = "windows.dhcp."
_COLUMNS: Final = (
    "id", "date", "time", "description", "ip", "host", "mac", "user", "transaction_id", "quarantine_result",
    "probation_time", "correlation_id", "dhcid", "vendor_class_hex", "vendor_class", "user_class_hex",
    "user_class", "relay_agent_information", "dns_error",
)  # fmt: skip
_FEWEST: Final = 7
_ACTIONS: Final = {
    0: ("started", "start"), 1: ("stopped", "end"), 2: ("paused", "info"),
    10: ("dhcp-ack", "start"), 11: ("dhcp-ack", "start"), 12: ("dhcp-release", "end"),
    13: ("address-in-use", "info"), 14: ("scope-exhausted", "info"), 15: ("dhcp-nak", "denied"),
    16: ("lease-deleted", "end"), 17: ("dhcp-expire", "end"), 18: ("dhcp-expire", "end"),
    20: ("bootp-ack", "start"), 21: ("bootp-ack", "start"), 22: ("bootp-exhausted", "info"),
    23: ("bootp-deleted", "end"), 24: ("cleanup-started", "info"), 25: ("cleanup-ended", "info"),
    30: ("dns-update-asked", "info"), 31: ("dns-update-failed", "info"), 32: ("dns-update-done", "info"),
    33: ("packet-dropped", "denied"), 34: ("dns-update-failed", "info"), 35: ("dns-update-failed", "info"),
    36: ("packet-dropped", "denied"),
}  # fmt: skip
"""What an id means; of those from 50 on, about authorization in the directory, the description tells it."""
_HELD: Final = frozenset({10, 11, 12, 16, 17, 18, 20, 21, 23})
"""Ids whose address is the client's, or was until now."""
_FAILED: Final = frozenset({14, 15, 22, 31, 33, 34, 35, 36})
_DAY: Final = re.compile(r"(\d\d)/(\d\d)/(\d\d(?:\d\d)?)").fullmatch
_CLOCK: Final = re.compile(r"(\d\d):(\d\d):(\d\d)").fullmatch


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one line; of the explanation at a file's head nothing comes.

    Raises:
        ParseError: it is no line of the audit log.
    """
    values = [one.strip() for one in csv_line.split(decode(raw).strip())]
    if len(values) < _FEWEST or not values[0].isdecimal() or len(values[0]) > 5:  # noqa: PLR2004
        raise ParseError("expected ID,Date,Time,Description,IP Address,Host Name,MAC Address,…")
    said = {name: value for name, value in zip(_COLUMNS, values, strict=False) if value}
    number = int(values[0])
    action, kind = _ACTIONS.get(number, ("server-authorization", "info"))
    fields: Fields = {
        "@timestamp": _time(said, context),
        "event.kind": "event",
        "event.module": "windows",
        "event.dataset": "windows.dhcp",
        "event.category": ["network"],
        "event.type": ["protocol", kind],
        "event.action": action,
        "event.code": values[0],
        "event.outcome": "failure" if number in _FAILED else "success",
        "network.protocol": "dhcp",
        "message": said.get("description", ""),
    }
    _client(fields, said, number)
    for name in _COLUMNS[7:]:
        if said.get(name, "0") != "0":
            fields["user.name" if name == "user" else _OWN + name] = said[name]
    return [fields]


def _client(fields: Fields, said: dict[str, str], number: int) -> None:
    """Add address, name and hardware address of the client."""
    if (ip := canonical_ip(said.get("ip", ""))) is not None:
        fields["client.ip" if number in _HELD else f"{_OWN}address"] = ip
        fields["related.ip"] = [ip]
    if host := said.get("host", "").rstrip("."):
        fields["client.domain"] = host
        fields["related.hosts"] = [host]
    if mac := said.get("mac"):
        known = canonical_mac(mac)
        fields["client.mac" if known else f"{_OWN}client_id"] = known or mac


def _time(said: dict[str, str], context: Context) -> str:
    """Return when it was; month first, as the log has it in all languages.

    Raises:
        ParseError: date or time are not in the log's form.
    """
    day, clock = _DAY(said.get("date", "")), _CLOCK(said.get("time", ""))
    if day is None or clock is None:
        raise ParseError(
            "expected a date MM/DD/YY and a time hh:mm:ss in the second and third column"
        )
    year = int(day[3]) + (2000 if len(day[3]) == 2 else 0)  # noqa: PLR2004
    try:
        time_us = local_us(
            (year, int(day[1]), int(day[2])),
            (int(clock[1]), int(clock[2]), int(clock[3])), 0, context.zone, context.received_us,
        )  # fmt: skip
    except ValueError as error:
        raise ParseError(f"expected a date MM/DD/YY, came {said['date']} {said['time']}") from error
    return iso(time_us)


ADAPTER = Adapter(name="windows.dhcp", parse=parse)
