"""The `[kafka]` table: where the brokers are, how to prove who we are, how topics are made. Imports no client."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from contract.timespan import Timespan
from ingest.streams.kafka_access import KafkaAccess

Compression: TypeAlias = Literal["lz4", "zstd", "gzip", "none"]


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
        compression: lz4, zstd (install `opsonin[zstd]`), gzip or none.
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
