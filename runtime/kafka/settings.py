"""The `[kafka]` table: where the brokers are, how to prove who we are, how topics are made. Imports no client.

Secrets come by file, never as a value: a settings file is shown and copied, a secret is mounted.
"""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.timespan import Timespan

Security: TypeAlias = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism: TypeAlias = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
Compression: TypeAlias = Literal["lz4", "zstd", "gzip", "none"]

_ADDRESS = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}$"


class KafkaAccess(BaseModel):
    """How to reach brokers and prove who we are; shared by the engine's own topics and by sources in Kafka.

    Attributes:
        bootstrap: `host:port` of some brokers; the others are learnt from them.
        security: plaintext, ssl (also with a client certificate), sasl_plaintext or sasl_ssl.
        mechanism: of SASL.
        user: of SASL.
        password_file: holds the password of SASL; a last newline is left out.
        ca_file: PEM; who signed the brokers' certificates. None: the system's authorities.
        certificate_file: PEM; our own certificate, where brokers ask for one.
        key_file: PEM; its key.
        key_password_file: holds the key's password, where it has one.
        check_hostname: refuse a broker whose certificate is another host's.
        connect_within: a broker that cannot be reached for so long at the start is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: Annotated[
        tuple[Annotated[str, Field(pattern=_ADDRESS)], ...], Field(min_length=1)
    ] = ("127.0.0.1:9092",)
    security: Security = "plaintext"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password_file: Path | None = None
    check_hostname: bool = True
    connect_within: Timespan = timedelta(seconds=15)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.security.startswith("sasl") and not (self.user and self.password_file):
            raise ValueError(f"security is {self.security}; expected user and password_file")
        if self.security in ("plaintext", "ssl") and (self.user or self.password_file):
            raise ValueError(f"security is {self.security}; user and password_file need sasl_ssl")
        if self.security == "plaintext" and (self.ca_file or self.certificate_file):
            raise ValueError("security is plaintext; ca_file and certificate_file need ssl")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("expected certificate_file and key_file together")
        return self


class KafkaSettings(KafkaAccess):
    """Kafka, for `opsonin worker` and `opsonin topics`; `opsonin run` alone needs none of it.

    Attributes:
        prefix: of all topics, groups and transactional ids of this deployment.
        member: name of this process among all of the deployment, the same after a restart; empty: the host's name.
        partitions: of topics that several workers share.
        replication: copies of each topic; a single broker needs 1.
        min_in_sync: copies that must hold a record before it counts as written; a single broker needs 1.
        keep_bulk: how long events, matches and observations stay.
        keep_records: how long alerts, chains, outcomes, commands and dead letters stay.
        compression: lz4, zstd (needs the `zstandard` package), gzip or none.
        max_record_bytes: of one record on a topic; larger ones become dead letters.
        spread: what keeps its order: the records of one sender (sender), or none, so that one busy source fills
            all partitions (event).
        linger: how long a record waits for others to share a request.
        udp_queue_bytes: datagrams kept on disk while Kafka is away; what does not fit is dropped and counted.
        max_waiting: records of one partition that wait in memory for upstream partitions which are behind in event
            time; beyond it the earliest go on out of order, and are counted.
        stuck_after: a worker is unhealthy when a partition with records to read stands still for so long.
    """

    prefix: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = "opsonin."
    member: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    partitions: Annotated[int, Field(ge=1, le=1_000)] = 4
    replication: Annotated[int, Field(ge=1, le=32)] = 3
    min_in_sync: Annotated[int, Field(ge=1, le=32)] = 2
    keep_bulk: Timespan = timedelta(days=3)
    keep_records: Timespan = timedelta(days=30)
    compression: Compression = "lz4"
    max_record_bytes: Annotated[int, Field(ge=16_384, le=67_108_864)] = 1_048_576
    spread: Literal["sender", "event"] = "sender"
    linger: Timespan = timedelta(milliseconds=20)
    udp_queue_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 1 << 28
    max_waiting: Annotated[int, Field(ge=100, le=10_000_000)] = 200_000
    stuck_after: Timespan = timedelta(minutes=1)

    @property
    def member_name(self) -> str:
        """The member's name, whether given or the host's."""
        return self.member or re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        if self.min_in_sync > self.replication:
            raise ValueError(
                f"min_in_sync is {self.min_in_sync} and replication {self.replication}; nothing could be written"
            )
        return self
