"""Settings to kafka-python clients, and its errors to ours: what was asked, and which right is missing.

kafka-python (3.0.12, read 2026-11) reports a wrong password as "Unable to bootstrap", as it does an outage; the cause
stands only in its log, so that is listened to while a client is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.codec import has_zstd
from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from typing_extensions import override

from contract.errors import BrokerError, SettingsError
from runtime.kafka.settings import KafkaAccess, KafkaSettings

CLIENT_ID: Final = "opsonin"
BATCH_BYTES: Final = 262_144
"""Of one partition's batch: measured, larger ones are no cheaper per record."""
_OVERHEAD_BYTES: Final = 65_536
_BOOTSTRAP: Final = "Unable to bootstrap"
_HUNG_UP: Final = "socket disconnected"

# The client speaks of each failed attempt; what matters comes as an error, once. Hosts that configure logging see both.
logging.getLogger("kafka").addHandler(logging.NullHandler())

Client = TypeVar("Client")


def arguments(settings: KafkaAccess) -> dict[str, Any]:
    """Return what every client is made with.

    Raises:
        SettingsError: a secret's file cannot be read or is empty.
    """
    made: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap),
        "client_id": CLIENT_ID,
        "security_protocol": settings.security.upper(),
        "bootstrap_timeout_ms": round(settings.connect_within.total_seconds() * 1_000),
        "reconnect_backoff_max_ms": 2_000,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }
    if settings.security.startswith("sasl"):
        made |= {
            "sasl_mechanism": settings.mechanism,
            "sasl_plain_username": settings.user,
            "sasl_plain_password": _secret("password_file", settings.password_file),
        }
    if settings.security.endswith("ssl"):
        made["ssl_check_hostname"] = settings.check_hostname
        for key, path in (
            ("ssl_cafile", settings.ca_file),
            ("ssl_certfile", settings.certificate_file),
            ("ssl_keyfile", settings.key_file),
        ):
            if path is not None:
                made[key] = _readable(key, path)
        if settings.key_password_file is not None:
            made["ssl_password"] = _secret("key_password_file", settings.key_password_file)
    return made


def producer(settings: KafkaSettings, **more: Any) -> KafkaProducer:
    """Make an idempotent producer that waits for all in-sync copies; `more` goes over our arguments.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
        SettingsError: a file cannot be read, or the compression is not installed.
    """
    if settings.compression == "zstd" and not has_zstd():
        raise SettingsError(
            "kafka.compression: zstd needs the zstandard package; install it or use lz4"
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
    return _made(settings, lambda: KafkaProducer(**made))


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
    return _made(settings, lambda: KafkaConsumer(**made))


def abandon(client: KafkaProducer) -> None:
    """Close a producer at once, whatever it has not sent; who waits for it gets an error. From any thread."""
    with suppress(KafkaError):
        # With something unsent this raises before it has ended the client's thread.
        client.close(timeout=0)
    client._sender.force_close()  # noqa: SLF001 - there is no public way
    client._closed = True  # noqa: SLF001 - or its destructor would wait for it again


def admin(settings: KafkaAccess) -> KafkaAdminClient:
    """Make an admin client.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
        SettingsError: a file cannot be read.
    """
    unknown = {"allow_auto_create_topics", "metrics_enabled"}  # to this client
    made = {key: value for key, value in arguments(settings).items() if key not in unknown}
    return _made(settings, lambda: KafkaAdminClient(**made))


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
        return BrokerError(f"cannot {doing}: not let in: {_words(error)}")
    is_passing = bool(getattr(error, "retriable", False)) or isinstance(error, KafkaConnectionError)
    return BrokerError(f"cannot {doing}: {_words(error)}", passes=is_passing)


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
            return _words(error)


def _made(settings: KafkaAccess, make: Callable[[], Client]) -> Client:
    where = ", ".join(settings.bootstrap)
    with _causes() as causes:
        try:
            return make()
        except KafkaConfigurationError:
            raise  # ours, a bug
        except KafkaError as error:
            raise _refused(where, settings, causes, error) from error
        except (
            OSError,
            ValueError,
        ) as error:  # a certificate that is none, a name that cannot be resolved
            raise BrokerError(f"cannot connect to Kafka at {where}: {error}") from error


def _refused(
    where: str, settings: KafkaAccess, causes: list[BaseException], error: KafkaError
) -> BrokerError:
    causes = [one for one in causes if _BOOTSTRAP not in str(one)]
    if settings.security.startswith("sasl") and causes and all(map(_is_refusal, causes)):
        return BrokerError(
            f"Kafka at {where} does not let user {settings.user!r} in: {_words(causes[-1])} at login; "
            "see kafka.user, kafka.password_file and kafka.mechanism"
        )
    said = _words(causes[-1]) if causes else _words(error)
    text = f"Kafka at {where} cannot be reached within {settings.connect_within.total_seconds():g} s: {said}"
    if "Handshake failed" in said:
        return BrokerError(f"{text}; see kafka.security, kafka.ca_file and kafka.certificate_file")
    return BrokerError(f"{text}; see kafka.bootstrap and kafka.security", passes=True)


def _is_refusal(cause: BaseException) -> bool:
    """Tell whether a broker was reached and hung up on the login; some say why, most only hang up."""
    is_said = isinstance(cause, SaslAuthenticationFailedError | UnsupportedSaslMechanismError)
    return is_said or _HUNG_UP in str(cause)


@contextmanager
def _causes() -> Iterator[list[BaseException]]:
    """Collect the exceptions that the client only logs."""
    found: list[BaseException] = []

    class Listener(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            said = record.args if isinstance(record.args, tuple) else ()
            found.extend(one for one in said if isinstance(one, BaseException))

    listener = Listener(logging.WARNING)
    source = logging.getLogger("kafka.net.manager")
    source.addHandler(listener)
    try:
        yield found
    finally:
        source.removeHandler(listener)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _secret(key: str, path: Path | None) -> str:
    assert path is not None  # noqa: S101 - the settings' own check
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"kafka.{key}: cannot be read: {error}") from error
    if not text:
        raise SettingsError(f"kafka.{key}: {path} is empty; expected a secret")
    return text


def _readable(key: str, path: Path) -> str:
    try:
        path.open("rb").close()
    except OSError as error:
        name = {"ssl_cafile": "ca_file", "ssl_certfile": "certificate_file"}.get(key, "key_file")
        raise SettingsError(f"kafka.{name}: cannot be read: {error}") from error
    return str(path)
