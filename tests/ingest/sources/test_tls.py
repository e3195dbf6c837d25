"""Syslog and HTTP over TLS, with and without client certificates."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from contract.errors import SettingsError
from contract.meter import MemoryMeter
from ingest.sources.http import HttpSettings, HttpSource
from ingest.sources.syslog_tcp import SyslogTcp, SyslogTcpSettings
from ingest.streams.tls import TlsSettings, server_context
from tests.conftest import PATIENCE_S, until

START = datetime(2020, 1, 1, tzinfo=UTC)


def issue(
    folder: Path,
    name: str,
    issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None,
    days: int = 36500,
) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    """Write `name`.pem with certificate and key; self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, by_key = issuer or (subject, key)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(START).not_valid_after(START + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )  # fmt: skip
    pem = builder.sign(by_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem + secret)
    return subject, key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = issue(tmp_path, "ca")
    for name in ("server", "client"):
        issue(tmp_path, name, authority)
    issue(tmp_path, "expired", authority, days=30)
    issue(tmp_path, "stranger")
    return tmp_path


def client(folder: Path, certificate: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.pem")
    return context


async def received(settings: SyslogTcpSettings, context: ssl.SSLContext) -> list[bytes]:
    """Send two records; return what was heard of them, once they have come or the connection was refused."""
    meter = MemoryMeter()
    source = SyslogTcp("gw", settings, meter, lambda: 0)
    found: list[bytes] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            found.extend(batch.records)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.05)
        try:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", source.port, ssl=context, server_hostname="localhost"
            )
            writer.write(b"5 <1>a\n<2>b\n")
            await writer.drain()
            writer.close()
        except OSError:
            pass  # refused during the handshake; what was received tells
        await until(lambda: len(found) == 2 or meter.total("dropped_connections"))
        await source.close()
    return found


def test_records_come_over_tls(folder: Path) -> None:
    settings = SyslogTcpSettings(port=0, tls=TlsSettings(certificate=folder / "server.pem"))
    assert asyncio.run(received(settings, client(folder))) == [b"<1>a", b"<2>b"]


@pytest.mark.parametrize(
    ("certificate", "expected"), [("client", [b"<1>a", b"<2>b"]), ("stranger", []), ("", [])]
)
def test_only_peers_of_the_named_authority_are_heard(
    folder: Path, certificate: str, expected: list[bytes]
) -> None:
    tls = TlsSettings(certificate=folder / "server.pem", client_ca=folder / "ca.pem")
    settings = SyslogTcpSettings(port=0, tls=tls)
    assert asyncio.run(received(settings, client(folder, certificate))) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [(("client",), 2), (("LOCALHOST",), 2), (("other", "*.example.com"), 0)],
)
def test_only_certificates_of_the_named_peers_are_heard(
    folder: Path, names: tuple[str, ...], expected: int
) -> None:
    tls = TlsSettings(
        certificate=folder / "server.pem", client_ca=folder / "ca.pem", client_names=names
    )
    settings = SyslogTcpSettings(port=0, tls=tls)
    assert len(asyncio.run(received(settings, client(folder, "client")))) == expected


def test_names_without_an_authority_are_refused(folder: Path) -> None:
    with pytest.raises(ValidationError, match="client_names needs client_ca"):
        TlsSettings(certificate=folder / "server.pem", client_names=("a",))


async def _behind_a_proxy(folder: Path) -> list[tuple[str, list[bytes]]]:
    tls = TlsSettings(certificate=folder / "server.pem")
    settings = SyslogTcpSettings.model_validate({"port": 0, "tls": tls, "proxies": ["127.0.0.0/8"]})
    source = SyslogTcp("gw", settings, MemoryMeter(), lambda: 0)
    found: list[tuple[str, list[bytes]]] = []

    async def pull() -> None:
        async for batch in source.batches(None):
            found.append((batch.sender, batch.records))  # noqa: PERF401 - read while it grows

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        with socket.socket() as opened:
            opened.setblocking(False)
            await loop.sock_connect(opened, ("127.0.0.1", source.port))
            # Header and the client's first TLS message in one piece, and the header in two.
            await loop.sock_sendall(opened, b"PROXY TCP4 203.0.113.9 192.0.2.1")
            await asyncio.sleep(0.05)
            await loop.sock_sendall(opened, b" 1 2\r\n")
            _, writer = await asyncio.open_connection(
                sock=opened, ssl=client(folder), server_hostname="localhost"
            )
            writer.write(b"<1>a\n")
            await writer.drain()
            writer.close()
            await until(lambda: found)
        await source.close()
    return found


def test_tls_begins_behind_the_proxy_s_header(folder: Path) -> None:
    assert asyncio.run(_behind_a_proxy(folder)) == [("203.0.113.9", [b"<1>a"])]


def test_versions_before_1_2_are_refused(folder: Path) -> None:
    context = server_context(TlsSettings(certificate=folder / "server.pem"), "source gw")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_missing_or_wrong_file_is_a_settings_error(folder: Path) -> None:
    for wrong in (folder / "none.pem", folder):
        with pytest.raises(SettingsError, match="source gw: tls"):
            server_context(TlsSettings(certificate=wrong), "source gw")


async def _posted(tls: TlsSettings, context: ssl.SSLContext) -> tuple[int, MemoryMeter]:
    meter = MemoryMeter()
    source = HttpSource("web", HttpSettings(port=0, tls=tls), meter, lambda: 0)

    async def pull() -> None:
        async for batch in source.batches(None):
            source.confirm(batch.position)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(pull())
        await asyncio.sleep(0.05)
        url = f"https://127.0.0.1:{source.port}/"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=b"{}", ssl=context, server_hostname="localhost") as answer,
        ):
            status = answer.status
        await source.close()
    return status, meter


@pytest.mark.parametrize(("name", "expected"), [("client", 200), ("another", 403)])
def test_posts_are_taken_of_certificates_of_the_named_peers(
    folder: Path, name: str, expected: int
) -> None:
    tls = TlsSettings(
        certificate=folder / "server.pem", client_ca=folder / "ca.pem", client_names=(name,)
    )
    status, meter = asyncio.run(_posted(tls, client(folder, "client")))
    assert status == expected
    assert meter.total("records_read") == (expected == 200)


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [("expired", "certificate"), ("stranger", "certificate"), ("", "certificate"), (None, "tls")],
)
@pytest.mark.parametrize("transport", [SyslogTcp, HttpSource])
def test_why_a_peer_was_turned_away_is_counted(
    folder: Path, transport: type[SyslogTcp | HttpSource], certificate: str | None, reason: str
) -> None:
    tls = TlsSettings(certificate=folder / "server.pem", client_ca=folder / "ca.pem")
    settings = HttpSettings if transport is HttpSource else SyslogTcpSettings
    meter = MemoryMeter()

    async def run() -> None:
        source = transport("gw", settings(port=0, tls=tls), meter, lambda: 0)  # type: ignore[arg-type]
        pulled = asyncio.ensure_future(anext(aiter(source.batches(None)), None))
        await asyncio.sleep(0.05)
        with contextlib.suppress(OSError):
            context = None if certificate is None else client(folder, certificate)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", source.port, ssl=context, server_hostname=context and "localhost"
            )
            writer.write(b"<13>no greeting\n")
            await reader.read()  # until it is hung up
            writer.close()
        while not meter.total("dropped_connections"):  # noqa: ASYNC110 - it is counted without an event to wait for
            await asyncio.sleep(0.01)
        await source.close()
        await pulled

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    assert [labels for (_, labels) in meter.values] == [(("reason", reason), ("source", "gw"))]
