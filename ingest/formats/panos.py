"""What PAN-OS records mean, once their columns are named: time, people, threats, classes, system messages.

Source: PAN-OS 11.2 Administrator's Guide, "Syslog Field Descriptions".
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import lru_cache
from typing import Final

from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.account import split_account
from ingest.formats.address import canonical_ip
from ingest.formats.keytable import Step
from ingest.formats.sides import place
from ingest.formats.time import any_us, iso_us
from ingest.formats.url import url_fields
from ingest.tables import paloalto_panos as table
from ingest.tables.protocols import transport_fields

_OWN: Final = table.PREFIX
_PROTOCOL, _THREAT, _URL_OR_FILE = _OWN + "Protocol", _OWN + "ThreatID", _OWN + "URLorFile"
_SUBTYPE, _HASH, _SEVERITY = _OWN + "Subtype", _OWN + "FileHash", _OWN + "Severity"
_HIGH, _GENERATED, _RECEIVED = (
    _OWN + "TimeGeneratedHighResolution",
    _OWN + "TimeGenerated",
    _OWN + "ReceiveTime",
)
_EVENT_TIME = _OWN + "EventTime"
_REMEMBERED = 4096
_STEP_US = 600_000_000

_SHORT_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}) (\d{1,2}:\d\d)(:\d\d)?").fullmatch
_US_DATE = re.compile(r"([A-Z][a-z]{2}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d)").fullmatch
_THREAT_ID = re.compile(r"(.*?)\((\d{1,12})\)", re.DOTALL).fullmatch
_HASH_NAMES = {32: "md5", 40: "sha1", 64: "sha256"}
_HASH_IN_NAME = re.compile(r"(md5|sha1|sha256)-([0-9A-Fa-f]{8,64})").fullmatch
_FORWARDED = "x-fwd-for: "


def read_time(fields: Fields, context: Context) -> None:
    """Set `@timestamp`: generated with milliseconds and zone, generated, received; else leave the header's."""
    pop = fields.pop
    high, generated, received = pop(_HIGH, ""), pop(_GENERATED, ""), pop(_RECEIVED, "")
    for text in (high, generated, pop(_EVENT_TIME, ""), received):
        if text:
            at = _moment(text[:19], text[19:], context.zone, context.received_us // _STEP_US)
            if at is not None:
                fields["@timestamp"] = at
                return


@lru_cache(_REMEMBERED)
def _moment(second: str, rest: str, zone: tzinfo, step: int) -> str | None:
    text = second + rest
    if match := _SHORT_DATE(text):
        month, day, year, clock, seconds = match.groups()
        text = f"20{year}-{month:0>2}-{day:0>2} {clock:0>5}{seconds or ':00'}"
    try:
        return iso(
            iso_us(text, zone) if text[:4].isdecimal() else any_us(text, zone, step * _STEP_US)
        )
    except ValueError:
        return None


def _protocol(fields: Fields) -> None:
    known = transport_fields(fields[_PROTOCOL]) if fields.get(_PROTOCOL) else None
    if known:
        del fields[_PROTOCOL]
        fields.update(known)


def _people(fields: Fields) -> None:
    account = fields.get("source.user.name")
    if account and account.startswith(_FORWARDED):
        del fields["source.user.name"]
        fields.setdefault("network.forwarded_ip", account[len(_FORWARDED) :])
        account = None
    if account:
        name, domain = split_account(account)
        fields["user.name"] = name
        if domain:
            fields["user.domain"] = domain
        if "\\" in account:
            fields["source.user.name"] = name
            fields["source.user.domain"] = domain
    account = fields.get("destination.user.name")
    if account and "\\" in account:
        fields["destination.user.name"], fields["destination.user.domain"] = split_account(account)


def _user(fields: Fields) -> None:
    account = fields.get("user.name")
    if account:
        fields["user.name"], domain = split_account(account)
        if domain:
            fields["user.domain"] = domain


def _forwarded(fields: Fields) -> None:
    address = fields.get("network.forwarded_ip")
    if address and canonical_ip(address) is None:
        # "http_header: a.b.c.d, e.f.g.h": the first is the client.
        first = address.partition(",")[0].rpartition(" ")[2]
        if canonical_ip(first) is not None:
            fields["network.forwarded_ip"] = first
        else:
            fields[_OWN + "XForwardedFor"] = fields.pop("network.forwarded_ip")


_IS_NAME = re.compile(r"(?:[\w\-]{1,63}\.){1,126}[\w\-]{1,63}\.?").fullmatch


def _location(fields: Fields) -> None:
    """Tell a URL log's URL from the file name of the others, which share the column."""
    text = fields.pop(_URL_OR_FILE, "")
    if not text or text == "-":
        return
    if fields.get("network.application", "").startswith("dns") and _IS_NAME(text):
        # Of a query that a signature found the column holds the name asked for.
        fields["dns.question.name"], fields["network.protocol"] = text.rstrip("."), "dns"
    else:
        fields["url.original" if fields.get(_SUBTYPE) == "url" else "file.path"] = text


def _url(fields: Fields) -> None:
    url = fields.get("url.original")
    if not url:
        return
    fields.update(url_fields(url))
    if "url.full" not in fields and fields.get("url.domain"):
        secure = fields.get("url.port") == 443 or str(fields.get("destination.port")) == "443"  # noqa: PLR2004 - HTTPS
        secure = secure or fields.get("network.application") == "ssl"
        # The log leaves the scheme out; `url.original` stays as it came.
        fields["url.scheme"] = "https" if secure else "http"
        fields["url.full"] = f"{fields['url.scheme']}://{url}"
    if fields.get("url.domain") and not fields.get("destination.domain"):
        fields["destination.domain"] = fields["url.domain"]


def _file(fields: Fields) -> None:
    path = fields.get("file.path")
    if path:
        if found := _HASH_IN_NAME(path):
            del fields["file.path"]
            fields[f"file.hash.{found[1]}"] = found[2].lower()
        else:
            fields["file.name"] = re.split(r"[\\/]", path)[-1] or path
    digest = fields.get(_HASH)
    if digest and len(digest) in _HASH_NAMES:
        del fields[_HASH]
        fields[f"file.hash.{_HASH_NAMES[len(digest)]}"] = digest.lower()


def _threat(fields: Fields) -> None:
    """Let an alert's rule be its signature, and the policy's rule the ruleset that let the sensor look."""
    said = str(fields.get(_THREAT) or "")
    found = _THREAT_ID(said)
    if found:
        fields["event.code"] = found[2]
    elif said.isdecimal() and said != "0":
        fields["event.code"] = said
    if not is_alert(fields.get(_SUBTYPE, ""), fields.get("rule.category", "")):
        return
    policy = fields.pop("rule.name", None)
    if policy:
        fields["rule.ruleset"] = policy
    if found:
        fields["rule.id"] = found[2]
        fields["rule.name"] = found[1].strip() or found[2]
    elif said:
        fields["rule.name"] = said
    category = fields.get(_OWN + "ThreatCategory")
    if category:
        fields["rule.category"] = category


def is_alert(subtype: str, category: str) -> bool:
    """Tell whether a THREAT record says that something is malicious; WildFire also reports the benign."""
    return subtype in table.ALERTS and category not in ("benign", "grayware-benign")


def _tls(fields: Fields) -> None:
    version = fields.get("tls.version", "")
    if version.startswith(("TLS", "SSL")):
        fields["tls.version_protocol"] = version[:3].lower()
        fields["tls.version"] = version[3:].lstrip("v")


def _dns(fields: Fields) -> None:
    answers = fields.pop(_OWN + "DNSResponse", None)
    if isinstance(answers, list):
        resolved = [
            answer for answer in answers if isinstance(answer, str) and canonical_ip(answer)
        ]
        names = [answer for answer in answers if answer not in resolved]
        if resolved:
            fields["dns.resolved_ip"] = resolved
        if names:
            fields[_OWN + "DNSResponse"] = names
        fields["dns.type"] = "answer"
    fields["network.protocol"] = "dns"


# ------------------------------------------------------------------ system messages

_MESSAGE = tuple(
    re.compile(pattern).search
    for pattern in (
        r"(?:for user|User|user|by) '?(?P<user>[^\s',]+)'?(?: logged|[.,']|\s*$| from)",
        r"User name: (?P<user>[^\s,]+)",
        r"(?:[Ff]rom:? |initiated by:? )(?P<source>[0-9A-Fa-f:.]*[0-9A-Fa-f])",
        r"(?:server address '|address: |to server |with WildFire Cloud |Public Cloud |Update server: )(?P<destination>[\w.\-]*\w)(?:'?(?:,| port: |:)\s?(?P<port>\d{1,5}))?",
        r"interface (?P<interface>[\w/.]+), ip (?P<source>[0-9A-Fa-f:.]+)",
        r"^Port (?P<interface>[\w/.]+): (?P<action>\w+)",
        r"package: (?P<file>\S+\.\w+)",
        r" using (?P<protocol>\w+)\s*$",
        r"realm '(?P<domain>[^']+)'",
        r"Reason: (?P<reason>.*?)(?: auth profile '[^']*', vsys| *$)",
    )
)  # fmt: skip
_MESSAGE_FIELDS = {
    "user": "user.name",
    "interface": "observer.ingress.interface.name",
    "action": "event.action",
    "file": "file.name",
    "protocol": "network.protocol",
    "domain": "user.domain",
    "reason": "event.reason",
}


def read_message(fields: Fields, message: str) -> None:
    """Take out of a system message who did it, from where, to where. Bounded: only the first 2,048 characters are read."""
    text = message[:2048]
    for search in _MESSAGE:
        found = search(text)
        if found is None:
            continue
        for part, value in found.groupdict().items():
            if not value:
                continue
            if part == "port":
                fields.setdefault("destination.port", int(value))
            elif part in ("source", "destination"):
                if not fields.get(f"{part}.ip") and (part == "destination" or canonical_ip(value)):
                    place(fields, part, value)
            elif not fields.get(_MESSAGE_FIELDS[part]):
                fields[_MESSAGE_FIELDS[part]] = value


STEPS: Final[tuple[Step, ...]] = (
    ((_PROTOCOL,), _protocol),
    (("source.user.name", "destination.user.name"), _people),
    (("user.name",), _user),
    (("network.forwarded_ip",), _forwarded),
    ((_URL_OR_FILE,), _location),
    (("url.original", _URL_OR_FILE), _url),
    (("file.path", _URL_OR_FILE, _HASH), _file),
    ((_THREAT,), _threat),
    (("tls.version",), _tls),
    (("dns.question.type", _OWN + "DNSResponse"), _dns),
)
