"""Kafka clients from settings, shared by sources in Kafka and by the engine's own topics; why one was not let in.

kafka-python (3.0.12, read 2026-11) reports a wrong password as "Unable to bootstrap", as it does an outage; the cause
stands only in its log, so that is listened to while a client is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from kafka.errors import (
    KafkaConfigurationError,
    KafkaError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from typing_extensions import override

from contract.errors import BrokerError, SettingsError
from ingest.streams.kafka_access import KafkaAccess

CLIENT_ID: Final = "opsonin"
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


def connected(settings: KafkaAccess, make: Callable[[], Client]) -> Client:
    """Make a client; say why where that fails.

    Raises:
        BrokerError: it cannot reach the brokers or is not let in.
    """
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
    if any(map(_is_refusal, causes)):
        # The limit cuts the last attempt short, and says nothing of the others.
        causes = [one for one in causes if not isinstance(one, RequestTimedOutError)]
    if settings.security.startswith("sasl") and causes and all(map(_is_refusal, causes)):
        return BrokerError(
            f"Kafka at {where} does not let user {settings.user!r} in: {words(causes[-1])} at login; "
            "see kafka.user, kafka.password_file and kafka.mechanism"
        )
    said = words(causes[-1]) if causes else words(error)
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


def words(error: BaseException) -> str:
    """Return what an error says, or at least what it is."""
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
