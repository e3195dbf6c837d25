"""Who may look at a web face, and what browsers may do with what they get.

On loopback everybody on this machine may; elsewhere whoever carries the token or a certificate, over TLS. Health is told to all: it is
a yes or no, and what asks (a load balancer, a probe) has no secret to carry.

Sources: RFC 6750 (Bearer, as Prometheus sends it) and RFC 7617 (Basic, as browsers do); Content Security Policy Level 3.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.ports import Meter
from ingest.streams.http_token import is_carried, read_token
from ingest.streams.tls import TlsSettings, server_context

HEALTH: Final = "/healthz"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebSettings(BaseModel):
    """Metrics, health and the console's pages over HTTP; they only show. Another address than loopback wants TLS, and a token or client certificates.

    Attributes:
        host: address to bind.
        port: 0 takes a free one, said in the log.
        token_file: file that holds the shared secret; browsers send it as the password of any user, Prometheus as a bearer token.
        tls: speak HTTPS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    token_file: Path | None = None
    tls: TlsSettings | None = None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        try:
            is_local = ip_address(self.host).is_loopback
        except ValueError as error:
            raise ValueError(f"host: expected an address to bind, came {self.host!r}") from error
        if is_local:
            return self
        if self.tls is None or (self.token_file is None and self.tls.client_ca is None):
            raise ValueError(
                f"host {self.host} is not loopback: set web.tls, and web.token_file or web.tls.client_ca"
            )
        return self

    @property
    def is_open(self) -> bool:
        """Whether nothing is asked of who comes; only on loopback."""
        return self.token_file is None and (self.tls is None or self.tls.client_ca is None)


def context_of(settings: WebSettings) -> ssl.SSLContext | None:
    """Return the TLS context to listen with; None: plain HTTP.

    Raises:
        SettingsError: a file cannot be read, or holds something else.
    """
    return None if settings.tls is None else server_context(settings.tls, "web")


def gate(settings: WebSettings, meter: Meter) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return the middleware that lets in, counts whom it does not (`web_refused_total`), and says what browsers may do.

    Raises:
        SettingsError: the token's file cannot be read, or is empty.
    """
    token = read_token("web", settings.token_file, None)

    @web.middleware
    async def guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
        refused = None if request.path == HEALTH else _refusal(request, token, settings)
        if refused is not None:
            meter.add("web_refused_total")
            return refused
        try:
            answer = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        answer.headers.update(_HEADERS)
        return answer

    return guarded


def _refusal(
    request: web.Request, token: bytes | None, settings: WebSettings
) -> web.Response | None:
    if token is not None:
        if is_carried(token, request.headers.get("Authorization", ""), is_authorization=True):
            return None
        asks = {"WWW-Authenticate": 'Basic realm="opsonin", charset="UTF-8"', **_HEADERS}
        return web.Response(status=401, text="the token is missing or wrong\n", headers=asks)
    if settings.is_open and not _is_local(request.host):
        # A page of the outer web may let its own name point here (DNS rebinding); the browser then names that.
        text = "this face is for 127.0.0.1, [::1] and localhost\n"
        return web.Response(status=403, text=text, headers=_HEADERS)
    return None


def _is_local(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
