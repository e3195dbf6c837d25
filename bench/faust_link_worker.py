"""The stage `link` as a Faust worker, for `faust_link.py`: its parts in a table, its position with them.

What had to be built against the framework (faust-streaming 0.15.3; decision 5 says what came):

- The position is inside the state. Reading goes on there, not at the group's committed offset: set by `seek_to_committed`, in the
  fetching thread, with the flow held from the rebalance until then (as `runtime/kafka/views.py` does).
- Writes of a table arrive one by one. So each part has two slots, and a marker, written last, says which step is in force; a
  step is some hundred records. At any cut the parts of the marker's step are whole.
- What a step sent is acknowledged before the step is written; ids are derived, so what is sent again is known by id and revision.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

import faust
from chains import LATENESS_US  # type: ignore[import-not-found]

from contract.records import Alert, Chain
from contract.timestamps import from_datetime
from correlate.link import link
from runtime.kafka.wire import Mark, decode, encode
from runtime.stage_runner import StageRunner

APP: Final = "link"
IN: Final = "alerts"
OUT: Final = "chains"
CHANGELOG: Final = "link-state-changelog"
STEP_RECORDS: Final = 200
"""Records between two writes of what changed; what was not written yet is read again."""
_AT: Final = b"at"


class Linked:
    """The stage and how far it is; what it does follows from the records alone.

    Args:
        parts: of its one key, as kept.
        low_us: watermark that they are of.
    """

    def __init__(self, parts: dict[tuple[str, str], bytes], low_us: int = 0) -> None:
        self.runner = StageRunner(link())
        self.low_us = low_us
        by_key: dict[str, dict[str, bytes]] = {}
        for (key, part), data in parts.items():
            by_key.setdefault(key, {})[part] = data
        self.runner.restore(by_key.items(), low_us)

    def take(self, alert: Alert) -> list[Chain]:
        """Take one alert; return what follows."""
        at_us = from_datetime(alert.time)
        said = [*self.runner.begin(at_us), *self.runner.take(alert)]
        self.low_us = max(self.low_us, at_us - LATENESS_US)
        said += self.runner.advance(self.low_us)
        return [one for one in said if isinstance(one, Chain)]

    def changes(self) -> dict[tuple[str, str], bytes | None]:
        """Return what changed since the last call, by key and part."""
        return {place[1:]: data for place, data in self.runner.changes().items()}


class Slots:
    """Parts in a table whose writes arrive one by one: at any cut, those of the marker's step can be told."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.at = json.loads(table.get(_AT) or b'{"step": 0, "offset": -1, "low_us": 0}')
        self.stale: list[bytes] = []
        self.parts: dict[tuple[str, str], bytes] = {}
        self._slot: dict[tuple[str, str], int] = {}
        self._gone: list[tuple[str, str]] = []
        newest: dict[tuple[str, str], tuple[int, int, bytes]] = {}
        for name, value in table.items():
            if name == _AT or not value:
                continue
            key, part, slot = json.loads(name)
            step = int.from_bytes(value[:8])
            if step > self.at["step"]:
                self.stale.append(name)  # of a step that was not finished
            elif (key, part) not in newest or newest[key, part][0] < step:
                newest[key, part] = step, slot, value[8:]
        for place, (_, slot, data) in newest.items():
            self._slot[place] = slot
            if data:
                self.parts[place] = data[1:]
            else:
                self._gone.append(place)

    def write(self, changes: dict[tuple[str, str], bytes | None], offset: int, low_us: int) -> None:
        """Write a step: first what is left to clear, then parts into the slots not in force, the marker last."""
        for name in self.stale:
            self._table.pop(name, None)
        for place in self._gone:
            slot = self._slot[place]
            self._table.pop(_name(place, 1 - slot), None)
            if place not in changes:
                self._table.pop(_name(place, slot), None)
                del self._slot[place]
        step = self.at["step"] + 1
        for place, data in changes.items():
            self._slot[place] = 1 - self._slot.get(place, 1)
            kept = b"" if data is None else b"=" + data
            self._table[_name(place, self._slot[place])] = step.to_bytes(8) + kept
        self.at = {"step": step, "offset": offset, "low_us": low_us}
        self._table[_AT] = json.dumps(self.at).encode()
        self.stale, self._gone = [], [one for one, data in changes.items() if data is None]


def _name(place: tuple[str, str], slot: int) -> bytes:
    return json.dumps([*place, slot]).encode()


class Worker:
    """Runs the Faust application until it is killed."""

    def __init__(self, bootstrap: str, member: str, guarantee: str, folder: str) -> None:
        self.app: Any = faust.App(
            APP, broker=f"kafka://{bootstrap}", datadir=folder, store="memory://", web_enabled=False,
            autodiscover=False, key_serializer="raw", value_serializer="raw", topic_partitions=1,
            topic_disable_leader=True, topic_allow_declare=False, consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=member, broker_session_timeout=10, broker_commit_interval=1,
            producer_linger=0.02, stream_recovery_delay=0, processing_guarantee=guarantee,
        )  # fmt: skip
        self.table = self.app.Table("state", partitions=1, key_type=bytes, value_type=bytes)
        self.out = self.app.topic(OUT)
        self.linked: Linked | None = None
        self.acknowledged: list[Any] = []
        self.taken = 0
        self.app.on_partitions_revoked.connect(self._forget)
        self.app.agent(self.app.topic(IN), name=APP)(self._run)

    async def run(self) -> None:
        """Start, and run for ever."""
        self.app.loop = asyncio.get_running_loop()
        consumer = self.app.consumer

        async def hold(*_: Any, **__: Any) -> None:
            # What is read between Faust letting the partitions go and its seek comes from elsewhere.
            consumer.stop_flow()

        async def to_own_position() -> dict[Any, int]:
            # `seek_wait` runs in the fetching thread; `seek` reaches into it, and what was being fetched is lost.
            at = Slots(self.table).at["offset"] + 1
            places = {place: at for place in consumer.assignment() if place.topic == IN}
            await consumer.seek_wait(places)
            return places

        self.app.on_rebalance_complete.connect(hold)
        consumer.seek_to_committed = to_own_position
        await self.app.start()
        await asyncio.Event().wait()

    async def _forget(self, *_: Any, **__: Any) -> None:
        self.linked, self.acknowledged = None, []

    async def _run(self, stream: Any) -> None:
        async for event in stream.events():
            await self._take(event.message)

    async def _take(self, message: Any) -> None:
        if self.linked is None:  # a table is written in stream iteration only
            self.slots = Slots(self.table)
            self.linked = Linked(self.slots.parts, self.slots.at["low_us"])
            self.offset = self.slots.at["offset"]
            print("taking", message.offset, flush=True)
            self.began = time.monotonic(), time.process_time()
        if message.offset <= self.offset:
            return
        linked, headers = self.linked, message.headers
        pairs = headers.items() if isinstance(headers, dict) else headers
        item = decode(message.value, list(pairs or ()))
        self.offset = message.offset
        self.taken += 1
        for chain in linked.take(item) if isinstance(item, Alert) else ():
            value, said = encode(chain)
            sent = await self.out.send(key=chain.id.encode(), value=value, headers=dict(said))
            self.acknowledged.append(sent)
        if self.offset % STEP_RECORDS == 0 or isinstance(item, Mark):
            waited, self.acknowledged = self.acknowledged, []
            await asyncio.gather(*waited)
            if linked is not self.linked:  # taken away meanwhile
                return
            self.slots.write(linked.changes(), self.offset, linked.low_us)
        if isinstance(item, Mark):
            spent = time.monotonic() - self.began[0], time.process_time() - self.began[1]
            print("spent", self.taken, *spent, flush=True)
            value, said = encode(item)
            await self.out.send(key=b"", value=value, headers=dict(said))
