"""How to reach Kafka and prove who we are: settings shared by sources in Kafka and by the engine's own topics.

Secrets come by file, never as a value: a settings file is shown and copied, a secret is mounted. Imports no client.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.timespan import Timespan

Security: TypeAlias = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism: TypeAlias = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

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
