"""TLS and QUIC sections of EVE records.

Source: Suricata 7.0 user guide, "Event type: TLS" and "Event type: QUIC"; ECS 9.4 `tls.*`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final

from contract.event import Fields
from contract.timestamps import iso
from ingest.formats.time import iso_us

_VERSION = re.compile(r"(TLS|SSL)\s?v?\s?(\d)(?:\.(\d))?", re.IGNORECASE).match
_RELATIVE_NAME = re.compile(
    r"(?:^|, ?|/)([A-Za-z.]+)=((?:[^,\\/]|\\.|/(?![A-Za-z]+=)|,(?! ?[A-Za-z.]+=))*)"
).findall
_NAMES: Final = {
    "CN": "common_name", "O": "organization", "OU": "organizational_unit", "C": "country", "L": "locality",
    "ST": "state_or_province",
}  # fmt: skip
_TEXT: Final = (
    ("subject", "tls.server.subject"),
    ("issuerdn", "tls.server.issuer"),
    ("sni", "tls.client.server_name"),
    ("certificate", "tls.server.certificate"),
    ("serial", "tls.server.x509.serial_number"),
)


def _take(section: dict[str, Any], name: str) -> str | None:
    value = section.get(name)
    if type(value) is not str or not value:
        return None
    del section[name]
    return value


def read_tls(fields: Fields, tls: Any, kind: str) -> None:
    """Place certificate, names, version, fingerprints of both sides."""
    if type(tls) is not dict:
        return
    for name, field in _TEXT:
        if (value := _take(tls, name)) is not None:
            fields[field] = value
    if "tls.server.x509.serial_number" in fields:
        serial = fields["tls.server.x509.serial_number"]
        fields["tls.server.x509.serial_number"] = serial.replace(":", "").upper()
    _names(fields, "tls.server.x509.subject.", fields.get("tls.server.subject"))
    _names(fields, "tls.server.x509.issuer.", fields.get("tls.server.issuer"))
    print_ = _take(tls, "fingerprint")
    if print_ is not None:
        digest = print_.replace(":", "").upper()
        fields["tls.server.hash.sha1"] = digest
        fields.setdefault("related.hash", []).append(digest)
    _validity(fields, tls)
    _version(fields, tls)
    resumed = tls.pop("session_resumed", None)
    if type(resumed) is bool:
        fields["tls.resumed"] = resumed
    chain = tls.get("chain")
    if type(chain) is list and chain:
        fields["tls.server.certificate_chain"] = tls.pop("chain")
    _fingerprints(fields, tls)
    _server_name(fields)
    if kind == "tls":
        fields["event.type"] = ["protocol", "info"]


def _validity(fields: Fields, tls: dict[str, Any]) -> None:
    for name, field in (
        ("notbefore", "tls.server.not_before"),
        ("notafter", "tls.server.not_after"),
    ):
        value = tls.get(name)
        if type(value) is str and value:
            with suppress(ValueError):  # what is no time stays under Suricata's own name
                fields[field] = iso(iso_us(value))
                del tls[name]


def read_quic(fields: Fields, quic: Any, kind: str) -> None:
    """QUIC carries TLS's client hello: its name and fingerprints."""
    if type(quic) is not dict:
        return
    if (name := _take(quic, "sni")) is not None:
        fields["tls.client.server_name"] = name
    if (agent := _take(quic, "ua")) is not None:
        fields["user_agent.original"] = agent
    _fingerprints(fields, quic)
    _server_name(fields)


def _server_name(fields: Fields) -> None:
    name = fields.get("tls.client.server_name")
    if name is not None:
        fields["destination.domain"] = name
        hosts = fields.setdefault("related.hosts", [])
        if name not in hosts:
            hosts.append(name)


def _version(fields: Fields, tls: dict[str, Any]) -> None:
    match = _VERSION(tls.get("version") or "") if type(tls.get("version")) is str else None
    if match is not None:
        del tls["version"]
        fields["tls.version_protocol"] = match[1].lower()
        fields["tls.version"] = f"{match[2]}.{match[3] or 0}"


def _fingerprints(fields: Fields, section: dict[str, Any]) -> None:
    """JA3 of the client, JA3S of the server; JA4 has no field in ECS and stays."""
    for name, field in (("ja3", "tls.client.ja3"), ("ja3s", "tls.server.ja3s")):
        value = section.get(name)
        if type(value) is dict and type(value.get("hash")) is str and value["hash"]:
            fields[field] = value.pop("hash")
            fields.setdefault("related.hash", []).append(fields[field])


def _names(fields: Fields, prefix: str, text: str | None) -> None:
    """Place the parts of a distinguished name; each part is a list in ECS."""
    if text is None:
        return
    for key, value in _RELATIVE_NAME(text):
        name = _NAMES.get(key.upper())
        if name is not None and value:
            fields.setdefault(prefix + name, []).append(value)
