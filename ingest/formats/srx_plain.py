"""What Junos's security logs say in plain text, where they are not logged in structured form.

Source: Juniper Junos OS System Log Explorer, Junos 23.4 (RT_FLOW, APPTRACK, RT_SCREEN, IDP, RT_UTM,
PFE_FW_SYSLOG). Each pattern gives the same keys that the structured form has, so that both take the same
table from there on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_IP = r"[0-9A-Fa-f.:]{3,45}?"
_BETWEEN = (
    rf"<?(?P<source_address>{_IP})[/(](?P<source_port>\d+)\)?->"
    rf"(?P<destination_address>{_IP})[/(](?P<destination_port>\d+)[)>]?"
)
_APPTRACK = (
    rf" {_BETWEEN} (?P<service_name>\S+) (?P<application>\S+) (?P<nested_application>\S+)"
    r" (?P<nat_source_address>[^\s/]+)/(?P<nat_source_port>\d+)->(?P<nat_destination_address>[^\s/]+)/(?P<nat_destination_port>\d+)"
    r" \S+ \S+ (?P<protocol_id>\d+) (?P<policy_name>\S+) (?P<source_zone_name>\S+) (?P<destination_zone_name>\S+)"
    r" (?P<session_id_32>\d+)"
)
_COUNTS = (
    r" (?P<packets_from_client>\d+)\((?P<bytes_from_client>\d+)\)"
    r" (?P<packets_from_server>\d+)\((?P<bytes_from_server>\d+)\) (?P<elapsed_time>\d+)"
)
_PEOPLE = r"(?: (?P<username>\S+) (?P<roles>\S+))?"

_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    (
        "RT_SCREEN_",
        (
            rf"(?P<attack_name>.{{1,128}}?) ?(?:source|src): ?(?P<source_address>{_IP})(?::(?P<source_port>\d+))?, ?(?:destination|dst):"
            rf" ?(?P<destination_address>{_IP})(?::(?P<destination_port>\d+))?, (?:protocol-id: (?P<protocol_id>\d+), )?"
            r"zone name: (?P<source_zone_name>[^,]+), interface name: (?P<interface_name>[^,\s]+)(?:, action: (?P<action>[\w\-]+))?"
        ),
    ),
    (
        "IDP_ATTACK_LOG_EVENT",
        (
            rf".{{0,64}}? Attack log {_BETWEEN} for (?P<protocol_name>\S+) protocol and service (?P<service_name>\S+)"
            r" application (?P<application_name>\S+) by rule (?P<rule_name>\S+) of rulebase (?P<rulebase_name>\S+)"
            r" in policy (?P<policy_name>\S+?)\. attack: (?:id=(?P<attack_id>\d+), )?(?:repeat=(?P<repeat_count>\d+), )?"
            r"action=(?P<action>[^,]+), threat-severity=(?P<threat_severity>[^,]+), name=(?P<attack_name>[^,]+?),? NAT"
            r" <(?P<nat_source_address>[^>\s]+?):(?P<nat_source_port>\d+)->(?P<nat_destination_address>[^>\s]+?):(?P<nat_destination_port>\d+)>"
            r"(?:, time-elapsed=(?P<elapsed_time>\d+), inbytes=(?P<inbound_bytes>\d+), outbytes=(?P<outbound_bytes>\d+),"
            r" inpackets=(?P<inbound_packets>\d+), outpackets=(?P<outbound_packets>\d+), intf:(?P<source_zone_name>[^:]+):"
            r"(?P<source_interface_name>\S+?)->(?P<destination_zone_name>[^:]+):(?P<destination_interface_name>[^,\s]+))?"
            r"(?:.{0,64}?username=(?P<username>[^,]+), roles=(?P<roles>\S+))?"
        ),
    ),
    (
        "WEBFILTER_",
        (
            rf'.{{0,32}}?ACTION="(?P<action>[^"]*)" {_BETWEEN}(?: SESSION_ID=(?P<session_id_32>\d+))?(?: APPLICATION=(?P<application>\S+))?'
            r'.{0,64}? CATEGORY="(?P<category>[^"]*)" REASON="(?P<reason>[^"]*)"(?: PROFILE="(?P<profile>[^"]*)")?'
            r"(?: URL=(?P<url>\S+))?(?: OBJ=(?P<obj>\S+))?(?:.*?\b(?i:username)[= ](?P<username>\S+) (?i:roles)[= ](?P<roles>\S+))?"
        ),
    ),
    (
        "AV_VIRUS_DETECTED_MT",
        (
            rf".{{0,64}}?[Ff]rom (?P<source_address>{_IP}):(?P<source_port>\d+) to (?P<destination_address>{_IP}):(?P<destination_port>\d+)"
            r"(?: source-zone (?P<source_zone_name>\S+))? (?P<filename>\S+)(?: file \S+)? virus (?P<name>\S+)(?: URL:(?P<url>\S+))?"
        ),
    ),
    ("APPTRACK_SESSION_CREATE", rf".{{0,32}}?session created{_APPTRACK}{_PEOPLE}"),
    (
        "APPTRACK_SESSION_CLOSE",
        rf".{{0,32}}?session closed (?P<reason>[^:]{{0,128}}):{_APPTRACK}{_COUNTS}{_PEOPLE}",
    ),
    (
        "APPTRACK_SESSION_VOL_UPDATE",
        rf".{{0,32}}?volume update:?{_APPTRACK}{_COUNTS}{_PEOPLE}",
    ),
    (
        "PFE_FW_SYSLOG",
        (
            r"(?:FW: )?(?P<interface_name>\S+) +(?P<action>[ADR])(?: .{0,128}?)? +(?P<protocol_id>[A-Za-z][\w\-]*|\d{1,3})"
            rf" +(?P<source_address>{_IP}) +(?P<destination_address>{_IP}) +(?P<source_port>\d+) +(?P<destination_port>\d+)"
            r" +\((?P<packets_from_client>\d+) packets?\)"
        ),
    ),
)
_READERS: Final[tuple[tuple[str, Callable[[str], re.Match[str] | None]], ...]] = tuple(
    (tag, re.compile(pattern).match) for tag, pattern in _PATTERNS
)
_VERDICTS = {"A": "accept", "D": "discard", "R": "reject"}
_MACS = re.compile(
    r"\b([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}) (?:-> )?([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})\b"
).search
_ICMP = frozenset(("icmp", "icmp6", "icmpv6", "1", "58"))
FILTER_TAG: Final = "PFE_FW_SYSLOG_IP"
"""The tag of a firewall filter's line, also where a relay left it out and the text begins with `FW: `."""


def read_plain(tag: str, text: str) -> dict[str, str] | None:
    """Return the keys and values of a security log in plain text, or None when it is of no known form.

    Args:
        tag: such as `RT_SCREEN_TCP`.
        text: what stands behind the tag, bounded by the caller.
    """
    for prefix, match in _READERS:
        if tag.startswith(prefix):
            found = match(text)
            if found is None:
                return None
            said = {
                key.replace("_", "-"): value for key, value in found.groupdict().items() if value
            }
            return _of_filter(said, text) if prefix == "PFE_FW_SYSLOG" else said
    return None


def _of_filter(said: dict[str, str], text: str) -> dict[str, str]:
    """Name a firewall filter's verdict; of ICMP, type and code stand where ports do."""
    said["action"] = _VERDICTS[said["action"]]
    if found := _MACS(text):
        said["source-mac"], said["destination-mac"] = found.groups()
    if said["protocol-id"].lower() in _ICMP:
        said["icmp-type"] = said.pop("source-port")
        said["icmp-code"] = said.pop("destination-port")
    return said
