"""The index writer of the one-process engine: follows what the store committed, in a thread of its own.

Elasticsearch away blocks nothing: the store grows, and is caught up with afterwards. What the store's retention removed before it
was sent is counted and said. A position is kept after the acknowledgement, so that a kill repeats a portion, which ids collapse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from contract.errors import IndexingError, StoreError
from contract.ports import Meter
from contract.records import DeadLetter
from contract.timestamps import to_datetime
from runtime.elastic import setup
from runtime.elastic.bulk import BulkWriter, Refusal
from runtime.elastic.client import connect
from runtime.elastic.pending import Pending
from runtime.elastic.settings import ElasticSettings

log = structlog.get_logger()

_POLL_S: Final = 0.25
_FIRST_PAUSE_S: Final = 0.5
_DEAD_LETTERS: Final = ".dead_letter-"


class Follower:
    """Copies the store to Elasticsearch until stopped.

    Args:
        settings: of Elasticsearch; `urls` is not empty.
        store: path of the store's file.
        dead_letter_bytes: of a refused document, kept.
        meter: `index_up`, `index_lag`, `index_missed_total`, and the bulk writer's.
        clock: wall clock, microseconds.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """

    def __init__(
        self,
        settings: ElasticSettings,
        store: Path,
        dead_letter_bytes: int,
        meter: Meter,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._store = store
        self._dead_letter_bytes = dead_letter_bytes
        self._meter = meter
        self._clock = clock
        self._client = connect(settings)
        self._writer = BulkWriter(self._client, settings, meter)
        self._stopping = threading.Event()
        self._ends_at = 0.0
        self._was_up: bool | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._supervise, name="index", daemon=True)

    def start(self) -> None:
        """Begin; the store must have been made."""
        self._thread.start()

    def stop(self, drain_s: float = 0.0) -> None:
        """Send what is committed for at most so long, then end; what is left is sent after the next start.

        Raises:
            Exception: whatever ended the thread before; a bug.
        """
        self._ends_at = time.monotonic() + drain_s
        if drain_s <= 0:
            self._writer.stop()
        self._stopping.set()
        self._thread.join(max(drain_s, 0.0))
        self._writer.stop()
        self._thread.join()
        self._writer.close()
        if self._failure is not None:
            raise self._failure

    def _supervise(self) -> None:
        """Keep a bug in here from passing unseen: it is logged at once, and raised by `stop`; the engine goes on."""
        try:
            self._run()
        except BaseException as error:
            self._failure = error
            self._meter.set("index_up", 0)
            log.exception("index.failed")

    def _run(self) -> None:
        pending = Pending(self._store, self._settings, self._clock)
        pause = _FIRST_PAUSE_S
        is_ready = False
        try:
            while not self._is_over():
                try:
                    if not is_ready:
                        self._prepare()
                        is_ready = True
                    has_more = self._step(pending)
                    self._meter.set("index_lag", pending.lag())
                    pause = _FIRST_PAUSE_S
                    self._say(is_up=True)
                except (IndexingError, StoreError) as error:
                    self._meter.set("index_lag", pending.lag())
                    self._say(is_up=False, reason=str(error))
                    if self._stopping.is_set():
                        return
                    self._stopping.wait(pause)
                    pause = min(2 * pause, self._settings.retry_most.total_seconds())
                    continue
                if not has_more:
                    if self._stopping.is_set():
                        return
                    self._stopping.wait(_POLL_S)
        finally:
            pending.close()

    def _is_over(self) -> bool:
        return self._stopping.is_set() and time.monotonic() >= self._ends_at

    def _prepare(self) -> None:
        for done in setup.prepare(self._client, self._settings):
            log.info("index.prepared", what=done)

    def _step(self, pending: Pending) -> bool:
        """Send the next portion; tell whether there was one."""
        portion = pending.read()
        if pending.is_at(portion):
            return False
        if portion.missed:
            self._meter.add("index_missed_total", portion.missed)
            log.error("index.missed", events=portion.missed, reason="engine.keep_events removed them unsent")  # fmt: skip
        written = self._writer.write(portion.documents)
        dead = [one for refusal in written.refused for one in self._dead_letter(refusal)]
        pending.acknowledge(portion, dead)
        return True

    def _dead_letter(self, refusal: Refusal) -> list[DeadLetter]:
        log.error("index.refused", id=refusal.document.id, index=refusal.document.index, reason=refusal.reason)  # fmt: skip
        if _DEAD_LETTERS in refusal.document.index:
            return []  # it stays in the store; a letter about a letter would go the same way
        return [refusal.dead_letter(to_datetime(self._clock()), self._dead_letter_bytes)]

    def _say(self, *, is_up: bool, reason: str = "") -> None:
        self._meter.set("index_up", int(is_up))
        if is_up == self._was_up:
            return
        self._was_up = is_up
        if is_up:
            log.info("index.reached", urls=list(self._settings.urls))
        else:
            log.warning("index.away", reason=reason)
