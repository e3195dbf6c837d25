"""Chains, alerts, decisions and outcomes as they stand in Elasticsearch, for people who read them: newest revisions only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from contract.records import Alert, Chain, Decision, Outcome
from contract.timestamps import from_datetime, iso
from correlate.chain.why import holders
from runtime.elastic.client import explained
from runtime.elastic.fields import KEPT
from runtime.elastic.templates import index_name

Body: TypeAlias = dict[str, Any]

MOST: Final = 10_000
"""Records of a listing, the newest; as many as the server gives for one question."""
_ID: Final = "event.id"
_BY_ID: Final[Body] = {_ID: {"order": "asc"}}
_NEWEST: Final[tuple[Body, ...]] = ({"@timestamp": {"order": "desc"}}, _BY_ID)

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

    def worst(self, limit: int) -> tuple[list[Chain], int]:
        """Return chains that hold alerts, the highest score first, and how many there are."""
        holding = {"range": {"opsonin.chain.alert_count": {"gt": 0}}}
        score = [{"opsonin.chain.score": {"order": "desc"}}, _BY_ID]
        found = self._records(Chain, holding, min(limit, MOST), score)
        return found, self._count("chain", holding)

    def chain(self, id: str) -> Chain | None:
        """Return the only chain whose id begins so."""
        return self._one(Chain, id)

    def alert(self, id: str) -> Alert | None:
        """Return the only alert whose id begins so."""
        return self._one(Alert, id)

    def holders(self, alerts: Collection[str]) -> dict[str, str]:
        """Return the ids of the chains that hold alerts, by alert."""
        holding = {"terms": {"opsonin.chain.alerts": list(alerts)}}
        return holders(self._records(Chain, holding, MOST), alerts)

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

    def decisions(self, *, state: str = "", chain: str = "", limit: int) -> list[Decision]:
        """Return at most `MOST` decisions, newest first, in a state and of a chain where they are not empty."""
        asked = {"opsonin.decision.state": state, "opsonin.chain.id": chain}
        terms = [{"term": {name: value}} for name, value in asked.items() if value]
        return self._records(Decision, {"bool": {"filter": terms}}, min(limit, MOST))

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

    def _records(
        self, type: type[Kept], query: Body, limit: int, order: Sequence[Body] = _NEWEST
    ) -> list[Kept]:
        kind = type.model_fields["kind"].default
        found = self._documents(kind, query, limit, order)
        return [type.model_validate(one[KEPT]) for one in found]

    def _documents(
        self, kind: str, query: Body, limit: int, order: Sequence[Body] = _NEWEST
    ) -> list[dict[str, Any]]:
        with _translated():
            answer = self._client.search(
                index=index_name(kind, self._namespace),
                ignore_unavailable=True,
                query=query,
                sort=list(order),
                size=limit,
                track_total_hits=False,
            )
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    def _count(self, kind: str, query: Body) -> int:
        with _translated():
            answer = self._client.count(
                index=index_name(kind, self._namespace), ignore_unavailable=True, query=query
            )
        return int(answer["count"])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ApiError, TransportError) as error:
        raise explained(error) from error


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
