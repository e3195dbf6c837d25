"""ECS fields of sensors whose type is a whole number.

Source: Elastic Common Schema 9.4.0, types `long` and `integer`; those that network sensors can fill.
"""

from __future__ import annotations

from typing import Final

INTEGERS: Final = frozenset(
    {
        "client.bytes",
        "client.nat.port",
        "client.packets",
        "client.port",
        "destination.bytes",
        "destination.nat.port",
        "destination.packets",
        "destination.port",
        "dns.answers.ttl",
        "email.attachments.file.size",
        "event.duration",
        "event.sequence",
        "event.severity",
        "file.size",
        "host.network.egress.bytes",
        "host.network.egress.packets",
        "host.network.ingress.bytes",
        "host.network.ingress.packets",
        "http.request.body.bytes",
        "http.request.bytes",
        "http.response.body.bytes",
        "http.response.bytes",
        "http.response.status_code",
        "log.origin.file.line",
        "log.syslog.facility.code",
        "log.syslog.priority",
        "log.syslog.severity.code",
        "network.bytes",
        "network.packets",
        "process.exit_code",
        "process.parent.pid",
        "process.pid",
        "process.thread.id",
        "server.bytes",
        "server.nat.port",
        "server.packets",
        "server.port",
        "source.bytes",
        "source.nat.port",
        "source.packets",
        "source.port",
        "threat.indicator.port",
        "url.port",
    }
)
