"""AMiner's anomalies as JSON (logdata-anomaly-miner 2): which detector found something new in which log line.

Source: the wiki of ait-aecid/logdata-anomaly-miner, "JSON output", and what its `JsonConverterHandler` writes, versions 2.5 to
2.7 (read 2026-11). One object a record: `pretty: false` in AMiner's event handler.

The detector's name, given by whoever configured it, is the rule; AMiner says neither level nor technique. Without it the
detector's type is. `AMiner.ID` names the machine, as an address or by name; status reports are events.

Options: `hosts`, a table of that id to the host's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contract.errors import ParseError
from contract.event import Fields
from contract.ports import Adapter, Context
from contract.timestamps import iso
from ingest.formats.address import canonical_ip
from ingest.formats.json import flatten_into, load_object
from ingest.formats.time import any_us, epoch_us

_CONSTANT: Final[Fields] = {
    "event.module": "aminer",
    "event.dataset": "aminer.anomaly",
    "event.type": ["info"],
    "observer.vendor": "AIT",
    "observer.product": "AMiner",
}
_FILE: Final = "file://"


def parse(raw: bytes, context: Context) -> list[Fields]:
    """Read one anomaly.

    Raises:
        ParseError: not a JSON object, none of AMiner's, or a time that cannot be read.
    """
    record = load_object(raw)
    component, log = record.pop("AnalysisComponent", None), record.pop("LogData", None)
    if type(component) is not dict or not component:
        if "StatusInfo" not in record:
            raise ParseError("expected an anomaly of AMiner with AnalysisComponent")
        component = {}
    fields = dict(_CONSTANT)
    fields["event.kind"] = "alert" if component else "event"
    fields["event.category"] = ["intrusion_detection" if component else "host"]
    if type(log) is dict:
        _log(fields, log, context)
    name, kind = (
        component.pop("AnalysisComponentName", None),
        component.pop("AnalysisComponentType", None),
    )
    message = component.pop("Message", None)
    if kind:
        fields["rule.category"] = kind
    if rule := name or kind or message:
        fields["rule.name"] = rule
    if message:
        fields["event.reason"] = message
        fields.setdefault("message", message)
    _machine(fields, record, context)
    flatten_into(fields, component, "aminer.component.")
    flatten_into(fields, record, "aminer.")
    return [fields]


def _log(fields: Fields, log: dict[str, Any], context: Context) -> None:
    """Place the line, its time and its file; of several lines the last is what was found, the others are kept."""
    times, found = log.pop("Timestamps", None), log.pop("DetectionTimestamp", None)
    stamp = _last(times)
    try:
        if stamp is not None:
            fields["@timestamp"] = iso(_us(stamp, context))
        if (at := _last(found)) is not None:
            fields["event.created"] = iso(_us(at, context))
    except (ValueError, OverflowError) as error:
        raise ParseError(f"LogData.Timestamps: {error}") from None
    lines = log.pop("RawLogData", None)
    if type(line := _last(lines)) is str and line:
        fields["message"] = line
    if type(lines) is list and len(lines) > 1:
        fields["aminer.log.lines"] = lines[:-1]
    resource = _last(log.pop("LogResources", log.pop("LogResource", None)))
    if type(resource) is str and resource:
        path = resource.removeprefix(_FILE)
        fields["log.file.path" if path.startswith("/") else "aminer.log.resource"] = path
    flatten_into(fields, log, "aminer.log.")


def _us(stamp: Any, context: Context) -> int:
    if isinstance(stamp, (int, float)) and not isinstance(stamp, bool):
        return epoch_us(stamp)
    return any_us(str(stamp), context.zone, context.received_us)


def _machine(fields: Fields, record: dict[str, Any], context: Context) -> None:
    miner = record.get("AMiner")
    name = miner.pop("ID", None) if type(miner) is dict else None
    if type(name) is not str or not name:
        return
    hosts = context.options.get("hosts")
    known = hosts.get(name) if isinstance(hosts, Mapping) else None
    # An address is no name to joins, but anomalies of two machines must not fold into one.
    fields["host.name"] = known if isinstance(known, str) else name
    if (address := canonical_ip(name)) is not None:
        fields["host.ip"] = [address]


def _last(value: Any) -> Any:
    if type(value) is list:
        return value[-1] if value else None
    return value


ADAPTER = Adapter("aminer.anomaly", parse)
