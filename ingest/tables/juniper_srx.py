"""Junos SRX security log fields as ECS, the order of the plain form, and what the messages mean.

Source: Juniper "Junos OS System Log Explorer" (RT_FLOW, RT_IDP, RT_SCREEN, RT_UTM, RT_AAMW, RT_SECINTEL), Junos 23.4.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "juniper.srx."

NAMES: Final = {
    "source-address": "source.ip",
    "source-port": "source.port",
    "destination-address": "destination.ip",
    "destination-port": "destination.port",
    "nat-source-address": "source.nat.ip",
    "nat-source-port": "source.nat.port",
    "nat-destination-address": "destination.nat.ip",
    "nat-destination-port": "destination.nat.port",
    "protocol-id": "juniper.srx.protocol-id",
    "protocol": "juniper.srx.protocol-id",
    "protocol-name": "juniper.srx.protocol-id",
    "policy-name": "rule.name",
    "rule-name": "rule.name",
    "rulebase-name": "rule.ruleset",
    "source-zone-name": "observer.ingress.zone",
    "source-zone": "observer.ingress.zone",
    "destination-zone-name": "observer.egress.zone",
    "destination-zone": "observer.egress.zone",
    "packet-incoming-interface": "observer.ingress.interface.name",
    "source-interface-name": "observer.ingress.interface.name",
    "interface-name": "observer.ingress.interface.name",
    "destination-interface-name": "observer.egress.interface.name",
    "packets-from-client": "source.packets",
    "bytes-from-client": "source.bytes",
    "packets-from-server": "destination.packets",
    "bytes-from-server": "destination.bytes",
    "inbound-packets": "destination.packets",
    "inbound-bytes": "destination.bytes",
    "outbound-packets": "source.packets",
    "outbound-bytes": "source.bytes",
    "elapsed-time": "juniper.srx.elapsed-time",
    "reason": "event.reason",
    "action": "event.action",
    "service-name": "network.protocol",
    "nested-application": "network.application",
    "application": "juniper.srx.application",
    "application-name": "juniper.srx.application",
    "username": "source.user.name",
    "user-name": "source.user.name",
    "user": "source.user.name",
    "roles": "user.roles",
    "url": "url.original",
    "obj": "url.path",
    "category": "rule.category",
    "attack-name": "rule.name",
    "threat-severity": "juniper.srx.threat-severity",
    "verdict-number": "juniper.srx.verdict-number",
    "name": "juniper.srx.name",
    "filename": "file.name",
    "file-name": "file.name",
    "sample-sha256": "file.hash.sha256",
    "file-hash-lookup": "juniper.srx.file-hash-lookup",
    "malware-info": "threat.software.name",
    "client-ip-str": "source.ip",
    "hostname": "destination.domain",
    "http-host": "destination.domain",
    "sub-category": "juniper.srx.sub-category",
    "profile-name": "rule.ruleset",
    "sni": "tls.client.server_name",
    "temporary-filename": "juniper.srx.temporary-filename",
    "profile": "rule.ruleset",
    "local-address": "destination.ip",
    "ip-address": "source.ip",
    "command": "process.command_line",
    "remote-address": "source.ip",
    "source-mac": "source.mac",
    "destination-mac": "destination.mac",
    "message": "message",
}

NULLS: Final = ("N/A", "UNKNOWN", "None", "NONE", "none", "NA", "NA NA", "unknown")

_HEAD = "source-address source-port destination-address destination-port"
_NAT = "nat-source-address nat-source-port nat-destination-address nat-destination-port"
CREATE: Final = f"{_HEAD} connection-tag service-name {_NAT} nat-connection-tag nat-rules protocol-id policy-name source-zone-name destination-zone-name session-id username roles packet-incoming-interface application nested-application encrypted".split()
CLOSE: Final = f"reason {_HEAD} connection-tag service-name {_NAT} nat-connection-tag nat-rules protocol-id policy-name source-zone-name destination-zone-name session-id packets-from-client bytes-from-client packets-from-server bytes-from-server elapsed-time application nested-application username roles packet-incoming-interface encrypted".split()
DENY: Final = f"{_HEAD} connection-tag service-name protocol-id icmp-type policy-name source-zone-name destination-zone-name application nested-application username roles packet-incoming-interface encrypted reason".split()

CLASSES: Final[dict[str, tuple[str, str, str]]] = {
    "RT_FLOW_SESSION_CREATE": ("event", "network session", "start"),
    "RT_FLOW_SESSION_CREATE_LS": ("event", "network session", "start"),
    "RT_FLOW_SESSION_CLOSE": ("event", "network session", "end"),
    "RT_FLOW_SESSION_CLOSE_LS": ("event", "network session", "end"),
    "RT_FLOW_SESSION_DENY": ("event", "network", "connection denied"),
    "RT_FLOW_SESSION_DENY_LS": ("event", "network", "connection denied"),
    "APPTRACK_SESSION_CREATE": ("event", "network", "connection start"),
    "APPTRACK_SESSION_CLOSE": ("event", "network", "connection end"),
    "APPTRACK_SESSION_VOL_UPDATE": ("event", "network", "connection info"),
    "PFE_FW_SYSLOG_IP": ("event", "network", "connection info"),
    "PFE_FW_SYSLOG_IP6_GEN": ("event", "network", "connection info"),
    "PFE_FW_SYSLOG_IP6_TCP_UDP": ("event", "network", "connection info"),
    "PFE_FW_SYSLOG_IP6_ICMP": ("event", "network", "connection info"),
    "PFE_FW_SYSLOG_ETH_IP": ("event", "network", "connection info"),
    "IDP_ATTACK_LOG_EVENT": ("alert", "intrusion_detection network", "info"),
    "IDP_APPDDOS_APP_STATE_EVENT": ("alert", "intrusion_detection network", "info"),
    "IDP_APPDDOS_APP_ATTACK_EVENT": ("alert", "intrusion_detection network", "info"),
    "WEBFILTER_URL_PERMITTED": ("event", "network web", "allowed access"),
    "WEBFILTER_URL_BLOCKED": ("event", "network web", "denied access"),
    "WEBFILTER_URL_REDIRECTED": ("event", "network web", "access"),
    "AV_VIRUS_DETECTED_MT": ("alert", "malware network", "info"),
    "AV_FILE_NOT_SCANNED_DROPPED_MT": ("event", "network", "denied"),
    "ANTISPAM_SPAM_DETECTED_MT": ("alert", "email", "info"),
    "CONTENT_FILTERING_BLOCKED_MT": ("event", "network", "denied"),
    "SRX_AAMW_ACTION_LOG": ("alert", "malware network", "info"),
    "AAMW_ACTION_LOG": ("alert", "malware network", "info"),
    "AAMW_MALWARE_EVENT_LOG": ("alert", "malware", "info"),
    "AAMW_HOST_INFECTED_EVENT_LOG": ("alert", "malware", "info"),
    "SECINTEL_ACTION_LOG": ("alert", "intrusion_detection network", "info"),
    "UI_AUTH_EVENT": ("event", "authentication", "start"),
    "UI_LOGIN_EVENT": ("event", "authentication", "start"),
    "UI_LOGOUT_EVENT": ("event", "authentication", "end"),
    "LOGIN_FAILED": ("event", "authentication", "start"),
    "LOGIN_INFORMATION": ("event", "authentication", "start"),
    "SSHD_LOGIN_FAILED": ("event", "authentication", "start"),
    "UI_CMDLINE_READ_LINE": ("event", "process", "info"),
    "UI_JUNOSCRIPT_CMD": ("event", "process", "info"),
    "UI_COMMIT": ("event", "configuration", "change"),
    "UI_COMMIT_COMPLETED": ("event", "configuration", "change"),
    "UI_LOAD_EVENT": ("event", "configuration", "change"),
    "UI_DBASE_LOGIN_EVENT": ("event", "configuration", "access"),
}
"""(kind, categories, types) by message tag."""

SCREEN: Final = ("alert", "intrusion_detection network", "info")
"""Of every RT_SCREEN_ message: the device saw a scan, a flood or a malformed packet."""
DENIED: Final = frozenset(
    (
        "drop",
        "drop packet",
        "drop_packet",
        "drop session",
        "close",
        "blocked",
        "block",
        "reject",
        "redirect",
        "deny",
        "discard",
    )
)
ALLOWED: Final = frozenset(
    ("permit", "permitted", "allow", "accept", "none", "ignore", "no action", "recommended")
)
TRANSPORTS: Final = {
    "RT_SCREEN_TCP": "tcp",
    "RT_SCREEN_TCP_SRC_IP": "tcp",
    "RT_SCREEN_TCP_DST_IP": "tcp",
    "RT_SCREEN_UDP": "udp",
    "RT_SCREEN_ICMP": "icmp",
}
"""Protocol of messages that name it in their tag alone."""
SEVERITIES: Final = {
    "INFO": 1,
    "LOW": 2,
    "MINOR": 3,
    "MEDIUM": 3,
    "MAJOR": 4,
    "HIGH": 4,
    "CRITICAL": 5,
}
