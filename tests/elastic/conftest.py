"""A real Elasticsearch for the tests of this folder: one a session, a namespace of its own each test.

`OPSONIN_ELASTIC=http://host:port` names a running one (9.x, without security) instead; tests that kill theirs then skip.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from elastic_package import missing
from elastic_server import ElasticServer
from elasticsearch import ApiError, Elasticsearch

from contract.meter import MemoryMeter
from runtime.elastic import setup
from runtime.elastic.bulk import BulkWriter
from runtime.elastic.client import connect
from runtime.elastic.settings import ElasticSettings
from runtime.elastic.templates import REPLACED, index_name
from tests.conftest import PATIENCE_S

GIVEN = os.environ.get("OPSONIN_ELASTIC", "")
_NEEDING = {"elastic_url", "own_server", "secure_server", "index", "module_index"}
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder that ask for a server are marked."""
    for item in items:
        if _NEEDING & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.elastic)


def require_server() -> None:
    """Skip, or fail where everything is required, when no server can be made."""
    require(missing())


def require(reason: str) -> None:
    """Skip, or fail where everything is required, when there is a reason."""
    if not reason:
        return
    if os.environ.get("OPSONIN_REQUIRE") == "all":
        pytest.fail(f"required by OPSONIN_REQUIRE=all: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def elastic_server() -> Iterator[ElasticServer]:
    """The one server of a run: starting one takes as long as most tests together."""
    require_server()
    with ElasticServer() as server:
        yield server


@pytest.fixture(scope="session")
def elastic_url(request: pytest.FixtureRequest) -> str:
    """The address of the server that all tests share."""
    if GIVEN:
        return GIVEN
    server: ElasticServer = request.getfixturevalue("elastic_server")
    return server.url


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[ElasticServer]:
    """The same server, for a test that kills it: nothing runs beside, and its data outlive it."""
    if GIVEN:
        pytest.skip("the server of OPSONIN_ELASTIC is not ours to kill")
    server: ElasticServer = request.getfixturevalue("elastic_server")
    yield server
    if not server.is_running:
        server.start()


def settings_for(url: str, **more: object) -> ElasticSettings:
    """Return settings with a namespace that no other test uses; the test server knows the core's types alone."""
    values: dict[str, object] = {
        "urls": [url],
        "namespace": f"t{os.getpid()}.{next(_numbers)}",
        "plain_types": True,
        "replicas": 0,
        "patience": "60s",
        "retry_most": "500ms",
    }
    return ElasticSettings.model_validate(values | more)


class Index:
    """One namespace of a server: templates in place, a writer, and questions to it."""

    def __init__(self, settings: ElasticSettings) -> None:
        self.settings = settings
        self.client: Elasticsearch = connect(settings)
        self.meter = MemoryMeter()
        setup.apply(self.client, settings)
        self.writer = BulkWriter(connect(settings), settings, self.meter)

    @property
    def names(self) -> str:
        return f"logs-opsonin.*-{self.settings.namespace}"

    def all(self, kind: str = "*") -> dict[str, dict[str, object]]:
        """Return every document by id, after a refresh."""
        name = f"logs-opsonin.{kind}-{self.settings.namespace}"
        self.client.indices.refresh(index=name, ignore_unavailable=True)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = self.client.search(index=name, size=10_000, ignore_unavailable=True)
                break
            except ApiError as refused:  # a stream that is made just now has no shard to ask yet
                if (
                    refused.status_code != HTTPStatus.SERVICE_UNAVAILABLE
                    or time.monotonic() > deadline
                ):
                    raise
                time.sleep(0.1)
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}

    def close(self) -> None:
        self.writer.close()
        for kind in REPLACED:
            self.client.indices.delete(index=index_name(kind, self.settings.namespace))
        self.client.close()


@pytest.fixture(scope="module")
def module_index(elastic_url: str) -> Iterator[Index]:
    """A namespace that the tests of a module share, where each may take ids of its own: a fresh one costs a second."""
    made = Index(settings_for(elastic_url))
    yield made
    made.close()


@pytest.fixture
def index(elastic_url: str) -> Iterator[Index]:
    """A fresh namespace of the shared server."""
    made = Index(settings_for(elastic_url))
    yield made
    made.close()
