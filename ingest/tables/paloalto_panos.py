"""PAN-OS: columns of each log type, names of the cloud's JSON and CEF, and what they mean in ECS.

Source: PAN-OS 8.1 to 11.2 Administrator's Guide, "Syslog Field Descriptions" (newer releases only append
columns, so one list serves all); Strata Logging Service log reference for JSON and CEF names.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "paloalto.panos."

NAMES: Final = {
    "DeviceSN": "observer.serial_number",
    "LogSourceID": "observer.serial_number",
    "deviceExternalId": "observer.serial_number",
    "DeviceName": "observer.name",
    "LogSourceName": "observer.name",
    "ConfigVersion": "observer.version",
    "Action": "event.action",
    "EventDescription": "message",
    "Description": "message",
    "SequenceNo": "event.sequence",
    "SessionDuration": "event.duration",
    "SessionEndReason": "event.reason",
    "SourceAddress": "source.ip",
    "SourceIP": "source.ip",
    "PublicIPv4": "source.ip",
    "ClientIP": "source.ip",
    "DestinationAddress": "destination.ip",
    "DNSResolverIP": "destination.ip",
    "NATSource": "source.nat.ip",
    "NATDestination": "destination.nat.ip",
    "SourcePort": "source.port",
    "DestinationPort": "destination.port",
    "NATSourcePort": "source.nat.port",
    "NATDestinationPort": "destination.nat.port",
    "SourceDeviceMac": "source.mac",
    "DestinationDeviceMac": "destination.mac",
    "SourceDeviceHost": "source.domain",
    "DestinationDeviceHost": "destination.domain",
    "BytesSent": "source.bytes",
    "BytesReceived": "destination.bytes",
    "PacketsSent": "source.packets",
    "PacketsReceived": "destination.packets",
    "Bytes": "network.bytes",
    "PacketsTotal": "network.packets",
    "Protocol": "paloalto.panos.Protocol",
    "Application": "network.application",
    "XForwardedFor": "network.forwarded_ip",
    "X-Forwarded-For": "network.forwarded_ip",
    "FromZone": "observer.ingress.zone",
    "ToZone": "observer.egress.zone",
    "InboundInterface": "observer.ingress.interface.name",
    "OutboundInterface": "observer.egress.interface.name",
    "SourceUser": "source.user.name",
    "SourceUserName": "source.user.name",
    "User": "user.name",
    "Admin": "user.name",
    "DestinationUser": "destination.user.name",
    "Rule": "rule.name",
    "HipMatchName": "rule.name",
    "RuleUUID": "rule.uuid",
    "URLCategory": "rule.category",
    "URL": "url.original",
    "HTTPMethod": "http.request.method",
    "Referer": "http.request.referrer",
    "UserAgent": "user_agent.original",
    "ContentType": "http.response.mime_type",
    "FileName": "file.path",
    "FileType": "file.type",
    "SenderEmail": "email.from.address",
    "RecipientEmail": "email.to.address",
    "EmailSubject": "email.subject",
    "TLSVersion": "tls.version",
    "ServerNameIndication": "tls.client.server_name",
    "IssuerCommonName": "tls.server.issuer",
    "CommonName": "tls.server.x509.subject.common_name",
    "CertificateSerial": "tls.server.x509.serial_number",
    "Fingerprint": "tls.server.hash.sha256",
    "EllipticCurve": "tls.curve",
    "EndpointDeviceName": "host.name",
    "EndpointOSType": "host.os.name",
    "EndpointOSVersion": "host.os.version",
    "HostID": "host.id",
    "GPHostID": "host.id",
    "RecordType": "dns.question.type",
    "DomainName": "dns.question.name",
}
"""Field by the cloud's name of it; the rest stays under `paloalto.panos.*`."""

CEF_NAMES: Final = {
    "src": "SourceAddress",
    "dst": "DestinationAddress",
    "spt": "SourcePort",
    "dpt": "DestinationPort",
    "sourceTranslatedAddress": "NATSource",
    "destinationTranslatedAddress": "NATDestination",
    "sourceTranslatedPort": "NATSourcePort",
    "destinationTranslatedPort": "NATDestinationPort",
    "suser": "SourceUser",
    "duser": "DestinationUser",
    "app": "Application",
    "proto": "Protocol",
    "act": "Action",
    "deviceInboundInterface": "InboundInterface",
    "deviceOutboundInterface": "OutboundInterface",
    "deviceExternalId": "DeviceSN",
    "dvchost": "DeviceName",
    "in": "BytesSent",
    "out": "BytesReceived",
    "cnt": "RepeatCount",
    "externalId": "SequenceNo",
    "request": "URL",
    "requestMethod": "HTTPMethod",
    "requestClientApplication": "UserAgent",
    "requestContext": "ContentType",
    "filePath": "FileName",
    "fileHash": "FileHash",
    "reason": "SessionEndReason",
    "msg": "EventDescription",
    "shost": "EndpointDeviceName",
    "rt": "TimeReceived",
    "start": "TimeGenerated",
    "cat": "cat",
}
"""Cloud name by CEF key; `in` is what flows "from source to destination" (CEF 26)."""

LABELS: Final = {
    "Rule": "Rule",
    "FromZone": "FromZone",
    "ToZone": "ToZone",
    "URLCategory": "URLCategory",
    "SessionID": "SessionID",
    "PacketsTotal": "PacketsTotal",
    "SessionDuration": "SessionDuration",
    "VirtualLocation": "VirtualLocation",
    "LogSetting": "LogSetting",
    "DirectionOfAttack": "DirectionOfAttack",
    "EndpointOSType": "EndpointOSType",
}

_HEAD = "- ReceiveTime DeviceSN LogType Subtype - TimeGenerated"
_FLOW = (
    "SourceAddress DestinationAddress NATSource NATDestination Rule SourceUser DestinationUser Application "
    "VirtualLocation FromZone ToZone InboundInterface OutboundInterface LogSetting - SessionID RepeatCount "
    "SourcePort DestinationPort NATSourcePort NATDestinationPort Flags Protocol Action"
)
_GROUPS = "DGHierarchyLevel1 DGHierarchyLevel2 DGHierarchyLevel3 DGHierarchyLevel4 VirtualSystemName DeviceName"
_DEVICES = " ".join(
    f"{side}Device{part}"
    for side in ("Source", "Destination")
    for part in "Category Profile Model Vendor OSFamily OSVersion Host Mac".split()  # noqa: SIM905 - words
)
_PARTS = "SourceUUID DestinationUUID"
_CONTAINERS = "ContainerID ContainerNameSpace ContainerName SourceEDL DestinationEDL"
_APPLICATION = (
    "ApplicationSubcategory ApplicationCategory ApplicationTechnology ApplicationRisk "
    "ApplicationCharacteristics ApplicationContainer TunneledApplication IsSaaSApplication SanctionedStateOfApp"
)

COLUMNS: Final[dict[str, str]] = {
    "TRAFFIC": f"{_HEAD} {_FLOW} Bytes BytesSent BytesReceived PacketsTotal SessionStartTime SessionDuration "
    f"URLCategory - SequenceNo ActionFlags SourceLocation DestinationLocation - PacketsSent PacketsReceived "
    f"SessionEndReason {_GROUPS} ActionSource {_PARTS} IMSI IMEI ParentSessionID ParentStarttime Tunnel "
    f"EndpointAssociationID ChunksTotal ChunksSent ChunksReceived RuleUUID HTTP2Connection LinkChangeCount "
    f"SDWANPolicyName LinkSwitches SDWANCluster SDWANDeviceType SDWANClusterType SDWANSite DynamicUserGroupName "
    f"XForwardedFor {_DEVICES} {_CONTAINERS} GPHostID EndpointSerialNumber SourceDynamicAddressGroup "
    f"DestinationDynamicAddressGroup HASessionOwner TimeGeneratedHighResolution NSSAINetworkSliceType "
    f"NSSAINetworkSliceDifferentiator {_APPLICATION} Offloaded FlowType ClusterName",
    "THREAT": f"{_HEAD} {_FLOW} URLorFile ThreatID URLCategory Severity DirectionOfAttack SequenceNo ActionFlags "
    f"SourceLocation DestinationLocation - ContentType PacketID FileHash ApplianceOrCloud URLCounter UserAgent "
    f"FileType XForwardedFor Referer SenderEmail EmailSubject RecipientEmail ReportID {_GROUPS} - {_PARTS} "
    f"HTTPMethod IMSI IMEI ParentSessionID ParentStarttime Tunnel ThreatCategory ContentVersion - "
    f"EndpointAssociationID PayloadProtocolID HTTPHeaders URLCategoryList RuleUUID HTTP2Connection "
    f"DynamicUserGroupName XForwardedForIP {_DEVICES} {_CONTAINERS} HostID EndpointSerialNumber DomainEDL "
    f"SourceDynamicAddressGroup DestinationDynamicAddressGroup PartialHash TimeGeneratedHighResolution Reason "
    f"Justification NSSAINetworkSliceType {_APPLICATION} CloudReportID ClusterName FlowType",
    "SYSTEM": f"{_HEAD} VirtualLocation EventName EventComponent - - Module Severity EventDescription SequenceNo "
    f"ActionFlags {_GROUPS} - - TimeGeneratedHighResolution",
    "CONFIG": f"{_HEAD} ClientIP VirtualLocation Command Admin Client Result ConfigurationPath SequenceNo "
    f"ActionFlags {_GROUPS} DeviceGroup AuditComment - TimeGeneratedHighResolution",
    "CONFIG+": f"{_HEAD} ClientIP VirtualLocation Command Admin Client Result ConfigurationPath Before After "
    f"SequenceNo ActionFlags {_GROUPS} DeviceGroup AuditComment - TimeGeneratedHighResolution",
    "GLOBALPROTECT": f"{_HEAD} VirtualLocation EventIDValue Stage AuthMethod TunnelType SourceUser SourceRegion "
    "EndpointDeviceName PublicIPv4 PublicIPv6 PrivateIPv4 PrivateIPv6 HostID EndpointSN "
    "GlobalProtectClientVersion EndpointOSType EndpointOSVersion RepeatCount QuarantineReason ConnectionError "
    "Description EventStatus GlobalProtectGatewayLocation LoginDuration ConnectionMethod ConnectionErrorID Portal "
    "SequenceNo ActionFlags TimeGeneratedHighResolution GatewaySelectionType SSLResponseTime GatewayPriority "
    f"AttemptedGateways Gateway {_GROUPS} VirtualSystemID ClusterName",
    "USERID": f"{_HEAD} VirtualLocation SourceIP User MappingDataSourceName EventID RepeatCount MappingTimeout "
    f"SourcePort DestinationPort MappingDataSource MappingDataSourceType SequenceNo ActionFlags {_GROUPS} "
    "VirtualSystemID MFAFactorType FactorCompletionTime AuthFactorNo UGFlags UserIdentifiedBySource Tag "
    "TimeGeneratedHighResolution OriginDataSource - ClusterName",
    "HIPMATCH": f"{_HEAD} SourceUser VirtualLocation EndpointDeviceName EndpointOSType SourceIP HipMatchName "
    f"RepeatCount HipMatchType - - SequenceNo ActionFlags {_GROUPS} VirtualSystemID SourceIPv6 HostID "
    "EndpointSerialNumber SourceDeviceMac TimeGeneratedHighResolution ClusterName",
    "AUTHENTICATION": f"{_HEAD} VirtualLocation SourceIP User NormalizeUser Object AuthenticationPolicy RepeatCount "
    "AuthenticationID MFAVendor LogSetting ServerProfile Description ClientType EventType FactorNumber SequenceNo "
    f"ActionFlags {_GROUPS} VirtualSystemID AuthenticationProtocol RuleUUID TimeGeneratedHighResolution "
    "SourceDeviceCategory SourceDeviceProfile SourceDeviceModel SourceDeviceVendor SourceDeviceOSFamily "
    "SourceDeviceOSVersion SourceDeviceHost SourceDeviceMac Region - UserAgent SessionID ClusterName",
    "DECRYPTION": f"{_HEAD} {_FLOW} Tunnel - - {_PARTS} RuleUUID ClientToFirewall FirewallToClient TLSVersion "
    "TLSKeyExchange TLSEncryptionAlgorithm TLSAuth PolicyName EllipticCurve ErrorIndex RootStatus ChainStatus "
    "ProxyType CertificateSerial Fingerprint TimeNotBefore TimeNotAfter CertificateVersion CertificateSize "
    "CommonNameLength IssuerNameLength RootCNLength SNILength CertificateFlags CommonName IssuerCommonName "
    f"RootCommonName ServerNameIndication ErrorMessage {_CONTAINERS} SourceDynamicAddressGroup "
    f"DestinationDynamicAddressGroup TimeGeneratedHighResolution {_DEVICES} SequenceNo ActionFlags {_GROUPS} "
    f"VirtualSystemID {_APPLICATION} ClusterName",
    "IPTAG": f"{_HEAD} VirtualLocation SourceIP TagName EventID RepeatCount MappingTimeout MappingDataSourceName "
    f"MappingDataSourceType MappingDataSourceSubType SequenceNo ActionFlags {_GROUPS} VirtualSystemID "
    "TimeGeneratedHighResolution ClusterName",
    "TUNNEL": f"{_HEAD} {_FLOW} Severity SequenceNo ActionFlags SourceLocation DestinationLocation {_GROUPS} "
    "TunnelID MonitorTag ParentSessionID ParentStarttime Tunnel Bytes BytesSent BytesReceived PacketsTotal PacketsSent "
    "PacketsReceived MaximumEncapsulation UnknownProtocol StrictCheck TunnelFragment SessionsCreated SessionsClosed "
    "SessionEndReason ActionSource SessionStartTime SessionDuration TunnelInspectionRule RemoteUserIP RemoteUserID "
    "RuleUUID PCAPID DynamicUserGroupName SourceEDL DestinationEDL TimeGeneratedHighResolution "
    f"NSSAINetworkSliceDifferentiator NSSAINetworkSliceType PDUSessionID {_APPLICATION} ClusterName",
    "GTP": f"{_HEAD} {_FLOW} GTPEventType MSISDN AccessPointName RadioAccessTechnology GTPMessageType EndUserIP TEID1 TEID2 "
    "GTPInterface GTPCause Severity MobileCountryCode MobileNetworkCode AreaCode CellID GTPEventCode - - SourceLocation "
    "DestinationLocation - - - - - - - IMSI IMEI - - - - - - - - - - - - - - - - SessionStartTime SessionDuration "
    "TunnelInspectionRule RemoteUserIP RemoteUserID RuleUUID PCAPID TimeGeneratedHighResolution",
    "SCTP": f"{_HEAD} {_FLOW} {_GROUPS} SequenceNo - SCTPAssociationID PayloadProtocolID Severity SCTPChunkType - "
    "SCTPVerificationTag1 SCTPVerificationTag2 SCTPCauseCode DiameterAppID DiameterCommandCode DiameterAVPCode SCTPStreamID "
    "SessionEndReason SCCPOperationCode SCCPCallingPartySSN SCCPCallingPartyGT SCTPFilter ChunksTotal ChunksSent "
    "ChunksReceived PacketsTotal PacketsSent PacketsReceived RuleUUID TimeGeneratedHighResolution",
    "CORRELATION": f"{_HEAD} SourceAddress SourceUser VirtualLocation Category Severity {_GROUPS} VirtualSystemID "
    "ObjectName ObjectID Evidence",
}
COLUMNS["AUTH"] = COLUMNS["AUTHENTICATION"]

NONE_WHEN_ZERO: Final = (
    "DGHierarchyLevel1", "DGHierarchyLevel2", "DGHierarchyLevel3", "DGHierarchyLevel4", "IMSI", "ParentSessionID",
    "EndpointAssociationID", "ChunksTotal", "ChunksSent", "ChunksReceived", "HTTP2Connection", "LinkChangeCount",
    "PacketID", "URLCounter", "ReportID", "PartialHash",
)  # fmt: skip
"""Columns in which PAN-OS writes 0 for "none"."""

SEVERITIES: Final = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
"""As PAN-OS's own `$number-of-severity` counts."""

ALERTS: Final[dict[str, list[str]]] = {
    "virus": ["malware", "network"],
    "ml-virus": ["malware", "network"],
    "wildfire": ["malware", "network"],
    "wildfire-virus": ["malware", "network"],
    "spyware": ["malware", "network"],
    "vulnerability": ["intrusion_detection", "network"],
    "scan": ["intrusion_detection", "network"],
    "flood": ["intrusion_detection", "network"],
    "packet": ["intrusion_detection", "network"],
    "dns-security": ["intrusion_detection", "network"],
}
"""Categories of the THREAT subtypes in which the firewall itself says that something is malicious."""

DENIED: Final = frozenset(
    ("deny", "drop", "drop-icmp", "drop-all-packets", "reset-client", "reset-server", "reset-both", "block",
     "block-url", "block-continue", "block-override", "block-ip", "random-drop", "sinkhole", "syncookie-sent")
)  # fmt: skip
