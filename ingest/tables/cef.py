"""CEF and LEEF keys as ECS.

Sources: ArcSight Common Event Format, implementation standard 26 (2022), producer and consumer
dictionaries, short and full names; IBM QRadar LEEF 2.0 guide, predefined attributes. Of `in` and `out`
the standard says "data flowing from source to destination" and the reverse.
"""

from __future__ import annotations

from typing import Final

CEF_PREFIX: Final = "cef."
LEEF_PREFIX: Final = "leef."

_CEF_BOTH: Final = {
    # short, full, field
    ("act", "deviceAction"): "event.action",
    ("app", "applicationProtocol"): "network.protocol",
    ("dhost", "destinationHostName"): "destination.domain",
    ("dmac", "destinationMacAddress"): "destination.mac",
    ("dntdom", "destinationNtDomain"): "cef.dntdom",
    ("dpid", "destinationProcessId"): "cef.dpid",
    ("dproc", "destinationProcessName"): "cef.dproc",
    ("dpt", "destinationPort"): "destination.port",
    ("dst", "destinationAddress"): "destination.ip",
    ("dtz", "deviceTimeZone"): "event.timezone",
    ("duid", "destinationUserId"): "destination.user.id",
    ("duser", "destinationUserName"): "destination.user.name",
    ("dvc", "deviceAddress"): "observer.ip",
    ("dvchost", "deviceHostName"): "observer.name",
    ("dvcmac", "deviceMacAddress"): "observer.mac",
    ("fname", "fileName"): "file.name",
    ("fsize", "fileSize"): "file.size",
    ("in", "bytesIn"): "source.bytes",
    ("out", "bytesOut"): "destination.bytes",
    ("msg", "message"): "message",
    ("outcome", "eventOutcome"): "cef.outcome",
    ("proto", "transportProtocol"): "cef.proto",
    ("request", "requestUrl"): "url.original",
    ("rt", "deviceReceiptTime"): "cef.rt",
    ("start", "startTime"): "cef.start",
    ("end", "endTime"): "cef.end",
    ("shost", "sourceHostName"): "source.domain",
    ("smac", "sourceMacAddress"): "source.mac",
    ("sntdom", "sourceNtDomain"): "cef.sntdom",
    ("spid", "sourceProcessId"): "cef.spid",
    ("sproc", "sourceProcessName"): "cef.sproc",
    ("spt", "sourcePort"): "source.port",
    ("src", "sourceAddress"): "source.ip",
    ("suid", "sourceUserId"): "source.user.id",
    ("suser", "sourceUserName"): "source.user.name",
}

CEF_NAMES: Final = {key: field for keys, field in _CEF_BOTH.items() for key in keys} | {
    "destinationServiceName": "service.target.name",
    "destinationTranslatedAddress": "destination.nat.ip",
    "destinationTranslatedPort": "destination.nat.port",
    "deviceDirection": "cef.deviceDirection",
    "deviceExternalId": "observer.serial_number",
    "deviceFacility": "log.syslog.facility.name",
    "deviceInboundInterface": "observer.ingress.interface.name",
    "deviceOutboundInterface": "observer.egress.interface.name",
    "deviceProcessName": "cef.deviceProcessName",
    "fileCreateTime": "cef.fileCreateTime",
    "fileHash": "cef.fileHash",
    "fileId": "file.inode",
    "filePath": "file.path",
    "filePermission": "file.mode",
    "fileType": "file.type",
    "reason": "event.reason",
    "requestClientApplication": "user_agent.original",
    "requestContext": "http.request.referrer",
    "requestMethod": "http.request.method",
    "sourceServiceName": "service.name",
    "sourceTranslatedAddress": "source.nat.ip",
    "sourceTranslatedPort": "source.nat.port",
}

CUSTOM: Final = tuple(
    f"{kind}{number}"
    for kind, count in (
        ("cs", 6), ("cn", 3), ("cfp", 4), ("c6a", 4), ("flexString", 2), ("flexNumber", 2), ("flexDate", 1),
        ("deviceCustomDate", 2), ("deviceCustomString", 6), ("deviceCustomNumber", 3),
        ("deviceCustomFloatingPoint", 4), ("deviceCustomIPv6Address", 4),
    )
    for number in range(1, count + 1)
)  # fmt: skip
"""Keys whose meaning stands beside them, under the key with `Label` behind it."""

LABELS: Final = {
    "rule name": "rule.name",
    "rule": "rule.name",
    "policy": "rule.ruleset",
    "policy name": "rule.ruleset",
    "policy id": "rule.id",
    "signature": "rule.name",
    "signature id": "rule.id",
    "url category": "rule.category",
    "urlcategory": "rule.category",
    "virus name": "threat.software.name",
    "virus": "threat.software.name",
    "virusname": "threat.software.name",
    "md5": "file.hash.md5",
    "sha1": "file.hash.sha1",
    "sha256": "file.hash.sha256",
    "processmd5": "process.hash.md5",
    "processsha1": "process.hash.sha1",
    "processsha256": "process.hash.sha256",
    "source zone": "observer.ingress.zone",
    "fromzone": "observer.ingress.zone",
    "destination zone": "observer.egress.zone",
    "tozone": "observer.egress.zone",
    "user agent": "user_agent.original",
    "vlan": "network.vlan.id",
    "threat id": "rule.id",
    "source ipv6 address": "source.ip",
    "destination ipv6 address": "destination.ip",
}
"""Field by label in lower case, of labels that several vendors use in one sense."""

VENDORS: Final[dict[str, dict[str, str]]] = {
    "cybereason": {
        "request": "process.command_line",
        "dhost": "host.name",
        "duser": "user.name",
        "CybereasonCEFgeneratorOrganizationName1": "user.domain",
    },
    "crowdstrike": {"dhost": "host.name", "duser": "user.name"},
    "carbon black": {"dhost": "host.name", "duser": "user.name"},
    "sentinelone": {"dhost": "host.name", "duser": "user.name"},
}
"""Fields that a key of an endpoint product also means: its `destination` is the machine it runs on."""

OUTCOMES: Final = {
    "success": "success", "succeeded": "success", "successful": "success", "ok": "success", "allowed": "success",
    "failure": "failure", "failed": "failure", "fail": "failure", "error": "failure", "denied": "failure",
}  # fmt: skip

DENIED: Final = frozenset(
    ("deny", "denied", "drop", "dropped", "block", "blocked", "reject", "rejected", "reset", "prevent", "prevented",
     "quarantine", "quarantined", "block-url", "reset-both", "reset-client", "reset-server", "terminated", "clear_session")
)  # fmt: skip
ALLOWED: Final = frozenset(
    ("allow", "allowed", "accept", "accepted", "permit", "permitted", "pass", "passed", "passthrough", "alert", "detect",
     "detected", "close", "delivered")
)  # fmt: skip

LEEF_NAMES: Final = {
    "src": "source.ip",
    "dst": "destination.ip",
    "srcPort": "source.port",
    "dstPort": "destination.port",
    "srcPostNAT": "source.nat.ip",
    "dstPostNAT": "destination.nat.ip",
    "srcPostNATPort": "source.nat.port",
    "dstPostNATPort": "destination.nat.port",
    "srcPreNAT": "leef.srcPreNAT",
    "dstPreNAT": "leef.dstPreNAT",
    "srcMAC": "source.mac",
    "dstMAC": "destination.mac",
    "srcBytes": "source.bytes",
    "dstBytes": "destination.bytes",
    "srcPackets": "source.packets",
    "dstPackets": "destination.packets",
    "totalPackets": "network.packets",
    "proto": "leef.proto",
    "usrName": "user.name",
    "accountName": "user.target.name",
    "domain": "user.domain",
    "role": "user.roles",
    "groupID": "group.id",
    "identGrpName": "group.name",
    "identHostName": "host.name",
    "identSrc": "host.ip",
    "policy": "rule.ruleset",
    "resource": "service.name",
    "url": "url.original",
    "name": "rule.name",
    "desc": "rule.description",
    "msg": "message",
    "action": "event.action",
    "act": "event.action",
    "reason": "event.reason",
    "dvchost": "observer.name",
    "request": "url.original",
    "suser": "source.user.name",
    "duser": "destination.user.name",
    "shost": "source.domain",
    "dhost": "destination.domain",
    "fname": "file.name",
    "filePath": "file.path",
    "requestMethod": "http.request.method",
    "requestClientApplication": "user_agent.original",
}
