"""Keylime verifier 7: revocation notices by webhook, and the status of agents by whoever polls it.

Source: Keylime 7.14 `revocation_notifier.py`, `cloud_verifier_common.py` (`prepare_error`,
`process_get_status`), `common/states.py`; notices of a running verifier (2026-11).

A notice is JSON three deep: the body's `msg` is a JSON text whose `meta_data`, `tpm_policy` and `context` are
JSON texts again. `revocation` is a failed appraisal; `comm_error` says only that nobody answered, which
is no evidence of compromise. A status that says PASS before the first attestation is not believed: a
pass needs `last_successful_attestation`, no older than the verifier's own `maximum_attestation_interval`
(`"10s"`, API 2.5), and an agent that the verifier still attests.

Options: `hosts`, a table of agent id to host name, for where the metadata do not name the host; `max_age_s`: a pass
longer ago is unknown, for verifiers that state no interval.
"""

from __future__ import annotations

import re
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.attestation import LAST_PASS, Result, attestation_fields
from ingest.formats.json import flatten_into, load_object, loads
from ingest.formats.time import any_us, epoch_us

_SEVERITIES: Final = {
    "info": 1, "notice": 2, "warning": 3, "error": 4, "critical": 5, "alert": 6, "emergency": 7,
}  # fmt: skip
_FAILED_STATES: Final = frozenset(
    ("7", "9", "10", "Failed", "Invalid Quote", "Tenant Quote Failed")
)
_ENDED_STATES: Final = frozenset(("8", "Terminated"))
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|min|h|d)?").fullmatch
_UNITS_S: Final = {"ms": 0.001, "s": 1, None: 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_UNREACHABLE: Final = "not_reachable"
_PATH: Final = re.compile(r"(?:allowlist|policy|accept list)[^:]*: (/.+)$").search
_HASH_BY_LENGTH: Final = {40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_MICROSECOND_S: Final = 1_000_000
_MAX_DIGITS: Final = 19


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one notice, the status of one agent, or a list of statuses by agent id.

    Raises:
        ParseError: not JSON, or none of these.
    """
    body = load_object(raw)
    message = body.get("msg")
    if message is not None:
        notice = load_object(message) if type(message) is str else message
        if type(notice) is not dict:
            raise ParseError("expected msg to hold a JSON object")
        return [_notice(notice, body, context)]
    if type(body.get("event_id")) is str and "agent_id" in body:
        return [_notice(body, {}, context)]
    results = body.get("results", body)
    if type(results) is not dict:
        raise ParseError("expected a Keylime notice (msg) or an agent's status (results)")
    if "operational_state" in results or "attestation_status" in results:
        agent = results.get("agent_id") or body.get("agent_id") or results.get("agent_uuid")
        return [_status(str(agent or ""), results, context)]
    found = [
        _status(agent, status, context)
        for agent, status in results.items()
        if type(status) is dict and "operational_state" in status
    ]
    if not found:
        raise ParseError("expected a Keylime notice (msg) or an agent's status (results)")
    return found


def _notice(notice: dict[str, Any], body: dict[str, Any], context: Context) -> Fields:
    kind, code = notice.pop("type", ""), notice.pop("event_id", "")
    agent = notice.pop("agent_id", "")
    if type(agent) is not str or not agent or type(code) is not str or type(kind) is not str:
        raise ParseError("expected agent_id, event_id and type in the notice")
    result: Result = "fail" if kind == "revocation" and _UNREACHABLE not in code else "unknown"
    detail = _nested(notice.pop("context", None))
    words = detail.get("message", "")
    fields = attestation_fields(
        attester=agent, evidence="keylime", result=result, reasons=(code,) if code else (),
        detail=words if type(words) is str else "", verifier="keylime",
    )  # fmt: skip
    stamp = notice.pop("event_time", None)
    if type(stamp) is str and stamp:
        try:
            fields["@timestamp"] = iso(any_us(stamp, context.zone, context.received_us))
        except (ValueError, OverflowError):
            # A failed appraisal must not be lost for its clock.
            fields["keylime.event_time"] = stamp
    _place(fields, agent, notice, context)
    label = notice.pop("severity_label", None)
    if type(label) is str and label in _SEVERITIES:
        fields["log.level"] = label
        fields["event.severity"] = _SEVERITIES[label]
    fields["keylime.type"] = kind
    fields["event.code"] = code
    _file(fields, detail)
    flatten_into(fields, detail, "keylime.context.")
    if type(signature := body.get("signature")) is str and signature:
        fields["keylime.signature"] = signature
    flatten_into(fields, notice, "keylime.")
    return fields


def _status(agent: str, status: dict[str, Any], context: Context) -> Fields:
    if not agent:
        raise ParseError("expected agent_id beside the agent's status")
    last_pass = _moment(status.get("last_successful_attestation"))
    code = status.pop("last_event_id", None)
    reasons = [code] if type(code) is str and code else []
    result, doubt = _appraised(status, last_pass, reasons, context)
    if doubt or result == "pass":
        reasons = [doubt] if doubt else []
    fields = attestation_fields(
        attester=agent, evidence="keylime", result=result, reasons=reasons, verifier="keylime"
    )
    times = [time for time in (last_pass, _moment(status.get("last_received_quote"))) if time]
    if times:
        fields["@timestamp"] = iso(max(times))
    if last_pass is not None:
        fields[LAST_PASS] = iso(last_pass)
    _place(fields, agent, status, context)
    if reasons:
        fields["event.code"] = reasons[0]
    for name in ("runtime_policy", "mb_policy", "v"):
        status.pop(
            name, None
        )  # whole policies and key shares: large, secret, and not about this moment
    flatten_into(fields, status, "keylime.")
    return fields


def _appraised(
    status: dict[str, Any], last_pass: int | None, codes: list[str], context: Context
) -> tuple[Result, str]:
    """Return what a status says of the agent, and why a pass that it may state is not believed."""
    state, said = str(status.get("operational_state", "")), status.get("attestation_status")
    if state in _FAILED_STATES or said == "FAIL":
        return ("unknown" if any(_UNREACHABLE in code for code in codes) else "fail"), ""
    if last_pass is None:
        return "unknown", "status.never_attested"
    if state in _ENDED_STATES or status.get("accept_attestations") is False:
        return "unknown", "status.not_attesting"
    if _is_stale(last_pass, status.get("maximum_attestation_interval"), context):
        return "unknown", "status.stale"
    return ("pass" if said is None or said == "PASS" else "unknown"), ""


def _moment(value: Any) -> int | None:
    """Return the microseconds of a verifier's count of seconds; 0 and null mean never."""
    if type(value) is str and value.isdecimal():
        value = int(value[:_MAX_DIGITS])
    if type(value) not in {int, float} or value <= 0:
        return None
    try:
        return epoch_us(value)
    except (ValueError, OverflowError):
        return None


def _is_stale(last_pass_us: int, interval: Any, context: Context) -> bool:
    bounds = (_seconds(interval), _seconds(context.options.get("max_age_s")))
    age_us = context.received_us - last_pass_us
    return any(0 < bound * _MICROSECOND_S < age_us for bound in bounds)


def _seconds(value: Any) -> float:
    """Return the seconds of a number or of words like `10s`; 0: it states none."""
    if type(value) is str and (found := _DURATION(value.strip())):
        return float(found[1]) * _UNITS_S[found[2]]
    return value if type(value) in {int, float} else 0


def _place(fields: Fields, agent: str, record: dict[str, Any], context: Context) -> None:
    """Place what notice and status share: product, host, metadata."""
    fields["event.module"] = "keylime"
    fields["event.dataset"] = "keylime.verifier"
    fields["observer.vendor"] = "Keylime"
    fields["observer.product"] = "Keylime verifier"
    fields["observer.type"] = "attestation-verifier"
    fields["host.id"] = agent
    address = record.pop("ip", None)
    if type(address) is str and (ip := canonical_ip(address)) is not None:
        fields["host.ip"] = [ip]
        fields["related.ip"] = [ip]
    metadata = _nested(record.pop("meta_data", None))
    policy = _nested(record.pop("tpm_policy", None))
    names = context.options.get("hosts")
    name = names.get(agent) if isinstance(names, dict) else None
    name = name or metadata.get("hostname") or metadata.get("host")
    if type(name) is str and name:
        fields["host.name"] = fields["host.hostname"] = name
        fields["related.hosts"] = [name]
    flatten_into(fields, metadata, "keylime.meta_data.")
    flatten_into(fields, policy, "keylime.tpm_policy.")


def _file(fields: Fields, detail: dict[str, Any]) -> None:
    """Place the file that an IMA appraisal stumbled over."""
    words = detail.get("message")
    if type(words) is str and (match := _PATH(words)):
        fields["file.path"] = match[1]
        fields["file.name"] = match[1].rpartition("/")[2]
    path = detail.get("path", detail.get("file"))
    if type(path) is str:
        fields["file.path"] = path
        fields["file.name"] = path.rpartition("/")[2]
    digest = detail.get("got")
    if type(digest) is str and (name := _HASH_BY_LENGTH.get(len(digest))):
        fields["file.hash." + name] = digest
        fields["related.hash"] = [digest]


def _nested(value: Any) -> dict[str, Any]:
    """Return the object that a JSON text or value holds; what is none stays as `text`."""
    if type(value) is dict:
        return value
    if type(value) is not str or not value:
        return {}
    try:
        inner = loads(value)
    except ParseError:
        inner = value
    return inner if type(inner) is dict else {"text": inner}


ADAPTER = Adapter("keylime.verifier", parse)
