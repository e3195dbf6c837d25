"""What takes several columns of one Zeek record together, by log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from contract.event import Fields
from ingest.formats.address import canonical_ip
from ingest.formats.community_id import community_id
from ingest.formats.sides import add_totals
from ingest.formats.url import url_fields
from ingest.formats.zeek_values import seconds_of, time_text
from ingest.tables.protocols import NUMBERS

Complete: TypeAlias = Callable[[Fields, str], None]
_NANOSECONDS: Final = 1_000_000_000
MAX_ANSWERS: Final = 256

# docs.zeek.org, Conn::Info$conn_state: attempts that nobody answered or that were refused.
_FAILED_STATES: Final = frozenset(("S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"))
_ENDED_STATES: Final = frozenset(("SF", "REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH", "S2", "S3"))


def flow(fields: Fields) -> None:
    """Complete what any record with two addresses has: transport, totals, community id.

    Zeek writes ICMP type and code where ports stand; they are no ports in ECS.
    """
    source, destination = fields.get("source.ip"), fields.get("destination.ip")
    transport = fields.get("network.transport")
    if source is None or destination is None or type(source) is not str:
        return
    fields["network.type"] = "ipv6" if ":" in source else "ipv4"
    if type(transport) is not str:
        return
    if transport == "icmp" and ":" in source:
        transport = fields["network.transport"] = "ipv6-icmp"
    number = NUMBERS.get(transport)
    if number is None:
        fields.pop("network.transport", None)
        return
    fields["network.iana_number"] = number
    ports = fields.get("source.port"), fields.get("destination.port")
    if transport in ("icmp", "ipv6-icmp"):
        fields.pop("source.port", None)
        fields.pop("destination.port", None)
    if "network.community_id" not in fields and type(ports[0]) is int and type(ports[1]) is int:
        value = community_id(source, str(destination), int(number), (ports[0], ports[1]))
        if value is not None:
            fields["network.community_id"] = value


def _conn(fields: Fields, at: str) -> None:
    add_totals(fields)
    said = fields.get(at + "conn_state")
    state = said if type(said) is str else None
    types = ["connection"]
    if state in _ENDED_STATES:
        types += ["start", "end"]
    elif state is not None:
        types.append("start")
        if state == "OTH":
            types = ["connection", "info"]
    fields["event.type"] = types
    if state in _FAILED_STATES:
        fields["event.outcome"] = "failure"
    elif state is not None and state != "OTH":
        fields["event.outcome"] = "success"
    here, there = fields.get(at + "local_orig"), fields.get(at + "local_resp")
    if type(here) is bool and type(there) is bool:
        fields["network.direction"] = _DIRECTIONS[here, there]
    _duration_end(fields)


_DIRECTIONS: Final = {
    (True, True): "internal", (True, False): "outbound", (False, True): "inbound",
    (False, False): "external",
}  # fmt: skip


def _duration_end(fields: Fields) -> None:
    if "@timestamp" in fields and "event.duration" in fields:
        fields["event.start"] = fields["@timestamp"]


_FLAGS: Final = tuple((f"zeek.dns.{flag}", flag) for flag in ("AA", "TC", "RD", "RA"))


def _dns(fields: Fields, at: str) -> None:
    fields["dns.type"] = (
        "answer" if at + "rcode_name" in fields or at + "rcode" in fields else "query"
    )
    code = fields.get("dns.response_code")
    if code is not None:
        fields["event.outcome"] = "success" if code == "NOERROR" else "failure"
    flags = [flag for name, flag in _FLAGS if fields.get(name) is True]
    if flags:
        fields["dns.header_flags"] = flags
    answers, lives = fields.get(at + "answers"), fields.get(at + "TTLs")
    if type(answers) is not list or not answers:
        return
    lives = lives if type(lives) is list else []
    rows = []
    addresses = []
    for number, answer in enumerate(answers[:MAX_ANSWERS]):
        row: dict[str, Any] = {"data": answer}
        seconds = seconds_of(lives[number]) if number < len(lives) else None
        if seconds is not None:
            row["ttl"] = int(seconds)
        address = canonical_ip(answer) if type(answer) is str else None
        if address is not None:
            addresses.append(address)
            row["type"] = "AAAA" if ":" in address else "A"
        rows.append(row)
    fields["dns.answers"] = rows
    if addresses:
        fields["dns.resolved_ip"] = addresses


def _http(fields: Fields, at: str) -> None:
    uri, host = fields.get(at + "uri"), fields.get(at + "host")
    if type(uri) is str and uri:
        fields.update(url_fields(uri))
        if type(host) is str and host and uri[0] == "/":
            fields["url.full"] = f"http://{host}{uri}"
    if type(host) is str and host:
        name, _, port = host.rpartition(":") if host[-1] != "]" else (host, "", "")
        fields["url.domain"] = (name if name and port.isdecimal() else host).strip("[]")
    status = fields.get("http.response.status_code")
    if type(status) is int:
        fields["event.outcome"] = "failure" if status >= 400 else "success"  # noqa: PLR2004 - RFC 9110, 15
    names = fields.get(at + "resp_filenames") or fields.get(at + "orig_filenames")
    if type(names) is list and names and type(names[0]) is str:
        fields["file.name"] = names[0]


_TLS: Final = {
    "SSLv2": ("2.0", "ssl"), "SSLv3": ("3.0", "ssl"), "TLSv10": ("1.0", "tls"),
    "TLSv11": ("1.1", "tls"), "TLSv12": ("1.2", "tls"), "TLSv13": ("1.3", "tls"),
    "DTLSv10": ("1.0", "dtls"), "DTLSv12": ("1.2", "dtls"), "DTLSv13": ("1.3", "dtls"),
}  # fmt: skip


def _ssl(fields: Fields, at: str) -> None:
    version = _TLS.get(str(fields.get(at + "version")))
    if version is not None:
        fields["tls.version"], fields["tls.version_protocol"] = version
        if version[1] == "dtls":
            fields["network.transport"] = "udp"
    name = fields.get("tls.client.server_name")
    if type(name) is str and canonical_ip(name) is None:
        fields["destination.domain"] = name
    if fields.get("tls.established") is not None:
        fields["event.outcome"] = "success" if fields["tls.established"] else "failure"


def _notice(fields: Fields, at: str) -> None:
    note = fields.get("rule.name")
    if type(note) is str:
        fields["rule.id"] = note
        fields["rule.category"] = note.partition("::")[0]
        fields["event.action"] = note
    actions = fields.get(at + "actions")
    if type(actions) is list and "Notice::ACTION_DROP" in actions:
        fields["event.type"] = ["denied"]


def _intel(fields: Fields, at: str) -> None:
    kind = str(fields.get("rule.name", "")).removeprefix("Intel::")
    fields["rule.name"] = f"Intelligence match: {kind.lower()}" if kind else "Intelligence match"
    fields["rule.id"] = f"Intel::{kind or 'UNKNOWN'}"
    indicator = fields.get("threat.indicator.name")
    if kind == "ADDR" and type(indicator) is str and canonical_ip(indicator):
        fields["threat.indicator.ip"] = indicator


_ACTIONS: Final = {
    "SMB::FILE_DELETE": "deletion", "SMB::FILE_RENAME": "change", "SMB::FILE_WRITE": "change",
    "SMB::FILE_SET_ATTRIBUTE": "change", "SMB::PRINT_WRITE": "change",
}  # fmt: skip


def _smb_files(fields: Fields, at: str) -> None:
    share, name = fields.get(at + "path"), fields.get(at + "name")
    action = str(fields.get(at + "action", ""))
    fields["event.type"] = [_ACTIONS.get(action, "access")]
    if action:
        fields["event.action"] = action.removeprefix("SMB::").lower()
    if type(name) is str and name:
        fields["file.name"] = name[max(name.rfind("\\"), name.rfind("/")) + 1 :] or name
        whole = f"{share.rstrip(chr(92))}\\{name.lstrip(chr(92))}" if type(share) is str else name
        fields["file.path"] = whole


def _smb_mapping(fields: Fields, at: str) -> None:
    path = fields.get(at + "path")
    if type(path) is str:
        fields["file.path"] = path
        fields["event.action"] = "share-mapped"


def _x509(fields: Fields, at: str) -> None:
    subject = fields.get("file.x509.subject.distinguished_name")
    for side in ("subject", "issuer"):
        name = fields.get(f"file.x509.{side}.distinguished_name")
        if type(name) is str:
            for part in name.split(","):
                key, _, value = part.partition("=")
                if key.strip() == "CN" and value:
                    fields[f"file.x509.{side}.common_name"] = value
    if subject is not None:
        fields["event.action"] = "certificate-seen"


def _ssh(fields: Fields, at: str) -> None:
    if at + "auth_success" in fields:
        fields["event.category"] = ["network", "authentication"]
        fields["event.type"] = ["connection", "start"]
    direction = fields.get(at + "direction")
    if type(direction) is str:
        fields["network.direction"] = direction.lower()
    client = fields.get(at + "client")
    if type(client) is str:
        fields["user_agent.original"] = client


def _dhcp(fields: Fields, at: str) -> None:
    messages = fields.get(at + "msg_types")
    if type(messages) is list and messages and type(messages[-1]) is str:
        fields["event.action"] = "dhcp-" + messages[-1].lower()
    if type(fields.get("source.domain")) is not str and type(fields.get(at + "client_fqdn")) is str:
        fields["source.domain"] = fields[at + "client_fqdn"]


def _smtp(fields: Fields, at: str) -> None:
    sent = time_text(fields.get(at + "date"))
    if sent is not None:
        fields["email.origination_timestamp"] = sent


def _weird(fields: Fields, at: str) -> None:
    fields.pop("observer.name", None) if fields.get("observer.name") == "zeek" else None


def _software(fields: Fields, at: str) -> None:
    host = fields.get("host.ip")
    if type(host) is list and len(host) == 1:
        fields["event.action"] = "software-seen"


def _status(fields: Fields, at: str) -> None:
    status = fields.get(at + "status_code")
    if type(status) is int:
        fields["event.outcome"] = "failure" if status >= 400 else "success"  # noqa: PLR2004 - RFC 3261, 7.2


def _radius(fields: Fields, at: str) -> None:
    result = fields.get(at + "result")
    if result in ("success", "failed"):
        fields["event.outcome"] = "success" if result == "success" else "failure"


COMPLETE: Final[dict[str, Complete]] = {
    "conn": _conn, "conn_long": _conn, "dns": _dns, "http": _http, "websocket": _http, "ssl": _ssl,
    "notice": _notice, "intel": _intel, "smb_files": _smb_files, "smb_mapping": _smb_mapping,
    "x509": _x509, "ssh": _ssh, "dhcp": _dhcp, "smtp": _smtp, "weird": _weird, "software": _software,
    "sip": _status, "radius": _radius,
}  # fmt: skip
