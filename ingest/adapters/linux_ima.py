"""Linux IMA measurement lists, ASCII and binary, by entry or whole; PCRs replayed, template hashes checked.

Source: Linux 6.10 Documentation/security/IMA-templates.rst and `Documentation/ABI/testing/ima_policy`, read
2026-11. A record is one line of `ascii_runtime_measurements`, a whole list of either form, or a list in JSON
(`ingest.formats.evidence`; members `ima`, `ima_measurement_list`, or `log`).

Each entry is an event of the file that was measured. A whole list gives one event more: its appraisal, with
the PCRs as the list says they must be. It fails on an entry whose template hash is not that of its data (the
list was altered) and on a file that the policy forbids. A pass is a warning (`unquoted`): a list that no TPM signed is
the word of who sent it, and proves no state (RFC 9334, 7.4); signed lists are `tpm.quote`'s. A violation (a file open for
writing while it was measured, as logs are) is told.

Options beside those of `ingest.formats.evidence`: `allow`, table of path to digest (`sha256:…`) or list of
digests; a path that has none is not judged unless `strict` is true.
"""

from __future__ import annotations

from typing import Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.attestation import ATTESTER, UNQUOTED, Result, attestation_fields, pcr_text
from ingest.formats.evidence import (
    Evidence,
    add_host,
    attester_of,
    decode_bytes,
    open_evidence,
    reference_mismatches,
)
from ingest.formats.file_path import path_fields
from ingest.formats.ima import ImaEntry, is_binary, read_binary
from ingest.formats.ima_text import of_line
from ingest.formats.text import decode
from ingest.formats.tpm_algorithms import SIZES, extend

NAME: Final = "linux.ima"
MAX_ENTRIES: Final = 65_536
BANKS: Final = ("sha1", "sha256")
_LIST_BANKS: Final = ("sha1", "sha256", "sha384", "sha512")
_ECS_HASHES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_MAX_REASONS: Final = 64


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return an event for each entry, and for a whole list its appraisal, last.

    Raises:
        ParseError: no IMA entry, truncated, or past a bound.
    """
    if is_binary(raw):
        return _whole(_binary(raw), Evidence(), context)
    evidence = open_evidence(raw)
    if evidence.members:
        return _whole(_wrapped(evidence), evidence, context)
    text = decode(raw)
    if "\n" not in text:
        entry = of_line(text)
        return [_entry(entry, _judge(entry, context), attester_of(evidence, context))]
    return _whole(_ascii(text), evidence, context)


def _ascii(text: str) -> list[ImaEntry]:
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > MAX_ENTRIES:
        raise ParseError(f"{len(lines)} IMA entries; the bound is {MAX_ENTRIES}")
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(of_line(line.rstrip("\r")))
        except ParseError as error:
            raise ParseError(f"line {number}: {error}") from None
    return entries


def _binary(data: bytes) -> list[ImaEntry]:
    return read_binary(data, MAX_ENTRIES)


def _wrapped(evidence: Evidence) -> list[ImaEntry]:
    for name in ("ima", "ima_measurement_list", "log"):
        text = evidence.members.get(name)
        if type(text) is not str or not text:
            continue
        if text[:3].strip().isdecimal() and " " in text[:4]:
            return _ascii(text)
        data = decode_bytes(text)
        return _binary(data) if is_binary(data) else _ascii(decode(data))
    raise ParseError("no IMA list: expected ima, ima_measurement_list or log")


# ------------------------------------------------------------------ one entry


def _judge(entry: ImaEntry, context: Context) -> str:
    """Return why the entry is not to be trusted, or empty text."""
    if entry.is_violation:
        return "violation"
    if entry.is_consistent() is False:
        return "template_hash"
    allow = context.options.get("allow")
    if not isinstance(allow, dict) or entry.path == "boot_aggregate":
        return ""
    allowed = allow.get(entry.path)
    if allowed is None:
        return "not_allowed" if context.options.get("strict") else ""
    digests = allowed if isinstance(allowed, list | tuple) else [allowed]
    value = entry.digest.hex()
    return "" if value in digests or f"{entry.algorithm}:{value}" in digests else "digest"


def _entry(entry: ImaEntry, reason: str, attester: str) -> Fields:
    failed = reason not in ("", "violation")
    fields: Fields = {
        "event.kind": "alert" if failed else "event",
        "event.category": ["file", "intrusion_detection"] if failed else ["file"],
        "event.type": ["info"],
        "event.action": "measured",
        "event.outcome": "failure" if failed else "unknown" if reason else "success",
        "event.module": "ima",
        "event.dataset": "linux.ima",
        "host.os.type": "linux",
        ATTESTER: attester,
        "ima.pcr": entry.pcr,
        "ima.template": entry.template,
        "ima.template_hash": entry.template_hash.hex(),
    }
    if reason:
        fields["event.reason"] = reason
    if failed:
        fields["rule.id"] = "attestation.ima." + reason
        fields["rule.name"] = "Measurement failed: " + reason
    if entry.template != "ima-buf" and entry.path[:1] == "/":
        path_fields(fields, "file", entry.path)
    else:
        fields["file.name"] = entry.path
    if entry.digest and any(entry.digest):
        if len(entry.digest) == _ECS_HASHES.get(entry.algorithm):
            fields["file.hash." + entry.algorithm] = entry.digest.hex()
        fields["ima.digest"] = f"{entry.algorithm}:{entry.digest.hex()}"
    if entry.signature:
        fields["file.code_signature.exists"] = True
        fields["ima.signature"] = entry.signature.hex()
    if entry.buffer:
        fields["ima.buffer"] = entry.buffer.hex()
    for name, value in entry.others.items():
        fields["ima." + name.replace("-", "_")] = value
    return fields


# ------------------------------------------------------------------ the whole list


def replay(entries: list[ImaEntry], bank: str) -> dict[int, bytes]:
    """Return the PCRs of a bank after these entries; one that cannot be computed is left out."""
    values: dict[int, bytes] = {}
    lost: set[int] = set()
    for entry in entries:
        measured = entry.extension(bank)
        before = values.get(entry.pcr, bytes(SIZES[bank]))
        after = extend(bank, before, measured) if measured is not None else None
        if after is None:
            lost.add(entry.pcr)
        else:
            values[entry.pcr] = after
    return {pcr: value for pcr, value in values.items() if pcr not in lost}


def _whole(entries: list[ImaEntry], evidence: Evidence, context: Context) -> list[Fields]:
    attester = attester_of(evidence, context)
    found: list[Fields] = []
    reasons: list[str] = []
    for entry in entries:
        reason = _judge(entry, context)
        if reason:
            reasons.append(reason)
        fields = _entry(entry, reason, attester)
        add_host(fields, evidence, context)
        found.append(fields)
    found.append(_appraisal(entries, reasons, attester, evidence, context))
    return found


def _banks(entries: list[ImaEntry], context: Context) -> list[str]:
    """Return the banks to be replayed: the usual ones, that of the list's own hashes, and those of reference values."""
    own = {name for name in _LIST_BANKS if entries and SIZES[name] == len(entries[0].template_hash)}
    asked = context.options.get("pcrs")
    own |= {name for name in asked if name in SIZES} if isinstance(asked, dict) else set()
    return [*BANKS, *sorted(own.difference(BANKS))]


def _appraisal(
    entries: list[ImaEntry], reasons: list[str], attester: str, evidence: Evidence, context: Context
) -> Fields:
    banks = {bank: replay(entries, bank) for bank in _banks(entries, context)}
    wrong = reference_mismatches(context.options, banks)
    violations = reasons.count("violation")
    reasons = [*(reason for reason in reasons if reason != "violation"), *(wrong or [])]
    result: Result = "fail" if reasons else "unknown"
    if not reasons and (wrong is not None or context.options.get("allow")):
        result = "pass"
    if result == "unknown":
        reasons.append("no_reference")
    if result == "pass":
        reasons.append(UNQUOTED)
    if violations:
        reasons.append("violation")
    fields = attestation_fields(
        attester=attester,
        evidence="ima",
        result=result,
        reasons=reasons[:_MAX_REASONS],
        level="warning" if result == "pass" else None,
        pcrs=[
            pcr_text(bank, pcr, value)
            for bank, values in banks.items()
            for pcr, value in values.items()
        ],
    )
    fields["event.module"] = "ima"
    fields["event.dataset"] = "linux.ima"
    fields["host.os.type"] = "linux"
    fields["ima.entries"] = len(entries)
    fields["ima.violations"] = violations
    add_host(fields, evidence, context)
    return fields


ADAPTER = Adapter(NAME, parse)
