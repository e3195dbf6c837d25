"""State of one partition in its changelog: a compacted topic, written in the same transaction as outputs and positions.

The key of a record is `[stage, key, part, chunk]` as JSON, its value the part's bytes; none says that the part is gone. A
part larger than a record may be is cut into chunks, whose number stands in the header of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition

from contract.errors import StoreError
from contract.topics import Topic
from ingest.streams.kafka_batches import Headers
from runtime.kafka.outlet import Sent
from runtime.stage_runner import Changes

log = structlog.get_logger()

Place: TypeAlias = tuple[str, str, str]
State: TypeAlias = dict[str, dict[str, dict[str, bytes]]]

_CHUNKS: Final = "chunks"
_POLL_MS: Final = 500
_READ_RECORDS: Final = 5_000
_encode = msgspec.json.Encoder().encode
_decode_key = msgspec.json.Decoder(tuple[str, str, str, int]).decode


def records_of(changes: Changes, topic: Topic, partition: int, chunk_bytes: int) -> Iterator[Sent]:
    """Yield the changelog's records of what changed. O(bytes)."""
    for place, data in changes.items():
        if data is None:
            yield Sent(topic, partition, _encode((*place, 0)), None)
            continue
        count = max(1, -(-len(data) // chunk_bytes))
        headers: Headers = [(_CHUNKS, b"%d" % count)] if count > 1 else []
        for number in range(count):
            chunk = data[number * chunk_bytes : (number + 1) * chunk_bytes]
            yield Sent(
                topic, partition, _encode((*place, number)), chunk, headers if not number else []
            )


class Assembly:
    """Puts a changelog's records together, in the order in which they were written."""

    def __init__(self) -> None:
        self._parts: dict[Place, bytes] = {}
        self._counts: dict[Place, int] = {}
        self._chunks: dict[Place, dict[int, bytes]] = {}
        self.records = 0

    def take(self, key: bytes, value: bytes | None, headers: Headers) -> None:
        """Take one record.

        Raises:
            StoreError: it is none of a changelog.
        """
        self.records += 1
        try:
            *place, number = _decode_key(key)
        except msgspec.DecodeError as error:
            raise StoreError(f"a changelog holds the key {key[:200]!r}: {error}") from error
        at: Place = (place[0], place[1], place[2])
        if number:
            self._chunks.setdefault(at, {})[number] = value or b""
            return
        count = int(dict(headers).get(_CHUNKS, b"1"))
        self._counts.pop(at, None)
        if value is None:
            self._parts.pop(at, None)
            return
        self._parts[at] = value
        if count > 1:
            self._counts[at] = count

    def state(self) -> State:
        """Return the state: stage to key to part.

        Raises:
            StoreError: a chunk of a part is not there.
        """
        state: State = {}
        for (stage, key, part), data in self._parts.items():
            whole = data
            if count := self._counts.get((stage, key, part)):
                chunks = self._chunks.get((stage, key, part), {})
                try:
                    whole = b"".join((data, *(chunks[number] for number in range(1, count))))
                except KeyError as error:
                    raise StoreError(
                        f"chunk {error} of {stage} {key!r} {part!r} is missing"
                    ) from error
            state.setdefault(stage, {}).setdefault(key, {})[part] = whole
        return state


def restore(
    reader: KafkaConsumer, ends: KafkaConsumer, topic: str, partition: int, limit_s: Any
) -> State:
    """Read a changelog's partition from its beginning to its end.

    Args:
        reader: without a group, sees committed records only.
        ends: the same, and sees all: what another worker is still committing is waited for.
        topic: name on the cluster.
        partition: of it.
        limit_s: called between reads; raises when it takes too long or the worker stops.

    Raises:
        StoreError: what stands there is no state.
        KafkaError: the brokers cannot be read.
    """
    place = TopicPartition(topic, partition)
    end = ends.end_offsets([place])[place]
    found = Assembly()
    reader.assign([place])
    reader.seek_to_beginning(place)
    while reader.position(place) < end:
        limit_s()
        for read in reader.poll(_POLL_MS, max_records=_READ_RECORDS).get(place, ()):
            found.take(read.key, read.value, read.headers)
    state = found.state()
    log.info("state.restored", topic=topic, partition=partition, records=found.records)
    return state
