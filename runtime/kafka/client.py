"""Settings to the engine's own kafka-python clients, and the client's errors to ours: what was asked, which right is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.codec import has_zstd
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from contract.errors import BrokerError, SettingsError
from ingest.streams.kafka_access import KafkaAccess
from ingest.streams.kafka_batches import read_compiled
from ingest.streams.kafka_client import arguments, connected, words
from runtime.kafka.settings import KafkaSettings

BATCH_BYTES: Final = 262_144
"""Of one partition's batch: measured, larger ones are no cheaper per record."""
_OVERHEAD_BYTES: Final = 65_536


def producer(settings: KafkaSettings, **more: Any) -> KafkaProducer:
    """Make an idempotent producer that waits for all in-sync copies; `more` goes over our arguments.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
        SettingsError: a file cannot be read, or the compression is not installed.
    """
    if settings.compression == "zstd" and not has_zstd():
        raise SettingsError(
            "kafka.compression: zstd needs the zstandard package; install opsonin[zstd], or use lz4"
        )
    made = {
        **arguments(settings),
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None if settings.compression == "none" else settings.compression,
        "linger_ms": round(settings.linger.total_seconds() * 1_000),
        "batch_size": BATCH_BYTES,
        "max_request_size": request_bytes(settings),
        **more,
    }
    return connected(settings, lambda: KafkaProducer(**made))


def consumer(settings: KafkaAccess, **more: Any) -> KafkaConsumer:
    """Make a consumer that sees committed records only and commits nothing by itself; `more` goes over our arguments.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
        SettingsError: a file cannot be read.
    """
    made = {
        **arguments(settings),
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        **more,
    }
    return read_compiled(connected(settings, lambda: KafkaConsumer(**made)))


def admin(settings: KafkaAccess) -> KafkaAdminClient:
    """Make an admin client.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
        SettingsError: a file cannot be read.
    """
    unknown = {"allow_auto_create_topics", "metrics_enabled"}  # to this client
    made = {key: value for key, value in arguments(settings).items() if key not in unknown}
    return connected(settings, lambda: KafkaAdminClient(**made))


def request_bytes(settings: KafkaSettings) -> int:
    """Return the largest request: a record of the largest size, or a full batch, and what surrounds it."""
    return max(settings.max_record_bytes, 4 * BATCH_BYTES) + _OVERHEAD_BYTES


def topic_bytes(settings: KafkaSettings) -> int:
    """Return `max.message.bytes` of our topics: what the broker lets through."""
    return max(settings.max_record_bytes, BATCH_BYTES) + _OVERHEAD_BYTES


@contextmanager
def translated(doing: str, right: str = "") -> Iterator[None]:
    """Turn the client's errors within into ours.

    Args:
        doing: what is tried, e.g. `write to opsonin.events`.
        right: the ACL it takes, e.g. `Write on topic opsonin.events`; named when it is missing.

    Raises:
        BrokerError: for any error of the client.
    """
    try:
        yield
    except KafkaError as error:
        raise explain(error, doing, right) from error


def explain(error: KafkaError, doing: str, right: str = "") -> BrokerError:
    """Return our error for the client's; for a missing right, name it."""
    if isinstance(error, AuthorizationError):
        return BrokerError(
            f"cannot {doing}: the brokers refuse it; missing right: {_right(error, right)}"
        )
    if isinstance(error, SaslAuthenticationFailedError | UnsupportedSaslMechanismError):
        return BrokerError(f"cannot {doing}: not let in: {words(error)}")
    is_passing = bool(getattr(error, "retriable", False)) or isinstance(error, KafkaConnectionError)
    return BrokerError(f"cannot {doing}: {words(error)}", passes=is_passing)


def _right(error: AuthorizationError, right: str) -> str:
    if isinstance(error, ClusterAuthorizationFailedError) and not right.startswith("Create"):
        # What InitProducerId says to a producer that may write nowhere (error 31).
        return right or "Write on any topic, or IdempotentWrite on the cluster"
    if right:
        return right
    named = (
        ", ".join(sorted(map(str, error.args[0])))
        if error.args and isinstance(error.args[0], set)
        else ""
    )
    match error:
        case TopicAuthorizationFailedError():
            return f"Describe and Read or Write on topic {named or '(see what was tried)'}"
        case GroupAuthorizationFailedError():
            return "Read on the consumer group"
        case TransactionalIdAuthorizationFailedError():
            return "Describe and Write on the transactional id"
        case _:
            return words(error)
