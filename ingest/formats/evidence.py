"""Attestation evidence as it reaches an adapter: raw bytes, or wrapped in JSON with who it is of.

The wrapper (all members optional but one that holds the evidence):

    {"attester": "…", "host": {"name": "…", "ip": "…"}, "time": "<ISO 8601>", "nonce": "<hex or base64>",
     "<name of the evidence>": "<base64, hex or text>", …}

Options of a source that all attestation adapters read:

    attester    id of what the evidence is of, where the record does not say it
    keys        table: attester or key id to PEM (or JWK) of the key that must have signed
    hosts       table: attester to the name of the host that it is; goes before what the record says
    pcrs        table: bank to table of PCR index to its one value, or list of values, that policy allows
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.attestation import ATTESTER
from ingest.formats.json import load_object
from ingest.formats.time import any_us

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+$")
MAX_ID: Final = 512


@dataclass(slots=True)
class Evidence:
    """One piece of evidence and what was said beside it.

    Attributes:
        data: the bytes of a bare record; empty where the record is a wrapper.
        members: members of the wrapper; empty where the record is bare.
    """

    data: bytes = b""
    members: dict[str, Any] = field(default_factory=dict)

    def part(self, *names: str) -> bytes | None:
        """Return the first member of these names as bytes; None: there is none.

        Raises:
            ParseError: it is neither base64, nor hexadecimal, nor text.
        """
        for name in names:
            value = self.members.get(name)
            if type(value) is str and value:
                return decode_bytes(value)
        return None

    def text(self, name: str) -> str:
        """Return a member as text, or empty text."""
        value = self.members.get(name)
        return value[:MAX_ID] if type(value) is str else ""


def open_evidence(raw: bytes) -> Evidence:
    """Return the evidence of a record.

    Raises:
        ParseError: it begins as JSON but is no JSON object.
    """
    if raw[:1] == b"{":
        return Evidence(members=load_object(raw))
    return Evidence(data=raw)


def decode_bytes(text: str) -> bytes:
    """Return what hexadecimal or base64 (of either alphabet, padded or not) stands for.

    Raises:
        ParseError: neither.
    """
    text = text.strip()
    if _HEX.match(text):
        return bytes.fromhex(text)
    padded = text + "=" * (-len(text) % 4)
    try:
        if "-" in text or "_" in text:
            return urlsafe_b64decode(padded.encode("ascii"))
        return b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("expected base64 or hexadecimal") from None


def attester_of(evidence: Evidence, context: Context, fallback: str = "") -> str:
    """Return the attester's id: the record's own, the source's setting, `fallback`, or the sender."""
    for name in (evidence.text("attester"), context.options.get("attester"), fallback):
        if type(name) is str and name:
            return name[:MAX_ID]
    return context.sender or "unknown"


def add_host(fields: Fields, evidence: Evidence, context: Context) -> None:
    """Add time and host that the wrapper states, or the host that the settings state for the attester in `fields`.

    Raises:
        ParseError: its time is no time.
    """
    stamp = evidence.text("time")
    if stamp:
        try:
            fields["@timestamp"] = iso(any_us(stamp, context.zone, context.received_us))
        except (ValueError, OverflowError) as error:
            raise ParseError(f"time: {error}") from None
    host = host_of(fields.get(ATTESTER), context) or evidence.members.get("host")
    if type(host) is str and host:
        host = {"name": host}
    if type(host) is not dict:
        return
    name, address = host.get("name"), host.get("ip")
    if type(name) is str and name:
        fields["host.name"] = name[:MAX_ID]
        fields["host.hostname"] = name[:MAX_ID].partition(".")[0]
    ip = canonical_ip(address) if type(address) is str else None
    if ip is not None:
        fields["host.ip"] = [ip]


def host_of(attester: Any, context: Context) -> str:
    """Return the name of the host that the settings state for an attester, or empty text."""
    hosts = context.options.get("hosts")
    name = hosts.get(attester) if isinstance(hosts, Mapping) else None
    return name if type(name) is str else ""


def reference_mismatches(
    options: Mapping[str, Any], values: Mapping[str, Mapping[int, bytes]]
) -> list[str] | None:
    """Return which PCRs differ from the source's reference values; None: it has none to compare.

    A reference for a PCR that the evidence does not have counts as different.
    """
    banks = options.get("pcrs")
    if not isinstance(banks, Mapping) or not banks:
        return None
    wrong: list[str] = []
    for bank, references in banks.items():
        if not isinstance(references, Mapping):
            continue
        found = values.get(str(bank), {})
        for index, allowed in references.items():
            texts = allowed if isinstance(allowed, list | tuple) else [allowed]
            known = {str(text).lower().removeprefix("0x") for text in texts}
            number = int(index) if str(index).isdecimal() else -1
            if found.get(number, b"").hex() not in known:
                wrong.append(f"pcr.{index}")
    return wrong
