"""Check Point log fields as ECS, and its CEF and LEEF names as Check Point's own.

Source: Check Point R81.20 Log Exporter (sk122323, field mappings for CEF and LEEF) and "Description of
fields in Check Point logs" (sk144192).
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "checkpoint.firewall."

NAMES: Final = {
    "action": "event.action",
    "src": "source.ip",
    "dst": "destination.ip",
    "s_port": "source.port",
    "service": "destination.port",
    "xlatesrc": "source.nat.ip",
    "xlatesport": "source.nat.port",
    "xlatedst": "destination.nat.ip",
    "xlatedport": "destination.nat.port",
    "mac_source_address": "source.mac",
    "mac_destination_address": "destination.mac",
    "src_machine_name": "source.domain",
    "dst_machine_name": "destination.domain",
    "dst_domain_name": "destination.domain",
    "sent_bytes": "source.bytes",
    "received_bytes": "destination.bytes",
    "client_outbound_bytes": "source.bytes",
    "client_inbound_bytes": "destination.bytes",
    "client_outbound_packets": "source.packets",
    "client_inbound_packets": "destination.packets",
    "bytes": "network.bytes",
    "packets": "network.packets",
    "app": "network.protocol",
    "appi_name": "network.application",
    "inzone": "observer.ingress.zone",
    "outzone": "observer.egress.zone",
    "vlan": "network.vlan.id",
    "rule": "rule.id",
    "rule_name": "rule.name",
    "rule_uid": "rule.uuid",
    "layer_name": "rule.ruleset",
    "app_category": "rule.category",
    "matched_category": "rule.category",
    "reason": "event.reason",
    "message_info": "message",
    "information": "message",
    "msg": "message",
    "user": "user.name",
    "src_user_name": "source.user.name",
    "suser": "source.user.name",
    "duser": "destination.user.name",
    "dst_user_name": "destination.user.name",
    "user_group": "user.group.name",
    "administrator": "user.name",
    "resource": "url.original",
    "method": "http.request.method",
    "referrer": "http.request.referrer",
    "response_code": "http.response.status_code",
    "user_agent": "user_agent.original",
    "web_client_type": "user_agent.name",
    "content_type": "http.response.mime_type",
    "dns_query": "dns.question.name",
    "domain_name": "dns.question.name",
    "tls_server_host_name": "tls.client.server_name",
    "sni": "tls.client.server_name",
    "server_name_indication": "tls.client.server_name",
    "file_name": "file.name",
    "file_size": "file.size",
    "file_type": "file.type",
    "file_md5": "file.hash.md5",
    "file_sha1": "file.hash.sha1",
    "file_sha256": "file.hash.sha256",
    "from": "email.from.address",
    "to": "email.to.address",
    "email_subject": "email.subject",
    "process_name": "process.name",
    "malware_family": "threat.software.name",
    "industry_reference": "vulnerability.id",
    "version": "rule.version",
    "shost": "source.domain",
    "dhost": "destination.domain",
}

CEF_NAMES: Final = {
    "act": "action",
    "spt": "s_port",
    "dpt": "service",
    "sourceTranslatedAddress": "xlatesrc",
    "sourceTranslatedPort": "xlatesport",
    "destinationTranslatedAddress": "xlatedst",
    "destinationTranslatedPort": "xlatedport",
    "smac": "mac_source_address",
    "dmac": "mac_destination_address",
    "out": "sent_bytes",
    "in": "received_bytes",
    "request": "resource",
    "requestMethod": "method",
    "requestClientApplication": "user_agent",
    "requestContext": "referrer",
    "fname": "file_name",
    "fsize": "file_size",
    "fileHash": "file_sha1",
    "deviceInboundInterface": "ifname",
    "deviceOutboundInterface": "ifname",
    "deviceDirection": "ifdir",
    "dvchost": "hostname",
    "externalId": "session_id",
    # LEEF
    "srcPort": "s_port",
    "dstPort": "service",
    "srcPostNAT": "xlatesrc",
    "dstPostNAT": "xlatedst",
    "srcPostNATPort": "xlatesport",
    "dstPostNATPort": "xlatedport",
    "usrName": "user",
    "srcBytes": "sent_bytes",
    "dstBytes": "received_bytes",
    "url": "resource",
    "devTime": "time",
    "rt": "time",
}

LABELS: Final = {
    "Rule Name": "rule.name",
    "Threat Prevention Rule Name": "checkpoint.firewall.threat_prevention_rule_name",
    "Threat Prevention Rule ID": "checkpoint.firewall.threat_prevention_rule_id",
    "Protection ID": "checkpoint.firewall.protection_id",
    "Protection Name": "checkpoint.firewall.protection_name",
    "Protection Type": "checkpoint.firewall.protection_type",
    "Attack Information": "checkpoint.firewall.attack_info",
    "Application Rule Name": "checkpoint.firewall.app_rule_name",
    "Email Subject": "email.subject",
    "User Group": "user.group.name",
    "Category": "rule.category",
    "Response": "http.response.status_code",
}

CSV_COLUMNS: Final = (
    "number", "date", "clock", "ifname", "origin", "log_type", "action", "service", "s_port", "src", "dst", "proto",
    "rule", "rule_name", "current_rule", "user", "info", "product",
)  # fmt: skip
"""Columns of the exported log (`fwm logexport`, SmartView Tracker), in quotes parted by blanks."""

SEVERITIES: Final = {
    "informational": 0, "low": 1, "medium": 2, "high": 3, "critical": 4, "very-high": 4, "very high": 4,
}  # fmt: skip
DENIED: Final = frozenset(
    (
        "drop",
        "reject",
        "block",
        "prevent",
        "quarantine",
        "deny",
        "failed log in",
        "reset",
        "inform user",
    )
)
ALERTS: Final[dict[str, list[str]]] = {
    "smartdefense": ["intrusion_detection", "network"],
    "ips": ["intrusion_detection", "network"],
    "ddos protector": ["intrusion_detection", "network"],
    "anti-virus": ["malware", "network"],
    "new anti virus": ["malware", "network"],
    "anti virus": ["malware", "network"],
    "anti-malware": ["malware", "network"],
    "anti malware": ["malware", "network"],
    "anti-bot": ["malware", "network"],
    "threat emulation": ["malware", "network"],
    "threat extraction": ["malware", "network"],
    "zero phishing": ["intrusion_detection", "network"],
}
"""Categories of the products (blades) in which Check Point itself says that something is malicious."""
