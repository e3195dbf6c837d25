"""TLS for sources that listen: files named in the settings, TLS 1.2 or newer, client certificates by choice.

Source: RFC 5425 (TLS transport for syslog), with RFC 9662's newer cipher policy as OpenSSL's defaults have it.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from contract.errors import SettingsError


class TlsSettings(BaseModel):
    """Certificate of this end, and who may connect.

    Attributes:
        certificate: PEM file, the chain included.
        key: PEM file of its private key; None where it stands in the certificate's file.
        client_ca: PEM file; peers must then show a certificate that it signed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None


def server_context(settings: TlsSettings, source: str) -> ssl.SSLContext:
    """Make the context of a listening source.

    Raises:
        SettingsError: a file cannot be read, or holds something else.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"source {source}: tls: {error}") from error
    return context
