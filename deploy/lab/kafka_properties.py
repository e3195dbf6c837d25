"""Properties of the lab's broker: one node that is broker and controller, open or secured, and who its two own users are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ADMIN = "admin"
BROKER = "broker"

# One node: every copy is the only one. The short session lets a killed broker register again after 3 s, not 9.
SETTINGS: dict[str, Any] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "group.initial.rebalance.delay.ms": 0,
    "log.cleaner.dedupe.buffer.size": 16 << 20,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
}


def opened(port: int) -> dict[str, Any]:
    """Return the properties of a broker that lets everybody in."""
    return {
        "listeners": f"OPEN://127.0.0.1:{port}",
        "listener.security.protocol.map": "OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "OPEN",
    }


def secured(ports: list[int], keystore: Path, authority: Path) -> dict[str, Any]:
    """Return the properties of a broker that asks for a password on the first port, for a certificate on the second.

    Args:
        ports: two.
        keystore: its own key and certificate.
        authority: that signed the certificates of all.
    """
    return {
        "listeners": f"PASSWORD://127.0.0.1:{ports[0]},CERTIFICATE://127.0.0.1:{ports[1]}",
        "listener.security.protocol.map": "PASSWORD:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "CERTIFICATE",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.certificate.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        # A certificate's common name is the same user that a password proves.
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.password.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:{BROKER}",
    }
