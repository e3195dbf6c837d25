"""TCG boot event logs (`binary_bios_measurements`): every event, and the PCRs that the boot must have left.

Source: TCG PC Client Platform Firmware Profile 1.06, section 10, read 2026-11. A record is a whole log, bare or in
JSON (`ingest.formats.evidence`; members `eventlog`, `mb_measurement_list`, `uefi_log`, or `log`).

The last event is the appraisal: `fail` where PCRs differ from the source's reference values, or an event's
digest is not that of its data; `pass` where they are as they must be; `unknown` where there is no
reference. A pass is a warning (`unquoted`): a log that no TPM signed is the word of who sent it, and proves no
state (RFC 9334, 7.4). Secure Boot that is off is named.
"""

from __future__ import annotations

from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from ingest.formats.attestation import ATTESTER, UNQUOTED, Result, attestation_fields, pcr_text
from ingest.formats.evidence import (
    add_host,
    attester_of,
    open_evidence,
    reference_mismatches,
)
from ingest.formats.tcg_eventlog import BootEvent, EventLog, details, read_log, replay

NAME: Final = "tcg.eventlog"
_NAMES: Final = ("eventlog", "mb_measurement_list", "uefi_log", "log")
_MAX_REASONS: Final = 64


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Return an event for each event of the log, and its appraisal, last.

    Raises:
        ParseError: no event log, truncated, or past a bound.
    """
    evidence = open_evidence(raw)
    data = evidence.part(*_NAMES) if evidence.members else evidence.data
    if data is None:
        raise ParseError(f"no event log: expected {', '.join(_NAMES)}")
    log = read_log(data)
    attester = attester_of(evidence, context)
    found = []
    for event in log.events:
        fields = _event(event, attester)
        add_host(fields, evidence, context)
        found.append(fields)
    appraisal = _appraisal(log, attester, context)
    add_host(appraisal, evidence, context)
    return [*found, appraisal]


def _event(event: BootEvent, attester: str) -> Fields:
    fields: Fields = {
        "event.kind": "event",
        "event.category": ["host"],
        "event.type": ["start"],
        "event.action": "boot-measured",
        "event.module": "tcg",
        "event.dataset": "tcg.eventlog",
        "event.sequence": event.number,
        ATTESTER: attester,
        "tcg.event.type": event.kind,
        "tcg.event.pcr": event.pcr,
        "tcg.event.size": len(event.data),
        "tcg.event.digest": [f"{name}:{value.hex()}" for name, value in event.digests.items()],
    }
    for name, value in details(event).items():
        fields["tcg.event." + name] = value
    path = fields.get("tcg.event.path")
    if path:
        fields["file.path"] = path
        fields["file.name"] = path.rpartition("\\")[2]
    if event.is_consistent() is False:
        fields["event.kind"] = "alert"
        fields["event.category"] = ["host", "intrusion_detection"]
        fields["event.type"] = ["info"]
        fields["event.reason"] = "digest"
        fields["rule.id"] = "attestation.tcg_eventlog.digest"
        fields["rule.name"] = "Boot event whose digest is not that of its data"
    return fields


def secure_boot(log: EventLog) -> bool | None:
    """Tell whether the firmware measured Secure Boot as on; None: it did not say."""
    state = None
    for event in log.events:
        if event.kind == "EV_EFI_VARIABLE_DRIVER_CONFIG" and event.pcr == 7:  # noqa: PLR2004 - PCR of the policy
            said = details(event)
            if said.get("variable") == "SecureBoot":
                state = said.get("value") == "01"
    return state


def _appraisal(log: EventLog, attester: str, context: Context) -> Fields:
    banks = {bank: replay(log, bank) for bank in log.algorithms}
    wrong = reference_mismatches(context.options, banks)
    reasons = ["digest"] if any(event.is_consistent() is False for event in log.events) else []
    reasons += wrong or []
    result: Result = "fail" if reasons else "unknown" if wrong is None else "pass"
    is_secure = secure_boot(log)
    if is_secure is False:
        reasons.append("secure_boot.off")
    if result == "pass":
        reasons.append(UNQUOTED)
    if result == "unknown":
        reasons.append("no_reference")
    fields = attestation_fields(
        attester=attester,
        evidence="tcg_eventlog",
        result=result,
        reasons=reasons[:_MAX_REASONS],
        level="warning" if result == "pass" else None,
        pcrs=[
            pcr_text(bank, pcr, value)
            for bank, values in banks.items()
            for pcr, value in sorted(values.items())
        ],
    )
    said: dict[str, Any] = {"tcg.events": len(log.events), "tcg.algorithms": log.algorithms}
    if is_secure is not None:
        said["tcg.secure_boot"] = is_secure
    return fields | said | {"event.module": "tcg", "event.dataset": "tcg.eventlog"}


ADAPTER = Adapter(NAME, parse)
