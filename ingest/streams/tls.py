"""TLS for what listens: files named in the settings, TLS 1.2 or newer, client certificates by choice.

Source: RFC 5425 (TLS transport for syslog), with RFC 9662's newer cipher policy as OpenSSL's defaults have it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator
from typing_extensions import override

from contract.errors import SettingsError

_NO_CERTIFICATE: Final = "PEER_DID_NOT_RETURN_A_CERTIFICATE"  # OpenSSL's word


class TlsSettings(BaseModel):
    """Certificate of this end, and who may connect.

    Attributes:
        certificate: PEM file, the chain included.
        key: PEM file of its private key; None where it stands in the certificate's file.
        client_ca: PEM file; peers must then show a certificate that it signed.
        client_names: of those peers, only certificates with one of these names (DNS name or address among the alternative
            names, or the common name) are let in; `*.example.com` stands for one label; none: all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None
    client_names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_are_signed(self) -> Self:
        if self.client_names and self.client_ca is None:
            raise ValueError("client_names needs client_ca: an unsigned name proves nothing")
        return self


def server_context(settings: TlsSettings, owner: str) -> ssl.SSLContext:
    """Make the context of what listens.

    Args:
        settings: the files.
        owner: for the error: `source edge`, `web`.

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
        raise SettingsError(f"{owner}: tls: {error}") from error
    return context


def reason_of(error: Exception) -> str:
    """Return by what a handshake failed: the peer's `certificate` (none, expired, of another authority), or else `tls`."""
    why = getattr(error, "reason", None)
    is_certificate = isinstance(error, ssl.SSLCertVerificationError) or why == _NO_CERTIFICATE
    return "certificate" if is_certificate else "tls"


def tell_refusals(context: ssl.SSLContext, tell: Callable[[str], None]) -> None:
    """Let handshakes that fail be told by `reason_of`, where a server keeps them to itself."""

    class Handshake(ssl.SSLObject):
        @override
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                tell(reason_of(error))
                raise

    context.sslobject_class = Handshake


def is_named(transport: asyncio.BaseTransport, settings: TlsSettings) -> bool:
    """Whether the peer's certificate, which the handshake has verified, bears one of the names that are let in."""
    if not settings.client_names:
        return True
    certificate = transport.get_extra_info("peercert") or {}
    found = {str(value).lower() for _, value in certificate.get("subjectAltName", ())}
    for part in certificate.get("subject", ()):
        found |= {str(value).lower() for name, value in part if name == "commonName"}
    # RFC 6125, 6.4.3: a star stands for the whole leftmost label.
    found |= {f"*.{name.partition('.')[2]}" for name in found if "." in name}
    return not found.isdisjoint(name.lower() for name in settings.client_names)
