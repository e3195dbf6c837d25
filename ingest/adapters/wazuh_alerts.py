"""Wazuh's `alerts.json` (versions 3 and 4, OSSEC's too): the alert, and the log line or event that it is about.

Source: Wazuh 4.x documentation, "Alert management", "Ruleset: decoders and rules syntax", "MITRE ATT&CK"; tables in
`ingest.tables.wazuh` (read 2026-11).

An alert is about something that a host's own log said. Where that is a Windows event, a record of Suricata's or a Unix logon, the
adapter of that product reads it, so that the alert names process, session and connection as the product's own
events do. Suricata's alerts stay its own (signature, severity): Wazuh's rules only pass them on. Of `archives.json`, what
fired no rule is an event.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import from_iso
from ingest.adapters import linux_auth, suricata_eve, windows_eventlog
from ingest.formats.address import canonical_ip
from ingest.formats.file_path import base_name, path_fields
from ingest.formats.json import flatten, flatten_into, load_object
from ingest.formats.time import utc_text
from ingest.tables.protocols import transport_fields
from ingest.tables.wazuh import DATA, EVENTS, GROUPS, LINUX_LOGONS, OLD_NAMES, SYSCHECK

_MANAGER: Final = "000"
"""The agent that is the manager itself, which also reads what others send by syslog."""
_FRAMEWORK: Final = "MITRE ATT&CK"
_METHODS: Final = frozenset(
    ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE")
)
_UNKNOWN: Final = {
    "alert": (("intrusion_detection",), ("info",), ""),
    "event": (("host",), ("info",), ""),
}
_STAMP_LENGTH: Final = 28
_MILLIS_END: Final = 23
"""Of `2026-06-15T11:00:01.123+0000`."""
_MAX_DIGITS: Final = 18
_STATUS_DIGITS: Final = 3

_encode = msgspec.json.Encoder().encode


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one alert, or an event of the archives.

    Raises:
        ParseError: not a JSON object, or none of Wazuh's; a time that cannot be read.
    """
    record = load_object(raw)
    source = record.get("_source")
    if type(source) is dict:  # as Filebeat keeps it in Wazuh's indexer
        record = source
    rule, agent = record.pop("rule", None), record.pop("agent", None)
    stamp = record.pop("timestamp", None) or record.pop("@timestamp", None)
    if type(stamp) is not str or not (type(rule) is dict or type(agent) is dict):
        raise ParseError("expected an alert of Wazuh with timestamp, rule and agent")
    if len(stamp) == _STAMP_LENGTH and stamp[_MILLIS_END] in "+-":
        stamp = f"{stamp[:_MILLIS_END]}000{stamp[_MILLIS_END:]}"  # the form that is read fast
    try:
        said = utc_text(stamp, context.zone)
    except ValueError as error:
        raise ParseError(f"timestamp: {error}") from None
    data = _object(record, "data")
    for name in OLD_NAMES:
        if name in record:
            data.setdefault(name, record.pop(name))
    predecoder = _object(record, "predecoder")
    decoder = _object(record, "decoder")
    fields = _inner(record, data, decoder, Context(from_iso(said), context.zone, context.sender))
    fields.setdefault("@timestamp", said)
    fields["event.created"] = said
    fields.setdefault("event.module", "wazuh")
    fields.setdefault("event.dataset", "wazuh.alerts")
    fields.setdefault("event.kind", "event")
    fields["observer.product"] = fields.get("observer.product", "Wazuh")
    fields["observer.vendor"] = fields.get("observer.vendor", "Wazuh")
    _rule(fields, rule if type(rule) is dict else {})
    _host(fields, agent if type(agent) is dict else {}, predecoder)
    _place(fields, record)
    if syscheck := _object(record, "syscheck"):
        _syscheck(fields, syscheck)
    _data(fields, data)
    for name, value in (("predecoder", predecoder), ("decoder", decoder)):
        flatten_into(fields, value, f"wazuh.{name}.")
    for name in ("@timestamp", "@version", "GeoLocation"):
        record.pop(name, None)
    flatten_into(fields, record, "wazuh.")
    return [fields]


# ------------------------------------------------------------------ what the alert is about


def _inner(record: Fields, data: Fields, decoder: Fields, context: Context) -> Fields:
    """Return the fields of the log inside where another adapter reads it, and take that out; else none."""
    log = record.get("full_log")
    try:
        if type(data.get("win")) is dict:
            (fields,) = windows_eventlog.parse(_encode({"win": _unquoted(data["win"])}), context)
            del data["win"]
            return fields
        if "event_type" in data and ("src_ip" in data or "flow_id" in data):
            (fields,) = suricata_eve.parse(_encode(_numbers(data)), context)
            data.clear()
            return fields
        name = decoder.get("name")
        if type(log) is str and type(name) is str and name in LINUX_LOGONS:
            (fields,) = linux_auth.parse(log.encode(), context)
            # The line's own time names neither year nor zone; Wazuh's is at most seconds later.
            fields.pop("@timestamp", None)
            del record["full_log"]
            for name in ("srcip", "srcport", "srcuser", "dstuser"):
                data.pop(name, None)
            return fields
    except (ParseError, ValueError):  # ValueError: several events, which one alert is not about
        return {}
    return {}


def _unquoted(win: dict[str, Any]) -> dict[str, Any]:
    """Undo what Wazuh does to an event's data: each backslash stands there twice."""
    data = win.get("eventdata")
    if type(data) is not dict:
        return win
    texts = {name: value for name, value in data.items() if type(value) is str and "\\" in value}
    if any("\\" in value.replace("\\\\", "") for value in texts.values()):
        return win
    halved = {name: value.replace("\\\\", "\\") for name, value in texts.items()}
    return {**win, "eventdata": {**data, **halved}}


def _numbers(value: Any) -> Any:
    """Give back numbers, which Wazuh's JSON decoder turns into text."""
    if type(value) is dict:
        return {name: _numbers(one) for name, one in value.items()}
    if type(value) is list:
        return [_numbers(one) for one in value]
    if type(value) is str and value.isdecimal() and value.isascii() and len(value) <= _MAX_DIGITS:
        return int(value) if value == "0" or value[0] != "0" else value
    return value


# ------------------------------------------------------------------ the alert itself


def _rule(fields: Fields, rule: dict[str, Any]) -> None:
    """Place rule, level, ATT&CK; category and type where no adapter told them."""
    id = rule.pop("id", rule.pop("sidid", None))
    name = rule.pop("description", rule.pop("comment", None))
    level, groups, mitre = (
        rule.pop("level", None),
        rule.pop("groups", None),
        rule.pop("mitre", None),
    )
    texts = [one for one in groups if type(one) is str] if type(groups) is list else []
    is_passed_on = fields["event.kind"] == "alert"
    if is_passed_on:
        rule.update({"id": id, "description": name, "level": level})
    elif id is not None:
        fields["event.kind"] = "alert"
        fields["rule.id"], fields["rule.name"] = str(id), name
        fields["event.severity"] = level
    if type(mitre) is dict:
        _attack(fields, mitre)
    known = next((row for row in GROUPS if row[0] in texts), None)
    if "event.category" not in fields:
        category, types, outcome = known[1:] if known else _UNKNOWN[fields["event.kind"]]
        fields["event.category"], fields["event.type"] = list(category), list(types)
        if outcome:
            fields.setdefault("event.outcome", outcome)
    if texts:
        fields["wazuh.rule.groups"] = texts
    if type(name) is str and "message" not in fields:
        fields["message"] = name
    flatten_into(fields, rule, "wazuh.rule.")


def _attack(fields: Fields, mitre: dict[str, Any]) -> None:
    ids = [one for one in _list(mitre.get("id", mitre.get("technique_id"))) if one]
    if ids:
        fields["threat.framework"] = _FRAMEWORK
        fields["threat.technique.id"] = list(dict.fromkeys(one.partition(".")[0] for one in ids))
    if finer := [one for one in ids if "." in one]:
        fields["threat.technique.subtechnique.id"] = finer
    if tactics := _list(mitre.get("tactic")):
        fields["threat.tactic.name"] = tactics
    if names := _list(mitre.get("technique")):
        fields["threat.technique.name"] = names


def _host(fields: Fields, agent: dict[str, Any], predecoder: dict[str, Any]) -> None:
    """Place the host that the log is from, the agent that read it."""
    id, name, ip = agent.pop("id", None), agent.pop("name", None), agent.pop("ip", None)
    logged = predecoder.pop("hostname", None)
    fields["agent.type"] = "wazuh"
    if id is not None:
        fields["agent.id"] = str(id)
    if type(name) is str and name:
        fields["agent.name"] = name
    flatten_into(fields, agent, "wazuh.agent.")
    host = logged if type(logged) is str and logged and str(id) == _MANAGER else name
    if fields.get("observer.type"):
        fields["observer.hostname"] = (
            host  # of a network sensor: the agent's host is not what it is about
        )
        return
    if type(host) is str and host:
        fields.setdefault("host.name", host)
    if type(logged) is str and logged:
        fields.setdefault("host.hostname", logged)
    address = canonical_ip(ip) if type(ip) is str and str(id) != _MANAGER else None
    if address is not None:
        fields["host.ip"] = [address]


def _place(fields: Fields, record: dict[str, Any]) -> None:
    """Place the log line, its file, the manager."""
    log = record.pop("full_log", None)
    if type(log) is str and log and fields["event.module"] == "wazuh":
        fields["message"] = log
    location = record.pop("location", None)
    if type(location) is str and location:
        path = location.rpartition("->")[2]
        is_path = path.startswith("/") or path[1:3] == ":\\"
        fields["log.file.path" if is_path else "wazuh.location"] = path if is_path else location
    if name := _object(record, "manager").get("name"):
        fields["observer.name"] = name


def _syscheck(fields: Fields, syscheck: dict[str, Any]) -> None:
    """Place what changed of a file or of a key of the registry."""
    flat = flatten(syscheck)
    path, event = flat.pop("path", None), flat.pop("event", None)
    value = flat.pop("value_name", None)
    if type(path) is str and path.startswith("HKEY_"):
        fields["event.category"] = ["registry"]
        fields["registry.path"] = f"{path}\\{value}" if value else path
        hive, _, key = path.partition("\\")
        fields["registry.hive"], fields["registry.key"] = hive, key
        if value:
            fields["registry.value"] = value
    elif type(path) is str:
        fields["event.category"] = ["file"]
        path_fields(fields, "file", path)
    if type(event) is str:
        fields["event.action"] = event
        fields["event.type"] = [EVENTS.get(event, "change")]
    _move(fields, flat, SYSCHECK, "wazuh.syscheck.")


def _data(fields: Fields, data: dict[str, Any]) -> None:
    """Place what a decoder extracted."""
    flat = flatten(data)
    protocol, number = flat.pop("protocol", None), flat.get("id")
    if type(protocol) is str and protocol.upper() in _METHODS:
        fields["http.request.method"] = protocol
        if type(number) is str and len(number) == _STATUS_DIGITS and number.isdecimal():
            fields["http.response.status_code"] = flat.pop("id")
    elif type(protocol) is str and protocol:
        fields.update(transport_fields(protocol) or {"network.protocol": protocol.lower()})
    _users(fields, flat)
    success = flat.pop("audit.success", None)
    if success in ("yes", "no"):
        fields["event.outcome"] = "success" if success == "yes" else "failure"
    _move(fields, flat, DATA, "wazuh.data.")
    executable = fields.get("process.executable")
    if type(executable) is str and executable and "process.name" not in fields:
        fields["process.name"] = base_name(executable)


def _users(fields: Fields, flat: Fields) -> None:
    """Place who (`srcuser`) did something as or to whom (`dstuser`); a line with one of them names the account."""
    acting = flat.pop("srcuser", None)
    meant = flat.pop("dstuser", flat.pop("user", None))
    if acting and meant:
        fields.setdefault("user.name", acting)
        fields.setdefault("user.effective.name", meant)
    elif acting or meant:
        fields.setdefault("user.name", acting or meant)


def _move(fields: Fields, flat: Fields, table: dict[str, str], rest: str) -> None:
    for name, value in flat.items():
        field = table.get(name)
        if field is None or fields.get(field, value) != value:
            fields[rest + name] = value
        else:
            fields[field] = value


def _object(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    if type(value) is not dict:
        return {}
    del record[name]
    return value


def _list(value: Any) -> list[str]:
    if type(value) is str:
        return [value]
    return [one for one in value if type(one) is str] if type(value) is list else []


ADAPTER = Adapter("wazuh.alerts", parse)
