"""TLS, an API key by file, and the rights that docs/elasticsearch.md names: enough, and no more than needed."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from elastic_server import ElasticServer
from elasticsearch import Elasticsearch

from contract.errors import IndexingError
from contract.meter import MemoryMeter
from contract.timestamps import to_datetime
from runtime import clock
from runtime.elastic import setup
from runtime.elastic.body import document
from runtime.elastic.bulk import BulkWriter
from runtime.elastic.client import connect
from runtime.elastic.settings import ElasticSettings
from runtime.query import indexed
from runtime.query.request import request
from tests.conftest import PATIENCE_S
from tests.elastic.api_keys import OURS, READER, SETUP, WRITER
from tests.elastic.conftest import require_server, settings_for
from tests.elastic.making import alert, event

PASSWORD = secrets.token_urlsafe()


def certificates() -> dict[str, bytes]:
    """Return an authority, and a certificate for 127.0.0.1 that it signed, as PEM files."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    node = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    now = to_datetime(clock.now_us())

    def signed(name: x509.Name, public: Any, *extensions: tuple[Any, bool]) -> bytes:
        made = x509.CertificateBuilder(
            issuer_name=ca,
            subject_name=name,
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=1),
            not_valid_after=now + timedelta(days=1),
        )
        for extension, is_critical in extensions:
            made = made.add_extension(extension, critical=is_critical)
        return made.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    issuer = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
    return {
        "ca.crt": signed(
            ca,
            ca_key.public_key(),
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (usage, True),
            (issuer, False),
        ),
        "node.crt": signed(node, key.public_key(), (names, False), (own, False)),
        "node.key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }


def password_hash(password: str) -> str:
    """Return the form in which Elasticsearch's file realm keeps PBKDF2."""
    salt = secrets.token_bytes(32)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 10_000, 32)
    return f"{{PBKDF2}}10000${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


class Secured:
    """A server with TLS and users, and an administrator's client."""

    def __init__(self, server: ElasticServer, ca: Path) -> None:
        self.url = server.url
        self.ca = ca
        self.admin = Elasticsearch(
            server.url, ca_certs=str(ca), basic_auth=("admin", PASSWORD), request_timeout=PATIENCE_S
        )

    def settings(self, role: dict[str, Any], namespace: str, folder: Path) -> ElasticSettings:
        """Return settings with a new API key of this role, in a file."""
        key = self.admin.security.create_api_key(name="test", role_descriptors={"role": role})
        path = folder / "key"
        path.write_text(key["encoded"] + "\n")
        return settings_for(self.url, ca=self.ca, api_key_file=path, namespace=namespace)


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require_server()
    files = certificates()
    ca = tmp_path_factory.mktemp("secure") / "ca.crt"
    ca.write_bytes(files["ca.crt"])
    files["users"] = f"admin:{password_hash(PASSWORD)}\n".encode()
    files["users_roles"] = b"superuser:admin\n"
    settings: dict[str, object] = {
        "xpack.security.enabled": True,
        "xpack.security.authc.api_key.enabled": True,
    }
    for side in ("http", "transport"):
        settings |= {
            f"xpack.security.{side}.ssl.enabled": True,
            f"xpack.security.{side}.ssl.certificate": "node.crt",
            f"xpack.security.{side}.ssl.key": "node.key",
            f"xpack.security.{side}.ssl.certificate_authorities": "ca.crt",
        }
    with ElasticServer(settings=settings, files=files) as server:
        made = Secured(server, ca)
        yield made
        made.admin.close()


def test_the_rights_of_the_docs_are_enough_for_each_role_and_no_more(
    secure_server: Secured, tmp_path: Path
) -> None:
    writes, sets_up, reads = (
        secure_server.settings(role, "secured", folder(tmp_path, name))
        for name, role in (("writer", WRITER), ("setup", SETUP), ("reader", READER))
    )
    with pytest.raises(IndexingError, match=r"403.*lacks a right"):
        setup.apply(connect(writes), writes)
    setup.apply(connect(sets_up), sets_up)
    assert setup.check(connect(sets_up), sets_up) == []
    writer = BulkWriter(connect(writes), writes, MemoryMeter())
    records = [document(event(1), "secured"), document(alert(2), "secured")]
    assert writer.write(records).taken == 2
    assert writer.write([document(alert(3), "secured")]).taken == 1
    writer.close()
    secure_server.admin.indices.refresh(index=OURS)
    found = indexed.search(connect(reads), "secured", request("", "alert", 0))
    assert [hit.document["opsonin.alert.revision"] for hit in found] == [3]
    refused = BulkWriter(connect(reads), reads, MemoryMeter())
    with pytest.raises(IndexingError, match="lacks a right"):
        refused.write(records)
    refused.close()
    with pytest.raises(IndexingError, match="403"):
        list(indexed.search(connect(writes), "secured", request("", "alert", 0)))


def test_a_wrong_key_and_a_strange_authority_are_said(
    secure_server: Secured, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(base64.b64encode(b"nobody:nothing").decode())
    wrong = settings_for(secure_server.url, ca=secure_server.ca, api_key_file=key)
    with pytest.raises(IndexingError, match=r"401.*api_key_file"):
        setup.check(connect(wrong), wrong)
    unknown = settings_for(secure_server.url)
    with pytest.raises(IndexingError, match="certificate"):
        setup.check(connect(unknown), unknown)


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
