"""Searches Elasticsearch: the same requests as the embedded store answers, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from contract.timestamps import iso
from runtime.elastic.client import explained
from runtime.elastic.templates import index_name
from runtime.query.elastic import runtime_mappings, translate
from runtime.query.request import Hit, Request

_PAGE: Final = 1_000


def search(client: Elasticsearch, namespace: str, request: Request) -> Iterator[Hit]:
    """Yield what is found, the newest first, page after page.

    What arrives meanwhile may be seen or not; nothing is seen twice, since ids order what time does not.

    Raises:
        IndexingError: not reached, or refused.
    """
    left = request.limit
    after: list[Any] | None = None
    while left > 0:
        size = min(left, _PAGE)
        hits = _page(client, namespace, request, size, after)
        for hit in hits:
            yield Hit(hit["_id"], hit["_source"])
        if len(hits) < size:
            return
        left -= size
        after = hits[-1]["sort"]


def _page(
    client: Elasticsearch, namespace: str, request: Request, size: int, after: list[Any] | None
) -> list[dict[str, Any]]:
    span = {"gte": iso(request.first_us), "lte": iso(request.last_us)}
    clause = translate(request.query, request.fields, request.now_us)
    try:
        answer = client.search(
            index=index_name(request.kind, namespace),
            ignore_unavailable=True,
            query={"bool": {"filter": [{"range": {"@timestamp": span}}, clause]}},
            runtime_mappings=runtime_mappings(request.fields),
            sort=[{"@timestamp": {"order": "desc"}}, {"event.id": {"order": "asc"}}],
            search_after=after,
            size=size,
            track_total_hits=False,
        )
    except (ApiError, TransportError) as error:
        raise explained(error) from error
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits
