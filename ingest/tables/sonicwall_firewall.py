"""SonicOS log fields as ECS, and its ArcSight names as its own.

Source: SonicOS 7.1 Log Events Reference Guide, "Index of Syslog field descriptions" and "ArcSight CEF fields".
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "sonicwall.firewall."

NAMES: Final = {
    "sn": "observer.serial_number",
    "fw": "observer.ip",
    "pri": "event.severity",
    "m": "event.code",
    "msg": "message",
    "src": "sonicwall.firewall.src",
    "dst": "sonicwall.firewall.dst",
    "srcV6": "source.ip",
    "dstV6": "destination.ip",
    "srcMac": "source.mac",
    "dstMac": "destination.mac",
    "proto": "sonicwall.firewall.proto",
    "sent": "source.bytes",
    "rcvd": "destination.bytes",
    "in": "destination.bytes",
    "out": "source.bytes",
    "spkt": "source.packets",
    "rpkt": "destination.packets",
    "srcZone": "observer.ingress.zone",
    "dstZone": "observer.egress.zone",
    "natSrc": "sonicwall.firewall.natSrc",
    "natDst": "sonicwall.firewall.natDst",
    "usr": "user.name",
    "agent": "user_agent.original",
    "user": "user.name",
    "susr": "user.name",
    "suser": "user.name",
    "rule": "rule.name",
    "policy": "rule.ruleset",
    "vpnpolicy": "rule.ruleset",
    "fw_action": "event.action",
    "appName": "network.application",
    "dstname": "destination.domain",
    "srcname": "source.domain",
    "arg": "url.path",
    "op": "sonicwall.firewall.op",
    "result": "http.response.status_code",
    "Category": "rule.category",
    "website-category": "rule.category",
    "webCategory": "rule.category",
    "ipscat": "rule.category",
    "spycat": "rule.category",
    "sid": "sonicwall.firewall.sid",
    "cdur": "sonicwall.firewall.cdur",
    "dur": "sonicwall.firewall.dur",
    "filename": "file.name",
    "referer": "http.request.referrer",
    "userAgent": "user_agent.original",
    "note": "event.reason",
    "type": "sonicwall.firewall.icmp_type",
    "icmpCode": "sonicwall.firewall.icmp_code",
}

CEF_NAMES: Final = {
    "spt": "srcPort",
    "dpt": "dstPort",
    "smac": "srcMac",
    "dmac": "dstMac",
    "deviceInboundInterface": "srcInterface",
    "deviceOutboundInterface": "dstInterface",
    "cs1": "rule",
    "cs3Label": "srcZone",
    "cs4Label": "dstZone",
    "cn1Label": "rpkt",
    "cn2Label": "spkt",
    "cn3Label": "cdur",
    "dvchost": "dvchost",
    "request": "arg",
    "requestMethod": "op",
    "shost": "srcname",
    "dhost": "dstname",
}
"""SonicOS's own name by CEF key; it writes values where the standard has labels."""

CEF_FIELDS: Final = {
    "srcPort": "source.port",
    "dstPort": "destination.port",
    "srcInterface": "observer.ingress.interface.name",
    "dstInterface": "observer.egress.interface.name",
    "dvchost": "observer.name",
}

HTTP_METHODS: Final = {
    "0": "UNKNOWN",
    "1": "GET",
    "2": "POST",
    "3": "HEAD",
    "4": "CONNECT",
    "5": "PUT",
    "6": "DELETE",
}
"""Of `op`, which is a number in the syslog."""

CLOSED: Final = frozenset(("537", "1153"))
OPENED: Final = frozenset(("98", "1235"))
DROPPED: Final = frozenset(
    ("14", "36", "37", "38", "41", "173", "174", "346", "347", "524", "526", "533", "652", "657", "658", "712", "713",
     "760", "794", "1197", "1198", "1233", "1254", "1255", "1256", "1257")
)  # fmt: skip
LOGINS: Final = {
    "29": "success", "30": "failure", "31": "success", "32": "failure", "33": "failure", "35": "failure",
    "199": "success", "236": "success", "237": "success", "238": "failure", "329": "failure", "440": "success",
    "441": "failure", "486": "failure", "506": "success", "507": "success", "745": "success", "746": "failure",
    "986": "failure", "1080": "success", "1153": "success",
}  # fmt: skip
CONFIGURED: Final = {"1382": "success", "1383": "failure"}
LOGOUTS: Final = frozenset(("24", "261", "262", "263", "264", "265", "266", "520", "1008"))
ALERTS: Final = frozenset(
    ("22", "23", "25", "27", "81", "82", "83", "123", "165", "177", "178", "179", "180", "181", "267", "428", "606",
     "608", "609", "794", "795", "796", "809", "810", "856", "857", "858", "859", "860", "861", "862", "863", "864",
     "1154", "1155", "1198", "1200", "1201", "1213", "1214", "1387", "1476", "1477", "1481", "1518", "1519")
)  # fmt: skip
MALWARE: Final = frozenset(
    ("81", "794", "795", "796", "809", "810", "1476", "1477", "1518", "1519")
)
"""Message ids of SonicOS 7.1: what each says of the flow, of a logon, or of an attack."""
