"""Bulk bodies: documents as NDJSON, cut into requests of bounded size. Pure.

The bytes that the engine made go out as they are: encoding them again would cost five times what the rest does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from contract.event import Event
from contract.records import Alert, Decision, Outcome
from contract.timestamps import iso
from runtime.elastic.documents import Indexed, document_of, kind_of, version_of
from runtime.elastic.templates import index_name

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@lru_cache(maxsize=64)
def _action(index: str, is_replaced: bool) -> bytes:
    verb = "index" if is_replaced else "create"
    return f'{{"{verb}":{{"_index":"{index}","_id":'.encode()


@dataclass(slots=True, frozen=True)
class Document:
    """One document on its way.

    Attributes:
        index: data stream or index.
        id: the record's; repeats collapse by it.
        json: one JSON object, as UTF-8.
        version: revision; None: made once, never changed.
    """

    index: str
    id: str
    json: bytes
    version: int | None = None

    def lines(self) -> bytes:
        """Return the two lines of a bulk body."""
        action = _action(self.index, self.version is not None) + _encode(self.id)
        if self.version is not None:
            action += b',"version":%d,"version_type":"external"' % self.version
        json = self.json
        if b"\n" in json:  # only JSON that others wrote has line ends between its tokens
            json = _encode(_decode(json))
        return b"%b}}\n%b\n" % (action, json)


def document(
    record: Indexed,
    namespace: str,
    decision: Decision | None = None,
    *,
    arrives_us: int | None = None,
) -> Document:
    """Return a record as it is sent.

    Args:
        record: an event, alert, chain, decision, outcome or dead letter.
        namespace: of the index names.
        decision: that an outcome answers, where it is at hand.
        arrives_us: wall clock, told of alerts: rules of Elastic Security look for what arrived since they ran last, and
            an alert's own time is its events'. Of a repeat the first stays.
    """
    index = index_name(kind_of(record), namespace)
    if isinstance(record, Event):
        return Document(index, record.id, record.json)
    fields = document_of(record, decision if isinstance(record, Outcome) else None)
    if arrives_us is not None and isinstance(record, Alert):
        fields["event.ingested"] = iso(arrives_us)
    return Document(index, record.id, _encode(fields), version_of(record))


def requests(
    documents: Iterable[Document], most_documents: int, most_bytes: int
) -> Iterator[Sequence[Document]]:
    """Cut documents into requests, in their order; one that is too long alone goes alone."""
    part: list[Document] = []
    size = 0
    for one in documents:
        # The action line of a short index name and id stays below this.
        length = len(one.json) + _ACTION_BYTES
        if part and (len(part) >= most_documents or size + length > most_bytes):
            yield part
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        yield part


_ACTION_BYTES = 200
