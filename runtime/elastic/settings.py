"""The `[elastic]` table: where Elasticsearch is, and how much is sent to it at a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.timespan import Timespan

_MIB = 1024 * 1024


class ElasticSettings(BaseModel):
    """Elasticsearch, where what came out is indexed for search and Kibana. Without `urls` nothing is sent anywhere.

    Attributes:
        urls: of the nodes, e.g. `["https://search.example:9200"]`; empty: no Elasticsearch.
        ca: PEM file of the authority that signed the nodes' certificates; none: the system's.
        api_key_file: file that holds the API key in its encoded form, and nothing else.
        namespace: the last part of all names of data streams and indices, e.g. `logs-opsonin.event-default`.
        setup: put the templates in place at the start when they are not there or older; otherwise only check them.
        plain_types: use only field types of the server's core (`keyword` for `wildcard` and `constant_keyword`, `text` for
            `match_only_text`, `float` for `scaled_float`), for servers without Elastic's own modules.
        replicas: copies of each shard beside the first; indices made from then on follow it.
        keep_events: data-stream lifecycle of events, outcomes and dead letters.
        batch_documents: most documents of one bulk request.
        batch_bytes: most bytes of one bulk request; a longer document goes alone.
        in_flight: bulk requests under way at a time.
        timeout: of one request.
        patience: a batch that is not acknowledged by then is reported as failed, and tried again by who sent it.
        retry_most: longest pause between two tries; they begin at a tenth of a second and double.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: tuple[str, ...] = ()
    ca: Path | None = None
    api_key_file: Path | None = None
    namespace: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9][a-z0-9_.]*$")] = "default"
    setup: bool = True
    plain_types: bool = False
    replicas: Annotated[int, Field(ge=0, le=10)] = 1
    keep_events: Timespan = timedelta(days=30)
    batch_documents: Annotated[int, Field(ge=1, le=50_000)] = 1_000
    batch_bytes: Annotated[int, Field(ge=1024, le=90 * _MIB)] = 5 * _MIB
    in_flight: Annotated[int, Field(ge=1, le=32)] = 2
    timeout: Timespan = timedelta(seconds=30)
    patience: Timespan = timedelta(minutes=1)
    retry_most: Timespan = timedelta(seconds=10)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"urls: expected http:// or https://, came {url!r}")
            if self.api_key_file is not None and not url.startswith(("https://", *_LOOPBACK)):
                raise ValueError(f"urls: an API key must not travel in the clear to {url}")
            if "@" in url:
                raise ValueError("urls: no password in a URL; use api_key_file")
        return self


_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")
