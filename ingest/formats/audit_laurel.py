"""Audit events as Laurel writes them: one JSON object an event, records by type within.

Source: github.com/threathunters-io/laurel, `README.md` and `laurel.8`, version 0.7; read 2026-11.
"""

from __future__ import annotations

from typing import Any

from contract.errors import ParseError
from ingest.formats.audit_event import Record

_LISTS = frozenset(("ARGV", "ARGV_STR"))


def records_of(item: dict[str, Any]) -> tuple[str, str, str, list[Record]]:
    """Return (node, time, serial, records) of one event.

    Raises:
        ParseError: no `ID` of the form `time:serial`, or no record.
    """
    stamp, found, serial = str(item.get("ID", "")).partition(":")
    if not found:
        raise ParseError("no audit event: expected ID to be time:serial")
    records: list[Record] = []
    for kind, value in item.items():
        if not kind.isupper() or kind == "ID":
            continue
        parts = value if type(value) is list else [value]
        records += [(kind, _pairs(part), "") for part in parts if type(part) is dict]
    if not records:
        raise ParseError("no audit event: expected records such as SYSCALL beside ID")
    node = item.get("NODE")
    return node if type(node) is str else "", stamp, serial, records


def _pairs(part: dict[str, Any]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, value in part.items():
        if name == "ARGV" and type(value) is list:
            # Only EXECVE's are arguments; SYSCALL's are registers.
            if "argc" in part or "syscall" not in part:
                pairs |= {f"a{number}": str(text) for number, text in enumerate(value)}
        elif name in ("SADDR", "saddr") and type(value) is dict:
            pairs["saddr"] = _braces(value)
        elif type(value) is str:
            pairs[name] = value
        elif type(value) is bool:
            pairs[name] = "yes" if value else "no"
        elif type(value) in (int, float):
            pairs[name] = str(value)
    arch = pairs.get("arch", "")
    if arch[:2] == "0x":
        pairs["arch"] = arch[2:]
    return pairs


def _braces(value: dict[str, Any]) -> str:
    names = {"family": "saddr_fam", "addr": "laddr", "port": "lport", "path": "path"}
    return "{ " + " ".join(f"{names[k]}={v}" for k, v in value.items() if k in names) + " }"
