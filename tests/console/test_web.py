"""The console's pages: what they show of a chain, whom they let in, and what attackers' values become in them."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from pydantic import ValidationError
from typing_extensions import override

from console.chain_view import FORMATS
from console.pages import MOST, Pages
from console.web import add_pages
from contract.errors import StoreError
from contract.meter import MemoryMeter
from contract.records import Alert, Chain, Decision, Outcome, Target
from correlate.chain.settings import LinkSettings
from correlate.chain.why import holders
from runtime.metrics import PrometheusMeter
from runtime.web import Faces, told_app
from runtime.web_access import WebSettings
from tests.console.test_chain_view import ALERTS, CHAIN, START

DECISION = Decision(
    id="d" * 24, revision=2, chain=CHAIN.id, playbook="deny_source", action="deny",
    target=Target(type="ipv4_net", value="203.0.113.7/32"), points=("gateway",), made=START,
    expires=START + timedelta(hours=1), state="proposed", reason="<b>score</b> 9, 5 is asked",
)  # fmt: skip
OUTCOME = Outcome(
    id="o1", decision=DECISION.id, revision=1, point="gateway", result="failed", time=START, detail="no such <set>",
)  # fmt: skip
ODD = ALERTS[0].model_copy(update={"id": "../policy?x=1#é", "techniques": ("T9999",)})


class Shelf:
    """Records in memory; `fault` is raised instead of any answer."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.known: list[Chain] = [CHAIN]

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        if self.fault:
            raise self.fault
        found = [one for one in self.known if one.alerts]
        return found[:limit], len(found)

    def chain(self, id: str) -> Chain | None:
        return next((one for one in self.known if one.id.startswith(id)), None)

    def alerts(self, chain: Chain) -> list[Alert]:
        return ALERTS

    def alert(self, id: str) -> Alert | None:
        return next((one for one in (*ALERTS, ODD) if one.id == id), None)

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        return holders(self.known, alerts)

    def decisions(self, *, state: str = "", chain: str = "", limit: int) -> list[Decision]:
        return [DECISION] if state in ("", DECISION.state) else []

    def revisions(self, id: str) -> list[Decision]:
        return [DECISION] if DECISION.id.startswith(id) else []

    def outcomes(self, decision: str) -> list[Outcome]:
        return [OUTCOME]


class Seen(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "href" and value:
                self.links.append(value)


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    return parser


Ask = Callable[..., Awaitable[ClientResponse]]


def served(
    told: Callable[[Ask], Awaitable[None]],
    *,
    shelf: Shelf | None = None,
    meter: MemoryMeter | None = None,
    trust: ssl.SSLContext | None = None,
    **settings: Any,
) -> None:
    """Serve the pages on a free port and run a dialogue with them."""

    async def run() -> None:
        web = WebSettings(port=0, **settings)
        app = told_app(PrometheusMeter(), lambda: (True, {"ready": True}))
        add_pages(app, Pages(shelf or Shelf(), LinkSettings()))
        faces = Faces()
        try:
            port = await faces.listen_tcp(app, web, meter or MemoryMeter())
            base = f"{'https' if web.tls else 'http'}://127.0.0.1:{port}"
            async with ClientSession(connector=TCPConnector(ssl=trust or True)) as client:

                async def ask(path: str, **how: Any) -> ClientResponse:
                    answer = await client.get(base + path, **how)
                    await answer.read()
                    return answer

                await told(ask)
        finally:
            await faces.close()

    asyncio.run(run())


PAGES = ("/chains", f"/chains/{CHAIN.id}", "/alerts/a", "/policy", f"/policy/{DECISION.id}")


def test_every_link_of_every_page_leads_to_a_page() -> None:
    async def told(ask: Ask) -> None:
        checked = set()
        for path in ("/", *PAGES):
            page = await ask(path)
            assert page.status == 200
            for link in seen(await page.text()).links:
                to = page.url.join(type(page.url)(link))
                if to not in checked:
                    checked.add(to)
                    answer = await ask(to.raw_path_qs)
                    assert answer.status == 200, to
        assert len(checked) > 10

    served(told)


@pytest.mark.parametrize("path", PAGES)
def test_what_an_attacker_wrote_is_text_and_no_page_runs_anything(path: str) -> None:
    async def told(ask: Ask) -> None:
        answer = await ask(path)
        found = seen(await answer.text())
        assert not found.tags & {"script", "iframe", "object", "form", "b", "set", "img"}
        assert not {one for one in found.attributes if one.startswith("on")} | found.attributes & {
            "style"
        }
        assert "\x1b" not in await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"

    served(told)


def test_a_chain_shows_each_link_with_its_evidence_and_what_falls_apart_without_it() -> None:
    async def told(ask: Ask) -> None:
        page = await (await ask(f"/chains/{CHAIN.id[:6]}")).text()
        for link in CHAIN.links:
            assert link.evidence in page
        for words in ("falls into", "Expected next", "Exploit", "T1190", "<svg", DECISION.id[:8]):
            assert words in page

    served(told)


def test_a_chain_is_taken_along_in_every_form() -> None:
    async def told(ask: Ask) -> None:
        for form in FORMATS:
            answer = await ask(f"/chains/{CHAIN.id}/{form}")
            assert answer.status == 200, form
            assert answer.content_type != "text/html"
        assert (await ask(f"/chains/{CHAIN.id}/pdf")).status == 404

    served(told)


def test_a_chain_that_another_took_in_leads_there() -> None:
    shelf = Shelf()
    shelf.known.append(
        CHAIN.model_copy(update={"id": "gone", "alerts": (), "merged_into": CHAIN.id})
    )

    async def told(ask: Ask) -> None:
        assert f"chains/{CHAIN.id}" in await (await ask("/chains/gone")).text()
        assert "gone" not in await (await ask("/chains")).text()

    served(told, shelf=shelf)


def test_a_decision_shows_its_revisions_its_answers_and_how_to_say_a_word() -> None:
    async def told(ask: Ask) -> None:
        page = await (await ask(f"/policy/{DECISION.id}")).text()
        for words in (
            "no such &lt;set&gt;",
            "opsonin policy approve dddd",
            "opsonin policy reject",
            "203.0.113.7/32",
        ):
            assert words in page
        assert DECISION.id in await (await ask("/policy?state=proposed")).text()
        assert DECISION.id not in await (await ask("/policy?state=approved")).text()
        assert (await ask("/policy?state=odd")).status == 404

    served(told)


def test_an_id_that_a_sensor_made_up_is_one_part_of_a_path() -> None:
    async def told(ask: Ask) -> None:
        shelf.known = [CHAIN.model_copy(update={"alerts": (ODD.id,), "links": (), "stages": ()})]
        page = seen(await (await ask(f"/chains/{CHAIN.id}")).text())
        (link,) = [one for one in page.links if "alerts" in one][:1]
        assert link == "../alerts/..%2Fpolicy%3Fx%3D1%23%C3%A9"

    shelf = Shelf()
    served(told, shelf=shelf)


def test_what_is_unknown_or_cannot_be_read_is_said() -> None:
    async def told(ask: Ask) -> None:
        for path in (
            "/chains/none",
            "/alerts/none",
            "/policy/none",
            "/chains/none/text",
            "/nothing",
        ):
            assert (await ask(path)).status == 404
        answer = await ask("/chains")
        assert answer.status == 503
        assert "disk &lt;1&gt; is away" in await answer.text()

    served(told, shelf=Shelf(StoreError("disk <1> is away")))


def test_a_long_list_is_cut_and_says_how_much_more_there_is() -> None:
    shelf = Shelf()
    shelf.known = [CHAIN.model_copy(update={"id": f"c{number}"}) for number in range(MOST + 3)]

    async def told(ask: Ask) -> None:
        page = await (await ask("/chains")).text()
        assert page.count('href="chains/c') == MOST
        assert "3 more, less grave" in page

    served(told, shelf=shelf)


# ------------------------------------------------------------------ who is let in


def test_on_loopback_a_page_of_the_outer_web_cannot_look_in_by_its_own_name() -> None:
    meter = MemoryMeter()

    async def told(ask: Ask) -> None:
        for host in ("evil.example", "127.0.0.1.evil.example", "[::2]", "x@y:1:2", ""):
            assert (await ask("/chains", headers={"Host": host})).status == 403, host
            assert (await ask("/healthz", headers={"Host": host})).status == 200
        for host in ("localhost", "LOCALHOST:9464", "127.0.0.1:80", "[::1]:9464", "127.9.9.9"):
            assert (await ask("/chains", headers={"Host": host})).status == 200, host

    served(told, meter=meter)
    assert meter.total("web_refused_total") == 5


def test_with_a_token_browsers_and_prometheus_come_in_and_others_do_not(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    basic = base64.b64encode(b"anybody:s3cret").decode()

    async def told(ask: Ask) -> None:
        refused = await ask("/chains")
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        for path in ("/chains", "/metrics", "/style.css", "/nothing"):
            assert (await ask(path, headers={"Authorization": "Bearer s3cre"})).status == 401
        assert (await ask("/metrics", headers={"Authorization": "Bearer s3cret"})).status == 200
        answer = await ask(
            "/chains", headers={"Authorization": f"Basic {basic}", "Host": "siem.example"}
        )
        assert answer.status == 200
        assert (await ask("/healthz")).status == 200

    served(told, token_file=file)


def test_away_from_loopback_it_wants_tls_and_a_token_or_certificates(tmp_path: Path) -> None:
    token = tmp_path / "token"
    tls = {"certificate": tmp_path / "c.pem"}
    for wrong in ({}, {"token_file": token}, {"tls": tls}):
        with pytest.raises(ValidationError, match="not loopback"):
            WebSettings(host="0.0.0.0", **wrong)  # noqa: S104 - refused
    WebSettings(host="0.0.0.0", token_file=token, tls=tls)  # noqa: S104
    WebSettings(host="::", tls={**tls, "client_ca": tmp_path / "ca.pem"})
    with pytest.raises(ValidationError, match="an address to bind"):
        WebSettings(host="siem.example")


def test_it_speaks_tls(tmp_path: Path) -> None:
    pem = tmp_path / "web.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=web", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", tmp_path / "c.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + (tmp_path / "c.pem").read_text())
    trust = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))

    async def told(ask: Ask) -> None:
        assert (await ask("/chains")).status == 200

    served(told, trust=trust, tls={"certificate": pem})
