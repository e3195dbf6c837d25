"""The bulk writer: documents in, acknowledgements out, nothing lost and nothing older written over anything newer.

It returns when every document is acknowledged or refused for a fault of its own. All else (a node away, 429, a shard not
available, an index that cannot be made) is tried again with growing pauses until `elastic.patience` has passed; then it raises and
who called keeps its position and calls again with the same documents, which is harmless: a document's id is its record's,
`create` meets what is there with 409, and external versions refuse what is older. Source: Elasticsearch 9.4, bulk API.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from contract.errors import IndexingError
from contract.ids import derive_id
from contract.ports import Meter
from contract.records import DeadLetter
from runtime.elastic.body import Document, requests
from runtime.elastic.client import explained
from runtime.elastic.settings import ElasticSettings

_CREATED: Final = range(200, 300)
_THERE: Final = 409
_BAD: Final = 400
_TOO_LARGE: Final = 413
_BUSY: Final = frozenset({429, 502, 503, 504})
_NOT_THE_DOCUMENT: Final = frozenset(
    {"validation_exception", "index_not_found_exception", "cluster_block_exception"}
)
"""Causes of 400 that lie in the cluster: no shard can be added, no index made."""
_FIRST_PAUSE_S: Final = 0.1
_REASON_LENGTH: Final = 1_000
_PATH: Final = "/_bulk?filter_path=errors,items.*.status,items.*.error"
_HEADERS: Final = {
    "content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
    "accept": "application/vnd.elasticsearch+json; compatible-with=9",
}

STAGE: Final = "index"
"""`DeadLetter.stage` of documents that the index refused."""
SOURCE: Final = "opsonin.index"


@dataclass(slots=True, frozen=True)
class Refusal:
    """A document that the index will never take, and why."""

    document: Document
    reason: str

    def dead_letter(self, time: datetime, most_bytes: int) -> DeadLetter:
        """Return it as a dead letter; the same document refused again has the same id.

        Args:
            time: when it was refused.
            most_bytes: of the document, kept.
        """
        one = self.document
        return DeadLetter(
            id=derive_id("dead_letter", STAGE, one.index, one.id, str(one.version or 0)),
            time=time,
            stage=STAGE,
            source=SOURCE,
            adapter="generic.ecs",
            reason=self.reason,
            raw=one.json[:most_bytes],
            size_bytes=len(one.json),
            truncated=len(one.json) > most_bytes,
        )


@dataclass(slots=True)
class Written:
    """What became of one call's documents.

    Attributes:
        taken: new, or newer than what was there.
        repeated: there already, or something newer was.
        refused: for a fault of their own.
        retries: requests that were sent again.
    """

    taken: int = 0
    repeated: int = 0
    refused: list[Refusal] = field(default_factory=list)
    retries: int = 0

    def add(self, other: Written) -> None:
        """Take in what became of others."""
        self.taken += other.taken
        self.repeated += other.repeated
        self.refused += other.refused
        self.retries += other.retries


class BulkWriter:
    """Writes documents from one thread at a time, over several connections.

    Args:
        client: made by `runtime.elastic.client.connect`; retries nothing itself.
        settings: batches, patience.
        meter: `index_documents_total` by result, `index_retries_total`.
    """

    def __init__(self, client: Elasticsearch, settings: ElasticSettings, meter: Meter) -> None:
        self._client = client
        self._settings = settings
        self._meter = meter
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(settings.in_flight, "bulk")

    def write(self, documents: Sequence[Document]) -> Written:
        """Return when each document is acknowledged or refused.

        Raises:
            IndexingError: not all were by the end of `elastic.patience`, the API key lacks a right, or `stop` was called;
                any of them may have been written.
        """
        deadline = time.monotonic() + self._settings.patience.total_seconds()
        parts = list(
            requests(documents, self._settings.batch_documents, self._settings.batch_bytes)
        )
        total = Written()
        if len(parts) == 1:
            total = self._deliver(parts[0], deadline)
        else:
            for one in self._pool.map(lambda part: self._deliver(part, deadline), parts):
                total.add(one)
        for result, amount in (
            ("taken", total.taken),
            ("repeated", total.repeated),
            ("refused", len(total.refused)),
        ):
            if amount:
                self._meter.add("index_documents_total", amount, result=result)
        if total.retries:
            self._meter.add("index_retries_total", total.retries)
        return total

    def stop(self) -> None:
        """Let a `write` under way in another thread give up at its next pause."""
        self._stopping.set()

    def close(self) -> None:
        """Give up, and let go of threads and connections."""
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def _deliver(self, part: Sequence[Document], deadline: float) -> Written:
        done = Written()
        pause = _FIRST_PAUSE_S
        while part:
            reason = "Elasticsearch is busy"
            try:
                items = self._send(part)
            except _SplitError as error:
                done.add(self._split(part, str(error), deadline))
                return done
            except _AgainError as error:
                reason = str(error)
            else:
                left = _sorted(part, items, done)
                if len(left) < len(part):
                    pause = _FIRST_PAUSE_S
                part = left
            if not part:
                break
            done.retries += 1
            if self._stopping.is_set() or time.monotonic() + pause > deadline:
                raise IndexingError(f"{len(part)} documents were not acknowledged: {reason}")
            self._stopping.wait(pause)
            pause = min(2 * pause, self._settings.retry_most.total_seconds())
        return done

    def _split(self, part: Sequence[Document], reason: str, deadline: float) -> Written:
        """Deliver the halves of a request that was refused as a whole; a single document is what is refused."""
        if len(part) == 1:
            return Written(refused=[Refusal(part[0], reason)])
        middle = len(part) // 2
        done = self._deliver(part[:middle], deadline)
        done.add(self._deliver(part[middle:], deadline))
        return done

    def _send(self, part: Sequence[Document]) -> list[Mapping[str, Any]]:
        body = b"".join([one.lines() for one in part])
        try:
            answer = self._client.perform_request("POST", _PATH, headers=_HEADERS, body=body)
        except ApiError as error:
            status, ours = error.meta.status, explained(error)
            if status in {_TOO_LARGE, _BAD}:
                raise _SplitError(str(ours)) from error
            if status in _BUSY:
                raise _AgainError(str(ours)) from error
            raise ours from error
        except TransportError as error:
            raise _AgainError(str(explained(error))) from error
        body_of = answer.body
        if not isinstance(body_of, dict) or len(body_of.get("items", ())) != len(part):
            raise _AgainError("Elasticsearch's answer does not name every document")
        items: list[Mapping[str, Any]] = body_of["items"]
        return items


class _SplitError(Exception):
    """The request as a whole is too long, or something in it cannot be read."""


class _AgainError(Exception):
    """The request may succeed later."""


def _sorted(
    part: Sequence[Document], items: Sequence[Mapping[str, Any]], done: Written
) -> list[Document]:
    """Add each item's result to `done`; return those to be sent again.

    Raises:
        IndexingError: the API key lacks a right; waiting does not mend it.
    """
    again = []
    for one, item in zip(part, items, strict=True):
        ((_, result),) = item.items()
        status = result["status"]
        if status in _CREATED:
            done.taken += 1
        elif status == _THERE:
            done.repeated += 1
        elif status in {_BAD, _TOO_LARGE} and _is_at_fault(result.get("error", {})):
            done.refused.append(Refusal(one, _reason(result.get("error", {}))))
        elif result.get("error", {}).get("type") == "security_exception":
            raise IndexingError(
                f"the API key lacks a right, see docs/elasticsearch.md: {_reason(result['error'])}"
            )
        else:
            again.append(one)
    return again


def _is_at_fault(error: Mapping[str, Any]) -> bool:
    return error.get("type") not in _NOT_THE_DOCUMENT


def _reason(error: Mapping[str, Any]) -> str:
    words = f"{error.get('type', 'refused')}: {error.get('reason', 'no reason given')}"
    cause = error.get("caused_by")
    if isinstance(cause, Mapping) and cause.get("reason"):
        words += f" ({cause['reason']})"
    return words[:_REASON_LENGTH]
