"""The syslog header in its real variety: RFC 5424, RFC 3164 as devices really write it, or none at all.

Sources: RFC 3164 (observed practice, not a standard), RFC 5424 (2009), RFC 5425 and 6587 for framing,
which `ingest.sources.syslog_tcp` undoes before. `read` never fails: what it cannot tell stays in the
message. `read_rfc5424` is strict and serves where a malformed header must be told apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, Literal, TypeAlias

from contract.errors import ParseError
from contract.event import Fields
from ingest.formats.structured_data import StructuredData, read_structured_data
from ingest.formats.time import any_us, bsd_us, canonical_us, iso_us

Form: TypeAlias = Literal["rfc5424", "rfc3164", "bare"]

FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "security", "console", "solaris-cron",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
SEVERITIES: Final = (
    "Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug",
)  # fmt: skip
MAX_PRIORITY: Final = 191

_FAST = re.compile(
    r"(?:<(\d{1,3})>)?(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
    r"|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))) "
    r"([^\s:\[]+) ([^\s:\[%<|=]{1,64})(?:: |\[([^\]\s]{1,32})\]:? ?)",
    re.ASCII,
).match
_PRIORITY = re.compile(r"<(\d{1,3})>\s?", re.ASCII).match
# Cisco writes a sequence number, its name and a mark of clock trust before the time, a colon after it.
_STAMP = re.compile(
    r"(?:(\d+): ?)?(?:([A-Za-z][\w.\-]*): )?[*.:]? ?"
    r"(\d{4}[-/]\d\d[-/]\d\d[Tt _]\d\d:\d\d:\d\d(?:[.,]\d{1,12})?(?:Z|z| ?[+-]\d\d:?\d\d)?"
    r"|(?:\d{4} )?(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?[A-Z][a-z]{2} {1,2}\d{1,2}(?: \d{4})? "
    r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: (?:UTC|GMT|[ACEMNPJWK][A-Z]{1,3}T|MSK))?(?: \d{4}(?= ))?)"
    r"(?=[\s:]|$):? ?",
    re.ASCII,
).match
_TAG = re.compile(r"([^\s:\[%<|=]{1,64})(?:\[([^\]\s]{1,32})\]:? ?|:(?: |$))").match
_HOST = re.compile(r"([^\s\[\]<>|=%]{1,255}?) (?:: )?").match
_HEADER_5424 = re.compile(
    r"<(0|[1-9]\d{0,2})>([1-9]\d{0,2}) (?:-|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))) (-|[!-~]{1,255}) (-|[!-~]{1,48}) (-|[!-~]{1,128}) (-|[!-~]{1,32}) ",
    re.ASCII,
).match


@dataclass(slots=True)
class Header:
    """What stands before the message.

    Attributes:
        message: the rest; without a byte order mark.
        form: which header was found.
        priority: 0 to 191; -1 where there is none.
        time_us: microseconds since the epoch; None where there is none.
        host: sender's own name or address, as written; empty where there is none.
        app: RFC 5424 APP-NAME, RFC 3164 tag; empty where there is none.
        pid: RFC 5424 PROCID, the number in brackets of a tag; not always a number.
        msgid: RFC 5424 MSGID; a Cisco sequence number.
        version: RFC 5424 VERSION; 0 where there is none.
        structured: RFC 5424 STRUCTURED-DATA: parameters by element.
    """

    message: str
    form: Form = "bare"
    priority: int = -1
    time_us: int | None = None
    host: str = ""
    app: str = ""
    pid: str = ""
    msgid: str = ""
    version: int = 0
    structured: StructuredData | None = None


def read(text: str, received_us: int, zone: tzinfo = UTC) -> Header:
    """Read the header of one record as leniently as devices demand. Never fails, O(length).

    Args:
        text: the record without framing.
        received_us: arrival; year-less stamps take the latest year not after it.
        zone: of stamps that name none.

    A name before `:` counts as tag, save names that begin with `%` (Cisco's message codes) and
    those directly followed by more text (`CEF:0|`): these begin the message.
    """
    match = _FAST(text)
    if match is not None:
        priority, bsd, stamp, host, app, pid = match.groups()
        try:
            time_us = bsd_us(bsd, zone, received_us) if bsd else canonical_us(stamp)
        except ValueError:
            return Header(text)
        code = int(priority) if priority else -1
        if code <= MAX_PRIORITY:
            message = text[match.end() :]
            return Header(message, "rfc3164", code, time_us, host, app, pid or "")
    return _read_slowly(text, received_us, zone)


def _read_slowly(text: str, received_us: int, zone: tzinfo) -> Header:
    priority, rest = -1, text
    if match := _PRIORITY(text):
        if int(match[1]) > MAX_PRIORITY:
            return Header(text)
        try:
            return read_rfc5424(text)
        except ParseError:
            priority, rest = int(match[1]), text[match.end() :]
    header = Header(rest, priority=priority)
    if match := _STAMP(rest):
        try:
            header.time_us = _stamp_us(match[3], zone, received_us)
        except ValueError:
            return _with_tag(header)
        header.form = "rfc3164"
        header.msgid = match[1] or ""
        header.host = match[2] or ""
        header.message = rest[match.end() :]
        # "Mmm dd hh:mm:ss: %ASA-…" and Cisco IOS have no host behind the time.
        if rest[match.end() - 2 : match.end()].startswith(":") or header.message.startswith("%"):
            return header
        if not _TAG(header.message) and not header.host:
            _take_host(header)
    return _with_tag(header)


def _stamp_us(text: str, zone: tzinfo, received_us: int) -> int:
    if text[:4].isdecimal():
        if text[4] in "-/":
            return iso_us(text, zone, received_us)
        text = f"{text[5:]} {text[:4]}"  # NX-OS puts the year first
    return any_us(text, zone, received_us)


def _take_host(header: Header) -> None:
    match = _HOST(header.message)
    if match is not None:
        header.host = match[1].rstrip(":")
        header.message = header.message[match.end() :]


def _with_tag(header: Header) -> Header:
    match = _TAG(header.message)
    # Without a time stamp a word before a colon is as likely prose; a number in brackets is not.
    if match and (header.form != "bare" or match[2] or match[1] == "kernel"):
        header.app, header.pid = match[1], match[2] or ""
        header.message = header.message[match.end() :]
    return header


def read_rfc5424(text: str) -> Header:
    """Read a record that must be RFC 5424, up to and with its structured data.

    Raises:
        ParseError: it is not; the text names the part and the column (from 0).
    """
    match = _HEADER_5424(text)
    if match is None or int(match[1]) > MAX_PRIORITY:
        raise ParseError("no RFC 5424 header")
    priority, version, stamp, host, app, pid, msgid = match.groups()
    try:
        time_us = iso_us(stamp) if stamp else None
    except ValueError as error:
        raise ParseError(f"RFC 5424 TIMESTAMP: {error}") from None
    structured, end = read_structured_data(text, match.end())
    message = text[end:]
    if message:
        if message[0] != " ":
            raise ParseError(f"expected a blank before the message, column {end}")
        message = message[1:].removeprefix("\ufeff")
    return Header(
        message, "rfc5424", int(priority), time_us, _known(host), _known(app), _known(pid), _known(msgid),
        int(version), structured,
    )  # fmt: skip


def _known(value: str) -> str:
    return "" if value == "-" else value


def _of_priority(code: int) -> Fields:
    facility, severity = divmod(code, 8)
    return {
        "log.syslog.priority": code,
        "log.syslog.facility.code": facility,
        "log.syslog.facility.name": FACILITIES[facility],
        "log.syslog.severity.code": severity,
        "log.syslog.severity.name": SEVERITIES[severity],
    }


_PRIORITY_FIELDS: Final = tuple(_of_priority(code) for code in range(MAX_PRIORITY + 1))


def add_fields(fields: Fields, header: Header) -> None:
    """Add ECS `log.syslog.*` of a header to `fields`; nothing else.

    Whether the host is `host.*` or `observer.*`, and the tag `process.name`, is the adapter's to say.
    """
    if header.priority >= 0:
        fields.update(_PRIORITY_FIELDS[header.priority])
    if header.host:
        fields["log.syslog.hostname"] = header.host
    if header.app:
        fields["log.syslog.appname"] = header.app
    if header.pid:
        fields["log.syslog.procid"] = header.pid
    if header.msgid:
        fields["log.syslog.msgid"] = header.msgid
    if header.version:
        fields["log.syslog.version"] = str(header.version)
    if header.structured:
        for element, parameters in header.structured.items():
            for name, value in parameters.items():
                fields[f"log.syslog.structured_data.{element}.{name}"] = value
