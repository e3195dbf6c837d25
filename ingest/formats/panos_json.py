"""Values of the logging service's JSON, brought to the kinds that the columns of PAN-OS have: texts, and whole numbers.

Source: Palo Alto Networks, "Log Forwarding Schema Reference" (Strata Logging Service), read 2026-11. What has another kind than
its column is kept under the vendor's name with `_value` behind it, so that a strange forwarder loses nothing.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.tables import paloalto_panos as table
from ingest.tables.ecs_integers import INTEGERS

_NUMBERS: Final = frozenset(key for key, field in table.NAMES.items() if field in INTEGERS)
_READ: Final = frozenset(
    (
        *table.NAMES,
        *(
            "LogType",
            "Subtype",
            "TimeGenerated",
            "TimeGeneratedHighResolution",
            "ReceiveTime",
            "EventTime",
        ),
        *("Severity", "VendorSeverity", "ThreatID", "ThreatCategory", "URLorFile", "FileHash"),
        *("EventName", "EventStatus"),
    )
)
"""Columns that are read here; others are kept as they came."""


def fitted(record: dict[str, Any]) -> dict[str, Any]:
    """Return what says something, of columns that are read in the kind that is expected of them."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if type(value) is str or key not in _READ:
            if value is not None and value not in ("", []):
                found[key] = value
        elif type(value) is int and key in _NUMBERS:
            found[key] = value
        elif type(value) is int or type(value) is float:
            found[key] = str(value)
        elif type(value) is bool:
            found[key] = "true" if value else "false"
        elif value:
            found[key + "_value"] = value
    return found
