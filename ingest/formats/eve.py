"""The application protocols of EVE records: from each section to ECS; what has no place there stays in it.

Source: Suricata 7.0 and 8.0 user guide, "Eve JSON Format", and its `etc/schema.json` (read 2026-11).
Every reader takes what it places out of the section, so that the caller can keep the rest as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from contract.event import Fields
from contract.timestamps import iso
from ingest.ecs_types import is_long, is_port
from ingest.formats.address import canonical_ip, canonical_mac
from ingest.formats.eve_access import ACCESS, judge_session, read_http2
from ingest.formats.eve_dns import read_dns
from ingest.formats.eve_tls import read_quic, read_tls
from ingest.formats.time import iso_us
from ingest.formats.url import url_fields

Section: TypeAlias = Any
Reader: TypeAlias = Callable[[Fields, Section, str], None]

# The look-behind and the possessive `++` keep a long word without `@` from being read once for each of its letters.
_MAIL_ADDRESS = re.compile(r"(?<![^\s<>\"',;])[^\s<>\"',;@]++@[^\s<>\"',;]+").findall


def _text(section: dict[str, Any], name: str) -> str | None:
    """Take a text out of the section; other values stay."""
    value = section.get(name)
    if type(value) is not str or not value:
        return None
    del section[name]
    return value


def _relate(fields: Fields, kind: str, value: str) -> None:
    related = fields.setdefault("related." + kind, [])
    if value not in related:
        related.append(value)


_HTTP_TEXT: Final = (
    ("http_method", "http.request.method"),
    ("http_user_agent", "user_agent.original"),
    ("http_refer", "http.request.referrer"),
    ("http_content_type", "http.response.mime_type"),
)


def read_http(fields: Fields, http: Section, kind: str) -> None:
    """HTTP/1 and 2: request, response, URL, user agent."""
    if type(http) is not dict:
        return
    for name, field in _HTTP_TEXT:
        if (value := _text(http, name)) is not None:
            fields[field] = value
    _http_url(fields, http)
    if (version := _text(http, "protocol")) is not None:
        fields["http.version"] = version.removeprefix("HTTP/") or version
    if "http2" in http:
        read_http2(fields, http)
    if is_long(http.get("status")):
        fields["http.response.status_code"] = status = http.pop("status")
        if kind == "http":
            fields["event.outcome"] = "success" if status < 400 else "failure"  # noqa: PLR2004 - RFC 9110, 15.5
    if is_long(http.get("length")):
        fields["http.response.body.bytes"] = http.pop("length")
    if kind == "http":
        fields["event.category"] = ["network", "web"]
        fields["event.type"] = ["access", "protocol"]


def _http_url(fields: Fields, http: dict[str, Any]) -> None:
    url = _text(http, "url")
    if url is not None:
        fields.update(url_fields(url))
    host = _text(http, "hostname")
    if host is not None:
        fields["url.domain"] = fields["destination.domain"] = host
        _relate(fields, "hosts", host)
    if is_port(http.get("http_port")):
        fields["url.port"] = http.pop("http_port")


def read_fileinfo(fields: Fields, file: Section, kind: str) -> None:
    """A file seen in a flow: name, size, hashes."""
    if (
        type(file) is list
    ):  # an alert lists the files of its transaction; the first is the one it speaks of
        file = file[0] if file and type(file[0]) is dict else {}
    name = _text(file, "filename")
    if name is not None:
        base = name.replace("\\", "/").rpartition("/")[2]
        fields["file.path"] = name
        fields["file.name"] = base or name
        stem, dot, extension = base.rpartition(".")
        if stem and dot and extension:
            fields["file.extension"] = extension
    if is_long(file.get("size")):
        fields["file.size"] = file.pop("size")
    for kind_of_hash in ("md5", "sha1", "sha256"):
        value = _text(file, kind_of_hash)
        if value is not None:
            fields["file.hash." + kind_of_hash] = value
            _relate(fields, "hash", value)
    if kind == "fileinfo":
        fields["event.category"] = ["network", "file"]


def read_smtp(fields: Fields, smtp: Section, kind: str) -> None:
    """The envelope: who says hello, sender, receivers."""
    if type(smtp) is not dict:
        return
    helo = _text(smtp, "helo")
    if helo is not None:
        fields["source.domain"] = helo
        _relate(fields, "hosts", helo)
    sender = _text(smtp, "mail_from")
    if sender is not None and (found := _MAIL_ADDRESS(sender)):
        fields["email.sender.address"] = found[0]
    receivers = smtp.get("rcpt_to")
    if type(receivers) is list and all(type(one) is str for one in receivers):
        fields["email.to.address"] = [
            address for one in smtp.pop("rcpt_to") for address in _MAIL_ADDRESS(one)
        ]
    if kind == "smtp":
        fields["event.category"] = ["network", "email"]


def read_email(fields: Fields, email: Section, kind: str) -> None:
    """The message's header."""
    if type(email) is not dict:
        return
    for name, field in (
        ("from", "email.from.address"),
        ("to", "email.to.address"),
        ("cc", "email.cc.address"),
    ):
        value = email.get(name)
        texts = [value] if type(value) is str else value
        if type(texts) is not list or not all(type(one) is str for one in texts):
            continue
        if found := [address for one in texts for address in _MAIL_ADDRESS(one)]:
            fields[field] = found
            del email[name]
    for name, field in (
        ("subject", "email.subject"),
        ("message_id", "email.message_id"),
        ("x_mailer", "email.x_mailer"),
    ):
        if (value := _text(email, name)) is not None:
            fields[field] = value


def _user(fields: Fields, name: str | None, domain: str | None = None) -> None:
    if name is not None:
        fields["user.name"] = name
        _relate(fields, "user", name)
        if domain is not None:
            fields["user.domain"] = domain


def read_smb(fields: Fields, smb: Section, kind: str) -> None:
    """SMB: the user of NTLM or Kerberos, the file."""
    if type(smb) is not dict:
        return
    ntlm = smb.get("ntlmssp")
    if type(ntlm) is dict:
        _user(fields, _text(ntlm, "user"), _text(ntlm, "domain"))
        if (host := _text(ntlm, "host")) is not None:
            fields["source.domain"] = host
            _relate(fields, "hosts", host)
    if (command := _text(smb, "command")) is not None:
        fields["event.action"] = command
        if kind == "smb":
            judge_session(fields, smb, command)
    if (name := _text(smb, "filename")) is not None:
        fields["file.path"] = name
        fields["file.name"] = name.replace("\\", "/").rpartition("/")[2] or name


def read_krb5(fields: Fields, krb5: Section, kind: str) -> None:
    """Kerberos: client, realm, service, and whether it was refused."""
    if type(krb5) is not dict:
        return
    _user(fields, _text(krb5, "cname"), _text(krb5, "realm"))
    if (service := _text(krb5, "sname")) is not None:
        fields["service.name"] = service
    if kind == "krb5":
        failed = krb5.get("failed_request") or krb5.get("error_code")
        fields["event.outcome"] = "failure" if failed else "success"
        fields["event.category"] = ["network", "authentication"]


def read_dhcp(fields: Fields, dhcp: Section, kind: str) -> None:
    """DHCP: which client got which address."""
    if type(dhcp) is not dict:
        return
    if (mac := _text(dhcp, "client_mac")) is not None:
        fields["client.mac"] = canonical_mac(mac) or mac
    assigned = dhcp.get("assigned_ip")
    ip = canonical_ip(assigned) if type(assigned) is str else None
    if ip is not None and ip != "0.0.0.0":  # noqa: S104 - "none yet" of RFC 2131
        fields["client.ip"] = ip
        del dhcp["assigned_ip"]
        _relate(fields, "ip", ip)
    if (host := _text(dhcp, "hostname")) is not None:
        fields["client.domain"] = host
        _relate(fields, "hosts", host)
    if (action := _text(dhcp, "dhcp_type")) is not None:
        fields["event.action"] = action


def read_ftp(fields: Fields, ftp: Section, kind: str) -> None:
    """FTP: the command, the user it names; a password is not kept."""
    if type(ftp) is not dict:
        return
    command = _text(ftp, "command")
    if command is not None:
        fields["event.action"] = command.lower()
        if command == "USER":
            _user(fields, _text(ftp, "command_data"))
        elif command == "PASS" and "command_data" in ftp:
            ftp["command_data"] = "***"


def _named_file(name: str) -> Reader:
    """Make the reader of a section whose `name` is a file's path."""

    def read(fields: Fields, section: Section, kind: str) -> None:
        if type(section) is dict and (path := _text(section, name)) is not None:
            fields["file.path"] = path
            fields["file.name"] = path.rpartition("/")[2] or path

    return read


def read_rdp(fields: Fields, rdp: Section, kind: str) -> None:
    """RDP: the user of the cookie, the client's name."""
    if type(rdp) is not dict:
        return
    _user(fields, _text(rdp, "cookie"))
    client = rdp.get("client")
    if type(client) is dict and (name := _text(client, "client_name")) is not None:
        fields["source.domain"] = name
        _relate(fields, "hosts", name)
    if (action := _text(rdp, "event_type")) is not None:
        fields["event.action"] = action


def read_ssh(fields: Fields, ssh: Section, kind: str) -> None:
    """SSH: the client's software as user agent."""
    client = ssh.get("client") if type(ssh) is dict else None
    if type(client) is dict and type(client.get("software_version")) is str:
        fields["user_agent.original"] = client.pop("software_version")


def read_netflow(fields: Fields, netflow: Section, kind: str) -> None:
    """One direction of a flow."""
    if type(netflow) is not dict:
        return
    for name, field in (("bytes", "bytes"), ("pkts", "packets")):
        if is_long(netflow.get(name)):
            fields[f"source.{field}"] = fields[f"network.{field}"] = netflow.pop(name)
    for name in ("start", "end"):
        value = netflow.get(name)
        if type(value) is str and value:
            with suppress(ValueError):  # what is no time stays under Suricata's own name
                fields["event." + name] = iso(iso_us(value))
                del netflow[name]


def read_ether(fields: Fields, ether: Section, kind: str) -> None:
    """MAC addresses; of a flow, the first seen."""
    if type(ether) is not dict:
        return
    for side, names in (
        ("source", ("src_mac", "src_macs")),
        ("destination", ("dest_mac", "dest_macs")),
    ):
        for name in names:
            value = ether.get(name)
            first = value[0] if type(value) is list and len(value) == 1 else value
            if type(first) is str:
                fields[side + ".mac"] = canonical_mac(first) or first
                del ether[name]


PROTOCOLS: Final[dict[str, Reader]] = {
    "http": read_http, "tls": read_tls, "dns": read_dns, "quic": read_quic, "ssh": read_ssh,
    "fileinfo": read_fileinfo, "files": read_fileinfo, "smtp": read_smtp, "email": read_email, "smb": read_smb,
    "krb5": read_krb5, "dhcp": read_dhcp, "ftp": read_ftp, "ftp_data": _named_file("filename"),
    "nfs": _named_file("filename"), "tftp": _named_file("file"), "rdp": read_rdp, "netflow": read_netflow,
    "ether": read_ether, **ACCESS,
}  # fmt: skip

APPLICATIONS: Final = frozenset(
    (
        "http", "tls", "dns", "mdns", "quic", "ssh", "smtp", "smb", "krb5", "dhcp", "ftp", "ftp_data", "nfs", "tftp", "rdp", "rfb", "sip", "snmp",
        "mqtt", "ike", "modbus", "dnp3", "dcerpc", "bittorrent_dht", "pgsql", "ldap", "websocket", "telnet", "enip", "pop3", "imap", "arp", "doh2",
    )
)  # fmt: skip
"""Event types that name an application protocol."""
