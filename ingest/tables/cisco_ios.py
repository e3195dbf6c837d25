"""Cisco IOS, IOS XE, IOS XR and NX-OS messages: what stands where.

Sources: Cisco IOS XE 17 System Message Guide, NX-OS 10.x System Messages Reference, "Understanding ACL
Logging". Patterns are searched for in the text of the mnemonics named with them; names of groups are
those of `FIELDS`.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "cisco.ios."

FIELDS: Final = {
    "sip": "source.ip",
    "sport": "source.port",
    "dip": "destination.ip",
    "dport": "destination.port",
    "smac": "source.mac",
    "dmac": "destination.mac",
    "user": "user.name",
    "actor": "source.user.name",
    "target": "user.target.name",
    "vlan": "network.vlan.id",
    "interface": "observer.ingress.interface.name",
    "egress": "observer.egress.interface.name",
    "proto": "network.transport",
    "protocol": "network.protocol",
    "acl": "rule.name",
    "verdict": "event.action",
    "state": "event.action",
    "reason": "event.reason",
    "command": "process.command_line",
    "process": "process.name",
    "pid": "process.pid",
    "packets": "network.packets",
    "sent": "source.bytes",
    "received": "destination.bytes",
    "url": "url.original",
    "file": "file.path",
    "icmp_type": "cisco.ios.icmp_type",
    "icmp_code": "cisco.ios.icmp_code",
    "rule": "rule.id",
    "signature": "rule.name",
    "privilege": "cisco.ios.privilege_level",
    "line": "cisco.ios.line",
    "session": "cisco.ios.session_id",
    "cipher": "cisco.ios.cipher",
    "result": "cisco.ios.result",
    "zone_pair": "cisco.ios.zone_pair",
    "class": "cisco.ios.class",
    "zone": "cisco.ios.zone_pair",
    "zone_class": "cisco.ios.class",
    "description": "cisco.ios.interface_description",
}

IP: Final = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})"
MAC: Final = (
    r"(?:[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})"
)
_BY = rf"(?: \(?(?P<interface>[^\s()>\-][^\s()>]*)(?: (?P<smac>{MAC}|\*+))?\)?)?"
_COUNT = r",? +(?P<packets>\d+) packets?"
_LINE = rf"(?P<line>(?:vty|console|tty|con|aux)\s?\d*)(?: \((?P<sip>{IP})\))?"

PATTERNS: Final[dict[str, str]] = {
    # access lists
    "IPACCESSLOGP ACCESSLOGP IPACCESSLOGSP ACCESSLOGSP": (
        rf"list (?P<acl>\S+)(?: \(\d+\))? (?P<verdict>permitted|denied|permit|deny) (?P<proto>\S+) (?P<sip>{IP})\((?P<sport>\d+)\){_BY}"
        rf" ->\s+(?P<dip>{IP})\((?P<dport>\d+)\)(?:,? +\([^)]*\))?{_COUNT}"
    ),
    "IPACCESSLOGDP ACCESSLOGDP IPACCESSLOGRP": (
        rf"list (?:(?P<acl>\S+) )?(?:\(\d+\) )?(?P<verdict>permitted|denied|permit|deny) (?P<proto>\S+) (?P<sip>{IP}){_BY}"
        rf" ->\s+(?P<dip>{IP})(?: \((?P<icmp_type>\d+)(?:/(?P<icmp_code>\d+))?\))?{_COUNT}"
    ),
    "IPACCESSLOGNP ACCESSLOGNP": (
        rf"list (?P<acl>\S+)(?: \(\d+\))? (?P<verdict>permitted|denied|permit|deny) (?P<proto>\S+) (?P<sip>{IP}){_BY} ->\s+(?P<dip>{IP}){_COUNT}"
    ),
    "IPACCESSLOGS": rf"list (?P<acl>\S+)(?: \(\d+\))? (?P<verdict>permitted|denied|permit|deny) (?P<sip>{IP}) *{_COUNT}",
    "ACLLOG_FLOW_INTERVAL ACLLOG_NEW_FLOW ACLLOG_THRESHOLD": (
        rf"S(?:rc|ource) IP: (?P<sip>{IP}), D(?:st|estination) IP: (?P<dip>{IP}), S(?:rc|ource) Port: (?P<sport>\d+), "
        r"D(?:st|estination) Port: (?P<dport>\d+), S(?:rc|ource) Int(?:f|erface): (?P<interface>[^,]+), "
        r'Protocol: "?(?P<proto>\w+)"?(?:\(\d+\))?(?:, ACL Name: (?P<acl>[^,]+), ACE Action: (?P<verdict>[^,]+))?(?:.*?[Hh]it-count ?= ?(?P<packets>\d+))?'
    ),
    # zone-based firewall, intrusion prevention
    "SIGNATURE": (
        rf"Sig:(?P<rule>\d+) Subsig:\d+ Sev:\d+ (?P<signature>.*?) ?\[(?P<sip>{IP}):(?P<sport>\d+) -> (?P<dip>{IP}):(?P<dport>\d+)\]"
    ),
    "BADAUTH": (
        rf"(?P<reason>(?:No|Invalid|Unexpected) \S+ digest) from (?P<sip>{IP})\((?P<sport>\d+)\) to (?P<dip>{IP})\((?P<dport>\d+)\)"
    ),
    "RECVD_PKT_NOT_IPSEC": rf"dest_addr= ?/?(?P<dip>{IP}), src_addr= ?(?P<sip>{IP}), prot= ?(?P<proto>\d+)",
    "DROP_PKT PASS_PKT": (
        rf"(?:Dropping|Passing) (?P<proto>\S+) (?:session|pkt)(?: from (?P<interface>\S+))? (?P<sip>{IP}):(?P<sport>\d+) (?:=> )?(?P<dip>{IP}):(?P<dport>\d+)"
        r"(?:\(target:class\)-\((?P<zone>[^():]+):(?P<zone_class>[^()]+)\))?(?: on zone-pair (?P<zone_pair>\S+) class (?P<class>\S+))?(?:.*?due to +(?P<reason>.+?)(?: with ip ident.*)?$)?"
    ),
    "SESS_AUDIT_TRAIL SESS_AUDIT_TRAIL_START": (
        rf"(?P<verdict>Start|Stop) (?P<proto>\S+) session: initiator \((?P<sip>{IP}):(?P<sport>\d+)\)(?: sent (?P<sent>\d+) bytes)?"
        rf" -- responder \((?P<dip>{IP}):(?P<dport>\d+)\)(?: sent (?P<received>\d+) bytes)?"
    ),
    # logons and commands
    "CONFIG_I": rf"Configured from .*?(?: by (?P<user>\S+))? on {_LINE}",
    "CONFIG_P": rf"Configured programmatically by process (?P<process>.+?) from \S+ as (?P<user>\S+) on {_LINE}",
    "LOGIN_SUCCESS LOGIN_FAILED QUIET_MODE_ON QUIET_MODE_OFF": (
        r"\[user: (?P<user>[^\]]*)\] \[Source: (?P<sip>[^\]\s]+)\] \[localport: (?P<dport>\d+)\](?: \[Reason: (?P<reason>[^\]]*)\])?"
    ),
    "LOGOUT": rf"User (?P<user>\S+) has exited tty session (?P<session>\d+)\s?\((?P<sip>{IP})?\)",
    "TTY_EXPIRE_TIMER": rf"tty (?P<session>\d+) \((?P<sip>{IP})\)\), user (?P<user>\S+)",
    "PRIV_AUTH_PASS": rf"Privilege level set to (?P<privilege>\d+) by (?P<user>\S+) on {_LINE}",
    "PRIV_AUTH_FAIL": rf"Authentication to privilege level (?P<privilege>\d+) failed by (?P<user>\S+) on {_LINE}",
    "USER_RESET": rf"User (?P<target>\S+) failed attempts reset by (?P<actor>\S+) on {_LINE}",
    "USER_LOCKED USER_UNLOCKED": r"User (?P<target>\S+) (?:locked out on|unlocked by) (?P<reason>.+)",
    "ACCTLOCAL": r"Username: (?P<user>\S+) Privilege level: (?P<privilege>\d+) Command: (?P<command>.+)",
    "CFGLOG_LOGGEDCMD": r"User: ?(?P<user>\S+) +logged command: ?(?P<command>.+)",
    "VSHD_SYSLOG_CMD_EXEC": r"User: ?(?P<user>\S+) executed the command: ?(?P<command>.+)",
    "VSHD_SYSLOG_CONFIG_I": rf"Configured from \S+ by (?P<user>\S+) on (?:(?P<sip>{IP})@)?(?P<line>\S+)",
    "AAA_ACCOUNTING_MESSAGE": (
        rf"^(?:start|stop|update):(?:(?P<sip>{IP})@)?(?P<line>[\w/.\-]+?)(?:_{IP})?:(?P<user>[^:\s]*):(?P<command>.*?)(?: \((?P<result>[A-Z]+)\))?$"
    ),
    "SSH2_SESSION SSH_SESSION": rf"Session request from (?P<sip>{IP}) \(tty = (?P<session>\d+)\)(?:.*?cipher '(?P<cipher>[^']*)')?",
    "SSH2_USERAUTH SSH_USERAUTH": rf"User '(?P<user>[^']*)' authentication for SSH2? Session from (?P<sip>{IP}) \(tty = (?P<session>\d+)\)(?:.*?cipher '(?P<cipher>[^']*)')?",
    "SSH2_CLOSE SSH_CLOSE": rf"Session from (?P<sip>{IP}) \(tty = (?P<session>\d+)\) for user '(?P<user>[^']*)'(?:.*?cipher '(?P<cipher>[^']*)')?",
    "AUTHFAIL": rf"Authentication failure for (?P<protocol>\S+) req from host (?P<sip>{IP})",
    "LOGGINGHOST_FAIL LOGGINGHOST_STARTSTOP": rf"[Ll]ogging to host (?P<dip>{IP})(?: [Pp]ort (?P<dport>\d+))?",
    # links and layer 2
    "UPDOWN CHANGED": r"[Ii]nterface (?P<interface>[^,\s]+), changed state to (?P<state>.+)",
    "DHCP_SNOOPING_DENY ACL_DENY": rf" on (?P<interface>\S+), vlan (?P<vlan>\d+)\.\(\[(?P<smac>{MAC})/(?P<sip>{IP})/{MAC}/(?P<dip>{IP})/",
    "MACFLAP_NOTIF": rf"Host (?P<smac>{MAC}) in vlan (?P<vlan>\d+) is flapping between port (?P<interface>\S+) and port (?P<egress>\S+)",
    "DHCP_SNOOPING_MATCH_MAC_FAIL": rf"chaddr: (?P<dmac>{MAC}), MAC sa: (?P<smac>{MAC})",
    "RECVD_PKT_INV_SPI": rf"destaddr=(?P<dip>{IP}), prot=(?P<proto>\d+).*?srcaddr=(?P<sip>{IP})",
}
"""Pattern by mnemonics."""

FINDERS: Final[tuple[tuple[str, str], ...]] = (
    ("nterface ", r"[Ii]nterface (?P<interface>[A-Za-z][\w./\-]*\d)(?: \(description:(?P<description>[^)]*)\))?(?:,| is (?P<state>up|down))?"),
    ("from ", rf"(?:from|host) (?P<sip>{IP})(?::(?P<sport>\d{{1,5}}))?\b"),
    ("address ", rf"address (?P<sip>{IP})\b"),
    ("eer ", rf"[Pp]eer(?: at| is)? (?P<sip>{IP})\b"),
    ("eighbor ", rf"[Nn]eighbor {IP} \((?P<interface>[A-Za-z][^\s()]*)\)(?: is (?P<state>up|down))?"),
    ("local, ", rf"local, (?P<sip>{IP})\b"),
    ("eighbor ", rf"[Nn]eighbor (?P<sip>{IP})\b"),
    ("Nbr ", rf"Nbr (?P<sip>{IP}) on (?P<interface>\S+)"),
    (" on ", rf" on {_LINE}"),
    (" on ", r" on (?:port |[Ii]nterface )?(?P<interface>[A-Z][A-Za-z\-]*\d(?:[\w./]*\w)?)"),
    (" port ", r" port (?P<interface>[A-Z][A-Za-z\-]*\d(?:[\w./]*\w)?)"),
    (".", rf"(?:client \(|MAC sa: |[Mm][Aa][Cc] address |bridge |[Hh]ost |sourced by |received from )(?P<smac>{MAC})\b"),
    ("lan", r"(?:[Vv]lan|VLAN) ?(?P<vlan>\d{1,4})\b"),
    ("VLAN", r"VLAN ?(?P<vlan>\d{1,4})\b"),
    ("user added", r"[Nn]ew user added with user(?:name|id) (?P<user>\S+)"),
    ("ser", r"(?:\b[Uu]ser(?:name)?[:=]? ?['\"\[]?(?P<user>[A-Za-z0-9_.\-\\@$]{1,64})['\"\]]?)(?= (?:session|on|from|has|in|at|authentication|authenticated|failed|logged|blocked|locked|unlocked)|['\",\].]|$)"),
    (" by ", r" by (?P<user>[A-Za-z0-9_.\-\\@$]{1,64}) on "),
    ("'http", r"'(?P<url>https?://[^'\s]+)'"),
    (" for ", r"failure from \S+ for (?P<protocol>[a-z][a-z ]*[a-z])\.?$"),
    (": ", r"^(?:Switch \d+ )?(?:R[P0-9]/\d+|[\w/]+): (?P<process>[a-z][\w\-]*): "),
    (" - ", r" - (?P<process>[A-Za-z][\w.\-]*)(?:\[(?P<pid>\d+)\])?$"),
    ("is down", r"is down ?\((?P<reason>[^)]+)\)$"),
)  # fmt: skip
"""(what must stand in the text, pattern): tried on messages that no pattern of their own fits; the first of a field holds."""

CLASSES: Final[dict[str, tuple[str, str]]] = {
    "SEC": ("network", "connection"),
    "IPV6_ACL": ("network", "connection"),
    "ACLLOG": ("network", "connection"),
    "FMANFP": ("network", "connection"),
    "FW": ("network", "connection"),
    "SEC_LOGIN": ("authentication", "start"),
    "AUTHPRIV": ("authentication", "info"),
    "DOT1X": ("authentication", "start"),
    "MAB": ("authentication", "start"),
    "AUTHMGR": ("authentication", "start"),
    "SESSION_MGR": ("authentication", "start"),
    "EPM": ("authentication", "info"),
    "WEBSERVER": ("authentication", "start"),
    "IPS": ("intrusion_detection network", "info"),
    "IOSXE_UTD": ("intrusion_detection network", "info"),
    "SECURITY-LOGIN": ("authentication", "start"),
    "SECURITY-SSHD": ("network session", "info"),
    "MGBL-CONFIG": ("configuration", "change"),
    "MGBL-SYS": ("configuration", "change"),
    "DUAL": ("network", "info"),
    "SSH": ("network session", "info"),
    "DMI": ("authentication", "start"),
    "LINK": ("network", "info"),
    "LINEPROTO": ("network", "info"),
    "ETHPORT": ("network", "info"),
    "ETH_PORT_CHANNEL": ("network", "info"),
    "PORT_SECURITY": ("intrusion_detection network", "denied info"),
    "DHCP_SNOOPING": ("intrusion_detection network", "denied info"),
    "SW_DAI": ("intrusion_detection network", "denied info"),
    "SPANTREE": ("network", "info"),
    "CRYPTO": ("network", "info"),
    "BGP": ("network", "info"),
    "OSPF": ("network", "info"),
}
"""Categories and types by facility."""

MNEMONIC_CLASSES: Final[dict[str, tuple[str, str]]] = {
    "CONFIG_I": ("configuration", "change"),
    "CONFIG_P": ("configuration", "change"),
    "VSHD_SYSLOG_CONFIG_I": ("configuration", "change"),
    "CFGLOG_LOGGEDCMD": ("configuration", "change"),
    "PRIV_I": ("authentication", "start"),
    "LOCAL_USER_BLOCKED": ("iam", "user change"),
    "ACCTLOCAL": ("process", "start"),
    "AAA_ACCOUNTING_MESSAGE": ("process", "start"),
    "VSHD_SYSLOG_CMD_EXEC": ("process", "start"),
    "LOGOUT": ("authentication", "end"),
    "TTY_EXPIRE_TIMER": ("authentication", "end"),
    "PRIV_AUTH_PASS": ("authentication", "start"),
    "PRIV_AUTH_FAIL": ("authentication", "start"),
    "AUTHENTICATION_FAILED": ("authentication", "start"),
    "SSH2_SESSION": ("network session", "start"),
    "SSH2_USERAUTH": ("authentication", "start"),
    "SSH2_CLOSE": ("network session", "end"),
    "AUTHFAIL": ("authentication", "start"),
    "USER_RESET": ("iam", "user change"),
    "USER_LOCKED": ("iam", "user change"),
    "USER_UNLOCKED": ("iam", "user change"),
}
