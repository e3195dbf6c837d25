"""Records posted over HTTP or HTTPS: JSON objects and arrays, NDJSON, webhooks, HEC, `_bulk`, OTLP; gzip and zstd bodies.

A post is answered 200 only when its records are durable, so a sender that retries until then loses nothing.
Errors say what to do: 401 token, 403 another sender, 408 too slow, 413 smaller posts, 415 encoding, 429 later. Arrays are split without re-encoding, so an element's bytes, and so its event's id, stay.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.errors import ParseError, SettingsError
from contract.ports import Batch, Meter, SourceType
from ingest.streams.http_forms import FORMS, Acks
from ingest.streams.http_token import is_carried, read_token
from ingest.streams.otlp import PROTOBUF
from ingest.streams.packing import TooLargeError, unpack
from ingest.streams.room import FullError, Room, read_body
from ingest.streams.senders import Senders
from ingest.streams.tls import TlsSettings, is_named, server_context, tell_refusals
from ingest.streams.unwrap import unwrap

READ_S: Final = 60.0
"""How long a body may take; a post that trickles would hold one of `max_waiting` places for ever."""
FAREWELL_S: Final = 3.0
"""How long posts that wait for their answer are kept when the source closes."""
ADAPTER_HEADER: Final = "Opsonin-Adapter"
"""By which a sender names the adapter of what it posts, where the source's settings allow it."""
_RETRY_AFTER_S: Final = "1"


class HttpSettings(BaseModel):
    """Where to listen, and who may post.

    Attributes:
        host: address to bind; another than loopback wants a token or client certificates.
        port: 0 lets the system choose (tests).
        path: of the posts; others are answered 404. Forms add their own to it.
        form: how posts carry records: `json` (objects, arrays, lines), `hec` (Splunk), `elastic_bulk` (Beats, Elastic
            Agent, with their set-up of templates switched off), `otlp_logs` (OTLP/HTTP, as protobuf or JSON).
        envelope: of `hec` and `otlp_logs`, hand a text over with what stands around it (host, time, attributes), as an object for
            `generic.ecs`; without, the text alone, for the adapter of what wrote it.
        unwrap: hand over the text of this member of each object (Filebeat's `message`) instead of the object.
        token_file: file that holds the shared secret; blanks around it are cut.
        token_env: environment variable that holds it.
        token_header: header that carries it; of `Authorization`, behind `Bearer`, `Splunk` or `ApiKey`, or as the password
            of `Basic` or the key of an `ApiKey` pair.
        whole: each body is one record, whatever it holds (binary evidence).
        max_body_bytes: unpacked; longer bodies are answered 413.
        max_waiting: posts that wait for the engine; further ones are answered 429.
        max_held_bytes: of bodies, over all posts that are read or wait; a post that passes it is answered 429.
        senders: networks that are heard; none: all. Others are answered 403.
        max_per_sender_per_s: records a second taken of one sender, who is answered 429 and when to come again; none: any
            number.
        tls: speak HTTPS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8514
    path: Annotated[str, Field(pattern=r"^/[^{}]*$")] = "/"
    form: Literal["json", "hec", "elastic_bulk", "otlp_logs"] = "json"
    token_file: Path | None = None
    token_env: str | None = None
    token_header: str = "Authorization"  # noqa: S105 - a header's name
    envelope: bool = False
    unwrap: str = ""
    whole: bool = False
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 * 1024 * 1024
    max_waiting: Annotated[int, Field(ge=1, le=10_000)] = 256
    max_held_bytes: Annotated[int, Field(ge=4096, le=1 << 36)] = 256 * 1024 * 1024
    senders: tuple[IPv4Network | IPv6Network, ...] = ()
    max_per_sender_per_s: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tls: TlsSettings | None = None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        try:
            loopback = ip_address(self.host).is_loopback
        except ValueError as error:
            raise ValueError(f"host: expected an address to bind, came {self.host!r}") from error
        certified = self.tls is not None and self.tls.client_ca is not None
        if not loopback and not certified and self.token_file is None and self.token_env is None:
            raise ValueError(
                f"host {self.host} is not loopback: set token_file, token_env or tls.client_ca"
            )
        return self


class HttpSource:
    """A listening HTTP server."""

    def __init__(
        self, name: str, settings: HttpSettings, meter: Meter, now_us: Callable[[], int]
    ) -> None:
        self._name = name
        self._settings = settings
        self._meter = meter
        self._now_us = now_us
        self._token = read_token(f"source {name}", settings.token_file, settings.token_env)
        refuse = partial(meter.add, "dropped_connections", source=name)
        self._tls = None if settings.tls is None else server_context(settings.tls, f"source {name}")
        if self._tls is not None:
            tell_refusals(self._tls, lambda reason: refuse(reason=reason))
        self._socket = _listen(name, settings)
        self._senders = Senders(settings.senders, settings.max_per_sender_per_s)
        self._posts: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._count = 0
        self._form = FORMS[settings.form]
        self._under_way = 0
        self._room = Room(settings.max_held_bytes)
        self._acked = 0
        self._is_closed = False

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    async def batches(self, position: Any) -> AsyncIterator[Batch]:
        """Yield one batch a post until closed."""
        application = web.Application()
        base = self._settings.path.rstrip("/")
        for path in self._form.posts:
            application.router.add_post(base + path or "/", self._post)
            application.router.add_put(base + path or "/", self._post)  # Elasticsearch's clients
        for path, answer in self._form.gets.items():
            greet = partial(self._greet, answer, is_open=path in self._form.open_gets)
            application.router.add_get(base + path or "/", greet)
        for path, answer in self._form.puts.items():
            application.router.add_put(base + path or "/", partial(self._greet, answer))
            application.router.add_post(base + path or "/", partial(self._greet, answer))
        if self._form.acks:
            application.router.add_post(base + self._form.acks, self._acknowledge)
        application.router.add_route("*", "/{elsewhere:.*}", self._elsewhere)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=FAREWELL_S, auto_decompress=False
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket, ssl_context=self._tls).start()
            while (batch := await self._posts.get()) is not None:
                yield batch
        finally:
            await runner.cleanup()
            self._socket.close()

    def confirm(self, position: int) -> None:
        """Answer the posts up to this one."""
        while self._waiting and self._waiting[0][0] <= position:
            _, durable = self._waiting.popleft()
            if not durable.done():
                durable.set_result(None)

    async def close(self) -> None:
        """Refuse further posts; `batches` ends after those that wait."""
        self._is_closed = True
        self._posts.put_nowait(None)

    async def _post(self, request: web.Request) -> web.Response:
        if (refused := self._unwelcome(request)) is not None:
            return refused
        wait_s = self._senders.delay_s(request.remote or "", 0, self._now_us())
        if wait_s > 0:
            later = {"Retry-After": str(ceil(wait_s))}
            return self._refuse(429, "too many records of this sender", later)
        if self._is_closed or self._under_way > self._settings.max_waiting:
            return self._refuse(429, "too many posts wait", {"Retry-After": _RETRY_AFTER_S})
        self._under_way += 1
        try:
            with self._room.share() as hold:
                return await self._take(request, hold)
        except (TimeoutError, ParseError, FullError) as error:
            return self._refused(error)
        finally:
            self._under_way -= 1

    async def _take(self, request: web.Request, hold: Callable[[int], None]) -> web.Response:
        packed = await read_body(request, self._settings.max_body_bytes, READ_S, hold)
        records, answer = self._cut(request, packed, hold)
        del packed
        if records:
            self._meter.add("records_read", len(records), source=self._name)
            await self._durable(records, request)
            if self._form.acks and _channel(request):
                answer = answer | {"ackId": self._acked}
                self._acked += 1
        if (
            request.content_type == PROTOBUF
        ):  # an answer without a word is what protobuf writes of it
            return web.Response(body=b"", content_type=PROTOBUF)
        return web.json_response(answer, headers=self._form.headers)

    def _cut(
        self, request: web.Request, packed: bytes, hold: Callable[[int], None]
    ) -> tuple[list[bytes], dict[str, Any]]:
        """Return the records of a body, and the answer once they are durable."""
        settings = self._settings
        coding = request.headers.get("Content-Encoding", "")
        body = unpack(packed, coding, settings.max_body_bytes)
        hold(max(0, len(body) - len(packed)))
        records, answer = self._form.cut(
            body, request.path, request.content_type, envelope=settings.envelope
        )
        if settings.whole:
            records = [body] if body else []
        elif settings.unwrap:
            records = unwrap(records, settings.unwrap)
        self._meter.add("bytes_read", len(body), source=self._name)
        return records, answer

    async def _durable(self, records: list[bytes], request: web.Request) -> None:
        """Hand records over and wait until they are durable."""
        sender, now_us = request.remote or "", self._now_us()
        self._senders.delay_s(sender, len(records), now_us)
        self._count += 1
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._count, durable))
        adapter = request.headers.get(ADAPTER_HEADER, "")
        self._posts.put_nowait(
            Batch(self._name, records, now_us, self._count, sender, adapter=adapter)
        )
        await durable

    async def _acknowledge(self, request: web.Request) -> web.Response:
        """Say which posts are durable: all whose number was given, since it is given only then."""
        if (refused := self._unwelcome(request)) is not None:
            return refused
        try:
            with self._room.share() as hold:
                said = await read_body(request, self._settings.max_body_bytes, READ_S, hold)
            asked = msgspec.json.decode(said, type=Acks).acks
        except (msgspec.DecodeError, TooLargeError, FullError):
            return self._refuse(400, 'expected {"acks": [numbers]}', {})
        except TimeoutError:
            return self._refuse(408, f"a body has {READ_S:.0f} seconds", {"Connection": "close"})
        return web.json_response({"acks": {str(one): 0 <= one < self._acked for one in asked}})

    async def _greet(
        self, answer: dict[str, Any], request: web.Request, *, is_open: bool = False
    ) -> web.Response:
        """Answer what a sender asks before it posts."""
        refused = self._unwelcome(request, needs_token=not is_open)
        return refused or web.json_response(answer, headers=self._form.headers)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        """Answer what is asked of no path of ours, or in another way than by a post."""
        base = self._settings.path.rstrip("/")
        places = ", ".join(base + path or "/" for path in self._form.posts)
        return self._refuse(404, f"nothing is here; posts go to {places}", {**self._form.headers})

    def _unwelcome(self, request: web.Request, *, needs_token: bool = True) -> web.Response | None:
        """Return the refusal of a sender who may not post, by address, certificate or token."""
        tls = self._settings.tls
        is_known = self._senders.is_known(request.remote or "")
        if not is_known or (tls and request.transport and not is_named(request.transport, tls)):
            return self._refuse(403, "this sender is not heard", {})
        if needs_token and not self._may(request):
            said = "the token is missing or another one"
            return self._refuse(401, said, {"WWW-Authenticate": "Bearer"})
        return None

    def _may(self, request: web.Request) -> bool:
        """Whether the post carries the token; without one, all may."""
        if self._token is None:
            return True
        header = self._settings.token_header
        return is_carried(
            self._token,
            request.headers.get(header, ""),
            is_authorization=header.lower() == "authorization",
        )

    def _refused(self, error: Exception) -> web.Response:
        """Return what is said of a body that could not be taken."""
        match error:
            case TimeoutError():
                close = {"Connection": "close"}
                return self._refuse(408, f"a body has {READ_S:.0f} seconds", close)
            case TooLargeError():
                bound = self._settings.max_body_bytes
                return self._refuse(413, f"the bound of a body is {bound} bytes, unpacked", {})
            case FullError():
                later = {"Retry-After": _RETRY_AFTER_S}
                return self._refuse(429, "too many bytes of posts wait", later)
            case _:
                return self._refuse(415, str(error), {})

    def _refuse(self, status: int, reason: str, headers: dict[str, str]) -> web.Response:
        self._meter.add("http_refused", source=self._name, status=str(status))
        said = {"error": reason} | self._form.refusals.get(status, {})
        return web.json_response(said, status=status, headers=headers)


def _channel(request: web.Request) -> str:
    """Return the channel by which a sender of HEC asks to be told when its posts are indexed."""
    return request.headers.get("X-Splunk-Request-Channel", "") or request.query.get("channel", "")


def _listen(name: str, settings: HttpSettings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=256)
    except OSError as error:
        place = f"{settings.host} port {settings.port}"
        raise SettingsError(f"source {name}: cannot listen on {place}: {error.strerror}") from error


SOURCE = SourceType("http", HttpSettings, HttpSource)
