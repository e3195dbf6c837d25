"""EVE sections in which a peer names itself or asks for access, from ARP to POP3; and what HTTP/2 puts into headers.

Source: Suricata 7.0 and 8.0 user guide, "Eve JSON Format", and its `etc/schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contract.event import Fields
from ingest.formats.address import canonical_ip, canonical_mac

_NOBODY: Final = "00:00:00:00:00:00"
"""The hardware address that an ARP request asks for."""
MAX_HEADERS: Final = 64
"""Headers of one request that are looked through."""


def read_arp(fields: Fields, arp: Any, kind: str) -> None:
    """ARP: who asks or answers, and for whom."""
    if type(arp) is not dict:
        return
    for side, prefix in (("source", "src"), ("destination", "dest")):
        said = arp.get(prefix + "_ip")
        address = canonical_ip(said) if type(said) is str else None
        if address is not None:
            fields[side + ".ip"] = fields[side + ".address"] = address
            del arp[prefix + "_ip"]
            _relate(fields, "ip", address)
        mac = arp.get(prefix + "_mac")
        if type(mac) is str and mac != _NOBODY:
            fields[side + ".mac"] = canonical_mac(mac) or mac
            del arp[prefix + "_mac"]
    if type(arp.get("opcode")) is str:
        fields["event.action"] = arp.pop("opcode")


def read_mqtt(fields: Fields, mqtt: Any, kind: str) -> None:
    """MQTT: the account of a connection, whose password is not kept."""
    connect = mqtt.get("connect") if type(mqtt) is dict else None
    if type(connect) is not dict:
        return
    account = connect.get("username")
    if type(account) is str and account:
        fields["user.name"] = connect.pop("username")
        _relate(fields, "user", account)
    if "password" in connect:
        connect["password"] = "***"  # noqa: S105 - in place of one


def read_rfb(fields: Fields, rfb: Any, kind: str) -> None:
    """RFB: how the logon ended."""
    said = rfb.get("authentication") if type(rfb) is dict else None
    result = said.get("security_result") if type(said) is dict else None
    if type(result) is str and kind == "rfb":
        fields["event.outcome"] = "success" if result.upper() in ("OK", "SUCCESS") else "failure"
        fields["event.category"] = ["network", "authentication"]


def read_sip(fields: Fields, sip: Any, kind: str) -> None:
    """SIP: the method."""
    if type(sip) is dict and type(sip.get("method")) is str:
        fields["event.action"] = sip.pop("method").lower()


def read_pgsql(fields: Fields, pgsql: Any, kind: str) -> None:
    """PostgreSQL: the account of a start; a password is not kept."""
    request = pgsql.get("request") if type(pgsql) is dict else None
    if type(request) is not dict:
        return
    if "password" in request:
        request["password"] = "***"  # noqa: S105 - in place of one
    start = request.get("startup_parameters")
    if type(start) is dict:
        _account(fields, start, "user")


def read_ldap(fields: Fields, ldap: Any, kind: str) -> None:
    """LDAP: whether a bind was let in."""
    if type(ldap) is not dict or kind != "ldap":
        return
    responses = ldap.get("responses")
    for response in responses[:MAX_RESPONSES] if type(responses) is list else ():
        answer = response.get("bind_response") if type(response) is dict else None
        code = answer.get("result_code") if type(answer) is dict else None
        if type(code) is str:
            _judge(fields, is_let_in=code.lower() == "success")


def read_snmp(fields: Fields, snmp: Any, kind: str) -> None:
    """SNMP: the user of version 3."""
    if type(snmp) is dict:
        _account(fields, snmp, "usm")


def read_pop3(fields: Fields, pop3: Any, kind: str) -> None:
    """POP3: the account that is named; a password is not kept."""
    request = pop3.get("request") if type(pop3) is dict else None
    said = request.get("args") if type(request) is dict else None
    if type(request) is not dict or type(said) is not list:
        return
    command = request.get("command")
    if command == "USER" and said and type(said[0]) is str and said[0]:
        fields["user.name"] = said[0]
        _relate(fields, "user", said[0])
    elif command in ("PASS", "APOP", "AUTH"):
        request["args"] = ["***"]


def judge_session(fields: Fields, smb: dict[str, Any], command: str) -> None:
    """SMB: whether the session that was asked for was set up."""
    status = smb.get("status")
    if command.endswith("SESSION_SETUP") and type(status) is str and status not in _UNDECIDED:
        _judge(fields, is_let_in=status == "STATUS_SUCCESS")


_UNDECIDED: Final = ("", "STATUS_MORE_PROCESSING_REQUIRED")
MAX_RESPONSES: Final = 16
"""Answers to one request that are looked through."""


def _judge(fields: Fields, *, is_let_in: bool) -> None:
    fields["event.outcome"] = "success" if is_let_in else "failure"
    fields["event.category"] = ["network", "authentication"]


def _account(fields: Fields, section: dict[str, Any], name: str) -> None:
    account = section.get(name)
    if type(account) is str and account:
        fields["user.name"] = section.pop(name)
        _relate(fields, "user", account)


def read_http2(fields: Fields, http: dict[str, Any]) -> None:
    """Take the version, and the user agent and referrer out of the headers, where HTTP/2 alone has them."""
    if type(http.get("version")) is str:
        fields.setdefault("http.version", http.pop("version"))
    headers = http.get("request_headers")
    for header in headers[:MAX_HEADERS] if type(headers) is list else ():
        name, value = (
            (header.get("name"), header.get("value")) if type(header) is dict else ("", "")
        )
        field = _HEADERS.get(name.lower()) if type(name) is str else None
        if field is not None and type(value) is str and value:
            fields.setdefault(field, value)


_HEADERS: Final = {"user-agent": "user_agent.original", "referer": "http.request.referrer"}


def _relate(fields: Fields, kind: str, value: str) -> None:
    related = fields.setdefault("related." + kind, [])
    if value not in related:
        related.append(value)


ACCESS: Final[dict[str, Callable[[Fields, Any, str], None]]] = {
    "arp": read_arp, "ldap": read_ldap, "mqtt": read_mqtt, "pgsql": read_pgsql, "pop3": read_pop3, "rfb": read_rfb, "sip": read_sip,
    "snmp": read_snmp,
}  # fmt: skip
"""Reader of each section."""
