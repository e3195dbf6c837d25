"""The console's web pages over HTTP: chains with their evidence, alerts, policy. They show and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Final

from aiohttp import web

from console.chain_view import FORMATS
from console.pages import STATES, Pages
from contract.errors import OpsoninError

AT_ONCE: Final = 2
"""Pages in the making; further ones wait, so that readers do not slow the engine beside them."""
_MEDIA: Final = {
    "svg": "image/svg+xml",
    "markdown": "text/markdown",
    "attack-flow": "application/stix+json",
    "navigator": "application/json",
}
_PLAIN: Final = "text/plain"


def add_pages(app: web.Application, pages: Pages) -> None:
    """Add the pages to an application: `/`, `/chains`, `/chains/ID`, `/chains/ID/FORM`, `/alerts/ID`, `/policy`, `/policy/ID`."""
    served = _Served(pages)
    add = app.router.add_get
    add("/", served.first)
    add("/style.css", served.style)
    add("/chains", served.chains)
    add("/chains/{id}", served.chain)
    add("/chains/{id}/{form}", served.chain_as)
    add("/alerts/{id}", served.alert)
    add("/policy", served.policy)
    add("/policy/{id}", served.decision)


class _Served:
    """Answers requests with pages, made in threads."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._style = files("console").joinpath("templates", "style.css").read_text("utf-8")
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def first(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("chains")

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(text=self._style, content_type="text/css")

    async def chains(self, _: web.Request) -> web.Response:
        return await self._made(self._pages.chains, "")

    async def chain(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        return await self._made(lambda: self._pages.chain(id), "../")

    async def chain_as(self, request: web.Request) -> web.Response:
        id, form = request.match_info["id"], request.match_info["form"]
        if form not in FORMATS:
            return self._absent(f"expected one of {', '.join(FORMATS)}", "../../")
        answer = await self._made(lambda: self._pages.chain_as(id, form), "../../")
        if answer.status == web.HTTPOk.status_code:
            answer.content_type = _MEDIA.get(form, _PLAIN)
        return answer

    async def alert(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        return await self._made(lambda: self._pages.alert(id), "../")

    async def policy(self, request: web.Request) -> web.Response:
        state = request.query.get("state", "")
        if state not in ("", *STATES):
            return self._absent(f"expected a state of {', '.join(STATES)}", "")
        return await self._made(lambda: self._pages.policy(state), "")

    async def decision(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        return await self._made(lambda: self._pages.decision(id), "../")

    async def _made(self, make: Callable[[], str | None], root: str) -> web.Response:
        async with self._turn:
            try:
                text = await asyncio.to_thread(make)
            except OpsoninError as error:
                return _html(self._pages.absent("Cannot be read", str(error), root), 503)
        if text is None:
            said = "no record, or several, has an id that begins so; it may be past what is kept"
            return self._absent(said, root)
        return _html(text)

    def _absent(self, said: str, root: str) -> web.Response:
        return _html(self._pages.absent("Not found", said, root), 404)


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status)
