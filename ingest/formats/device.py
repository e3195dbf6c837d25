"""What all records of one device share: its name, its syslog header, the observer, once a second and device.

A firewall's lines differ behind the header; the header itself repeats for each line of a second.
Reading it once and copying the fields is several times cheaper than reading it for each line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from functools import lru_cache

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats import syslog
from ingest.formats.time import bsd_us

_REMEMBERED = 4096
MAX_HEAD = 512
"""A longer head than that is no syslog header; it is not read, and kept by the caller's message alone."""
_STEP_US = 600_000_000
"""Arrival is rounded to ten minutes, so that headers can be remembered; only year and repeated hour hang on it."""

_TOLERATED_US = 86_400_000_000
"""How far a clock may run ahead before a stamp without year is taken for last year's."""
_HALF_YEAR_US = 182 * 86_400_000_000
_PLAIN = re.compile(
    r"(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ([^\s\[\]<>|=%:]{1,255}) (?:: )?"
).fullmatch
_LONG_MONTH = re.compile(
    r"^(<\d{1,3}>)?(Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember)\b"
).sub


MOST_DIGITS = 18
"""Of a process's number, as of any number that is learnt (`Adapter.holes`): one of more digits is none."""


class Device:
    """The observer that an adapter's records speak of.

    Args:
        constant: fields of every record, such as `observer.vendor`.
        tag_is_host: a name before the colon, where no other stands, is the device (Cisco).
    """

    def __init__(self, constant: Mapping[str, object], *, tag_is_host: bool = False) -> None:
        self._constant: Fields = dict(constant)
        self._tag_is_host = tag_is_host
        self._start = lru_cache(_REMEMBERED)(self._read)

    def start(self, head: str, context: Context) -> Fields:
        """Return a record to copy, not to change: the constants and what the header says.

        `@timestamp` is the header's time, or the arrival when it names none.
        """
        if not head or len(head) > MAX_HEAD:
            return self._constant | {"@timestamp": iso(context.received_us)}
        fields = self._start(head, context.received_us // _STEP_US, context.zone)
        if "@timestamp" not in fields:
            return fields | {"@timestamp": iso(context.received_us)}
        return fields

    def _read(self, head: str, step: int, zone: tzinfo) -> Fields:
        fields = dict(self._constant)
        head = _LONG_MONTH(r"\1\2", head)
        received_us = step * _STEP_US + _STEP_US // 2
        header = _read_plain(head, received_us, zone) or syslog.read(head, received_us, zone)
        if header.time_us is not None and header.time_us > received_us + _TOLERATED_US:
            # The nearest year may be the next one; no device speaks of a day to come.
            earlier = syslog.read(head, received_us - _HALF_YEAR_US, zone)
            if earlier.time_us is not None and earlier.time_us < received_us:
                header = earlier
        if self._tag_is_host and header.app and not header.host and not header.pid:
            header.host, header.app = header.app, ""
        syslog.add_fields(fields, header)
        if header.app and header.pid.isdecimal() and len(header.pid) <= MOST_DIGITS:
            fields["process.name"] = header.app
            fields["process.pid"] = int(header.pid)
        if header.time_us is not None:
            fields["@timestamp"] = iso(header.time_us)
        if header.host:
            name(fields, header.host)
        return fields


def _read_plain(head: str, received_us: int, zone: tzinfo) -> syslog.Header | None:
    """Read `<PRI>Mmm dd hh:mm:ss host ` and nothing more, the form of most firewalls, at a fifth of the cost."""
    match = _PLAIN(head)
    if match is None:
        return None
    priority, stamp, host = match.groups()
    code = int(priority) if priority else -1
    if code > syslog.MAX_PRIORITY:
        return None
    try:
        time_us = bsd_us(stamp, zone, received_us)
    except ValueError:
        return None
    return syslog.Header("", "rfc3164", code, time_us, host)


def name(fields: Fields, host: str) -> None:
    """Name the device: as observer, and as the host "from which the measurement was taken" (ECS)."""
    fields["observer.name"] = host
    fields["host.name"] = host
    fields["host.hostname"] = host
