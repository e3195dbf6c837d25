"""TPM 2.0 quotes, verified: signature of an enrolled key, challenge, PCR values, clock, and the IMA list beside.

Sources: TPM 2.0 Library Part 2, revision 1.59; `tpm2_quote(1)`; Keylime's agent API (`quote`: `r` and three base64
parts); read 2026-11. A record is a quote with its signature behind it (TPMS_ATTEST or TPM2B_ATTEST, then
TPMT_SIGNATURE), or JSON (`ingest.formats.evidence`) with the members

    quote (or message), signature      base64 or hexadecimal; or Keylime's `quote` alone
    pcrs                               table of banks, or the values one behind another
    nonce                              the challenge that the verifier sent
    ima (or ima_measurement_list)      the list that explains PCR 10

Options beside those of `ingest.formats.evidence`: `nonce_required` (true unless stated): a quote without a known
challenge may be an old one, so its pass is a warning.

A quote fails where its signature, challenge, PCR digest, reference values or list do not hold, or where the TPM's
clock went back; without an enrolled key nothing is known. Only values that the quote selects and whose digest it
holds are believed. The key enrolled under the attester's id must have signed; an attester that only the record
names, and whose key was found by another name, is a warning, as is a quote whose values nothing was compared with.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.attestation import BOOT, Result, TrustTier, attestation_fields, pcr_text
from ingest.formats.evidence import (
    Evidence,
    add_host,
    attester_of,
    decode_bytes,
    open_evidence,
    reference_mismatches,
)
from ingest.formats.ima_replay import explains
from ingest.formats.tpm_quote import (
    Quote,
    digest_of,
    fingerprint,
    is_signed,
    load_key,
    read_quote,
    selected,
    values_in_order,
    values_of_mapping,
    values_of_tools,
)

NAME: Final = "tpm.quote"
MAX_ATTESTERS: Final = 10_000
"""Attesters whose last clock is remembered; the one longest unseen is forgotten first."""
MAX_VALUES_BYTES: Final = 1_048_576
_IMA_PCR: Final = 10


@dataclass(slots=True)
class _Case:
    """One quote with what is known beside it, and what speaks against it."""

    quote: Quote
    signature: bytes
    values: dict[str, dict[int, bytes]]
    evidence: Evidence
    attester: str = ""
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hash_name: str = ""


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return the appraisal of one quote.

    Raises:
        ParseError: no quote, truncated, or the enrolled key cannot be read.
    """
    evidence = open_evidence(raw)
    case = _wrapped(evidence) if evidence.members else _bare(raw, evidence)
    fallback = "tpm:" + case.quote.signer.hex()[:36] if case.quote.signer else ""
    case.attester = attester_of(evidence, context, fallback)
    known = _check_signature(case, context)
    if known and not case.reasons:
        _check_nonce(case, context)
        _check_values(case, context)
        _check_list(case)
        _check_clock(case, context)
    fields = _appraisal(case, is_known=known)
    add_host(fields, evidence, context)
    return [fields]


# ------------------------------------------------------------------ forms


def _bare(raw: bytes, evidence: Evidence) -> _Case:
    quote, rest = read_quote(raw)
    return _Case(quote, rest, {}, evidence)


def _wrapped(evidence: Evidence) -> _Case:
    members = evidence.members
    results = members.get("results")
    if type(results) is dict and "quote" in results:
        members |= results
    text = members.get("quote")
    if type(text) is str and text[:1] in ("r", "d") and text.count(":") >= 2:  # noqa: PLR2004 - three parts
        return _keylime(text, evidence)
    message = evidence.part("message", "quote", "attest", "quoted")
    if message is None:
        raise ParseError("no TPM quote: expected quote or message")
    quote, rest = read_quote(message)
    signature = evidence.part("signature", "sig") or rest
    return _Case(quote, signature, _values(quote, members.get("pcrs")), evidence)


def _values(quote: Quote, said: Any) -> dict[str, dict[int, bytes]]:
    if said is None:
        return {}
    if type(said) is str:
        return values_in_order(quote, decode_bytes(said))
    return selected(quote, values_of_mapping(said))


def _keylime(text: str, evidence: Evidence) -> _Case:
    parts = [_inflated(decode_bytes(part)) for part in text[1:].split(":")[:3]]
    quote, _ = read_quote(parts[0])
    return _Case(quote, parts[1], values_of_tools(quote, parts[2]), evidence)


def _inflated(data: bytes) -> bytes:
    """Undo the zlib of old agents; bounded, since a few bytes may stand for gigabytes."""
    if data[:1] != b"\x78":
        return data
    unpack = zlib.decompressobj()
    try:
        out = unpack.decompress(data, MAX_VALUES_BYTES)
    except zlib.error:
        return data
    if unpack.unconsumed_tail:
        raise ParseError(f"a part of the quote inflates beyond {MAX_VALUES_BYTES} bytes")
    return out


# ------------------------------------------------------------------ checks


def _check_signature(case: _Case, context: Context) -> bool:
    """Tell whether a key is enrolled for the attester; note a signature that does not hold."""
    keys = context.options.get("keys")
    keys = keys if isinstance(keys, dict) else {}
    pem = keys.get(case.attester)
    if not isinstance(pem, str):
        # An enrolled attester cannot be answered for by a key of another.
        pem = keys.get(case.evidence.text("key")) or keys.get("*")
        if not isinstance(pem, str):
            return False
        if case.evidence.text("attester"):
            case.notes.append("attester.unproven")
    key = load_key(pem)
    if case.attester.startswith("tpm:") or case.attester == "unknown":
        case.attester = fingerprint(key)
    if not case.signature:
        case.reasons.append("signature.absent")
        return True
    name = is_signed(key, case.quote.message, case.signature)
    if name is None:
        case.reasons.append("signature")
    else:
        case.hash_name = name
    return True


def _check_nonce(case: _Case, context: Context) -> None:
    sent = case.evidence.part("nonce")
    text = case.evidence.text("nonce")
    if sent is None:
        if context.options.get("nonce_required", True):
            case.notes.append("nonce.absent")
        return
    # Keylime sends its challenge as text, and the TPM signs the text.
    found = case.quote.nonce
    if not (compare_digest(found, sent) or compare_digest(found, text.encode())):
        case.reasons.append("nonce")


def _check_values(case: _Case, context: Context) -> None:
    has_references = bool(context.options.get("pcrs"))
    if not case.values:
        # Where policy allows one value for each PCR, the digest alone proves them.
        case.values = _only_allowed(case.quote, context)
    doubt = "" if case.values else "pcr_values.absent"
    if case.values:
        expected = digest_of(case.quote, case.values, case.hash_name)
        if expected is None:
            doubt, case.values = "pcr_values.incomplete", {}
        elif not compare_digest(expected, case.quote.pcr_digest):
            case.reasons.append("pcr_digest")
            return
    if doubt:
        (case.reasons if has_references else case.notes).append(doubt)
        return
    wrong = reference_mismatches(context.options, case.values)
    case.reasons += wrong or []
    if wrong is None:
        case.notes.append("no_reference")


def _only_allowed(quote: Quote, context: Context) -> dict[str, dict[int, bytes]]:
    """Return the reference values of all selected PCRs, or nothing where one has none or several."""
    said = context.options.get("pcrs")
    chosen: dict[str, dict[str, str]] = {}
    for bank, indexes in quote.selections:
        references = said.get(bank) if isinstance(said, dict) else None
        for index in indexes:
            value = references.get(str(index)) if isinstance(references, dict) else None
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            if not isinstance(value, str):
                return {}
            chosen.setdefault(bank, {})[str(index)] = value
    return values_of_mapping(chosen)


def _check_list(case: _Case) -> None:
    """The IMA list must explain PCR 10; it may be longer, since files are measured while it is sent."""
    text = case.evidence.members.get("ima") or case.evidence.members.get("ima_measurement_list")
    if type(text) is not str or not text or case.reasons:
        return
    for bank, pcrs in case.values.items():
        value = pcrs.get(_IMA_PCR)
        if value is None:
            continue
        outcome = explains(text, bank, _IMA_PCR, value)
        if outcome == "ima.violation":
            case.notes.append(outcome)
        elif outcome is not None:
            case.reasons.append(outcome)
        return
    case.notes.append("ima.not_quoted")


def _check_clock(case: _Case, context: Context) -> None:
    """Boots and clock of a TPM never go back; an older quote is a replay, or another TPM."""
    last: dict[str, list[int]] = context.state.setdefault("clocks", {})
    quote = case.quote
    now = [quote.reset_count, quote.clock_ms]
    before = last.pop(case.attester, None)
    if before is not None and now < before:
        case.reasons.append("clock")
        now = before
    last[case.attester] = now
    if len(last) > MAX_ATTESTERS:
        del last[next(iter(last))]


# ------------------------------------------------------------------ appraisal


def _appraisal(case: _Case, *, is_known: bool) -> Fields:
    quote = case.quote
    result: Result = "fail" if case.reasons else "pass"
    level: TrustTier | None = "warning" if result == "pass" and case.notes else None
    reasons = case.reasons or case.notes
    if not is_known:
        result, level, reasons = "unknown", None, ["key.unknown"]
    fields = attestation_fields(
        attester=case.attester,
        evidence="tpm_quote",
        result=result,
        reasons=reasons,
        level=level,
        pcrs=[
            pcr_text(bank, index, value)
            for bank, pcrs in case.values.items()
            for index, value in sorted(pcrs.items())
        ],
    )
    return fields | {
        "event.module": "tpm",
        "event.dataset": "tpm.quote",
        BOOT: f"{quote.reset_count}.{quote.restart_count}",
        "tpm.clock_ms": quote.clock_ms,
        "tpm.clock_safe": quote.is_safe,
        "tpm.firmware": f"{quote.firmware:016x}",
        "tpm.signer": quote.signer.hex(),
        "tpm.nonce": quote.nonce.hex(),
        "tpm.pcr_digest": quote.pcr_digest.hex(),
        "tpm.selection": [
            f"{bank}:{','.join(map(str, indexes))}" for bank, indexes in quote.selections
        ],
    }


ADAPTER = Adapter(NAME, parse)
