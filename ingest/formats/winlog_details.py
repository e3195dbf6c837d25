"""What takes several data of one Windows event together, by the plan that reads the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from contract.event import Fields
from ingest.formats.account import split_account
from ingest.formats.address import canonical_ip
from ingest.formats.file_path import base_name, path_fields
from ingest.formats.flow import add_flow
from ingest.formats.winlog_sysmon import registry_fields
from ingest.tables.protocols import transport_fields

Complete: TypeAlias = Callable[[Fields, dict[str, Any], str], None]
MAX_CONTEXT: Final = 16_384
"""Characters of a PowerShell context block that are looked through."""

_OBJECT_KINDS: Final = {
    "File": "file",
    "Key": "registry",
    "Process": "process",
    "Thread": "process",
}


def _object(fields: Fields, data: dict[str, Any], message: str) -> None:
    """Objects of the object manager: what kind it is decides which fields name it."""
    name, kind = data.get("ObjectName", ""), data.get("ObjectType", "")
    category = _OBJECT_KINDS.get(kind)
    if category is not None and "event.category" not in fields:
        fields["event.category"] = [category]
    if not name or name == "-":
        return
    if kind == "Key" or name[:10].upper() == "\\REGISTRY\\":
        value = data.get("ObjectValueName", "")
        path = f"{name}\\{value}" if value and value != "-" else name
        registry_fields(fields, path, "" if value == "-" else value)
        new = data.get("NewValue")
        if new and new != "-":
            fields["registry.data.strings"] = [new]
    elif kind == "File" or (not kind and "\\" in name):
        path_fields(fields, "file", name)


def _share(fields: Fields, data: dict[str, Any], message: str) -> None:
    share, local = data.get("ShareName", ""), data.get("ShareLocalPath", "")
    relative = data.get("RelativeTargetName", "")
    if share:
        fields["winlog.share.name"] = share
    if not relative or relative in ("-", "\\"):
        return
    if local and local != "-":
        path_fields(fields, "file", f"{local.rstrip(chr(92))}\\{relative}")
    else:
        path_fields(fields, "file", relative)
    fields["file.name"] = base_name(relative)
    fields["file.target_path"] = f"{share.rstrip(chr(92))}\\{relative}"


_CHANGES: Final = {"Create": "creation", "Delete": "deletion"}


def _registry(fields: Fields, data: dict[str, Any], message: str) -> None:
    change = _CHANGES.get(data.get("EventType", "")[:6])
    if change is not None:
        fields["event.type"] = [change]


def _network(fields: Fields, data: dict[str, Any], message: str) -> None:
    fields.update(transport_fields(data.get("Protocol", "")))
    add_flow(fields)


def _wfp(fields: Fields, data: dict[str, Any], message: str) -> None:
    add_flow(fields)


def _dns(fields: Fields, data: dict[str, Any], message: str) -> None:
    fields["network.protocol"] = "dns"
    fields["dns.type"] = "answer" if "dns.answers" in fields else "query"


# ------------------------------------------------------------------ PowerShell

_POWERSHELL: Final = {
    "hostapplication": "process.command_line",
    "applicationhôte": "process.command_line",
    "hostname": "process.title",
    "hostid": "powershell.process.host_id",
    "hostversion": "powershell.process.executable_version",
    "engineversion": "powershell.engine.version",
    "newenginestate": "powershell.engine.new_state",
    "previousenginestate": "powershell.engine.previous_state",
    "runspaceid": "powershell.runspace_id",
    "pipelineid": "powershell.pipeline_id",
    "commandname": "powershell.command.name",
    "commandtype": "powershell.command.type",
    "commandpath": "powershell.command.path",
    "commandline": "powershell.command.value",
    "newproviderstate": "powershell.provider.new_state",
    "providername": "powershell.provider.name",
    "shellid": "powershell.id",
    "scriptname": "file.path",
}
_PROGRAM = re.compile(r'\s*(?:"([^"]{1,512}\.exe)"|(\S{1,512}\.exe\b))', re.IGNORECASE)


def context_pairs(text: str) -> dict[str, str]:
    """Return the `Key = value` pairs of a context block: a line each, or parted by two blanks. O(length).

    Keys are lower case without blanks.
    """
    text = text[:MAX_CONTEXT]
    lines = [line for line in text.splitlines() if "=" in line]
    if len(lines) < 3:  # noqa: PLR2004 - forwarders fold the block into one line; a real one has eight
        lines = [part for part in text.replace("\t", "  ").split("  ") if "=" in part]
    pairs: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        name = "".join(key.split()).lower()
        if name and name not in pairs:
            pairs[name] = value.strip()
    return pairs


def _block(fields: Fields, data: dict[str, Any], message: str) -> str:
    """Return the text that holds the context: module logging names it, the classic log numbers it.

    Of a pipeline's details the second holds it, the others what was typed; of other events the third, behind words of state.
    """
    for name in ("ContextInfo", "param2", "param3", "param1"):
        block = data.get(name) or ""
        if "=" in block:
            return str(block)
    return "" if "powershell.file.script_block_text" in fields else message


def _powershell(fields: Fields, data: dict[str, Any], message: str) -> None:
    pid = fields.get("winlog.process.pid")
    if pid is not None:
        # The provider writes from within the process that runs the script.
        fields["process.pid"] = pid
    pairs = context_pairs(_block(fields, data, message))
    for key, field in _POWERSHELL.items():
        value = pairs.get(key)
        if value:
            fields[field] = value
    path = pairs.get("scriptname")
    if path:
        path_fields(fields, "file", path)
    for key in ("userid", "user", "utilisateur", "connecteduser"):
        if user := pairs.get(key):
            fields["user.name"], domain = split_account(user)
            if domain:
                fields["user.domain"] = domain
            break
    _powershell_program(fields, fields.get("process.command_line", ""))


def _powershell_program(fields: Fields, command: Any) -> None:
    match = _PROGRAM.match(command) if type(command) is str else None
    if match is not None:
        program = match[1] or match[2]
        fields["process.name"] = base_name(program)
        if "\\" in program:
            fields["process.executable"] = program


# ------------------------------------------------------------------ events whose message alone has the data

_ALLOWED = re.compile(r"(\S.{0,1024}?) was (?:allowed to run|prevented from running)")


def _applocker(fields: Fields, data: dict[str, Any], message: str) -> None:
    if "file.path" not in fields and (match := _ALLOWED.match(message[:2048])) is not None:
        path_fields(fields, "file", match[1])


_CLIENT = re.compile(r"\bClient IP: ?([0-9A-Fa-f.:]{3,45}?)\.?(?:\s|$)").search


def _client(fields: Fields, data: dict[str, Any], message: str) -> None:
    """Take the peer of a broken remote desktop connection out of the message."""
    if (match := _CLIENT(message[:2048])) is not None and (address := canonical_ip(match[1])):
        fields.setdefault("source.ip", address)


_AUDIT_TAG = re.compile(r"<(UserId|IpAddress|ForwardedIpAddress|UserAgentString|NetworkLocation)>([^<]{1,2048})<")  # fmt: skip


def _adfs(fields: Fields, data: dict[str, Any], message: str) -> None:
    """AD FS audits are XML within a datum or the message."""
    text = message
    for value in data.values():
        if type(value) is str and "<AuditBase" in value:
            text = value
            break
    found = dict(_AUDIT_TAG.findall(text[:MAX_CONTEXT]))
    user = found.get("UserId", "N/A")
    if user != "N/A":
        fields["user.name"], domain = split_account(user)
        if domain:
            fields["user.domain"] = domain
    address = canonical_ip(found.get("IpAddress", "").partition(",")[0].strip())
    if address is not None:
        fields["source.ip"] = address
    agent = found.get("UserAgentString", "N/A")
    if agent != "N/A":
        fields["user_agent.original"] = agent


COMPLETE: Final[dict[str, Complete]] = {
    "object": _object,
    "share": _share,
    "sysmon_registry": _registry,
    "sysmon_network": _network,
    "wfp": _wfp,
    "sysmon_dns": _dns,
    "dns_client": _dns,
    "powershell": _powershell,
    "applocker": _applocker,
    "client": _client,
    "adfs": _adfs,
}
