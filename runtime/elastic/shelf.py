"""Chains, alerts, decisions and outcomes as they stand in Elasticsearch, for people who read them: newest revisions only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from contract.records import Alert, Chain, Decision, Outcome
from contract.timestamps import from_datetime, iso
from runtime.elastic.client import explained
from runtime.elastic.fields import KEPT
from runtime.elastic.templates import index_name

MOST: Final = 10_000
"""Records of a listing, the newest; as many as the server gives for one question."""
_ID: Final = "event.id"

Kept = TypeVar("Kept", Alert, Chain, Decision)


class IndexShelf:
    """Reads what the index writer wrote; see `console.desks` for what each call gives.

    What was written within the last second may not be seen yet.

    Args:
        client: of the server; closed by its owner.
        namespace: the last part of the indices' names.
        near: around a chain, where `alerts` looks for others.
        most_near: so many of them at most.

    Raises:
        IndexingError: by every call, when the server is not reached or refuses.
    """

    def __init__(
        self, client: Elasticsearch, namespace: str, near: timedelta, most_near: int
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._near = near
        self._most_near = most_near

    def chains(self) -> Iterable[Chain]:
        """Return the newest `MOST` chains."""
        return self._records(Chain, {"match_all": {}}, MOST)

    def chain(self, id: str) -> Chain | None:
        """Return the only chain whose id begins so."""
        return self._one(Chain, id)

    def alert(self, id: str) -> Alert | None:
        """Return the only alert whose id begins so."""
        return self._one(Alert, id)

    def alerts(self, chain: Chain) -> list[Alert]:
        """Return the chain's alerts, and others of its time."""
        found: dict[str, Alert] = {}
        for start in range(0, len(chain.alerts), MOST):
            ids = list(chain.alerts[start : start + MOST])
            mine = self._records(Alert, {"ids": {"values": ids}}, MOST)
            found |= {one.id: one for one in mine}
        first, last = chain.first - self._near, chain.last + self._near
        span = {"gte": iso(from_datetime(first)), "lte": iso(from_datetime(last))}
        near = self._records(Alert, {"range": {"@timestamp": span}}, self._most_near)
        return list((found | {one.id: one for one in near}).values())

    def decisions(self) -> Iterable[Decision]:
        """Return the newest `MOST` decisions, newest first."""
        return self._records(Decision, {"match_all": {}}, MOST)

    def revisions(self, id: str) -> list[Decision]:
        """Return the newest revision alone: a newer document replaces the older."""
        found = self._one(Decision, id)
        return [] if found is None else [found]

    def outcomes(self, decision: str) -> list[Outcome]:
        """Return what enforcement points answered, newest first."""
        query = {"term": {"opsonin.decision.id": decision}}
        return [_outcome(one) for one in self._documents("outcome", query, MOST)]

    def _one(self, type: type[Kept], id: str) -> Kept | None:
        exact = self._records(type, {"ids": {"values": [id]}}, 1)
        found = exact or self._records(type, {"prefix": {_ID: id}}, 2)
        return found[0] if len(found) == 1 else None

    def _records(self, type: type[Kept], query: Mapping[str, Any], limit: int) -> list[Kept]:
        kind = type.model_fields["kind"].default
        return [type.model_validate(one[KEPT]) for one in self._documents(kind, query, limit)]

    def _documents(
        self, kind: str, query: Mapping[str, Any], limit: int
    ) -> Iterator[dict[str, Any]]:
        try:
            answer = self._client.search(
                index=index_name(kind, self._namespace),
                ignore_unavailable=True,
                query=query,
                sort=[{"@timestamp": {"order": "desc"}}, {_ID: {"order": "asc"}}],
                size=limit,
                track_total_hits=False,
            )
        except (ApiError, TransportError) as error:
            raise explained(error) from error
        for hit in answer["hits"]["hits"]:
            yield hit["_source"]


def _outcome(document: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a document, which holds all of its members."""
    return Outcome(
        id=document["event.id"],
        decision=document["opsonin.decision.id"],
        revision=document["opsonin.decision.revision"],
        point=document["opsonin.point"],
        result=document["opsonin.result"],
        time=document["@timestamp"],
        detail=document.get("event.reason", ""),
    )
